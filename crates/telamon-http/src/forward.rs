//! Heads as they go on to the other side.
//!
//! HAProxy keeps versions, order and values, writes names in lower case, and says of the
//! connection what it itself will do (compared with 2.6): `keep-alive` and `close` of the one
//! side are taken out, other options stay, and its own option is added where the version needs one.

use crate::fields::Field;
use crate::head::Version;
use crate::token::{is_blank, trim};

/// What a forwarded head says of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Persistent, and the version says so by itself.
    Implied,
    KeepAlive,
    Close,
}

impl Connection {
    /// For a request to a server that is asked to keep the connection, or not.
    pub fn of_request(version: Version, keep: bool) -> Connection {
        match (keep, version.is_1_1()) {
            (true, true) => Connection::Implied,
            (true, false) => Connection::KeepAlive,
            (false, true) => Connection::Close,
            (false, false) => Connection::Implied,
        }
    }

    /// For a response of `version` to a client that spoke `client`.
    pub fn of_response(version: Version, client: Version, keep: bool) -> Connection {
        match (keep, version.is_1_1()) {
            (true, true) if client.is_1_1() => Connection::Implied,
            (true, _) => Connection::KeepAlive,
            (false, true) => Connection::Close,
            (false, false) => Connection::Implied,
        }
    }
}

/// Which of a head's fields that say how long the body is go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    #[default]
    Kept,
    /// A `Content-Length` beside the coding is left out, since it does not count.
    Coded,
    /// Neither goes on: an interim response and a 204 have no body (RFC 9110 8.6, RFC 9112 6.1),
    /// and who believed the fields would take the next response for one.
    Bodiless,
}

/// The fields of a request that go on at all: of several `Host`s, which all say the same, the first;
/// and no `Upgrade` where that is asked for with a body (`drop_upgrade`), since nobody could say in
/// which protocol that is.
pub fn forwarded<'b>(
    fields: impl Iterator<Item = Field<'b>> + 'b,
    drop_upgrade: bool,
) -> impl Iterator<Item = Field<'b>> + 'b {
    let mut host_seen = false;
    fields.filter(move |field| match field.name.len() {
        4 if field.is("host") => !std::mem::replace(&mut host_seen, true),
        7 => !(drop_upgrade && field.is("upgrade")),
        _ => true,
    })
}

/// `TE` is this connection's alone (RFC 9110 10.1.4): what we keep for the other side is this.
fn keeps_trailers(value: &[u8]) -> bool {
    (value.split(|byte| *byte == b',')).any(|word| trim(word) == b"trailers")
}

/// The start line of a request. A version above 1.1 becomes 1.1, the one that we speak.
pub fn write_request_line(out: &mut Vec<u8>, method: &[u8], uri: &[u8], version: Version) {
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(uri);
    out.push(b' ');
    write_version(out, version);
    out.extend_from_slice(b"\r\n");
}

/// The start line of a response.
pub fn write_status_line(out: &mut Vec<u8>, version: Version, status: u16, reason: &[u8]) {
    write_version(out, version);
    let digit = |value: u16| b'0' + (value % 10) as u8;
    out.extend_from_slice(&[
        b' ',
        digit(status / 100),
        digit(status / 10),
        digit(status),
        b' ',
    ]);
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

fn write_version(out: &mut Vec<u8>, version: Version) {
    if version.is_1_1() {
        return out.extend_from_slice(b"HTTP/1.1");
    }
    out.extend_from_slice(b"HTTP/");
    out.extend_from_slice(&[b'0' + version.major, b'.', b'0' + version.minor]);
}

/// One field of our own, its name as it is.
pub fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The fields that came, as they go on. The bytes of all names and values are what HAProxy's logs
/// count.
pub fn write_fields<'b>(
    out: &mut Vec<u8>,
    fields: impl Iterator<Item = Field<'b>>,
    framing: Framing,
) -> usize {
    let (start, mut count, mut left_out) = (out.len(), 0, 0);
    let mut length_seen = framing == Framing::Coded;
    // Of a length that is left out; beside a coding it does not count at all.
    let (mut length, mut coded) = (0, false);
    for field in fields {
        let whole = field.unfolded();
        let mut value = whole.as_ref();
        match field.name.len() {
            2 if field.is("te") => {
                let kept: &[u8] = match keeps_trailers(value) {
                    true => b"trailers",
                    false => b"",
                };
                left_out += value.len() - kept.len();
                if kept.is_empty() {
                    left_out += field.name.len();
                    continue;
                }
                value = kept;
            }
            10 if field.is("connection") => {
                count += usize::from(write_options(out, value));
                continue;
            }
            14 if field.is("content-length") => {
                if std::mem::replace(&mut length_seen, true) {
                    continue;
                }
                // A list of equal numbers goes on as the one that it means.
                let end = memchr::memchr(b',', value).unwrap_or(value.len());
                value = trim(&value[..end]);
                if framing == Framing::Bodiless {
                    length = field.name.len() + value.len();
                    continue;
                }
            }
            17 if framing == Framing::Bodiless && field.is("transfer-encoding") => {
                left_out += field.name.len() + value.len();
                coded = true;
                continue;
            }
            _ => {}
        }
        out.extend(field.name.iter().map(u8::to_ascii_lowercase));
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
        count += 1;
    }
    if !coded {
        left_out += length;
    }
    out.len() - start - count * ": \r\n".len() + left_out
}

/// The connection's own line, if one is needed, and the end of the head.
pub fn write_end(out: &mut Vec<u8>, connection: Connection) {
    out.extend_from_slice(match connection {
        Connection::Implied => b"\r\n".as_slice(),
        Connection::KeepAlive => b"connection: keep-alive\r\n\r\n",
        Connection::Close => b"connection: close\r\n\r\n",
    });
}

/// The options that are not about this connection's end, with the blanks around them; false if
/// there are none. The blanks behind an option that is taken out go with it, and the empty members
/// before it and at the end.
fn write_options(out: &mut Vec<u8>, value: &[u8]) -> bool {
    let start = out.len();
    out.extend_from_slice(b"connection: ");
    let begin = out.len();
    let (mut first, mut behind_removed) = (true, false);
    let mut held: Vec<&[u8]> = Vec::new();
    for part in value.split(|byte| *byte == b',') {
        let word = trim(part);
        if word.eq_ignore_ascii_case(b"keep-alive") || word.eq_ignore_ascii_case(b"close") {
            behind_removed = true;
            held.clear();
            continue;
        }
        let lead = part.iter().take_while(|byte| is_blank(**byte)).count();
        held.push(if behind_removed { &part[lead..] } else { part });
        if word.is_empty() {
            continue;
        }
        behind_removed = false;
        for part in held.drain(..) {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(part);
        }
    }
    if out.len() == begin {
        out.truncate(start);
        return false;
    }
    out.extend_from_slice(b"\r\n");
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HeadParser;

    fn forwarded(head: &[u8], keep: bool) -> String {
        let mut parser = HeadParser::new(8192);
        let request = parser.parse(head).unwrap().unwrap();
        let mut out = Vec::new();
        write_request_line(&mut out, request.method, request.uri, request.version);
        write_fields(&mut out, request.fields(), Framing::Kept);
        write_end(&mut out, Connection::of_request(request.version, keep));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn heads_that_haproxy_forwarded() {
        let cases = [
            (
                "GET /p?q HTTP/1.1\r\nHoSt: A.b\r\nX-Foo:  bar \r\nConnection: keep-alive\r\n\
                 Keep-Alive: 5\r\nTE: trailers\r\n\r\n",
                "GET /p?q HTTP/1.1\r\nhost: A.b\r\nx-foo: bar\r\nkeep-alive: 5\r\n\
                 te: trailers\r\n\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Foo\r\nX-Foo: 1\r\n\r\n",
                "GET / HTTP/1.1\r\nhost: a\r\nconnection: X-Foo\r\nx-foo: 1\r\n\r\n",
            ),
            (
                "GET / HTTP/2.0\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\
                 Connection: A , B, close, C ,keep-alive\r\n\r\n",
                "GET / HTTP/1.1\r\ncontent-length: 2\r\nconnection: A , B,C \r\n\r\n",
            ),
            (
                "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
                "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
            ),
        ];
        for (came, went) in cases {
            assert_eq!(forwarded(came.as_bytes(), true), went);
        }
        assert_eq!(
            forwarded(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", false),
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        );
    }
}
