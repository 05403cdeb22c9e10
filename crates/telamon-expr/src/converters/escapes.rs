//! `json`: a text as the inside of a JSON string, all of it in ASCII (manual 7.3.1; RFC 8259 7).

/// How bytes from 0x80 on are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Each byte is the character of its number.
    Ascii,
    /// UTF-8; with `skips`, what is none is left out, else it makes the whole worthless.
    Utf8 { skips: bool },
}

impl Input {
    pub(super) fn read(word: &str) -> Result<Input, String> {
        Ok(match word {
            "" | "ascii" => Input::Ascii,
            "utf8" | "utf8p" => Input::Utf8 { skips: false },
            "utf8s" | "utf8ps" => Input::Utf8 { skips: true },
            other => return Err(format!("'{other}' is no input of json")),
        })
    }
}

/// None for what is not of that input, or beyond U+FFFF.
pub(super) fn escape(text: &[u8], input: Input) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    match input {
        Input::Ascii => {
            for byte in text {
                write(&mut out, u16::from(*byte));
            }
        }
        Input::Utf8 { skips } => {
            for chunk in text.utf8_chunks() {
                for character in chunk.valid().chars() {
                    match u16::try_from(u32::from(character)) {
                        Ok(number) => write(&mut out, number),
                        Err(_) if skips => {}
                        Err(_) => return None,
                    }
                }
                if !skips && !chunk.invalid().is_empty() {
                    return None;
                }
            }
        }
    }
    Some(out)
}

fn write(out: &mut Vec<u8>, character: u16) {
    let short = match character {
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        0x22 | 0x2f | 0x5c => character as u8,
        0x20..=0x7e => return out.push(character as u8),
        _ => return out.extend_from_slice(format!("\\u{character:04x}").as_bytes()),
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    // What HAProxy 2.6 says.
    #[test]
    fn as_haproxy_escapes() {
        let cases: [(&[u8], &str, Option<&str>); 9] = [
            ("é".as_bytes(), "", Some(r"\u00c3\u00a9")),
            ("é".as_bytes(), "utf8", Some(r"\u00e9")),
            (b"\xc3\xa9a\xe9", "utf8", None),
            (b"\xc3\xa9a\xe9", "utf8s", Some(r"\u00e9a")),
            (b"\xc3\xa9a\xe9", "utf8p", None),
            (b"\xc3\xa9a\xe9", "utf8ps", Some(r"\u00e9a")),
            (
                b"\x08\x01\t\n\r\x0c\x0b\"",
                "utf8",
                Some("\\b\\u0001\\t\\n\\r\\f\\u000b\\\""),
            ),
            (b"/\\\x7f\x1b", "utf8", Some(r"\/\\\u007f\u001b")),
            ("😀".as_bytes(), "utf8", None),
        ];
        for (text, input, result) in cases {
            let found = escape(text, Input::read(input).unwrap());
            assert_eq!(
                found.as_deref(),
                result.map(str::as_bytes),
                "{text:?} {input}"
            );
        }
    }
}
