//! Heads: any slicing gives the same, and what is forwarded parses to what it was made of.

use telamon_http::forward::{write_end, Connection};
use telamon_http::{HeadParser, Message, Normal, ResponseParser};

use super::Target;
use crate::random::Random;

const LIMIT: usize = 15_360;
/// A forwarded head may be longer: each field gets a blank, each line a CR.
const ROOMY: usize = 4 * LIMIT;

pub(crate) const REQUESTS: Target = Target {
    name: "requests",
    seeds: &[
        b"GET /a?b HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
        b"POST http://a:80/ HTTP/1.0\r\nHost: a:\r\nContent-Length: 3\r\n\r\nabc",
        b"\r\nPUT * HTTP/1.1\nTransfer-Encoding: chunked\n folded\nTE: trailers\n\n0\r\n\r\n",
        b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nConnection: a, close,, b\r\n\r\n",
    ],
    words: WORDS,
    run: request,
};

pub(crate) const RESPONSES: Target = Target {
    name: "responses",
    seeds: &[
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok",
        b"HTTP/1.0 404\nTransfer-Encoding: chunked\nConnection: upgrade\n\n0\r\n\r\n",
        b"\r\nHTTP/1.1  103 Early Hints\r\nLink: a\r\n b\r\n\r\n",
        b"HTTP/1.1 204 No\r\nContent-Length: 2, 2\r\n\r\n",
    ],
    words: WORDS,
    run: response,
};

const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b",",
    b"\0",
    b"\x80",
    b"\r\n\r\n",
    b"\r\n ",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"Host: a\r\n",
    b"Content-Length: 1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: upgrade\r\n",
    b"Upgrade: websocket\r\n",
    b"://",
    b"@",
    b"/",
    b"TE: gzip, trailers\r\n",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    b"CONNECT",
];

fn request(input: &[u8], random: &mut Random) -> bool {
    let mut parser = HeadParser::new(LIMIT);
    let whole = parser
        .parse(input)
        .map(|found| found.map(|head| (head.end, head.body)));
    let mut pieces = HeadParser::new(LIMIT);
    let mut last = Ok(None);
    for end in random.cuts(input.len()) {
        last = pieces
            .parse(&input[..end])
            .map(|found| found.map(|head| (head.end, head.body)));
        if !matches!(last, Ok(None)) {
            break;
        }
    }
    match (&whole, &last) {
        (Ok(one), Ok(other)) => assert_eq!(one, other, "in pieces"),
        (Err(one), Err(other)) => assert_eq!(one.status(), other.status(), "in pieces"),
        (one, other) => panic!("in pieces: {one:?} and {other:?}"),
    }
    let mut parser = HeadParser::new(LIMIT);
    let Ok(Some(head)) = parser.parse(input) else {
        return whole.is_ok();
    };
    let mut message = Message::default();
    message.take_request(&head);
    if let Some(normal) = Normal::of(&head) {
        message.set_uri(&normal.uri);
        message.change_lines(b"host", |_| Some(normal.host.clone()));
    }
    let mut out = Vec::new();
    message.write_request(&mut out);
    write_end(&mut out, Connection::Implied);
    let mut again = HeadParser::new(ROOMY);
    let read = match again.parse(&out) {
        Ok(Some(read)) => read,
        other => panic!("written: {other:?} of b\"{}\"", out.escape_ascii()),
    };
    assert_eq!(read.method, head.method);
    assert_eq!(read.uri, message.uri());
    assert_eq!((read.body, read.end), (head.body, out.len()), "written");
    true
}

fn response(input: &[u8], random: &mut Random) -> bool {
    let mut parser = ResponseParser::new(LIMIT);
    let whole = parser
        .parse(input)
        .map(|found| found.map(|head| (head.end, head.framing)));
    let mut pieces = ResponseParser::new(LIMIT);
    let mut last = Ok(None);
    for end in random.cuts(input.len()) {
        last = pieces
            .parse(&input[..end])
            .map(|found| found.map(|head| (head.end, head.framing)));
        if !matches!(last, Ok(None)) {
            break;
        }
    }
    match (&whole, &last) {
        (Ok(one), Ok(other)) => assert_eq!(one, other, "in pieces"),
        (Err(_), Err(_)) => {}
        (one, other) => panic!("in pieces: {one:?} and {other:?}"),
    }
    let mut parser = ResponseParser::new(LIMIT);
    let Ok(Some(head)) = parser.parse(input) else {
        return whole.is_ok();
    };
    let mut message = Message::default();
    message.take_response(&head);
    let mut out = Vec::new();
    message.write_response(&mut out, head.forwarded_framing(), Connection::Implied);
    let mut again = ResponseParser::new(ROOMY);
    let read = match again.parse(&out) {
        Ok(Some(read)) => read,
        other => panic!("written: {other:?} of b\"{}\"", out.escape_ascii()),
    };
    assert_eq!((read.status, read.end), (head.status, out.len()));
    assert_eq!(read.length(false), head.length(false), "written");
    true
}
