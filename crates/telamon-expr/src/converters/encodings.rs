//! Encodings: base64, hex, URLs, JSON strings.

use std::borrow::Cow;

use super::{boxed, escapes, on_text, Made, Row};
use crate::matching::unhex;
use crate::sample::{hex, Sample};

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const FOR_URLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "b64dec",
        make: |_, _| to_binary(|text| decode(text, STANDARD)),
    },
    Row {
        name: "base64",
        make: |_, _| from_bytes(|bytes| encode(bytes, STANDARD, true)),
    },
    Row {
        name: "hex",
        make: |_, _| from_bytes(hex),
    },
    Row {
        name: "hex2i",
        make: |_, _| {
            boxed(|_, sample| {
                let text = sample.into_text();
                let digit = |value: i64, byte: &u8| {
                    let digit = char::from(*byte).to_digit(16)?;
                    Some(value << 4 | i64::from(digit))
                };
                Some(Sample::Int(text.iter().try_fold(0, digit)?))
            })
        },
    },
    Row {
        name: "json",
        make: |args, _| {
            let input = escapes::Input::read(&args.string(0).unwrap_or_default())?;
            on_text(move |text| escapes::escape(text, input))
        },
    },
    Row {
        name: "ub64dec",
        make: |_, _| to_binary(|text| decode(text, FOR_URLS)),
    },
    Row {
        name: "ub64enc",
        make: |_, _| from_bytes(|bytes| encode(bytes, FOR_URLS, false)),
    },
    Row {
        name: "unhex",
        make: |_, _| to_binary(unhex),
    },
    Row {
        name: "url_dec",
        make: |args, _| {
            // In a form plus signs are blanks everywhere, in a URL only behind the question mark.
            let form = args.number(0)?.unwrap_or(0) != 0;
            on_text(move |text| url_decode(text, form))
        },
    },
    Row {
        name: "url_enc",
        make: |_, _| on_text(|text| Some(url_encode(text))),
    },
];

fn from_bytes(convert: fn(&[u8]) -> Vec<u8>) -> Made {
    boxed(move |_, sample| Some(Sample::owned(convert(&sample.into_bytes()))))
}

fn to_binary(convert: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> Made {
    boxed(move |_, sample| Some(Sample::Bin(Cow::Owned(convert(&sample.into_text())?))))
}

fn encode(bytes: &[u8], alphabet: &[u8; 64], padded: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group
            .iter()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - group.len()));
        for at in 0..4 {
            if at <= group.len() {
                out.push(alphabet[(word >> (18 - 6 * at) & 63) as usize]);
            } else if padded {
                out.push(b'=');
            }
        }
    }
    out
}

/// None for what is no base64. Padding may be missing only where the alphabet is for URLs.
fn decode(text: &[u8], alphabet: &[u8; 64]) -> Option<Vec<u8>> {
    let strict = alphabet[62] == b'+';
    if strict && text.len() % 4 != 0 {
        return None;
    }
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 {
        return None;
    }
    let digits = &text[..text.len() - padding];
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        if group.len() == 1 {
            return None;
        }
        let mut word = 0u32;
        for byte in group {
            let value = alphabet.iter().position(|one| one == byte)?;
            word = word << 6 | value as u32;
        }
        word <<= 6 * (4 - group.len());
        let bytes = word.to_be_bytes();
        out.extend_from_slice(&bytes[1..group.len()]);
    }
    Some(out)
}

/// With padding.
pub(super) fn encode_base64(bytes: &[u8]) -> Vec<u8> {
    encode(bytes, STANDARD, true)
}

/// Keys and credentials: base64 of the first alphabet.
pub(crate) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    decode(text, STANDARD)
}

/// As tokens have it: base64url, without padding (RFC 7515, 2).
pub(crate) fn decode_base64url(text: &[u8]) -> Option<Vec<u8>> {
    decode(text, FOR_URLS)
}

fn url_decode(text: &[u8], form: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut at, mut blanks) = (0, form);
    while at < text.len() {
        match text[at] {
            b'%' => {
                out.extend(unhex(text.get(at + 1..at + 3)?)?);
                at += 2;
            }
            b'+' if blanks => out.push(b' '),
            byte => {
                blanks |= byte == b'?';
                out.push(byte);
            }
        }
        at += 1;
    }
    Some(out)
}

/// All but RFC 3986's unreserved characters is encoded.
fn url_encode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(*byte);
        } else {
            out.push(b'%');
            out.extend(hex(&[*byte]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_remainder() {
        for (plain, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(encode(plain.as_bytes(), STANDARD, true), encoded.as_bytes());
            assert_eq!(
                decode(encoded.as_bytes(), STANDARD).unwrap(),
                plain.as_bytes()
            );
        }
        assert_eq!(decode(b"Zg", STANDARD), None);
        assert_eq!(decode(b"Zg", FOR_URLS).unwrap(), b"f");
    }

    #[test]
    fn urls() {
        assert_eq!(url_decode(b"a%20b+c?d+e", false).unwrap(), b"a b+c?d e");
        assert_eq!(url_decode(b"a%2", false), None);
        assert_eq!(url_encode(b"a b/~"), b"a%20b%2F~");
    }
}
