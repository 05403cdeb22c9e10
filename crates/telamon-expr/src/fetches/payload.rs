//! Bytes in the buffers, whatever the protocol (manual 7.3.5).
//!
//! Content rules look again when more bytes come. A fetch that would then say something else notes
//! that it is undecided: its condition is neither true nor false yet, unless it is true already.

use telamon_http::HeadParser;

use super::{by, sided, Fetch, Row};
use crate::args::Args;
use crate::env::Env;
use crate::sample::Sample;

/// No head is longer than a buffer.
const MAX_HEAD: usize = 16 << 10;
/// Bytes of TPKT and X.224 before the cookie of RDP (MS-RDPBCGR 2.2.1.1).
const RDP_HEAD: usize = 11;

pub(super) const ROWS: &[Row] = &[
    sided("req.len", "res.len", |_, _| {
        Fetch::new(|env| {
            env.undecided();
            Some(Sample::Int(env.body.len() as i64))
        })
    }),
    sided("req.payload", "res.payload", |args, _| payload(args)),
    sided("req.payload_lv", "res.payload_lv", |args, _| counted(args)),
    by("req.proto_http", |_, _| {
        Fetch::new(|env| Some(Sample::Bool(env.request.is_some() || is_http(env)?)))
    }),
    by("req.rdp_cookie", |args, _| {
        let name = args.text(0);
        Fetch::new(move |env| {
            let found = decided(env, rdp(env.body, name.as_deref()))??;
            Some(Sample::text(found))
        })
    }),
    by("req.rdp_cookie_cnt", |args, _| {
        let name = args.text(0);
        Fetch::new(move |env| {
            let found = decided(env, rdp(env.body, name.as_deref()))?;
            Some(Sample::Int(i64::from(found.is_some())))
        })
    }),
    by("wait_end", |_, _| {
        Fetch::new(|env| {
            env.undecided();
            (!env.facts.may_change()).then_some(Sample::Bool(true))
        })
    }),
];

/// `count` bytes from `start` on, if they have come.
fn part<'e>(env: &Env<'e>, start: usize, count: usize) -> Option<&'e [u8]> {
    let found = env.body.get(start..start.checked_add(count)?);
    if found.is_none() {
        env.undecided();
    }
    found
}

fn payload(args: Args<'_>) -> Result<Fetch, String> {
    let start = offset(args.number(0)?)?;
    let count = offset(args.number(1)?)?;
    Fetch::new(move |env| {
        if count > 0 {
            return Some(Sample::Bin(part(env, start, count)?.into()));
        }
        env.undecided();
        Some(Sample::Bin(env.body.get(start..)?.into()))
    })
}

fn offset(value: Option<i64>) -> Result<usize, String> {
    usize::try_from(value.unwrap_or(0))
        .map_err(|_| "offsets and lengths are not below 0".to_owned())
}

/// A length at `start`, in `width` bytes, and as many bytes behind it or at `place`.
fn counted(args: Args<'_>) -> Result<Fetch, String> {
    let start = offset(args.number(0)?)?;
    let width = offset(args.number(1)?)?;
    if width == 0 {
        return Err("a length has a byte or more".to_owned());
    }
    let written = args.string(2).filter(|text| !text.is_empty());
    let relative = written
        .as_deref()
        .is_none_or(|text| text.starts_with(['+', '-']));
    let place = match &written {
        None => 0,
        Some(text) => text
            .parse::<i64>()
            .map_err(|_| format!("'{text}' is no offset"))?,
    };
    let base = if relative { start + width } else { 0 };
    let place = usize::try_from(base as i64 + place).map_err(|_| "it begins before the buffer")?;
    Fetch::new(move |env| {
        let length = part(env, start, width)?;
        let length = length
            .iter()
            .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        let length = usize::try_from(length).ok().filter(|length| *length > 0)?;
        Some(Sample::Bin(part(env, place, length)?.into()))
    })
}

/// As HAProxy: no value unless it is, be that open or settled.
fn is_http(env: &Env<'_>) -> Option<bool> {
    match HeadParser::new(MAX_HEAD).parse(env.body) {
        Ok(Some(_)) => return Some(true),
        Ok(None) => env.undecided(),
        Err(_) => {}
    }
    None
}

/// More bytes are needed to tell.
struct Short;

fn decided<T>(env: &Env<'_>, found: Result<T, Short>) -> Option<T> {
    found.map_err(|Short| env.undecided()).ok()
}

/// The value of `Cookie: NAME=VALUE` in a first message of RDP, ended by CR LF.
fn rdp<'e>(bytes: &'e [u8], name: Option<&[u8]>) -> Result<Option<&'e [u8]>, Short> {
    const MARK: &[u8] = b"cookie:";
    let text = bytes
        .get(RDP_HEAD..)
        .filter(|text| text.len() > MARK.len())
        .ok_or(Short)?;
    let (mark, text) = text.split_at(MARK.len());
    if !mark.eq_ignore_ascii_case(MARK) {
        return Ok(None);
    }
    let text = text.trim_ascii_start();
    let equals = match name {
        Some(name) if text.len() <= name.len() => return Err(Short),
        Some(name) if !text[..name.len()].eq_ignore_ascii_case(name) => return Ok(None),
        Some(name) => name.len(),
        None => {
            let end = text
                .iter()
                .position(|byte| matches!(byte, b'=' | b'\r' | b'\n'));
            end.ok_or(Short)?
        }
    };
    if text[equals] != b'=' {
        return Ok(None);
    }
    let value = &text[equals + 1..];
    let end = memchr::memchr(b'\r', value).ok_or(Short)?;
    match value.get(end + 1) {
        None => Err(Short),
        Some(b'\n') => Ok(Some(&value[..end])),
        Some(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &[u8] = b"\x03\x00\x00\x2c\x27\xe0\x00\x00\x00\x00\x00Cookie: mstshash=al\r\n";

    #[test]
    fn rdp_cookies() {
        assert!(matches!(rdp(CONNECT, None), Ok(Some(b"al"))));
        assert!(matches!(rdp(CONNECT, Some(b"MSTShash")), Ok(Some(b"al"))));
        assert!(matches!(rdp(CONNECT, Some(b"msts")), Ok(None)));
        for end in 0..CONNECT.len() {
            assert!(rdp(&CONNECT[..end], None).is_err(), "{end}");
        }
        assert!(matches!(rdp(b"0123456789aGET / HTTP/1.1", None), Ok(None)));
    }
}
