//! Messages of FIX (Financial Information eXchange): `tag=value` with a SOH behind each.
//!
//! `8=FIX.4.2 9=LENGTH 35=TYPE ... 10=SUM`: the length counts what stands between tags 9 and 10, the
//! sum all bytes before tag 10, modulo 256, in three digits.

use super::{boxed, by, Row};
use crate::sample::Sample;

const SOH: u8 = 1;
const BEGIN: u32 = 8;
const LENGTH: u32 = 9;
const SUM: u32 = 10;
const NAMES: [(&str, u32); 6] = [
    ("BeginString", BEGIN),
    ("BodyLength", LENGTH),
    ("MsgType", 35),
    ("SenderCompID", 49),
    ("TargetCompID", 56),
    ("CheckSum", SUM),
];
const VERSIONS: [&[u8]; 6] = [
    b"FIX.4.0",
    b"FIX.4.1",
    b"FIX.4.2",
    b"FIX.4.3",
    b"FIX.4.4",
    b"FIXT.1.1",
];

pub(super) const ROWS: &[Row] = &[
    by("fix_is_valid", |_, _| {
        boxed(|_, sample| Some(Sample::Bool(is_valid(&sample.into_bytes())?)))
    }),
    by("fix_tag_value", |args, _| {
        let text = args.string(0).ok_or("a tag is missing")?;
        let named = NAMES.iter().find(|one| one.0 == text).map(|one| one.1);
        let wanted = named.or_else(|| text.parse().ok());
        let wanted =
            wanted.ok_or_else(|| format!("'{text}' is no tag of FIX: write its number"))?;
        boxed(move |_, sample| {
            let bytes = sample.into_bytes();
            let mut fields = Fields {
                bytes: &bytes,
                at: 0,
            };
            let value = fields
                .find_map(|field| field.filter(|field| field.tag == wanted))?
                .value;
            Some(Sample::Bin(value.to_vec().into()))
        })
    }),
];

struct Field<'b> {
    tag: u32,
    value: &'b [u8],
    start: usize,
    end: usize,
}

/// The fields in turn; within, None is what is no field.
struct Fields<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Iterator for Fields<'b> {
    type Item = Option<Field<'b>>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let end = memchr::memchr(SOH, rest)?;
        self.at = start + end + 1;
        let field = || {
            let equals = memchr::memchr(b'=', &rest[..end])?;
            let tag = std::str::from_utf8(&rest[..equals]).ok()?.parse().ok()?;
            Some(Field {
                tag,
                value: &rest[equals + 1..end],
                start,
                end: start + end + 1,
            })
        };
        Some(field())
    }
}

/// None while the message is not whole.
fn is_valid(bytes: &[u8]) -> Option<bool> {
    let mut fields = Fields { bytes, at: 0 };
    let Some(begin) = fields.next()? else {
        return Some(false);
    };
    if begin.tag != BEGIN || !VERSIONS.contains(&begin.value) {
        return Some(false);
    }
    let Some(length) = fields.next()?.filter(|field| field.tag == LENGTH) else {
        return Some(false);
    };
    let digits = std::str::from_utf8(length.value).unwrap_or_default();
    let Ok(count) = digits.parse::<usize>() else {
        return Some(false);
    };
    loop {
        let Some(field) = fields.next()? else {
            return Some(false);
        };
        if field.tag == SUM {
            let sum = bytes[..field.start]
                .iter()
                .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            let right = field.value == format!("{sum:03}").as_bytes();
            return Some(right && field.start - length.end == count && field.end <= bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(version: &str, body: &str) -> Vec<u8> {
        let mut text = format!("8={version}|9={}|{body}", body.len()).replace('|', "\x01");
        let sum = text.bytes().fold(0u8, u8::wrapping_add);
        text.push_str(&format!("10={sum:03}\x01"));
        text.into_bytes()
    }

    #[test]
    fn lengths_and_sums_must_be_right() {
        let good = message("FIX.4.2", "35=A|49=S|56=T|34=1|");
        assert_eq!(is_valid(&good), Some(true));
        assert_eq!(is_valid(&message("FIX.5.0", "35=A|")), Some(false));
        assert_eq!(is_valid(&message("FIX.4.2", "35=A|x=3|")), Some(false));
        let mut lies = good.clone();
        lies[14] += 1;
        assert_eq!(is_valid(&lies), Some(false));
        for end in 0..good.len() {
            assert_eq!(is_valid(&good[..end]), None, "{end}");
        }
    }
}
