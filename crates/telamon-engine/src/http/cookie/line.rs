//! The cookies of a `Cookie` or `Set-Cookie` line, and the line without one or with another value.

use telamon_http::Edit;

/// One part of a `Cookie` line, by places in it.
pub(super) struct Part {
    start: usize,
    /// The mark behind it, or the line's end.
    pub(super) end: usize,
    equals: Option<usize>,
}

impl Part {
    /// From `start` on. Commas part, too (RFC 2965 had them), unless in a quoted value.
    pub(super) fn read(line: &[u8], start: usize) -> Part {
        let (mut equals, mut quoted, mut escaped) = (None, false, false);
        for (at, byte) in line.iter().enumerate().skip(start) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' if equals.is_some() => quoted = !quoted,
                b'=' if equals.is_none() => equals = Some(at),
                b';' | b',' if !quoted => {
                    return Part {
                        start,
                        end: at,
                        equals,
                    }
                }
                _ => {}
            }
        }
        Part {
            start,
            end: line.len(),
            equals,
        }
    }

    pub(super) fn text<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        line[self.start..self.end].trim_ascii()
    }

    /// Name and value, if it has both marks of a cookie.
    pub(super) fn cookie<'l>(&self, line: &'l [u8]) -> Option<(&'l [u8], &'l [u8])> {
        let equals = self.equals?;
        let value = &line[equals + 1..self.end];
        Some((line[self.start..equals].trim_ascii(), value.trim_ascii()))
    }
}

/// What is to become of a cookie within its line.
pub(super) enum Change {
    Keep,
    Remove,
    Value(Vec<u8>),
}

/// A `Cookie` line after `look` has seen each of its parts (the whole, name, value).
pub(super) fn edit_line(line: &[u8], mut look: impl FnMut(&[u8], &[u8], &[u8]) -> Change) -> Edit {
    let mut out = Vec::with_capacity(line.len());
    let (mut start, mut changed) = (0, false);
    // What stands between the last part that stays and the next.
    let mut joint: &[u8] = b"";
    loop {
        let part = Part::read(line, start);
        let change = match part.cookie(line) {
            Some((name, value)) => look(part.text(line), name, value),
            None => Change::Keep,
        };
        let stays = !matches!(change, Change::Remove);
        if stays {
            out.extend_from_slice(joint);
        }
        let text = &line[part.start..part.end];
        match (change, part.equals) {
            (Change::Value(value), Some(equals)) => {
                changed = true;
                out.extend_from_slice(&line[part.start..=equals]);
                out.extend_from_slice(&value);
            }
            (Change::Remove, _) => changed = true,
            _ if joint == b"; " || out.is_empty() => out.extend_from_slice(text.trim_ascii_start()),
            _ => out.extend_from_slice(text),
        }
        if part.end == line.len() {
            break;
        }
        start = part.end + 1;
        joint = match (stays, out.is_empty()) {
            (_, true) => b"",
            (true, _) => &line[part.end..start],
            (false, _) => b"; ",
        };
    }
    match (changed, out.is_empty()) {
        (false, _) => Edit::Keep,
        (true, true) => Edit::Remove,
        (true, false) => Edit::Replace(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_s(line: &str) -> String {
        let edit = edit_line(line.as_bytes(), |_, name, _| match name {
            b"S" => Change::Remove,
            _ => Change::Keep,
        });
        match edit {
            Edit::Keep => line.to_owned(),
            Edit::Remove => "-".to_owned(),
            Edit::Replace(text) => String::from_utf8(text).unwrap(),
        }
    }

    #[test]
    fn a_cookie_leaves_its_line_tidy() {
        for (line, after) in [
            ("S=1", "-"),
            ("a=1; S=2", "a=1"),
            ("S=1; a=2", "a=2"),
            ("a=1; S=2; b=3", "a=1; b=3"),
            ("a=1;S=2;b=3", "a=1; b=3"),
            ("a=\"x;S=1\"; b", "a=\"x;S=1\"; b"),
        ] {
            assert_eq!(without_s(line), after, "{line}");
        }
    }
}
