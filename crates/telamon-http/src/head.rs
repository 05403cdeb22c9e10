//! Request heads, line by line.
//!
//! The parser keeps the offset of the first line that is not complete, and the fields so far as
//! ranges. Each call goes on from there: complete lines are checked once and for all; the
//! beginning of an incomplete one is checked for what can never become right, so that a TLS hello
//! on an HTTP port is refused at its first byte, as HAProxy does. Whole or byte by byte gives
//! the same.

use std::ops::Range;

use crate::body::{Body, Framing};
use crate::error::{BadRequest, Reason};
use crate::fields::{bad, check_cr, run, without_cr, Field, Fields, Limits, Line};
use crate::forward;
use crate::host;
use crate::token::{is_blank, is_lax_uri, is_token, is_uri, trim};

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
    line_end: usize,
    alone: bool,
    buffer: &'b [u8],
    fields: &'b [Line],
}

impl<'b> Request<'b> {
    /// Where the request line ends in the buffer, its line end left out.
    pub fn line_end(&self) -> usize {
        self.line_end
    }

    /// Is it a line of HTTP/0.9?
    pub fn is_alone(&self) -> bool {
        self.alone
    }

    /// The fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'b>> + 'b {
        let buffer = self.buffer;
        self.fields.iter().map(move |line| line.field(buffer))
    }

    /// Those that go on to the server.
    pub fn forwarded(&self) -> impl Iterator<Item = Field<'b>> + 'b {
        let upgrades_with_body = self.body != Body::Length(0) && self.lists_upgrade();
        forward::forwarded(self.fields(), upgrades_with_body)
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
        !said("close") && (self.version.is_1_1() || said("keep-alive")) && !self.is_doubtful()
    }

    /// Chunks in a version that has none: who spoke or hears it may find another end of the body, so
    /// that nothing may follow it (RFC 9112 6.1).
    pub fn is_doubtful(&self) -> bool {
        self.body == Body::Chunked && !self.version.is_1_1()
    }

    /// Does it ask for another protocol (RFC 9110 7.8)? Not with a body.
    pub fn upgrades(&self) -> bool {
        self.body == Body::Length(0) && upgrades(self.fields())
    }

    /// `Connection` names `upgrade`: what else it says of the connection's end would spoil that.
    pub fn lists_upgrade(&self) -> bool {
        lists_upgrade(self.fields())
    }

    /// A WebSocket handshake without its key (RFC 6455 4.1: 16 bytes in base64): HAProxy refuses
    /// it, since a server might take it for a plain request, and a client its answer for a tunnel.
    fn is_broken_websocket(&self) -> bool {
        let asks = |field: Field<'_>| {
            field.is("upgrade")
                && (field.value.split(|byte| *byte == b','))
                    .any(|word| trim(word).eq_ignore_ascii_case(b"websocket"))
        };
        let has_key = || {
            self.fields()
                .any(|field| field.is("sec-websocket-key") && field.value.len() == 24)
        };
        self.fields().any(asks) && self.upgrades() && !has_key()
    }

    /// A body before a tunnel: some take it for the tunnel's first bytes (RFC 9110 9.3.6).
    fn is_connect_with_body(&self) -> bool {
        self.method == b"CONNECT" && self.body != Body::Length(0)
    }

    /// A body where HTTP/1.0 gave it no meaning (RFC 1945 8): HAProxy refuses it.
    fn has_unexpected_body(&self) -> bool {
        !self.version.is_1_1()
            && self.body != Body::Length(0)
            && matches!(self.method, b"GET" | b"HEAD" | b"DELETE")
    }
}

/// `Upgrade`, and `Connection` names it.
pub(crate) fn upgrades<'b>(fields: impl Iterator<Item = Field<'b>>) -> bool {
    let (mut named, mut listed) = (false, false);
    for field in fields {
        named |= field.is("upgrade");
        listed |= lists_upgrade(std::iter::once(field));
    }
    named && listed
}

pub(crate) fn lists_upgrade<'b>(mut fields: impl Iterator<Item = Field<'b>>) -> bool {
    fields.any(|field| {
        field.is("connection")
            && (field.value.split(|byte| *byte == b','))
                .any(|word| trim(word).eq_ignore_ascii_case(b"upgrade"))
    })
}

#[derive(Clone, Debug)]
struct RequestLine {
    method: Range<usize>,
    uri: Range<usize>,
    version: Version,
    end: usize,
    /// Nothing follows it (HTTP/0.9).
    alone: bool,
}

/// Reads one request head out of a buffer that grows. Reuse it with [`HeadParser::reset`].
#[derive(Clone, Debug)]
pub struct HeadParser {
    limits: Limits,
    lax: bool,
    start: usize,
    next: usize,
    request: Option<RequestLine>,
    fields: Fields,
}

impl HeadParser {
    /// `limit` is the longest head in bytes (HAProxy: `tune.bufsize` less `tune.maxrewrite`).
    pub fn new(limit: usize) -> HeadParser {
        HeadParser::within(Limits::of_length(limit))
    }

    pub fn within(limits: Limits) -> HeadParser {
        HeadParser {
            limits,
            lax: false,
            start: 0,
            next: 0,
            request: None,
            fields: Fields::default(),
        }
    }

    /// Lets odd requests pass (manual, `option accept-unsafe-violations-in-http-request`).
    pub fn set_lax(&mut self, lax: bool) {
        self.lax = lax;
    }

    /// The longest head.
    pub fn limit(&self) -> usize {
        self.limits.length
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
            if after > self.limits.length {
                return Err(bad(Reason::TooLong, self.limits.length));
            }
            let text = without_cr(buffer, line.clone());
            if self.request.is_none() {
                self.take_request_line(buffer, text, after)?;
                if self.request.as_ref().is_some_and(|line| line.alone) {
                    self.next = after;
                    return self.finish(buffer, after).map(Some);
                }
            } else if text.is_empty() {
                self.next = after;
                return self.finish(buffer, after).map(Some);
            } else {
                // Whether the value goes on is known only from the next line's first byte; a
                // folded line is joined to its field when it comes.
                let most = self.limits.fields;
                self.fields.take(buffer, text, most, self.lax)?;
            }
            self.next = after;
        }
        self.check_beginning(buffer)?;
        if buffer.len() >= self.limits.length {
            return Err(bad(Reason::TooLong, self.limits.length));
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
        self.request = Some(request_line(buffer, text, self.lax)?);
        Ok(())
    }

    fn finish<'b>(&'b self, buffer: &'b [u8], end: usize) -> Result<Request<'b>, BadRequest> {
        let Some(line) = &self.request else {
            unreachable!("a head ends after its request line");
        };
        let mut framing = Framing::default();
        for field in self.fields.lines() {
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
            line_end: line.end,
            alone: line.alone,
            buffer,
            fields: self.fields.lines(),
        };
        host::check(&request, self.lax).map_err(|reason| bad(reason, self.start))?;
        if request.is_connect_with_body() {
            return Err(bad(Reason::ConnectBody, self.start));
        }
        if !self.limits.any_payload && request.has_unexpected_body() {
            return Err(bad(Reason::Payload, self.start));
        }
        if request.is_broken_websocket() {
            return Err(bad(Reason::WebSocket, self.start));
        }
        // The preface of HTTP/2 (RFC 9113 3.4): what follows it is no HTTP/1.
        if request.method == b"PRI" {
            return Err(bad(Reason::Method, self.start));
        }
        Ok(request)
    }

    /// Refuse what no further bytes can mend.
    fn check_beginning(&self, buffer: &[u8]) -> Result<(), BadRequest> {
        let rest = self.next..buffer.len();
        if rest.is_empty() {
            return Ok(());
        }
        check_cr(buffer, rest.clone())?;
        match &self.request {
            None => request_line_beginning(buffer, without_cr(buffer, rest), self.lax),
            Some(_) if self.lax => Ok(()),
            Some(_) => self.fields.check_beginning(buffer, rest),
        }
    }
}

fn request_line(buffer: &[u8], text: Range<usize>, lax: bool) -> Result<RequestLine, BadRequest> {
    let (method, after) = run(buffer, text.clone(), is_token);
    if method.is_empty() || after == text.end || !is_blank(buffer[after]) {
        return Err(bad(Reason::Method, after));
    }
    let (_, after) = run(buffer, after..text.end, is_blank);
    let (uri, after) = run(
        buffer,
        after..text.end,
        if lax { is_lax_uri } else { is_uri },
    );
    let bare = buffer[after..text.end].iter().all(|byte| is_blank(*byte));
    let alone = lax && bare && &buffer[method.clone()] == b"GET";
    if uri.is_empty() || !alone && (after == text.end || !is_blank(buffer[after])) {
        return Err(bad(Reason::Uri, after));
    }
    let (_, after) = run(buffer, after..text.end, is_blank);
    let found = match &buffer[after..text.end] {
        // HTTP/0.9 goes on as 1.0, which has at least fields.
        _ if alone => Some(Version { major: 1, minor: 0 }),
        text if lax => lax_version(text),
        text => version(text),
    };
    Ok(RequestLine {
        method,
        uri,
        version: found.ok_or_else(|| bad(Reason::Version, after))?,
        end: text.end,
        alone,
    })
}

fn request_line_beginning(buffer: &[u8], text: Range<usize>, lax: bool) -> Result<(), BadRequest> {
    let (method, after) = run(buffer, text.clone(), is_token);
    if after == text.end {
        return Ok(());
    }
    if method.is_empty() || !is_blank(buffer[after]) {
        return Err(bad(Reason::Method, after));
    }
    let (_, after) = run(buffer, after..text.end, is_blank);
    let (_, after) = run(
        buffer,
        after..text.end,
        if lax { is_lax_uri } else { is_uri },
    );
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

/// With any count of digits.
fn lax_version(text: &[u8]) -> Option<Version> {
    let text = std::str::from_utf8(text.strip_prefix(b"HTTP/")?).ok()?;
    let (major, minor) = text.split_once('.')?;
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u8>().unwrap_or(u8::MAX))
    };
    Some(Version {
        major: number(major)?,
        minor: number(minor)?,
    })
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
