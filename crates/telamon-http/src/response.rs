//! Response heads, line by line, as [`crate::HeadParser`] reads requests.

use std::ops::Range;

use crate::body::{Framing, Length};
use crate::error::{BadRequest, Reason};
use crate::fields::{bad, check_cr, run, without_cr, Field, Fields, Limits, Line};
use crate::forward;
use crate::head::Version;
use crate::token::{is_blank, trim};

/// A whole response head, pointing into the buffer and the parser.
#[derive(Clone, Copy, Debug)]
pub struct Response<'b> {
    pub version: Version,
    pub status: u16,
    pub reason: &'b [u8],
    /// What the fields say of the body. The request's method and the status come before them, see
    /// [`Response::length`].
    pub framing: Length,
    /// `Content-Length` beside `Transfer-Encoding`, or a coding where HTTP/1.0 knows none: others
    /// may read it differently, so that no other response may follow on its connections (RFC 9112
    /// 6.1).
    pub doubtful: bool,
    /// How many bytes of the buffer the head has.
    pub end: usize,
    buffer: &'b [u8],
    fields: &'b [Line],
}

impl<'b> Response<'b> {
    /// The fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'b>> + 'b {
        let buffer = self.buffer;
        self.fields.iter().map(move |line| line.field(buffer))
    }

    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<Field<'b>> {
        self.fields().find(|field| field.is(name))
    }

    /// An interim response: the final one is still to come (RFC 9110 15.2). 101 is final.
    pub fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// The body that comes with it (RFC 9112 6.3). `to_head`: it answers a HEAD request.
    pub fn length(&self, to_head: bool) -> Length {
        if to_head || self.status < 200 || self.status == 204 || self.status == 304 {
            Length::Known(0)
        } else {
            self.framing
        }
    }

    /// Which of its fields go on that say how long the body is.
    pub fn forwarded_framing(&self) -> forward::Framing {
        match self.status {
            ..=199 | 204 => forward::Framing::Bodiless,
            // Doubtful: a coding is named, though it may be an empty one.
            _ if self.doubtful || self.framing == Length::Chunked => forward::Framing::Coded,
            _ => forward::Framing::Kept,
        }
    }

    /// Does it agree to another protocol (RFC 9110 7.8)?
    pub fn upgrades(&self) -> bool {
        crate::head::upgrades(self.fields())
    }

    /// May the server's connection carry another request after this one (RFC 9112 9.3)?
    pub fn keeps_alive(&self) -> bool {
        let said = |option: &str| {
            self.fields()
                .filter(|field| field.is("connection"))
                .flat_map(|field| field.value.split(|byte| *byte == b','))
                .any(|word| trim(word).eq_ignore_ascii_case(option.as_bytes()))
        };
        !said("close") && (self.version.is_1_1() || said("keep-alive"))
    }
}

#[derive(Clone, Debug)]
struct StatusLine {
    version: Version,
    status: u16,
    reason: Range<usize>,
}

/// Reads one response head out of a buffer that grows. Reuse it with [`ResponseParser::reset`].
#[derive(Clone, Debug)]
pub struct ResponseParser {
    limits: Limits,
    lax: bool,
    next: usize,
    line: Option<StatusLine>,
    fields: Fields,
}

impl ResponseParser {
    /// `limit` is the longest head in bytes.
    pub fn new(limit: usize) -> ResponseParser {
        ResponseParser::within(Limits::of_length(limit))
    }

    pub fn within(limits: Limits) -> ResponseParser {
        ResponseParser {
            limits,
            lax: false,
            next: 0,
            line: None,
            fields: Fields::default(),
        }
    }

    /// Lets odd responses pass (manual, `option accept-unsafe-violations-in-http-response`).
    pub fn set_lax(&mut self, lax: bool) {
        self.lax = lax;
    }

    /// The longest head.
    pub fn limit(&self) -> usize {
        self.limits.length
    }

    /// Begin anew, with the memory of before.
    pub fn reset(&mut self) {
        self.next = 0;
        self.line = None;
        self.fields.clear();
    }

    /// Go on with the buffer, which must begin with what it had at the last call. None: more is
    /// needed.
    pub fn parse<'b>(&'b mut self, buffer: &'b [u8]) -> Result<Option<Response<'b>>, BadRequest> {
        while let Some(length) = memchr::memchr(b'\n', &buffer[self.next..]) {
            let line = self.next..self.next + length;
            let after = line.end + 1;
            if after > self.limits.length {
                return Err(bad(Reason::TooLong, self.limits.length));
            }
            let text = without_cr(buffer, line);
            if self.line.is_none() && text.is_empty() {
                // Some servers end a body with a line too many; HAProxy skips it.
            } else if self.line.is_none() {
                self.line = Some(status_line(buffer, text, self.lax)?);
            } else if text.is_empty() {
                self.next = after;
                return self.finish(buffer, after).map(Some);
            } else {
                let most = self.limits.fields;
                self.fields.take(buffer, text, most, self.lax)?;
            }
            self.next = after;
        }
        let rest = self.next..buffer.len();
        check_cr(buffer, rest.clone())?;
        if self.line.is_some() {
            if !self.lax {
                self.fields.check_beginning(buffer, rest)?;
            }
        } else if !looks_right(&buffer[rest]) {
            return Err(bad(Reason::Version, self.next));
        }
        if buffer.len() >= self.limits.length {
            return Err(bad(Reason::TooLong, self.limits.length));
        }
        Ok(None)
    }

    fn finish<'b>(&'b self, buffer: &'b [u8], end: usize) -> Result<Response<'b>, BadRequest> {
        let Some(line) = &self.line else {
            return Err(bad(Reason::Version, 0));
        };
        let mut framing = Framing::default();
        for field in self.fields.lines() {
            let at = field.name.start as usize;
            framing
                .take(field.field(buffer))
                .map_err(|reason| bad(reason, at))?;
        }
        Ok(Response {
            version: line.version,
            status: line.status,
            reason: &buffer[line.reason.clone()],
            framing: framing
                .response_body()
                .map_err(|reason| bad(reason, line.reason.start))?,
            doubtful: framing.is_doubtful() || (framing.is_coded() && !line.version.is_1_1()),
            end,
            buffer,
            fields: self.fields.lines(),
        })
    }
}

/// `HTTP/1.x 200 reason`, with any blanks between; the reason may be missing.
fn status_line(buffer: &[u8], text: Range<usize>, lax: bool) -> Result<StatusLine, BadRequest> {
    let line = &buffer[text.clone()];
    let Some([b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9']) =
        line.get(..8)
    else {
        return Err(bad(Reason::Version, text.start));
    };
    // Further digits of the version, where they are let pass, are left out.
    let more = if lax { &line[8..] } else { &[] };
    let more = more.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (blanks, at) = run(buffer, text.start + 8 + more..text.end, is_blank);
    let (digits, after) = run(buffer, at..text.end, |byte| byte.is_ascii_digit());
    let status = match (&buffer[digits], blanks.is_empty()) {
        ([a @ b'1'..=b'9', b, c], false) => {
            let digit = |byte: &u8| u16::from(byte - b'0');
            digit(a) * 100 + digit(b) * 10 + digit(c)
        }
        _ => return Err(bad(Reason::Status, at)),
    };
    let (blanks, begin) = run(buffer, after..text.end, is_blank);
    if blanks.is_empty() && begin < text.end {
        return Err(bad(Reason::Status, begin));
    }
    let reason = begin..text.end;
    if let Some(at) = memchr::memchr2(b'\r', b'\0', &buffer[reason.clone()]) {
        return Err(bad(Reason::FieldValue, reason.start + at));
    }
    let version = Version {
        major: major - b'0',
        minor: minor - b'0',
    };
    Ok(StatusLine {
        version,
        status,
        reason,
    })
}

/// Could these bytes begin a response?
fn looks_right(bytes: &[u8]) -> bool {
    let common = bytes.len().min(5);
    bytes == b"\r" || bytes[..common] == b"HTTP/"[..common]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Option<(u16, Vec<u8>, Length)>, Reason> {
        let mut parser = ResponseParser::new(16384);
        match parser.parse(text) {
            Ok(found) => {
                Ok(found.map(|head| (head.status, head.reason.to_vec(), head.length(false))))
            }
            Err(bad) => Err(bad.reason),
        }
    }

    #[test]
    fn heads_and_their_bodies() {
        let cases: [(&[u8], u16, &[u8], Length); 7] = [
            (b"HTTP/1.1 200 OK\r\n\r\n", 200, b"OK", Length::UntilClose),
            (b"HTTP/1.0 204\r\n\r\n", 204, b"", Length::Known(0)),
            (b"HTTP/1.1 200 \n\n", 200, b"", Length::UntilClose),
            (
                b"HTTP/1.1 200 a b\r\nContent-Length: 7\r\n\r\n",
                200,
                b"a b",
                Length::Known(7),
            ),
            (
                b"HTTP/1.1 200 a\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n",
                200,
                b"a",
                Length::Chunked,
            ),
            (
                b"HTTP/1.1 304 n\r\nContent-Length: 7\r\n\r\n",
                304,
                b"n",
                Length::Known(0),
            ),
            (
                b"\r\nHTTP/1.0\t200  a \r\n\r\n",
                200,
                b"a ",
                Length::UntilClose,
            ),
        ];
        for (text, status, reason, length) in cases {
            assert_eq!(parse(text), Ok(Some((status, reason.to_vec(), length))));
        }
    }

    #[test]
    fn what_is_no_response_is_refused_at_once() {
        let cases: [(&[u8], Reason); 8] = [
            (b"foo", Reason::Version),
            (b"RTSP/1.0 200 OK\r\n", Reason::Version),
            (b"HTTP/1.1 099 OK\r\n", Reason::Status),
            (
                b"HTTP/1.1 200 a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                Reason::UnknownCoding,
            ),
            (b"HTTP/1.1 20 OK\r\n", Reason::Status),
            (b"HTTP/1.1 2000\r\n", Reason::Status),
            (b"HTTP/1.1 200 OK\r\nA B: c\r\n", Reason::FieldName),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                Reason::ContentLength,
            ),
        ];
        for (text, reason) in cases {
            assert_eq!(parse(text), Err(reason), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn byte_by_byte_gives_the_same() {
        let text = b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nContent-Length: 3\r\n\r\nabc";
        let mut parser = ResponseParser::new(16384);
        for end in 0..text.len() - 4 {
            assert!(parser.parse(&text[..end]).unwrap().is_none(), "at {end}");
        }
        let head = parser.parse(text).unwrap().unwrap();
        assert_eq!(head.end, text.len() - 3);
        assert_eq!(head.field("a").unwrap().unfolded(), &b"b   folded"[..]);
    }
}
