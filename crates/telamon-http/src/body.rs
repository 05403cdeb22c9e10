//! How long a request's body is (RFC 9112 6.3).

use crate::error::Reason;
use crate::fields::Field;
use crate::token::trim;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// So many bytes; 0 also where no field speaks of a body.
    Length(u64),
    Chunked,
}

/// How the end of a message's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Known(u64),
    Chunked,
    UntilClose,
}

impl From<Body> for Length {
    fn from(body: Body) -> Length {
        match body {
            Body::Length(length) => Length::Known(length),
            Body::Chunked => Length::Chunked,
        }
    }
}

/// What the fields have said so far.
#[derive(Default)]
pub(crate) struct Framing {
    length: Option<u64>,
    codings: bool,
    chunked: bool,
    unknown: bool,
}

impl Framing {
    pub(crate) fn take(&mut self, field: Field<'_>) -> Result<(), Reason> {
        if field.is("content-length") {
            self.take_lengths(&field.unfolded())
        } else if field.is("transfer-encoding") {
            self.take_codings(&field.unfolded())
        } else {
            Ok(())
        }
    }

    /// A list of one and the same number counts as that number (RFC 9110 8.6).
    fn take_lengths(&mut self, value: &[u8]) -> Result<(), Reason> {
        for word in value.split(|byte| *byte == b',') {
            let length = number(trim(word)).ok_or(Reason::ContentLength)?;
            if self.length.is_some_and(|before| before != length) {
                return Err(Reason::ContentLength);
            }
            self.length = Some(length);
        }
        Ok(())
    }

    /// `chunked` must come last and once. Empty list members do not count behind it; before it, in
    /// the same line, HAProxy takes them for a coding that it does not know, and so do we.
    fn take_codings(&mut self, value: &[u8]) -> Result<(), Reason> {
        self.codings = true;
        let mut empty = false;
        for word in value.split(|byte| *byte == b',').map(trim) {
            if word.is_empty() {
                empty = true;
                continue;
            }
            self.unknown |= empty;
            if self.chunked {
                return Err(Reason::TransferEncoding);
            }
            self.chunked = word.eq_ignore_ascii_case(b"chunked");
            self.unknown |= !self.chunked;
        }
        Ok(())
    }

    /// How a response's body ends (RFC 9112 6.3). `Content-Length` beside `Transfer-Encoding` does
    /// not count. Codings other than `chunked` are refused, as HAProxy does: nobody asked for them.
    pub(crate) fn response_body(&self) -> Result<Length, Reason> {
        match (self.codings, self.length) {
            (true, _) if self.unknown => Err(Reason::UnknownCoding),
            (true, _) if self.chunked => Ok(Length::Chunked),
            (true, _) | (false, None) => Ok(Length::UntilClose),
            (false, Some(length)) => Ok(Length::Known(length)),
        }
    }

    pub(crate) fn is_coded(&self) -> bool {
        self.codings
    }

    /// Both fields are there.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.codings && self.length.is_some()
    }

    pub(crate) fn body(&self) -> Result<Body, Reason> {
        match (self.codings, self.length) {
            (true, _) if !self.chunked => Err(Reason::TransferEncoding),
            (true, Some(_)) => Err(Reason::TwoLengths),
            (true, None) if self.unknown => Err(Reason::UnknownCoding),
            (true, None) => Ok(Body::Chunked),
            (false, length) => Ok(Body::Length(length.unwrap_or(0))),
        }
    }
}

/// Digits only, below 2^63 so that sums of lengths cannot overflow.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        let sum = sum.checked_mul(10)?.checked_add(digit)?;
        (sum <= i64::MAX as u64).then_some(sum)
    })
}
