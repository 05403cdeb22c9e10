//! What passes through: the cookies of a request, those of its response, and the one that is set.

use telamon_http::{Edit, Message};
use telamon_plan::http::{Cookie, CookieCapture, CookieMode};

use super::line::{edit_line, Change, Part};
use super::value::{write_date, Value};
use super::{Outcome, Persistence};

/// The server that a value names, and whether it may be used.
pub(super) type Leads<'a> = dyn Fn(&[u8]) -> Option<(usize, bool)> + 'a;

/// What a request's cookies are looked at with.
pub(super) struct Desk<'a> {
    pub(super) cookie: Option<&'a Cookie>,
    pub(super) capture: Option<&'a CookieCapture>,
    pub(super) server: &'a Leads<'a>,
    pub(super) persist: bool,
    pub(super) now: i64,
}

/// Reads and edits a request's cookies; the server that they lead to.
pub(super) fn take_request(
    desk: &Desk<'_>,
    head: &mut Message,
    state: &mut Persistence,
) -> Option<usize> {
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
            let server = state.follow(cookie, &parts, desk);
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
pub(super) fn take_response(
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
pub(super) fn set_cookie(
    cookie: &Cookie,
    own: Option<&str>,
    first: Option<i64>,
    now: i64,
) -> Vec<u8> {
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

/// `name=value`, if it is the one to be captured.
fn captured(capture: &CookieCapture, text: &[u8]) -> Option<Vec<u8>> {
    let rest = text.strip_prefix(capture.name.as_bytes())?;
    let whole = capture.prefix || rest.first() == Some(&b'=');
    whole.then(|| text[..text.len().min(capture.length)].to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::tests::cookie;
    use super::*;

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
