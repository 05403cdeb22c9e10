//! Fields of Protocol Buffers (the encoding's own guide: protobuf.dev), and of gRPC messages, which
//! are the same behind five bytes: compressed or not, and a length.

use std::borrow::Cow;

use super::{boxed, by, Made, Row};
use crate::args::Args;
use crate::sample::Sample;

const GRPC_HEAD: usize = 5;

pub(super) const ROWS: &[Row] = &[
    by("protobuf", |args, _| {
        field(args, |bytes, wanted| find(bytes, &wanted.path))
    }),
    by("ungrpc", |args, _| field(args, within_grpc)),
];

/// How a value is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wire {
    Varint,
    Fixed64,
    Counted,
    Fixed32,
}

/// A type, by which a value becomes a number.
type Kind = (&'static str, Wire, fn(u64) -> i64);

const KINDS: &[Kind] = &[
    ("bool", Wire::Varint, |value| value as i64),
    ("double", Wire::Fixed64, |value| {
        f64::from_bits(value) as i64
    }),
    ("enum", Wire::Varint, |value| value as i64),
    ("fixed32", Wire::Fixed32, |value| value as i64),
    ("fixed64", Wire::Fixed64, |value| value as i64),
    ("float", Wire::Fixed32, |value| {
        i64::from((f32::from_bits(value as u32) as i32) as u32)
    }),
    ("int32", Wire::Varint, |value| i64::from(value as i32)),
    ("int64", Wire::Varint, |value| value as i64),
    ("sfixed32", Wire::Fixed32, |value| i64::from(value as i32)),
    ("sfixed64", Wire::Fixed64, |value| value as i64),
    // Zigzag: the lowest bit is the sign.
    ("sint32", Wire::Varint, unzigzag),
    ("sint64", Wire::Varint, unzigzag),
    ("uint32", Wire::Varint, |value| i64::from(value as u32)),
    ("uint64", Wire::Varint, |value| value as i64),
];

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

struct Wanted {
    /// Field numbers, from the outermost message on.
    path: Vec<u64>,
    kind: Option<Kind>,
}

type Find = for<'b> fn(&'b [u8], &Wanted) -> Option<Value<'b>>;

/// A value in its encoding, without tag and length.
#[derive(Debug, PartialEq, Eq)]
struct Value<'b> {
    wire: Wire,
    bytes: &'b [u8],
}

fn field(args: Args<'_>, find: Find) -> Made {
    let text = args.string(0).ok_or("a field's number is missing")?;
    let path: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
    let path = path.map_err(|_| format!("'{text}' is no field: write numbers with dots"))?;
    // Texts and bytes are themselves.
    let named = args
        .string(1)
        .filter(|name| name != "bytes" && name != "string");
    let kind = match named {
        None => None,
        Some(name) => {
            let kind = KINDS.iter().find(|kind| kind.0 == name);
            Some(*kind.ok_or_else(|| format!("'{name}' is no type of Protocol Buffers"))?)
        }
    };
    let wanted = Wanted { path, kind };
    boxed(move |_, sample| {
        let bytes = sample.into_bytes();
        let value = find(&bytes, &wanted)?;
        match wanted.kind {
            None => Some(Sample::Bin(Cow::Owned(value.bytes.to_vec()))),
            Some((_, wire, number)) if wire == value.wire => {
                Some(Sample::Int(number(value.number()?)))
            }
            Some(_) => None,
        }
    })
}

impl Value<'_> {
    fn number(&self) -> Option<u64> {
        match self.wire {
            Wire::Varint => Some(varint(self.bytes)?.0),
            _ => {
                let bytes = self.bytes.iter().rev();
                Some(bytes.fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
            }
        }
    }
}

/// The first message that has the field.
fn within_grpc<'b>(bytes: &'b [u8], wanted: &Wanted) -> Option<Value<'b>> {
    let mut rest = bytes;
    while let Some((head, behind)) = rest.split_at_checked(GRPC_HEAD) {
        let length = head[1..]
            .iter()
            .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
        let message = behind.get(..length)?;
        // A compressed message is left out.
        if let Some(found) = (head[0] == 0)
            .then(|| find(message, &wanted.path))
            .flatten()
        {
            return Some(found);
        }
        rest = &behind[length..];
    }
    None
}

fn find<'b>(mut bytes: &'b [u8], path: &[u64]) -> Option<Value<'b>> {
    let (number, inner) = path.split_first()?;
    while !bytes.is_empty() {
        let (tag, value, rest) = next(bytes)?;
        if tag == *number {
            if inner.is_empty() {
                return Some(value);
            }
            if value.wire == Wire::Counted {
                return find(value.bytes, inner);
            }
            return None;
        }
        bytes = rest;
    }
    None
}

/// A field's number and value, and what follows.
fn next(bytes: &[u8]) -> Option<(u64, Value<'_>, &[u8])> {
    let (tag, rest) = varint(bytes)?;
    let (wire, length, rest) = match tag & 7 {
        0 => (Wire::Varint, rest.len() - varint(rest)?.1.len(), rest),
        1 => (Wire::Fixed64, 8, rest),
        2 => {
            let (length, rest) = varint(rest)?;
            (Wire::Counted, usize::try_from(length).ok()?, rest)
        }
        5 => (Wire::Fixed32, 4, rest),
        _ => return None,
    };
    let (bytes, rest) = rest.split_at_checked(length)?;
    Some((tag >> 3, Value { wire, bytes }, rest))
}

/// Seven bits a byte, the lowest first.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut sum = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        sum |= u64::from(byte & 127) << (7 * at).min(63);
        if byte & 128 == 0 {
            return Some((sum, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"\x08\xac\x02\x12\x03abc\x1a\x03\x08\x96\x01\x2d\x00\x00\xc0\xbf";

    #[test]
    fn fields_by_path() {
        let number = |path: &[u64]| find(MESSAGE, path).and_then(|value| value.number());
        assert_eq!(number(&[1]), Some(300));
        assert_eq!(number(&[3, 1]), Some(150));
        assert_eq!(
            find(MESSAGE, &[2]).map(|value| value.bytes),
            Some(&b"abc"[..])
        );
        assert_eq!(find(MESSAGE, &[9]), None);
        assert_eq!(find(MESSAGE, &[1, 1]), None);
        assert_eq!(unzigzag(3), -2);
    }

    #[test]
    fn lengths_that_lie_are_nothing() {
        for end in 0..MESSAGE.len() {
            assert_eq!(find(&MESSAGE[..end], &[9]), None);
        }
        assert_eq!(
            find(b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &[2]),
            None
        );
        assert_eq!(
            find(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", &[2]),
            None
        );
    }
}
