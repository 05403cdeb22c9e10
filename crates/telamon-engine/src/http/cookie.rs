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

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use telamon_http::{Edit, Message};
use telamon_plan::http::{Cookie, CookieCapture, CookieMode};

use crate::conn::NONE;
use crate::io::Io;
use crate::shared::Server;
use crate::worker::Worker;

/// How far in the future a date may be: clocks differ, and time zones are set wrong.
const FUTURE: i64 = 86_400;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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

    /// Follows one cookie's value to its server. `servers`: their cookies, and whether they may
    /// be used.
    fn follow(
        &mut self,
        cookie: &Cookie,
        value: &Value<'_>,
        servers: &[(Option<Cow<'_, str>>, bool)],
        persist: bool,
        now: i64,
    ) -> Option<usize> {
        (self.last_visit, self.first_visit) = (value.last, value.first);
        let late = value.too_late(cookie, now);
        if let Some(late) = late {
            self.given = late;
            (self.last_visit, self.first_visit) = (None, None);
        }
        // An empty value would lead to servers without a cookie.
        let settled = self.direct || self.ignored;
        if !settled && late.is_none() && !value.owner.is_empty() {
            for (at, (name, usable)) in servers.iter().enumerate() {
                if name
                    .as_ref()
                    .is_none_or(|name| name.as_bytes() != value.owner)
                {
                    continue;
                }
                self.given = if *usable { Given::Valid } else { Given::Down };
                if *usable || persist {
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

/// A persistence cookie's value, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Value<'v> {
    owner: &'v [u8],
    /// With `prefix`: the server's own value.
    own: Option<&'v [u8]>,
    last: Option<i64>,
    first: Option<i64>,
}

impl<'v> Value<'v> {
    fn read(value: &'v [u8], mode: CookieMode) -> Value<'v> {
        if mode == CookieMode::Prefix {
            let (owner, own) = cut(value, b'~');
            return Value {
                owner,
                own,
                last: None,
                first: None,
            };
        }
        let (owner, dates) = cut(value, b'|');
        let (last, first) = dates.map_or((None, None), |dates| {
            (date(dates), cut(dates, b'|').1.and_then(date))
        });
        Value {
            owner,
            own: None,
            last,
            first,
        }
    }

    /// Over its `maxlife` or `maxidle`, or from a future that no clock explains.
    fn too_late(&self, cookie: &Cookie, now: i64) -> Option<Given> {
        let over = |date: Option<i64>, limit: Option<u64>| match (date, limit) {
            (Some(date), Some(limit)) => {
                now - date > i64::try_from(limit).unwrap_or(i64::MAX) || date - now > FUTURE
            }
            _ => false,
        };
        if over(self.first, cookie.maxlife) {
            return Some(Given::Old);
        }
        over(self.last, cookie.maxidle).then_some(Given::Expired)
    }
}

fn cut(text: &[u8], mark: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == mark) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Seconds since the epoch, from five digits of 6 bits that count steps of 4 seconds.
fn date(digits: &[u8]) -> Option<i64> {
    let mut steps = 0;
    for digit in digits.get(..5)? {
        steps = steps << 6 | ALPHABET.iter().position(|one| one == digit)? as i64;
    }
    (steps > 0).then_some(steps << 2)
}

fn write_date(out: &mut Vec<u8>, seconds: i64) {
    let steps = seconds >> 2;
    out.push(b'|');
    out.extend((0..5).map(|at| ALPHABET[(steps >> (24 - 6 * at) & 63) as usize]));
}

/// One part of a `Cookie` line, by places in it.
struct Part {
    start: usize,
    /// The mark behind it, or the line's end.
    end: usize,
    equals: Option<usize>,
}

impl Part {
    /// From `start` on. Commas part, too (RFC 2965 had them), unless in a quoted value.
    fn read(line: &[u8], start: usize) -> Part {
        let (mut equals, mut quoted, mut escaped) = (None, false, false);
        for (at, byte) in line.iter().enumerate().skip(start) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' if equals.is_some() => quoted = !quoted,
                b'=' if equals.is_none() => equals = Some(at),
                b';' | b',' if !quoted => {
                    return Part {
                        start,
                        end: at,
                        equals,
                    }
                }
                _ => {}
            }
        }
        Part {
            start,
            end: line.len(),
            equals,
        }
    }

    fn text<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        line[self.start..self.end].trim_ascii()
    }

    /// Name and value, if it has both marks of a cookie.
    fn cookie<'l>(&self, line: &'l [u8]) -> Option<(&'l [u8], &'l [u8])> {
        let equals = self.equals?;
        let value = &line[equals + 1..self.end];
        Some((line[self.start..equals].trim_ascii(), value.trim_ascii()))
    }
}

/// What is to become of a cookie within its line.
enum Change {
    Keep,
    Remove,
    Value(Vec<u8>),
}

/// A `Cookie` line after `look` has seen each of its parts (the whole, name, value).
fn edit_line(line: &[u8], mut look: impl FnMut(&[u8], &[u8], &[u8]) -> Change) -> Edit {
    let mut out = Vec::with_capacity(line.len());
    let (mut start, mut changed) = (0, false);
    // What stands between the last part that stays and the next.
    let mut joint: &[u8] = b"";
    loop {
        let part = Part::read(line, start);
        let change = match part.cookie(line) {
            Some((name, value)) => look(part.text(line), name, value),
            None => Change::Keep,
        };
        let stays = !matches!(change, Change::Remove);
        if stays {
            out.extend_from_slice(joint);
        }
        let text = &line[part.start..part.end];
        match (change, part.equals) {
            (Change::Value(value), Some(equals)) => {
                changed = true;
                out.extend_from_slice(&line[part.start..=equals]);
                out.extend_from_slice(&value);
            }
            (Change::Remove, _) => changed = true,
            _ if joint == b"; " || out.is_empty() => out.extend_from_slice(text.trim_ascii_start()),
            _ => out.extend_from_slice(text),
        }
        if part.end == line.len() {
            break;
        }
        start = part.end + 1;
        joint = match (stays, out.is_empty()) {
            (_, true) => b"",
            (true, _) => &line[part.end..start],
            (false, _) => b"; ",
        };
    }
    match (changed, out.is_empty()) {
        (false, _) => Edit::Keep,
        (true, true) => Edit::Remove,
        (true, false) => Edit::Replace(out),
    }
}

/// `name=value`, if it is the one to be captured.
fn captured(capture: &CookieCapture, text: &[u8]) -> Option<Vec<u8>> {
    let rest = text.strip_prefix(capture.name.as_bytes())?;
    let whole = capture.prefix || rest.first() == Some(&b'=');
    whole.then(|| text[..text.len().min(capture.length)].to_vec())
}

/// What a request's cookies are looked at with.
struct Desk<'a> {
    cookie: Option<&'a Cookie>,
    capture: Option<&'a CookieCapture>,
    servers: Vec<(Option<Cow<'a, str>>, bool)>,
    persist: bool,
    now: i64,
}

/// Reads and edits a request's cookies; the server that they lead to.
fn take_request(desk: &Desk<'_>, head: &mut Message, state: &mut Persistence) -> Option<usize> {
    let mut chosen = None;
    head.edit_lines(b"cookie", |line| {
        edit_line(line, |text, name, value| {
            if state.captured[0].is_none() {
                state.captured[0] = desk.capture.and_then(|one| captured(one, text));
            }
            let Some(cookie) = desk.cookie.filter(|one| one.name.as_bytes() == name) else {
                return Change::Keep;
            };
            let parts = Value::read(value, cookie.mode);
            let server = state.follow(cookie, &parts, &desk.servers, desk.persist, desk.now);
            chosen = chosen.or(server);
            match (cookie.mode, parts.own) {
                (CookieMode::Prefix, Some(own)) => Change::Value(own.to_vec()),
                (CookieMode::Insert, _) if cookie.indirect => Change::Remove,
                _ => Change::Keep,
            }
        })
    });
    chosen
}

/// The server's own `Set-Cookie` lines. `own`: the server's value; `direct`: its cookie led here.
fn take_response(
    cookie: Option<&Cookie>,
    capture: Option<&CookieCapture>,
    reply: &mut Message,
    state: &mut Persistence,
    own: Option<&str>,
    direct: bool,
) {
    reply.edit_lines(b"set-cookie", |line| {
        let part = Part::read(line, 0);
        let Some((name, value)) = part.cookie(line) else {
            return Edit::Keep;
        };
        if state.captured[1].is_none() {
            state.captured[1] = capture.and_then(|one| captured(one, part.text(line)));
        }
        let Some(cookie) = cookie.filter(|one| one.name.as_bytes() == name) else {
            return Edit::Keep;
        };
        state.outcome = Outcome::Passive;
        if cookie.preserve {
            return Edit::Keep;
        }
        if cookie.mode == CookieMode::Insert || direct && cookie.indirect {
            state.outcome = Outcome::Deleted;
            return Edit::Remove;
        }
        let Some(own) = own.map(str::as_bytes) else {
            return Edit::Keep;
        };
        let new = match cookie.mode {
            CookieMode::Rewrite => own.to_vec(),
            CookieMode::Prefix => [own, b"~", value].concat(),
            CookieMode::Passive | CookieMode::Insert => return Edit::Keep,
        };
        state.outcome = Outcome::Rewritten;
        Edit::Replace([name, b"=", &new, &line[part.end..]].concat())
    });
}

/// The value of a `Set-Cookie` that leads back to the server, or, for one that has no cookie, one
/// that makes the client forget.
fn set_cookie(cookie: &Cookie, own: Option<&str>, first: Option<i64>, now: i64) -> Vec<u8> {
    let mut out = format!("{}={}", cookie.name, own.unwrap_or("")).into_bytes();
    // Rounded up: a date must not be in the past at once.
    let today = now + 3;
    match own {
        None => out.extend_from_slice(b"; Expires=Thu, 01-Jan-1970 00:00:01 GMT"),
        Some(_) if cookie.maxlife.is_some() => {
            write_date(&mut out, today);
            write_date(&mut out, first.unwrap_or(today));
        }
        Some(_) if cookie.maxidle.is_some() => write_date(&mut out, today),
        Some(_) => {}
    }
    out.extend_from_slice(b"; path=/");
    for domain in &cookie.domains {
        out.extend_from_slice(b"; domain=");
        out.extend_from_slice(domain.as_bytes());
    }
    if cookie.httponly {
        out.extend_from_slice(b"; HttpOnly");
    }
    if cookie.secure {
        out.extend_from_slice(b"; Secure");
    }
    for attribute in &cookie.attributes {
        out.extend_from_slice(b"; ");
        out.extend_from_slice(attribute.as_bytes());
    }
    out
}

/// May a cache keep the response as it stands (RFC 9111 3)?
fn is_cacheable(method: &[u8], reply: &Message) -> bool {
    let by_itself = matches!(method, b"GET" | b"HEAD")
        && matches!(
            reply.status(),
            200 | 203 | 204 | 206 | 300 | 301 | 404 | 405 | 410 | 414 | 501
        );
    let forbidden: [&[u8]; 5] = [
        b"private",
        b"no-cache",
        b"no-store",
        b"max-age=0",
        b"s-maxage=0",
    ];
    let is = |value: &[u8], word: &[u8]| value.eq_ignore_ascii_case(word);
    if reply.values(b"pragma").any(|value| is(value, b"no-cache")) {
        return false;
    }
    let (mut cacheable, mut dated) = (by_itself, false);
    for value in reply.values(b"cache-control") {
        if forbidden.iter().any(|word| is(value, word)) {
            return false;
        }
        cacheable |= is(value, b"public");
        let begins = |word: &[u8]| value.len() > word.len() && is(&value[..word.len()], word);
        dated |= begins(b"max-age=") || begins(b"s-maxage=");
    }
    // A cache keeps only what has a date or can be asked about again.
    let signs: [&[u8]; 3] = [b"expires", b"etag", b"last-modified"];
    let has = |name: &&[u8]| reply.lines(name).next().is_some();
    cacheable && (dated || signs.iter().any(has))
}

fn seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// A server's value in the persistence cookie.
fn name_of<'s>(plan: &'s telamon_plan::Server, server: &Server) -> Option<Cow<'s, str>> {
    let own = plan.cookie.as_deref().map(Cow::Borrowed);
    own.or_else(|| Some(Cow::Owned(server.dynamic_cookie()?.as_str().to_owned())))
}

impl<I: Io> Worker<I> {
    /// The request's cookies, when its rules have passed. `named`: a rule has chosen the server.
    pub(super) fn request_cookies(&mut self, index: u32, named: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let capture = &shared.proxies[slot.proxy as usize].plan.http.cookie_capture;
        // A rule of a `listen` section may deny before the backend is chosen.
        let behind = shared.proxies.get(slot.backend as usize);
        let behind = behind.or_else(|| shared.proxies.get(slot.proxy as usize));
        let cookie = behind.and_then(|behind| behind.plan.http.cookie.as_ref());
        if capture.is_none() && cookie.is_none() {
            return;
        }
        let servers = behind.and_then(|behind| {
            let (plan, backend) = (behind.plan.backend.as_ref()?, behind.backend.as_ref()?);
            let names = plan.servers.iter().zip(&backend.servers);
            let rows = names
                .map(|(plan, server)| name_of(plan, server))
                .enumerate();
            Some(
                rows.map(|(at, name)| (name, backend.may_use(at, false)))
                    .collect(),
            )
        });
        let desk = Desk {
            cookie,
            capture: capture.as_ref(),
            servers: servers.unwrap_or_default(),
            persist: slot.forced || behind.is_some_and(|behind| behind.plan.http.persist),
            now: seconds(),
        };
        let Some(exchange) = slot.exchange() else {
            return;
        };
        exchange.cookies.direct = named;
        let chosen = take_request(&desk, &mut exchange.head, &mut exchange.cookies);
        if let Some(server) = chosen {
            slot.wanted = server as u32;
            slot.forced |= desk.persist;
        }
    }

    /// `option checkcache`: a cookie in a response that a cache may keep would be everybody's.
    pub(super) fn leaks_cookies(&mut self, index: u32) -> bool {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let behind = shared.proxies.get(slot.backend as usize);
        let checks = behind.is_some_and(|behind| behind.plan.http.check_cache);
        slot.exchange().filter(|_| checks).is_some_and(|exchange| {
            let reply = &exchange.reply;
            reply.lines(b"set-cookie").next().is_some()
                && is_cacheable(exchange.head.method(), reply)
        })
    }

    /// The response's cookies, between the rules for it and those for every response.
    pub(super) fn response_cookies(&mut self, index: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let front = &shared.proxies[slot.proxy as usize].plan.http;
        let Some(behind) = shared.proxies.get(slot.backend as usize) else {
            return;
        };
        let (capture, cookie) = (front.cookie_capture.as_ref(), &behind.plan.http.cookie);
        let (wanted, server) = (slot.wanted, slot.server);
        let (Some(plan), Some(backend)) = (&behind.plan.backend, &behind.backend) else {
            return;
        };
        let at = server as usize;
        let (Some(plan), Some(found)) = (plan.servers.get(at), backend.servers.get(at)) else {
            return;
        };
        let own = name_of(plan, found);
        let own = own.as_deref();
        let Some(exchange) = slot.exchange() else {
            return;
        };
        let (reply, state) = (&mut exchange.reply, &mut exchange.cookies);
        let direct = state.direct && wanted == server;
        take_response(cookie.as_ref(), capture, reply, state, own, direct);
        let Some(cookie) = cookie else { return };
        let (post, now) = (exchange.head.method() == b"POST", seconds());
        if !state.wants_insertion(cookie, direct, post, now) {
            return;
        }
        let private = cookie.nocache && is_cacheable(exchange.head.method(), reply);
        let text = set_cookie(cookie, own, state.first_visit, now);
        reply.add_field(b"set-cookie", &text);
        state.outcome = match own {
            Some(_) if direct => Outcome::Updated,
            _ => Outcome::Inserted,
        };
        if private {
            reply.add_field(b"cache-control", b"private");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(mode: CookieMode) -> Cookie {
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

    fn without_s(line: &str) -> String {
        let edit = edit_line(line.as_bytes(), |_, name, _| match name {
            b"S" => Change::Remove,
            _ => Change::Keep,
        });
        match edit {
            Edit::Keep => line.to_owned(),
            Edit::Remove => "-".to_owned(),
            Edit::Replace(text) => String::from_utf8(text).unwrap(),
        }
    }

    #[test]
    fn a_cookie_leaves_its_line_tidy() {
        for (line, after) in [
            ("S=1", "-"),
            ("a=1; S=2", "a=1"),
            ("S=1; a=2", "a=2"),
            ("a=1; S=2; b=3", "a=1; b=3"),
            ("a=1;S=2;b=3", "a=1; b=3"),
            ("a=\"x;S=1\"; b", "a=\"x;S=1\"; b"),
        ] {
            assert_eq!(without_s(line), after, "{line}");
        }
    }

    #[test]
    fn dates_come_back() {
        let mut out = Vec::new();
        write_date(&mut out, 1_800_000_003);
        assert_eq!(date(&out[1..]), Some(1_800_000_000));
        assert_eq!(date(b"AAAA"), None);
        assert_eq!(date(b"AA-AA"), None);
    }

    #[test]
    fn values_lead_to_servers() {
        let servers = [
            (Some("a".into()), true),
            (Some("b".into()), false),
            (None, true),
        ];
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
            let found = state.follow(&rule, &value, &servers, false, 1_800_000_000);
            assert_eq!((state.given, found), (given, at), "{value:?}");
        }
        let mut state = Persistence::default();
        let value = Value::read(b"b~own", CookieMode::Prefix);
        assert_eq!(value.own, Some(&b"own"[..]));
        let found = state.follow(&cookie(CookieMode::Prefix), &value, &servers, true, 0);
        assert_eq!((state.given, found), (Given::Down, Some(1)));
    }

    #[test]
    fn what_is_set() {
        let mut rule = cookie(CookieMode::Insert);
        rule.domains = vec!["a.b".into()];
        (rule.httponly, rule.secure) = (true, true);
        rule.attributes = vec!["SameSite=None".into()];
        let text = |own| String::from_utf8(set_cookie(&rule, own, None, 0)).unwrap();
        assert_eq!(
            text(Some("x")),
            "S=x; path=/; domain=a.b; HttpOnly; Secure; SameSite=None"
        );
        assert!(text(None).starts_with("S=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/"));
    }
}
