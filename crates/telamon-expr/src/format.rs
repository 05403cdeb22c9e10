//! Log-format strings (manual 8.2.6): text, aliases and expressions.

use std::net::IpAddr;

use telamon_plan::rules::{self, Encoding};

use crate::compile::{Compiler, Expression};
use crate::env::Env;
use crate::sample::{hex, Sample};
use crate::structured::Structured;

/// A format, ready to be written.
pub struct Format {
    pieces: Vec<Piece>,
}

struct Piece {
    content: Content,
    quote: bool,
    hexadecimal: bool,
    escape: bool,
    mandatory: bool,
    /// Binary values as bytes, not as hex digits.
    binary: bool,
}

impl Piece {
    /// Without flags.
    fn of(content: Content) -> Piece {
        Piece {
            content,
            quote: false,
            hexadecimal: false,
            escape: false,
            mandatory: false,
            binary: false,
        }
    }
}

enum Content {
    Text(Vec<u8>),
    Alias(String, String),
    Expression(Box<Expression>),
    /// JSON or CBOR.
    Structured(Structured),
}

impl Format {
    pub fn new(plan: &rules::Format, compiler: &mut Compiler) -> Result<Format, String> {
        if plan.encoding != Encoding::Plain {
            let whole = Structured::object(plan, compiler)?;
            return Ok(Format {
                pieces: vec![Piece::of(Content::Structured(whole))],
            });
        }
        let pieces = plan.pieces.iter().map(|piece| {
            if piece.encoding != Encoding::Plain {
                let value = Structured::value(piece, compiler)?;
                return Ok(Piece::of(Content::Structured(value)));
            }
            let content = match (&piece.text, &piece.alias, &piece.expression) {
                (Some(text), _, _) => Content::Text(text.clone().into_bytes()),
                (_, Some(alias), _) => Content::Alias(alias.clone(), piece.arguments.clone()),
                (_, _, Some(expression)) => {
                    Content::Expression(Box::new(Expression::new(expression, compiler)?))
                }
                _ => Content::Text(Vec::new()),
            };
            Ok(Piece {
                content,
                quote: piece.quote,
                hexadecimal: piece.hexadecimal,
                escape: piece.escape,
                mandatory: piece.mandatory,
                binary: piece.binary,
            })
        });
        Ok(Format {
            pieces: pieces.collect::<Result<_, String>>()?,
        })
    }

    /// The format without pieces that change.
    pub fn fixed(text: &[u8]) -> Format {
        let piece = Piece::of(Content::Text(text.to_vec()));
        Format {
            pieces: vec![piece],
        }
    }

    /// For headers, URIs and bodies: nothing where there is no value, and control characters as
    /// `%XX`, so that no value ends its line. Of the flags, expressions heed `E` only.
    pub fn write(&self, env: &Env<'_>, out: &mut Vec<u8>) {
        self.each(env, out, |out, piece, value| {
            if matches!(piece.content, Content::Alias(..)) {
                return write_alias(out, value, piece);
            }
            for byte in value {
                match byte {
                    b'"' | b'\\' | b']' if piece.escape => out.extend_from_slice(&[b'\\', *byte]),
                    b'\t' => out.push(*byte),
                    0..=0x1f | 0x7f => {
                        out.push(b'%');
                        out.extend_from_slice(&hex(&[*byte]));
                    }
                    _ => out.push(*byte),
                }
            }
        });
    }

    /// The whole as `write` makes it.
    pub fn bytes(&self, env: &Env<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(env, &mut out);
        out
    }

    /// For variables and names: values as they are.
    pub fn plain(&self, env: &Env<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        self.each(env, &mut out, |out, piece, value| match piece.content {
            Content::Alias(..) => write_alias(out, value, piece),
            _ => out.extend_from_slice(value),
        });
        out
    }

    /// Writes the text, and has each value written.
    fn each(
        &self,
        env: &Env<'_>,
        out: &mut Vec<u8>,
        mut write: impl FnMut(&mut Vec<u8>, &Piece, &[u8]),
    ) {
        for piece in &self.pieces {
            match &piece.content {
                Content::Text(text) => out.extend_from_slice(text),
                Content::Structured(structured) => structured.write(env, out),
                Content::Alias(name, argument) => {
                    let mut value = Vec::new();
                    env.facts.alias(name, argument, &mut value);
                    write(out, piece, &value);
                }
                Content::Expression(expression) => {
                    if let Some(sample) = expression.value(env) {
                        write(out, piece, &sample.into_text());
                    }
                }
            }
        }
    }

    /// For log lines: a value that is missing or empty is `-`, and what could break the line is
    /// written as `#XX`.
    pub fn write_log(&self, env: &Env<'_>, out: &mut Vec<u8>) {
        let mut value = Vec::new();
        // Blanks separate what is written: there is none at the beginning, nor two together.
        let mut separated = true;
        for piece in &self.pieces {
            value.clear();
            match &piece.content {
                Content::Text(text) => {
                    let blanks = text.iter().take_while(|byte| **byte == b' ').count();
                    let text = &text[if separated { blanks } else { 0 }..];
                    out.extend_from_slice(text);
                    separated = text.last().map_or(separated, |last| *last == b' ');
                    continue;
                }
                Content::Structured(structured) => {
                    structured.write(env, out);
                    continue;
                }
                Content::Alias(name, argument) => {
                    let list = matches!(name.as_str(), "hrl" | "hsl");
                    // Each header of a list has quotes of its own.
                    let argument = if list && piece.quote { "Q" } else { argument };
                    env.facts.alias(name, argument, &mut value);
                    let captures = matches!(name.as_str(), "hr" | "hs");
                    if BARE.contains(&name.as_str()) || (captures && value.is_empty()) {
                        out.extend_from_slice(&value);
                        separated &= value.is_empty();
                        continue;
                    }
                    write_piece(out, &value, piece, false);
                }
                Content::Expression(expression) => match expression.value(env) {
                    Some(Sample::Bin(bytes)) if piece.binary => out.extend_from_slice(&bytes),
                    sample => {
                        if let Some(sample) = sample {
                            value.extend_from_slice(&sample.into_text());
                        }
                        write_piece(out, &value, piece, true);
                    }
                },
            }
            separated = false;
        }
    }
}

/// An alias outside of logs.
fn write_alias(out: &mut Vec<u8>, value: &[u8], piece: &Piece) {
    let (quoted, value) = match value {
        b"-" => (
            piece.quote,
            if piece.mandatory && !piece.quote {
                value
            } else {
                b""
            },
        ),
        value => (piece.quote, value),
    };
    let mark: &[u8] = if quoted { b"\"" } else { b"" };
    out.extend_from_slice(mark);
    match piece.hexadecimal.then(|| hexadecimal(value)).flatten() {
        Some(digits) => out.extend_from_slice(&digits),
        None => out.extend_from_slice(value),
    }
    out.extend_from_slice(mark);
}

/// A number or an address in hexadecimal digits (manual 8.2.6, flag `X`); None for other text.
fn hexadecimal(value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(hex(&Sample::Ip(ip).into_bytes()));
    }
    let number: u64 = text.parse().ok()?;
    Some(format!("{number:04X}").into_bytes())
}

/// Aliases that are written as they are, whatever the flags say: numbers, times, states. Captured
/// headers are nothing where nothing is captured.
const BARE: &[&str] = &[
    "B", "ST", "T", "TR", "Ta", "Tc", "Td", "Th", "Ti", "Tl", "Tq", "Tr", "Ts", "Tt", "Tu", "Tw",
    "U", "ac", "bc", "bp", "bq", "cp", "fc", "fp", "hrl", "hsl", "lc", "ms", "pid", "rc", "rt",
    "sc", "sp", "sq", "t", "tr", "trg", "trl", "ts", "tsc",
];

fn write_piece(out: &mut Vec<u8>, value: &[u8], piece: &Piece, encode: bool) {
    if value.is_empty() {
        let dash: &[u8] = if piece.quote { b"\"\"" } else { b"-" };
        if piece.mandatory || !piece.quote {
            out.extend_from_slice(dash);
        } else {
            out.extend_from_slice(b"\"\"");
        }
        return;
    }
    if piece.quote {
        out.push(b'"');
    }
    if piece.hexadecimal {
        out.extend_from_slice(&hex(value));
    } else if encode {
        write_encoded(out, value, piece.escape);
    } else {
        out.extend_from_slice(value);
    }
    if piece.quote {
        out.push(b'"');
    }
}

/// `"`, `#`, `{`, `|`, `}` and what is not printable become `#XX` (manual 8.6); with `escape` those
/// that would end a quoted or structured value get a backslash.
fn write_encoded(out: &mut Vec<u8>, text: &[u8], escape: bool) {
    for byte in text {
        match byte {
            b'"' | b'\\' | b']' if escape => out.extend_from_slice(&[b'\\', *byte]),
            b'"' | b'#' | b'{' | b'|' | b'}' if !escape => {
                out.push(b'#');
                out.extend_from_slice(&hex(&[*byte]));
            }
            b' '..=b'~' => out.push(*byte),
            _ => {
                out.push(b'#');
                out.extend_from_slice(&hex(&[*byte]));
            }
        }
    }
}
