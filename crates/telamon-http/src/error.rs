use std::fmt;

/// Why a request head was refused. `at` is the offset in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRequest {
    pub reason: Reason,
    pub at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Method,
    Uri,
    Version,
    /// A response's status is not three digits.
    Status,
    LineEnd,
    FieldName,
    FieldValue,
    /// Longer than the buffer that heads may have.
    TooLong,
    TooManyFields,
    ContentLength,
    /// `Content-Length` beside `Transfer-Encoding`: the usual tool of request smuggling
    /// (RFC 9112 6.1 allows refusing it).
    TwoLengths,
    TransferEncoding,
    /// A transfer coding that is legal and not ours to decode.
    UnknownCoding,
    /// Two hosts, or a host that is not the URI's.
    Host,
    /// A chunk's framing is broken.
    Chunk,
    /// A body where HTTP/1.0 has none: old agents would take it for the next request.
    Payload,
    /// A body in a CONNECT: some take it for the tunnel's first bytes.
    ConnectBody,
    /// A WebSocket handshake without its key.
    WebSocket,
}

impl BadRequest {
    /// The status to answer with.
    pub fn status(self) -> u16 {
        match self.reason {
            Reason::UnknownCoding => 422,
            Reason::Payload => 413,
            _ => 400,
        }
    }
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.reason {
            Reason::Method => "the method is not a token",
            Reason::Uri => "the URI has a forbidden character",
            Reason::Version => "the version is not HTTP/d.d",
            Reason::Status => "the status is not three digits",
            Reason::LineEnd => "a line does not end in CR LF or LF",
            Reason::FieldName => "a field name is not a token followed by a colon",
            Reason::FieldValue => "a field value has a forbidden character",
            Reason::TooLong => "the head is too long",
            Reason::TooManyFields => "the head has too many fields",
            Reason::ContentLength => "Content-Length is no number, or there are two",
            Reason::TwoLengths => "Content-Length beside Transfer-Encoding",
            Reason::TransferEncoding => "Transfer-Encoding does not end in one chunked",
            Reason::UnknownCoding => "an unknown transfer coding",
            Reason::Host => "Host is not the URI's, or there are two",
            Reason::Chunk => "a chunk's framing is broken",
            Reason::WebSocket => "a WebSocket handshake without a key",
            Reason::ConnectBody => "a body in a CONNECT",
            Reason::Payload => "a body in a GET, HEAD or DELETE of HTTP/1.0",
        };
        write!(f, "{what} (at byte {})", self.at)
    }
}

impl std::error::Error for BadRequest {}
