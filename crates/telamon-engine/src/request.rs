//! Just enough of a request head to serve a page, and HAProxy's own answers.

use std::ops::Range;

/// A whole request head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes up to and with the empty line.
    pub(crate) length: usize,
    /// Bytes of the request line without its end.
    pub(crate) line: usize,
    pub(crate) uri: Range<usize>,
    pub(crate) keep_alive: bool,
    /// Content-Length; None if the body is framed in a way that pages do not take (chunked).
    pub(crate) body: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Partial,
    Bad,
    Head(Head),
}

pub(crate) const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad request\r\nContent-length: 90\r\n\
Cache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n\
<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n";
pub(crate) const TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Time-out\r\nContent-length: 110\r\n\
Cache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n\
<html><body><h1>408 Request Time-out</h1>\n\
Your browser didn't send a complete request in time.\n</body></html>\n";
pub(crate) const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-length: 107\r\n\
Cache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n\
<html><body><h1>503 Service Unavailable</h1>\n\
No server is available to handle this request.\n</body></html>\n";

/// The status of a response head; 0 if it has none.
pub(crate) fn status_of(response: &[u8]) -> u16 {
    let digits = response.get(9..12).unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Reads a request head (RFC 9112, sections 2 to 5).
pub(crate) fn parse(input: &[u8]) -> Parsed {
    // Empty lines before a request are forgiven (RFC 9112 2.2).
    let skipped = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if skipped > 0 {
        return match parse(&input[skipped..]) {
            Parsed::Head(head) => Parsed::Head(Head {
                length: head.length + skipped,
                line: head.line + skipped,
                uri: head.uri.start + skipped..head.uri.end + skipped,
                ..head
            }),
            other => other,
        };
    }
    let mut lines = Lines { input, at: 0 };
    let Some(line) = lines.next() else {
        let bad = input.iter().take(8).any(|byte| !byte.is_ascii_graphic() && *byte != b' ');
        return if bad { Parsed::Bad } else { Parsed::Partial };
    };
    let Some((uri, new)) = request_line(&input[line.clone()]) else { return Parsed::Bad };
    let (mut keep_alive, mut body, mut chunked) = (new, None, false);
    loop {
        let Some(range) = lines.next() else { return Parsed::Partial };
        let text = &input[range];
        if text.is_empty() {
            break;
        }
        let Some((name, value)) = field(text) else { return Parsed::Bad };
        if name.eq_ignore_ascii_case(b"connection") {
            for word in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if word.eq_ignore_ascii_case(b"close") {
                    keep_alive = false;
                } else if word.eq_ignore_ascii_case(b"keep-alive") {
                    keep_alive = true;
                }
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let Some(length) = number(value) else { return Parsed::Bad };
            if body.is_some_and(|other| other != length) {
                return Parsed::Bad;
            }
            body = Some(length);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            chunked = true;
        }
    }
    Parsed::Head(Head {
        length: lines.at,
        line: line.end,
        uri,
        keep_alive: keep_alive && !chunked,
        body: if chunked { None } else { Some(body.unwrap_or(0)) },
    })
}

struct Lines<'a> {
    input: &'a [u8],
    at: usize,
}

impl Lines<'_> {
    /// The next line without its end (CRLF, or LF alone); None if it is not whole.
    fn next(&mut self) -> Option<Range<usize>> {
        let rest = &self.input[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let text = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        let range = self.at..self.at + text.len();
        self.at += end + 1;
        Some(range)
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The URI's place and whether the version keeps connections alive by itself.
fn request_line(line: &[u8]) -> Option<(Range<usize>, bool)> {
    let first = line.iter().position(|byte| *byte == b' ')?;
    let last = line.iter().rposition(|byte| *byte == b' ')?;
    let (method, version) = (&line[..first], &line[last + 1..]);
    let fine = !method.is_empty() && method.iter().all(|byte| is_token(*byte)) && last > first + 1;
    let uri = line.get(first + 1..last)?;
    let uri_fine = uri.iter().all(|byte| byte.is_ascii_graphic());
    let known = version.len() == 8
        && version.starts_with(b"HTTP/1.")
        && version[7].is_ascii_digit();
    (fine && uri_fine && known).then(|| (first + 1..last, version[7] != b'0'))
}

fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let fine = !name.is_empty()
        && name.iter().all(|byte| is_token(*byte))
        && !value.iter().any(|byte| matches!(byte, 0 | b'\r'));
    fine.then_some((name, value))
}

fn number(text: &[u8]) -> Option<usize> {
    let fine = !text.is_empty() && text.len() < 16 && text.iter().all(u8::is_ascii_digit);
    fine.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_whole_or_not_at_all() {
        let head = b"GET /haproxy?stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        for cut in 1..head.len() {
            assert_eq!(parse(&head[..cut]), Parsed::Partial, "{cut}");
        }
        let Parsed::Head(found) = parse(head) else { panic!() };
        assert_eq!(&head[found.uri.clone()], b"/haproxy?stats");
        assert!(!found.keep_alive);
        assert_eq!((found.length, found.body), (head.len(), Some(0)));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            &b"GET\r\n\r\n"[..],
            b"GET  HTTP/1.1\r\n\r\n",
            b"G\x01T / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/2.0\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"\x16\x03\x01\x02\x00",
        ] {
            assert_eq!(parse(bad), Parsed::Bad, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn own_answers_say_their_length() {
        for answer in [BAD_REQUEST, TIMEOUT, UNAVAILABLE] {
            let text = std::str::from_utf8(answer).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-length: {}\r\n", body.len())), "{head}");
        }
    }
}
