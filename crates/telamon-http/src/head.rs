//! Request heads, line by line.
//!
//! The parser keeps the offset of the first line that is not complete, and the fields so far as
//! ranges. Each call goes on from there: complete lines are checked once and for all; the
//! beginning of an incomplete one is checked for what can never become right, so that a TLS hello
//! on an HTTP port is refused at its first byte, as HAProxy does. Whole or byte by byte gives
//! the same.

use std::borrow::Cow;
use std::ops::Range;

use crate::body::{Body, Framing};
use crate::error::{BadRequest, Reason};
use crate::host;
use crate::token::{is_blank, is_token, is_uri, trim};

/// HAProxy's limit (`tune.http.maxhdr`, 101) counts the request line too.
const MAX_FIELDS: usize = 100;

/// What the digits after `HTTP/` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u8,
    pub minor: u8,
}

impl Version {
    /// Persistent connections and chunks are the default from HTTP/1.1 on.
    pub fn is_1_1(self) -> bool {
        self >= Version { major: 1, minor: 1 }
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

/// A whole request head, pointing into the buffer and the parser.
#[derive(Clone, Copy, Debug)]
pub struct Request<'b> {
    pub method: &'b [u8],
    pub uri: &'b [u8],
    pub version: Version,
    pub body: Body,
    /// Where the head begins (after empty lines) and how many bytes of the buffer it ends at.
    pub start: usize,
    pub end: usize,
    buffer: &'b [u8],
    fields: &'b [Line],
}

impl<'b> Request<'b> {
    /// The fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'b>> + 'b {
        let buffer = self.buffer;
        self.fields.iter().map(move |line| line.field(buffer))
    }

    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<Field<'b>> {
        self.fields().find(|field| field.is(name))
    }

    /// May the connection carry another request after this one (RFC 9112 9.3)?
    pub fn keeps_alive(&self) -> bool {
        let said = |option: &str| {
            self.fields()
                .filter(|field| field.is("connection"))
                .flat_map(|field| field.value.split(|byte| *byte == b','))
                .any(|word| trim(word).eq_ignore_ascii_case(option.as_bytes()))
        };
        !said("close") && (self.version.is_1_1() || said("keep-alive"))
    }

    /// A body where HTTP/1.0 gave it no meaning (RFC 1945 8): HAProxy refuses it.
    fn has_unexpected_body(&self) -> bool {
        !self.version.is_1_1()
            && self.body != Body::Length(0)
            && matches!(self.method, b"GET" | b"HEAD" | b"DELETE")
    }
}

#[derive(Clone, Debug)]
struct Line {
    name: Range<u32>,
    value: Range<u32>,
}

impl Line {
    fn field<'b>(&self, buffer: &'b [u8]) -> Field<'b> {
        Field {
            name: &buffer[self.name.start as usize..self.name.end as usize],
            value: &buffer[self.value.start as usize..self.value.end as usize],
        }
    }
}

#[derive(Clone, Debug)]
struct RequestLine {
    method: Range<usize>,
    uri: Range<usize>,
    version: Version,
}

/// Reads one request head out of a buffer that grows. Reuse it with [`HeadParser::reset`].
#[derive(Clone, Debug)]
pub struct HeadParser {
    limit: usize,
    start: usize,
    next: usize,
    request: Option<RequestLine>,
    fields: Vec<Line>,
}

impl HeadParser {
    /// `limit` is the longest head in bytes (HAProxy: `tune.bufsize` less `tune.maxrewrite`).
    pub fn new(limit: usize) -> HeadParser {
        HeadParser {
            limit,
            start: 0,
            next: 0,
            request: None,
            fields: Vec::new(),
        }
    }

    /// Begin anew, with the memory of before.
    pub fn reset(&mut self) {
        self.start = 0;
        self.next = 0;
        self.request = None;
        self.fields.clear();
    }

    /// Has any byte of a request come (empty lines before one do not count)?
    pub fn has_begun(&self, buffer: &[u8]) -> bool {
        self.request.is_some() || buffer.len() > self.next
    }

    /// Go on with the buffer, which must begin with what it had at the last call. None: more is
    /// needed.
    pub fn parse<'b>(&'b mut self, buffer: &'b [u8]) -> Result<Option<Request<'b>>, BadRequest> {
        while let Some(length) = memchr::memchr(b'\n', &buffer[self.next..]) {
            let line = self.next..self.next + length;
            let after = line.end + 1;
            if after > self.limit {
                return Err(bad(Reason::TooLong, self.limit));
            }
            let text = without_cr(buffer, line.clone());
            if self.request.is_none() {
                self.take_request_line(buffer, text, after)?;
            } else if text.is_empty() {
                self.next = after;
                return self.finish(buffer, after).map(Some);
            } else {
                // Whether the value goes on is known only from the next line's first byte; a
                // folded line is joined to its field when it comes.
                self.take_field(buffer, text)?;
            }
            self.next = after;
        }
        self.check_beginning(buffer)?;
        if buffer.len() >= self.limit {
            return Err(bad(Reason::TooLong, self.limit));
        }
        Ok(None)
    }

    fn take_request_line(
        &mut self,
        buffer: &[u8],
        text: Range<usize>,
        after: usize,
    ) -> Result<(), BadRequest> {
        if text.is_empty() {
            self.start = after; // RFC 9112 2.2: empty lines before a request are ignored
            return Ok(());
        }
        self.request = Some(request_line(buffer, text)?);
        Ok(())
    }

    fn take_field(&mut self, buffer: &[u8], text: Range<usize>) -> Result<(), BadRequest> {
        if is_blank(buffer[text.start]) {
            return self.take_folded(buffer, text);
        }
        if self.fields.len() == MAX_FIELDS {
            return Err(bad(Reason::TooManyFields, text.start));
        }
        let name = field_name(buffer, text.clone())?;
        let value = trimmed(buffer, name.end + 1..text.end);
        check_value(buffer, value.clone())?;
        self.fields.push(Line {
            name: small(name),
            value: small(value),
        });
        Ok(())
    }

    fn take_folded(&mut self, buffer: &[u8], text: Range<usize>) -> Result<(), BadRequest> {
        let Some(last) = self.fields.last_mut() else {
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

    fn finish<'b>(&'b self, buffer: &'b [u8], end: usize) -> Result<Request<'b>, BadRequest> {
        let Some(line) = &self.request else {
            unreachable!("a head ends after its request line");
        };
        let mut framing = Framing::default();
        for field in &self.fields {
            let at = field.name.start as usize;
            framing
                .take(field.field(buffer))
                .map_err(|reason| bad(reason, at))?;
        }
        let request = Request {
            method: &buffer[line.method.clone()],
            uri: &buffer[line.uri.clone()],
            version: line.version,
            body: framing.body().map_err(|reason| bad(reason, self.start))?,
            start: self.start,
            end,
            buffer,
            fields: &self.fields,
        };
        host::check(&request).map_err(|reason| bad(reason, self.start))?;
        if request.has_unexpected_body() {
            return Err(bad(Reason::Payload, self.start));
        }
        Ok(request)
    }

    /// Refuse what no further bytes can mend.
    fn check_beginning(&self, buffer: &[u8]) -> Result<(), BadRequest> {
        let rest = self.next..buffer.len();
        let line = &buffer[rest.clone()];
        let Some(first) = line.first() else {
            return Ok(());
        };
        if let Some(cr) = memchr::memchr(b'\r', line) {
            if cr + 1 < line.len() {
                return Err(bad(Reason::LineEnd, rest.start + cr));
            }
        }
        let text = without_cr(buffer, rest);
        match &self.request {
            None => request_line_beginning(buffer, text),
            Some(_) if is_blank(*first) && !self.fields.is_empty() => Ok(()),
            Some(_) => match buffer[text.clone()]
                .iter()
                .position(|byte| !is_token(*byte))
            {
                Some(at) if at == 0 || line[at] != b':' => {
                    Err(bad(Reason::FieldName, text.start + at))
                }
                _ => Ok(()),
            },
        }
    }
}

fn request_line(buffer: &[u8], text: Range<usize>) -> Result<RequestLine, BadRequest> {
    let (method, after) = run(buffer, text.clone(), is_token);
    if method.is_empty() || after == text.end || !is_blank(buffer[after]) {
        return Err(bad(Reason::Method, after));
    }
    let (_, after) = run(buffer, after..text.end, is_blank);
    let (uri, after) = run(buffer, after..text.end, is_uri);
    if uri.is_empty() || after == text.end || !is_blank(buffer[after]) {
        return Err(bad(Reason::Uri, after));
    }
    let (_, after) = run(buffer, after..text.end, is_blank);
    let version = version(&buffer[after..text.end]).ok_or_else(|| bad(Reason::Version, after))?;
    Ok(RequestLine {
        method,
        uri,
        version,
    })
}

fn request_line_beginning(buffer: &[u8], text: Range<usize>) -> Result<(), BadRequest> {
    let (method, after) = run(buffer, text.clone(), is_token);
    if after == text.end {
        return Ok(());
    }
    if method.is_empty() || !is_blank(buffer[after]) {
        return Err(bad(Reason::Method, after));
    }
    let (_, after) = run(buffer, after..text.end, is_blank);
    let (_, after) = run(buffer, after..text.end, is_uri);
    if after < text.end && !is_blank(buffer[after]) {
        return Err(bad(Reason::Uri, after));
    }
    let (_, after) = run(buffer, after..text.end, is_blank);
    let known = |byte: u8| matches!(byte, b'H' | b'T' | b'P' | b'/' | b'.' | b'0'..=b'9');
    match run(buffer, after..text.end, known) {
        (_, after) if after < text.end => Err(bad(Reason::Version, after)),
        _ => Ok(()),
    }
}

fn version(text: &[u8]) -> Option<Version> {
    match text {
        [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => {
            Some(Version {
                major: major - b'0',
                minor: minor - b'0',
            })
        }
        _ => None,
    }
}

fn field_name(buffer: &[u8], text: Range<usize>) -> Result<Range<usize>, BadRequest> {
    let (name, after) = run(buffer, text.clone(), is_token);
    if name.is_empty() || after == text.end || buffer[after] != b':' {
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

/// The bytes of a class from the range's start on, and where they end.
fn run(buffer: &[u8], range: Range<usize>, class: fn(u8) -> bool) -> (Range<usize>, usize) {
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

fn without_cr(buffer: &[u8], line: Range<usize>) -> Range<usize> {
    match buffer[line.clone()].last() {
        Some(b'\r') => line.start..line.end - 1,
        _ => line,
    }
}

fn small(range: Range<usize>) -> Range<u32> {
    range.start as u32..range.end as u32
}

fn bad(reason: Reason, at: usize) -> BadRequest {
    BadRequest { reason, at }
}
