//! Cookies that lead clients back to their servers (manual 4.2, `cookie`), and `capture cookie`.
//!
//! On the way in, the backend's cookie is looked for in every `Cookie` line: its value names a
//! server, with `prefix` up to a `~`, otherwise up to a `|` behind which stand the dates of the last
//! and of the first visit. On the way out, the server's own `Set-Cookie` of that name is left,
//! taken away or rewritten, and a client that was not led by its cookie is given one.
//!
//! ```text
//!  Cookie: SRV=s1|Zh3bq|Zh3aA        prefix:  Cookie: SRV=s1~abc ──► server: SRV=abc
//!              │  │     └ first visit (maxlife)
//!              │  └ last visit (maxidle)
//!              └ the server's `cookie` word
//! ```

mod cacheable;
mod hooks;
mod line;
mod passes;
mod value;

use telamon_plan::http::{Cookie, CookieMode};

use crate::conn::NONE;
use passes::Desk;
use value::Value;

/// What the client's cookie was worth: the third letter of the log's end (manual 8.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Given {
    #[default]
    None,
    Invalid,
    Down,
    Valid,
    Expired,
    Old,
    Unused,
}

/// What became of the response's cookie: the fourth letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    #[default]
    None,
    Passive,
    Deleted,
    Inserted,
    Rewritten,
    Updated,
}

/// An exchange's cookies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Persistence {
    given: Given,
    outcome: Outcome,
    /// A cookie or a rule has chosen the server; `Slot::wanted` has it until a redispatch.
    direct: bool,
    /// `ignore-persist`
    ignored: bool,
    last_visit: Option<i64>,
    first_visit: Option<i64>,
    /// `name=value` as captured, of the request and of the response.
    pub(crate) captured: [Option<Vec<u8>>; 2],
}

impl Persistence {
    /// No cookie leads anywhere, and none is set.
    pub(crate) fn ignore(&mut self) {
        self.ignored = true;
    }

    /// The third and the fourth letter of the end.
    pub(crate) fn letters(&self, cookie: Option<&Cookie>, wanted: u32, server: u32) -> [u8; 2] {
        if cookie.is_none_or(|cookie| cookie.mode == CookieMode::Passive && !cookie.indirect) {
            return *b"--";
        }
        let redispatched = server != NONE && server != wanted;
        let given = match self.given {
            Given::None => b'N',
            Given::Invalid => b'I',
            Given::Valid if redispatched => b'D',
            Given::Down => b'D',
            Given::Valid => b'V',
            Given::Expired => b'E',
            Given::Old => b'O',
            Given::Unused => b'U',
        };
        let outcome = match self.outcome {
            Outcome::None => b'N',
            Outcome::Passive => b'P',
            Outcome::Deleted => b'D',
            Outcome::Inserted => b'I',
            Outcome::Rewritten => b'R',
            Outcome::Updated => b'U',
        };
        [given, outcome]
    }

    /// Follows one cookie's value to its server.
    fn follow(&mut self, cookie: &Cookie, value: &Value<'_>, desk: &Desk<'_>) -> Option<usize> {
        (self.last_visit, self.first_visit) = (value.last, value.first);
        let late = value.too_late(cookie, desk.now);
        if let Some(late) = late {
            self.given = late;
            (self.last_visit, self.first_visit) = (None, None);
        }
        // An empty value would lead to servers without a cookie.
        let settled = self.direct || self.ignored;
        if !settled && late.is_none() && !value.owner.is_empty() {
            if let Some((at, usable)) = (desk.server)(value.owner) {
                self.given = if usable { Given::Valid } else { Given::Down };
                if usable || desk.persist {
                    self.direct = true;
                    return Some(at);
                }
            }
        }
        if matches!(self.given, Given::None | Given::Invalid) {
            self.given = if settled {
                Given::Unused
            } else {
                Given::Invalid
            };
        }
        None
    }

    /// Must the client be given a cookie (again)?
    fn wants_insertion(&self, cookie: &Cookie, direct: bool, post: bool, now: i64) -> bool {
        let dated = cookie.maxidle.is_some() || self.last_visit.is_some();
        let stale = dated && self.last_visit.is_none_or(|last| last < now);
        let misses_first = cookie.maxlife.is_some() != self.first_visit.is_some();
        !self.ignored
            && cookie.mode == CookieMode::Insert
            && !(cookie.preserve && self.outcome == Outcome::Passive)
            && (!direct || stale || misses_first)
            && (post || !cookie.postonly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn cookie(mode: CookieMode) -> Cookie {
        Cookie {
            name: "S".into(),
            mode,
            indirect: false,
            nocache: false,
            postonly: false,
            preserve: false,
            httponly: false,
            secure: false,
            domains: Vec::new(),
            maxidle: None,
            maxlife: None,
            dynamic: false,
            dynamic_key: None,
            attributes: Vec::new(),
        }
    }

    #[test]
    fn values_lead_to_servers() {
        let server = |name: &[u8]| match name {
            b"a" => Some((0, true)),
            b"b" => Some((1, false)),
            _ => None,
        };
        let mut desk = Desk {
            cookie: None,
            capture: None,
            server: &server,
            persist: false,
            now: 1_800_000_000,
        };
        for (value, given, at) in [
            ("a", Given::Valid, Some(0)),
            ("b", Given::Down, None),
            ("c", Given::Invalid, None),
            ("", Given::Invalid, None),
            ("a|AAAAB", Given::Expired, None),
            ("a|AAAAB|AAAAB", Given::Old, None),
        ] {
            let mut rule = cookie(CookieMode::Insert);
            (rule.maxidle, rule.maxlife) = (Some(60), Some(600));
            let value = Value::read(value.as_bytes(), rule.mode);
            let mut state = Persistence::default();
            let found = state.follow(&rule, &value, &desk);
            assert_eq!((state.given, found), (given, at), "{value:?}");
        }
        desk.persist = true;
        let mut state = Persistence::default();
        let value = Value::read(b"b~own", CookieMode::Prefix);
        assert_eq!(value.own, Some(&b"own"[..]));
        let found = state.follow(&cookie(CookieMode::Prefix), &value, &desk);
        assert_eq!((state.given, found), (Given::Down, Some(1)));
    }
}
