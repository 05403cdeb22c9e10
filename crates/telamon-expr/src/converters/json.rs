//! Values within JSON (RFC 8259), by the part of JSONPath that HAProxy takes: `$.key[0].other`.
//!
//! The text is walked, not built up: what stands behind the value is never looked at.

use super::{boxed, by, Row};
use crate::args::Args;
use crate::sample::{leading_number, Sample};

pub(super) const ROWS: &[Row] = &[by("json_query", |args, _| {
    let wanted = Query::new(args)?;
    boxed(move |_, sample| query(&sample.into_text(), &wanted))
})];

/// Deeper than this is no JSON that anybody means.
const DEEPEST: usize = 20;
/// Integers that every reader of JSON tells apart (RFC 8259, 6).
const LARGEST: i64 = (1 << 53) - 1;

/// `(path[,"int"])`.
pub(super) struct Query {
    steps: Vec<Step>,
    as_int: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(Vec<u8>),
    Index(usize),
}

impl Query {
    pub(super) fn new(args: Args<'_>) -> Result<Query, String> {
        let path = args.text(0).filter(|path| !path.is_empty());
        let path = path.ok_or("a path is missing")?;
        let as_int = match args.text(1).as_deref() {
            None | Some(b"") => false,
            Some(b"int") => true,
            Some(_) => return Err("the only type is 'int'".to_owned()),
        };
        let steps = steps(&path);
        let steps = steps.ok_or_else(|| {
            format!(
                "'{}' is no path: write $.key or $.list[0]",
                String::from_utf8_lossy(&path)
            )
        })?;
        Ok(Query { steps, as_int })
    }
}

/// A backslash protects a dot or a bracket in a key.
fn steps(path: &[u8]) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix(b"$")?;
    let mut steps = Vec::new();
    while let [mark, behind @ ..] = rest {
        match mark {
            b'.' => {
                let (mut key, mut at) = (Vec::new(), 0);
                while let Some(byte) = behind.get(at).filter(|byte| !b".[".contains(byte)) {
                    let escaped = (*byte == b'\\').then(|| behind.get(at + 1)).flatten();
                    at += if escaped.is_some() { 2 } else { 1 };
                    key.push(*escaped.unwrap_or(byte));
                }
                rest = &behind[at..];
                steps.push(Step::Key(key));
            }
            b'[' => {
                let end = memchr::memchr(b']', behind)?;
                let index = std::str::from_utf8(&behind[..end]).ok()?.parse().ok()?;
                rest = &behind[end + 1..];
                steps.push(Step::Index(index));
            }
            _ => return None,
        }
    }
    Some(steps)
}

/// A string without its escapes, a boolean, a number (as text, or as an integer if that is wanted),
/// a list as it is written. Null and objects have no value.
pub(super) fn query(text: &[u8], wanted: &Query) -> Option<Sample<'static>> {
    let mut walker = Walker { text, at: 0 };
    for step in &wanted.steps {
        walker.enter(step)?;
    }
    walker.blanks();
    let start = walker.at;
    walker.skip(0)?;
    let value = &text[start..walker.at];
    Some(match value.first()? {
        b'"' => Sample::owned(unescaped(&value[1..value.len() - 1])?),
        b't' => Sample::Bool(true),
        b'f' => Sample::Bool(false),
        b'[' => Sample::owned(value.to_vec()),
        b'n' | b'{' => return None,
        _ if wanted.as_int => {
            let number = leading_number(value)?;
            Sample::Int(Some(number).filter(|number| (-LARGEST..=LARGEST).contains(number))?)
        }
        _ => Sample::owned(general(std::str::from_utf8(value).ok()?.parse().ok()?).into_bytes()),
    })
}

struct Walker<'j> {
    text: &'j [u8],
    at: usize,
}

impl<'j> Walker<'j> {
    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest
            .iter()
            .take_while(|byte| b" \t\r\n".contains(byte))
            .count();
    }

    /// The next byte that is no blank, which must be this one.
    fn take(&mut self, byte: u8) -> Option<()> {
        self.blanks();
        (self.text.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    /// To the value that a step names.
    fn enter(&mut self, step: &Step) -> Option<()> {
        match step {
            Step::Key(wanted) => {
                self.take(b'{')?;
                loop {
                    self.blanks();
                    let key = self.string()?;
                    self.take(b':')?;
                    if key == wanted {
                        return Some(());
                    }
                    self.skip(0)?;
                    self.take(b',')?;
                }
            }
            Step::Index(wanted) => {
                self.take(b'[')?;
                for _ in 0..*wanted {
                    self.skip(0)?;
                    self.take(b',')?;
                }
                self.blanks();
                (self.text.get(self.at) != Some(&b']')).then_some(())
            }
        }
    }

    /// What stands between quotes, as it is written.
    fn string(&mut self) -> Option<&'j [u8]> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            match self.text.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(&self.text[start..self.at - 1]);
                }
                b'\\' => self.at += 2,
                0..=31 => return None,
                _ => self.at += 1,
            }
        }
    }

    /// Over a value.
    fn skip(&mut self, depth: usize) -> Option<()> {
        self.blanks();
        let rest = &self.text[self.at..];
        match rest.first()? {
            b'"' => self.string().map(|_| ()),
            b'{' if depth < DEEPEST => self.skip_members(depth, b'}'),
            b'[' if depth < DEEPEST => self.skip_members(depth, b']'),
            b'-' | b'0'..=b'9' => {
                let part = |byte: &&u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                self.at += rest.iter().take_while(part).count();
                Some(())
            }
            _ => {
                let words = [&b"true"[..], b"false", b"null"];
                let word = words.iter().find(|word| rest.starts_with(word))?;
                self.at += word.len();
                Some(())
            }
        }
    }

    fn skip_members(&mut self, depth: usize, end: u8) -> Option<()> {
        self.at += 1;
        if self.take(end).is_some() {
            return Some(());
        }
        loop {
            if end == b'}' {
                self.blanks();
                self.string()?;
                self.take(b':')?;
            }
            self.skip(depth + 1)?;
            if self.take(b',').is_none() {
                return self.take(end);
            }
        }
    }
}

fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let (letter, behind) = rest.split_first()?;
        rest = behind;
        out.push(match letter {
            b'"' | b'\\' | b'/' => *letter,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (character, behind) = unicode(rest)?;
                out.extend(character.encode_utf8(&mut [0; 4]).bytes());
                rest = behind;
                continue;
            }
            _ => return None,
        });
    }
    Some(out)
}

/// Four hex digits, or twice four where one alone is half a character.
fn unicode(text: &[u8]) -> Option<(char, &[u8])> {
    let unit =
        |text: &[u8]| u16::from_str_radix(std::str::from_utf8(text.get(..4)?).ok()?, 16).ok();
    let first = unit(text)?;
    let rest = &text[4..];
    if let Some(character) = char::from_u32(first.into()) {
        return Some((character, rest));
    }
    let second = unit(rest.strip_prefix(b"\\u")?)?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, &rest[6..]))
}

/// As C's `%g`: six digits that count, without zeros at the end.
fn general(value: f64) -> String {
    let scientific = format!("{value:.5e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let bare = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..6).contains(&exponent) {
        return bare(&format!("{value:.*}", (5 - exponent) as usize));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", bare(digits), exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#" {"a": {"b": [1, 2.5, "x\n\u00e9\ud83d\ude00\/"], "my.key": true, "n": null,
        "big": 12345678901, "f": 1e3, "neg": -7}, "list": [1, [2, "]"]], "no": false, "e": {}} "#;

    fn value(path: &str, as_int: bool) -> Option<Sample<'static>> {
        let steps = steps(path.as_bytes())?;
        query(TEXT.as_bytes(), &Query { steps, as_int })
    }

    #[test]
    fn values_by_path() {
        for (path, expected) in [
            ("$.a.b[0]", "1"),
            ("$.a.b[1]", "2.5"),
            ("$.a.b[2]", "x\né😀/"),
            ("$.a.big", "1.23457e+10"),
            ("$.a.f", "1000"),
            ("$.list[1]", r#"[2, "]"]"#),
            ("$.list[1][1]", "]"),
        ] {
            let found = value(path, false).map(|found| found.into_text().into_owned());
            assert_eq!(found.as_deref(), Some(expected.as_bytes()), "{path}");
        }
        assert_eq!(value(r"$.a.my\.key", false), Some(Sample::Bool(true)));
        assert_eq!(value("$.no", true), Some(Sample::Bool(false)));
        assert_eq!(value("$.a.big", true), Some(Sample::Int(12_345_678_901)));
        assert_eq!(value("$.a.b[1]", true), Some(Sample::Int(2)));
        for path in [
            "$.a.n", "$.a", "$", "$.x", "$.a.b[3]", "$.e.x", "$.list.x", "a",
        ] {
            assert_eq!(value(path, false), None, "{path}");
        }
    }

    #[test]
    fn broken_text_has_no_values() {
        let wanted = Query {
            steps: vec![Step::Key(b"z".to_vec())],
            as_int: false,
        };
        for end in 0..TEXT.len() {
            if TEXT.is_char_boundary(end) {
                assert_eq!(query(&TEXT.as_bytes()[..end], &wanted), None, "{end}");
            }
        }
        let deep = [b"{\"a\":".to_vec(), vec![b'['; 100_000]].concat();
        assert_eq!(query(&deep, &wanted), None);
    }

    #[test]
    fn six_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.23457e+06"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (-2.5, "-2.5"),
            (100.0, "100"),
        ] {
            assert_eq!(general(value), expected);
        }
    }
}
