//! Percent escapes (RFC 3986 6.2.2.1 and 6.2.2.2).

use super::BrokenEscape;

/// Letters, digits and `-._~` need no escape.
pub(super) fn decode_unreserved(text: &[u8], strict: bool) -> Result<Vec<u8>, BrokenEscape> {
    each_escape(text, strict, |escape, value, out| {
        if value.is_ascii_alphanumeric() || matches!(value, b'-' | b'.' | b'_' | b'~') {
            out.push(value);
        } else {
            out.extend_from_slice(escape);
        }
    })
}

pub(super) fn to_uppercase(text: &[u8], strict: bool) -> Result<Vec<u8>, BrokenEscape> {
    each_escape(text, strict, |escape, _, out| {
        out.extend(escape.iter().map(u8::to_ascii_uppercase));
    })
}

/// Copies the text; whole escapes go through `change`. After a broken one only its percent sign
/// is passed, so that `%%36` has one in it.
fn each_escape(
    text: &[u8],
    strict: bool,
    change: impl Fn(&[u8], u8, &mut Vec<u8>),
) -> Result<Vec<u8>, BrokenEscape> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        match value(rest) {
            Some(value) => {
                change(&rest[..3], value, &mut out);
                rest = &rest[3..];
            }
            None if strict => return Err(BrokenEscape),
            None => {
                out.push(b'%');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// The byte that an escape at the text's beginning means.
fn value(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    u8::try_from(digit(1)? << 4 | digit(2)?).ok()
}
