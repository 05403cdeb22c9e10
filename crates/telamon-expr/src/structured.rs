//! Formats in JSON and CBOR (manual 8.2.6 of 3.0, `%{+json}o`): an object of the items that have
//! names, or one item as a value.
//!
//! ```text
//!     %{+json}o %(client)ci %(status)ST %(host:str)[req.hdr(host)]
//!     {"client": "192.0.2.1", "status": 200, "host": "a.example"}
//! ```
//!
//! CBOR (RFC 8949) is written as hex digits, unless `+bin` says that bytes may stand as they are.

use std::fmt::Write;

use telamon_plan::rules::{self, Encoding};

use crate::compile::{Compiler, Expression};
use crate::env::Env;
use crate::matching::unhex;
use crate::sample::{hex, leading_number, Sample};

/// What is written instead of text.
pub(crate) struct Structured {
    encoding: Encoding,
    /// CBOR as bytes, and binary samples as byte strings.
    binary: bool,
    content: Content,
}

enum Content {
    Object(Vec<Item>),
    Value(Item),
}

struct Item {
    name: String,
    source: Source,
    kind: Kind,
}

enum Source {
    Alias { name: String, argument: String },
    Expression(Box<Expression>),
}

/// `%(name:type)`
#[derive(Clone, Copy)]
enum Kind {
    Own,
    Text,
    Int,
    Bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Value {
    Nothing,
    Bool(bool),
    Int(i64),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
}

/// Aliases that are numbers; the others are texts.
const NUMBERS: &[&str] = &[
    "B", "ST", "Ta", "Tc", "Td", "Th", "Ti", "Tq", "TR", "Tr", "Ts", "Tt", "Tu", "Tw", "U", "ac",
    "bc", "bp", "bq", "cp", "fc", "fp", "lc", "ms", "pid", "rc", "rt", "sc", "sp", "sq",
];

/// Aliases whose bytes a line shows as `#XX`: here they are themselves.
const ESCAPED: &[&str] = &["HM", "HP", "HPO", "HQ", "HU", "HV", "r"];

impl Structured {
    /// A whole format: text, and items without a name, count for nothing.
    pub(crate) fn object(
        plan: &rules::Format,
        compiler: &mut Compiler,
    ) -> Result<Structured, String> {
        let named = plan.pieces.iter().filter(|piece| !piece.name.is_empty());
        let items = named.map(|piece| Item::new(piece, compiler));
        Ok(Structured {
            encoding: plan.encoding,
            binary: plan.pieces.iter().any(|piece| piece.binary),
            content: Content::Object(items.collect::<Result<_, _>>()?),
        })
    }

    /// One item (`%{+json}[...]`).
    pub(crate) fn value(
        piece: &rules::Piece,
        compiler: &mut Compiler,
    ) -> Result<Structured, String> {
        Ok(Structured {
            encoding: piece.encoding,
            binary: piece.binary,
            content: Content::Value(Item::new(piece, compiler)?),
        })
    }

    pub(crate) fn write(&self, env: &Env<'_>, out: &mut Vec<u8>) {
        let items = match &self.content {
            Content::Value(item) => return self.put(item.value(env, self.binary), out),
            Content::Object(items) => items,
        };
        if self.encoding == Encoding::Json {
            out.push(b'{');
            for (at, item) in items.iter().enumerate() {
                out.extend_from_slice(if at == 0 { b"" } else { b", " });
                write_json(&Value::Text(item.name.clone().into_bytes()), out);
                out.extend_from_slice(b": ");
                write_json(&item.value(env, self.binary), out);
            }
            return out.push(b'}');
        }
        // A map of no announced length, and its end.
        let mut map = vec![0xbf];
        for item in items {
            write_cbor(&Value::Text(item.name.clone().into_bytes()), &mut map);
            write_cbor(&item.value(env, self.binary), &mut map);
        }
        map.push(0xff);
        self.put_cbor(map, out);
    }

    fn put(&self, value: Value, out: &mut Vec<u8>) {
        if self.encoding == Encoding::Json {
            return write_json(&value, out);
        }
        let mut bytes = Vec::new();
        write_cbor(&value, &mut bytes);
        self.put_cbor(bytes, out);
    }

    fn put_cbor(&self, bytes: Vec<u8>, out: &mut Vec<u8>) {
        out.extend(if self.binary { bytes } else { hex(&bytes) });
    }
}

impl Item {
    fn new(piece: &rules::Piece, compiler: &mut Compiler) -> Result<Item, String> {
        let source = match (&piece.alias, &piece.expression) {
            (Some(name), _) => Source::Alias {
                name: name.clone(),
                argument: piece.arguments.clone(),
            },
            (_, Some(plan)) => Source::Expression(Box::new(Expression::new(plan, compiler)?)),
            _ => return Err(format!("the item '{}' has no value", piece.name)),
        };
        let kind = match piece.kind.as_str() {
            "" => Kind::Own,
            "str" => Kind::Text,
            "sint" => Kind::Int,
            "bool" => Kind::Bool,
            other => return Err(format!("'{other}' is no type: write str, sint or bool")),
        };
        Ok(Item {
            name: piece.name.clone(),
            source,
            kind,
        })
    }

    fn value(&self, env: &Env<'_>, binary: bool) -> Value {
        match &self.source {
            Source::Alias { name, argument } => {
                let mut text = Vec::new();
                env.facts.alias(name, argument, &mut text);
                if ESCAPED.contains(&name.as_str()) {
                    text = unescaped(&text);
                }
                alias_value(text, self.kind, NUMBERS.contains(&name.as_str()))
            }
            Source::Expression(expression) => match expression.value(env) {
                None => Value::Nothing,
                Some(sample) => sample_value(sample, self.kind, binary),
            },
        }
    }
}

/// `#XX` is a byte (manual 8.6).
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        let digits = (*byte == b'#').then(|| behind.get(..2)).flatten();
        match digits.and_then(unhex) {
            Some(bytes) => {
                out.extend(bytes);
                rest = &behind[2..];
            }
            None => {
                out.push(*byte);
                rest = behind;
            }
        }
    }
    out
}

/// What an alias without a value writes in a line is nothing here.
fn alias_value(text: Vec<u8>, kind: Kind, is_number: bool) -> Value {
    if text.is_empty() || text == b"-" {
        return Value::Nothing;
    }
    match kind {
        Kind::Own if !is_number => Value::Text(text),
        Kind::Text => Value::Text(text),
        Kind::Own | Kind::Int => leading_number(&text).map_or(Value::Text(text), Value::Int),
        Kind::Bool => Value::Bool(leading_number(&text).is_some_and(|number| number != 0)),
    }
}

fn sample_value(sample: Sample<'_>, kind: Kind, binary: bool) -> Value {
    match (kind, sample) {
        (Kind::Own, Sample::Bool(value)) => Value::Bool(value),
        (Kind::Own, Sample::Int(value)) => Value::Int(value),
        (Kind::Own, Sample::Bin(bytes)) if binary => Value::Bytes(bytes.into_owned()),
        // JSON and CBOR's texts are UTF-8: bytes are shown as digits.
        (Kind::Own | Kind::Text, Sample::Bin(bytes)) => Value::Text(hex(&bytes)),
        (Kind::Int, sample) => sample.as_int().map_or(Value::Nothing, Value::Int),
        (Kind::Bool, sample) => sample.as_bool().map_or(Value::Nothing, Value::Bool),
        (_, sample) => Value::Text(sample.into_text().into_owned()),
    }
}

/// RFC 8259. What is no UTF-8 becomes U+FFFD: a JSON text has nothing else.
fn write_json(value: &Value, out: &mut Vec<u8>) {
    let text = match value {
        Value::Nothing => return out.extend_from_slice(b"null"),
        Value::Bool(value) => {
            return out.extend_from_slice(if *value { b"true" } else { b"false" })
        }
        Value::Int(value) => return out.extend_from_slice(value.to_string().as_bytes()),
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(&hex(bytes)).into_owned(),
    };
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..='\u{1f}' | '\u{7f}' => {
                // Writing to memory cannot fail.
                let _ = write!(quoted, "\\u{:04x}", character as u32);
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    out.extend_from_slice(quoted.as_bytes());
}

/// RFC 8949, section 3.
fn write_cbor(value: &Value, out: &mut Vec<u8>) {
    const UNSIGNED: u8 = 0;
    const NEGATIVE: u8 = 1;
    const BYTES: u8 = 2;
    const TEXT: u8 = 3;
    match value {
        Value::Nothing => out.push(0xf6),
        Value::Bool(value) => out.push(0xf4 + u8::from(*value)),
        Value::Int(value) if *value < 0 => write_head(NEGATIVE, !value as u64, out),
        Value::Int(value) => write_head(UNSIGNED, *value as u64, out),
        Value::Bytes(bytes) => {
            write_head(BYTES, bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        Value::Text(text) => {
            let text = String::from_utf8_lossy(text);
            write_head(TEXT, text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// A major type and its number, in as few bytes as will do.
fn write_head(major: u8, number: u64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    let (short, width) = match number {
        0..=23 => return out.push(major << 5 | number as u8),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    out.push(major << 5 | short);
    out.extend_from_slice(&bytes[8 - width..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &Value) -> String {
        let mut out = Vec::new();
        write_json(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn cbor(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        write_cbor(value, &mut out);
        hex(&out)
    }

    #[test]
    fn values_in_json() {
        assert_eq!(
            json(&Value::Text(b"a\"\\\n\x01\xff".to_vec())),
            "\"a\\\"\\\\\\n\\u0001\u{fffd}\""
        );
        assert_eq!(json(&Value::Bytes(vec![1, 255])), "\"01FF\"");
        assert_eq!(json(&Value::Nothing), "null");
    }

    #[test]
    fn values_in_cbor() {
        // RFC 8949, appendix A.
        for (value, expected) in [
            (Value::Int(0), "00"),
            (Value::Int(24), "1818"),
            (Value::Int(1000), "1903E8"),
            (Value::Int(1_000_000), "1A000F4240"),
            (Value::Int(1_000_000_000_000), "1B000000E8D4A51000"),
            (Value::Int(-1), "20"),
            (Value::Int(-1000), "3903E7"),
            (Value::Int(i64::MIN), "3B7FFFFFFFFFFFFFFF"),
            (Value::Bool(false), "F4"),
            (Value::Nothing, "F6"),
            (Value::Bytes(vec![1, 2, 3, 4]), "4401020304"),
            (Value::Text(b"IETF".to_vec()), "6449455446"),
        ] {
            assert_eq!(cbor(&value), expected.as_bytes());
        }
    }

    #[test]
    fn aliases_have_types() {
        assert_eq!(alias_value(b"-1".to_vec(), Kind::Own, true), Value::Int(-1));
        assert_eq!(alias_value(b"-".to_vec(), Kind::Own, false), Value::Nothing);
        assert_eq!(
            alias_value(b"200".to_vec(), Kind::Text, true),
            Value::Text(b"200".to_vec())
        );
        assert_eq!(
            alias_value(b"--".to_vec(), Kind::Own, false),
            Value::Text(b"--".to_vec())
        );
    }
}
