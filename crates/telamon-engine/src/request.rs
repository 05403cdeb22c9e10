//! A request head as the listener of the stats page needs it, by `telamon-http`.

use std::ops::Range;

use telamon_http::{Answer, Body, HeadParser, Persistence};

/// A whole request head, as places in the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The request line without its line end.
    pub(crate) line: Range<usize>,
    pub(crate) uri: Vec<u8>,
    pub(crate) keep_alive: bool,
    pub(crate) is_1_1: bool,
    pub(crate) head_only: bool,
    /// Bytes of body; None if it comes in chunks, which pages do not take.
    pub(crate) body: Option<u64>,
}

impl Head {
    /// Where the request ends in the input.
    pub(crate) fn with_body(&self) -> usize {
        self.end + self.body.unwrap_or(0) as usize
    }
}

pub(crate) enum Parsed {
    Partial,
    /// The status to answer with.
    Bad(u16),
    Head(Head),
}

/// Tries `input` from its begin; `limit` is the longest head.
pub(crate) fn parse(input: &[u8], limit: usize) -> Parsed {
    let mut parser = HeadParser::new(limit);
    match parser.parse(input) {
        Ok(None) if input.len() >= limit => Parsed::Bad(400),
        Ok(None) => Parsed::Partial,
        Err(bad) => Parsed::Bad(bad.status()),
        Ok(Some(request)) => {
            let rest = &input[request.start..];
            let end = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len());
            let text = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            Parsed::Head(Head {
                start: request.start,
                end: request.end,
                line: request.start..request.start + text.len(),
                uri: request.uri.to_vec(),
                keep_alive: request.keeps_alive() && request.body != Body::Chunked,
                is_1_1: request.version.is_1_1(),
                head_only: request.method == b"HEAD",
                body: match request.body {
                    Body::Length(length) => Some(length),
                    Body::Chunked => None,
                },
            })
        }
    }
}

/// The proxy's own answer to a request that was not understood.
pub(crate) fn bare(status: u16) -> Vec<u8> {
    Answer::of(status)
        .or_else(|| Answer::of(400))
        .map(Answer::bare)
        .unwrap_or_default()
}

/// The proxy's own answer to a request that was.
pub(crate) fn answer(status: u16, keep: bool, head: &Head) -> Vec<u8> {
    let persistence = match (keep, head.is_1_1) {
        (true, true) => Persistence::Implied,
        (true, false) => Persistence::KeepAlive,
        (false, _) => Persistence::Close,
    };
    let mut out = Vec::new();
    if let Some(answer) = Answer::of(status) {
        answer.write(persistence, head.head_only, &mut out);
    }
    out
}

/// The status of a response head; 0 if it has none.
pub(crate) fn status_of(response: &[u8]) -> u16 {
    let digits = response.get(9..12).unwrap_or_default();
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(input: &[u8]) -> Head {
        match parse(input, 16384) {
            Parsed::Head(head) => head,
            _ => panic!("not a head: {}", input.escape_ascii()),
        }
    }

    #[test]
    fn the_places_are_right_behind_empty_lines_too() {
        let input = b"\r\nPOST /haproxy?stats HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET";
        let head = head(input);
        assert_eq!(&input[head.line.clone()], b"POST /haproxy?stats HTTP/1.1");
        assert_eq!(&input[head.end..head.with_body()], b"abc");
        assert_eq!(head.uri, b"/haproxy?stats");
    }
}
