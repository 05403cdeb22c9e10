//! Field lines (RFC 9112 5), as ranges of the buffer in which they came.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{BadRequest, Reason};
use crate::token::{is_blank, is_lax_name, is_token, trim};

/// HAProxy's limit (`tune.http.maxhdr`, 101) counts the start line too.
pub(crate) const MAX_FIELDS: usize = 100;

/// How much a parser takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest head in bytes (HAProxy: `tune.bufsize`, for requests less `tune.maxrewrite`).
    pub length: usize,
    /// The most field lines (HAProxy: `tune.http.maxhdr` less one).
    pub fields: usize,
    /// HTTP/1.0 requests of any method may have a body (`h1-accept-payload-with-any-method`).
    pub any_payload: bool,
}

impl Limits {
    pub fn of_length(length: usize) -> Limits {
        Limits {
            length,
            fields: MAX_FIELDS,
            any_payload: false,
        }
    }
}

/// One field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'b> {
    pub name: &'b [u8],
    /// Without blanks at the ends; a folded value still has its line breaks, see
    /// [`Field::unfolded`].
    pub value: &'b [u8],
}

impl<'b> Field<'b> {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value on one line: each folding becomes blanks (RFC 9112 5.2).
    pub fn unfolded(&self) -> Cow<'b, [u8]> {
        if memchr::memchr(b'\n', self.value).is_none() {
            return Cow::Borrowed(self.value);
        }
        let blank = |byte: &u8| {
            if matches!(byte, b'\r' | b'\n') {
                b' '
            } else {
                *byte
            }
        };
        Cow::Owned(self.value.iter().map(blank).collect())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: Range<u32>,
    pub(crate) value: Range<u32>,
}

impl Line {
    pub(crate) fn field<'b>(&self, buffer: &'b [u8]) -> Field<'b> {
        Field {
            name: &buffer[self.name.start as usize..self.name.end as usize],
            value: &buffer[self.value.start as usize..self.value.end as usize],
        }
    }
}

/// The field lines of one head so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    lines: Vec<Line>,
}

impl Fields {
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.lines.clear();
    }

    /// Takes one line that is not empty; a folded one is joined to the field before it.
    /// `most`: so many lines; `lax`: names may have odd characters.
    pub(crate) fn take(
        &mut self,
        buffer: &[u8],
        text: Range<usize>,
        most: usize,
        lax: bool,
    ) -> Result<(), BadRequest> {
        if is_blank(buffer[text.start]) {
            return self.take_folded(buffer, text);
        }
        if self.lines.len() >= most {
            return Err(bad(Reason::TooManyFields, text.start));
        }
        let name = field_name(buffer, text.clone(), lax)?;
        let value = trimmed(buffer, name.end + 1..text.end);
        check_value(buffer, value.clone())?;
        self.lines.push(Line {
            name: small(name),
            value: small(value),
        });
        Ok(())
    }

    /// Refuses the beginning of a line that no further bytes can mend.
    pub(crate) fn check_beginning(
        &self,
        buffer: &[u8],
        rest: Range<usize>,
    ) -> Result<(), BadRequest> {
        let text = without_cr(buffer, rest);
        let line = &buffer[text.clone()];
        if line.first().is_some_and(|first| is_blank(*first)) && !self.is_empty() {
            return Ok(());
        }
        match line.iter().position(|byte| !is_token(*byte)) {
            Some(at) if at == 0 || line[at] != b':' => Err(bad(Reason::FieldName, text.start + at)),
            _ => Ok(()),
        }
    }

    fn take_folded(&mut self, buffer: &[u8], text: Range<usize>) -> Result<(), BadRequest> {
        let Some(last) = self.lines.last_mut() else {
            return Err(bad(Reason::FieldName, text.start));
        };
        let more = trimmed(buffer, text.clone());
        check_value(buffer, more.clone())?;
        if more.is_empty() {
            return Ok(());
        }
        if last.value.is_empty() {
            last.value = small(more);
        } else {
            last.value.end = more.end as u32;
        }
        Ok(())
    }
}

/// Whatever is let pass, no blank stands before the colon: some take it for the name's end, and some
/// for a part of it (RFC 9112 5.1).
fn field_name(buffer: &[u8], text: Range<usize>, lax: bool) -> Result<Range<usize>, BadRequest> {
    let class = if lax { is_lax_name } else { is_token };
    let (name, after) = run(buffer, text.clone(), class);
    let blank = buffer[name.clone()]
        .last()
        .is_none_or(|last| is_blank(*last));
    if blank || after == text.end || buffer[after] != b':' {
        return Err(bad(Reason::FieldName, after));
    }
    Ok(name)
}

/// No bare CR, which some take for a line end, and no NUL, where C programs see the end of a
/// string (RFC 9110 5.5 forbids both; HAProxy 2.6 lets NUL pass, later ones do not).
fn check_value(buffer: &[u8], value: Range<usize>) -> Result<(), BadRequest> {
    match memchr::memchr2(b'\r', b'\0', &buffer[value.clone()]) {
        Some(at) => Err(bad(Reason::FieldValue, value.start + at)),
        None => Ok(()),
    }
}

/// In a line that is not complete a CR can only be the last byte.
pub(crate) fn check_cr(buffer: &[u8], rest: Range<usize>) -> Result<(), BadRequest> {
    match memchr::memchr(b'\r', &buffer[rest.clone()]) {
        Some(cr) if rest.start + cr + 1 < rest.end => Err(bad(Reason::LineEnd, rest.start + cr)),
        _ => Ok(()),
    }
}

/// The bytes of a class from the range's start on, and where they end.
pub(crate) fn run(
    buffer: &[u8],
    range: Range<usize>,
    class: fn(u8) -> bool,
) -> (Range<usize>, usize) {
    let text = &buffer[range.clone()];
    let length = text
        .iter()
        .position(|byte| !class(*byte))
        .unwrap_or(text.len());
    let end = range.start + length;
    (range.start..end, end)
}

fn trimmed(buffer: &[u8], range: Range<usize>) -> Range<usize> {
    let text = &buffer[range.clone()];
    let lead = text.iter().take_while(|byte| is_blank(**byte)).count();
    let length = trim(text).len();
    range.start + lead..range.start + lead + length
}

pub(crate) fn without_cr(buffer: &[u8], line: Range<usize>) -> Range<usize> {
    match buffer[line.clone()].last() {
        Some(b'\r') => line.start..line.end - 1,
        _ => line,
    }
}

fn small(range: Range<usize>) -> Range<u32> {
    range.start as u32..range.end as u32
}

pub(crate) fn bad(reason: Reason, at: usize) -> BadRequest {
    BadRequest { reason, at }
}
