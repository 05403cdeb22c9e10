//! The value of a persistence cookie: a server, and when the client came last and first.

use telamon_plan::http::{Cookie, CookieMode};

use super::Given;

/// How far in the future a date may be: clocks differ, and time zones are set wrong.
const FUTURE: i64 = 86_400;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A persistence cookie's value, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value<'v> {
    pub(super) owner: &'v [u8],
    /// With `prefix`: the server's own value.
    pub(super) own: Option<&'v [u8]>,
    pub(super) last: Option<i64>,
    pub(super) first: Option<i64>,
}

impl<'v> Value<'v> {
    pub(super) fn read(value: &'v [u8], mode: CookieMode) -> Value<'v> {
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
    pub(super) fn too_late(&self, cookie: &Cookie, now: i64) -> Option<Given> {
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

pub(super) fn write_date(out: &mut Vec<u8>, seconds: i64) {
    let steps = seconds >> 2;
    out.push(b'|');
    out.extend((0..5).map(|at| ALPHABET[(steps >> (24 - 6 * at) & 63) as usize]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_back() {
        let mut out = Vec::new();
        write_date(&mut out, 1_800_000_003);
        assert_eq!(date(&out[1..]), Some(1_800_000_000));
        assert_eq!(date(b"AAAA"), None);
        assert_eq!(date(b"AA-AA"), None);
    }
}
