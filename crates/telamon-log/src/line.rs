//! The ready-made lines of connections and requests.

use std::net::SocketAddr;

use telamon_plan::Mode;

use crate::{write_number, WallTime};

/// One end of a client connection.
#[derive(Clone, Copy, Debug)]
pub enum Peer {
    Inet(SocketAddr),
    /// On a unix socket; the id of the listener stands for the port.
    Unix {
        listener: u32,
    },
}

/// Who served, or why nobody did.
#[derive(Clone, Copy, Debug)]
pub enum ServerName<'a> {
    Named(&'a str),
    /// None could be chosen, or none was yet.
    Nobody,
    /// The statistics page answered.
    Stats,
}

/// Connections at the moment of the line, its own included: of the process, the frontend, the
/// backend, the server; then retries and whether the last went to another server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub process: u32,
    pub frontend: u32,
    pub backend: u32,
    pub server: u32,
    pub retries: u32,
    pub redispatched: bool,
    pub server_queue: u32,
    pub backend_queue: u32,
}

/// `option tcplog` (manual 8.2.2). Times in milliseconds, None where it did not get so far.
#[derive(Clone, Copy, Debug)]
pub struct Tcp<'a> {
    pub client: Peer,
    pub accepted: WallTime,
    pub frontend: &'a str,
    pub backend: &'a str,
    pub server: ServerName<'a>,
    pub queued: Option<u64>,
    pub connect: Option<u64>,
    pub total: u64,
    /// Bytes sent to the client.
    pub bytes: u64,
    /// How it ended (manual 8.5), two characters.
    pub state: [u8; 2],
    pub counts: Counts,
    /// The line is written before the end (`option logasap`): times and bytes have a `+`.
    pub early: bool,
}

/// `option httplog` (manual 8.2.3).
#[derive(Clone, Copy, Debug)]
pub struct Http<'a> {
    pub client: Peer,
    /// The first byte of the request.
    pub began: WallTime,
    pub frontend: &'a str,
    pub backend: &'a str,
    pub server: ServerName<'a>,
    pub request: Option<u64>,
    pub queued: Option<u64>,
    pub connect: Option<u64>,
    pub response: Option<u64>,
    pub active: u64,
    /// None: no response was sent, `-1`.
    pub status: Option<u16>,
    pub bytes: u64,
    /// How it ended, and what its persistence cookie was: two characters each (manual 8.5).
    pub state: [u8; 2],
    pub cookies: [u8; 2],
    /// `capture cookie`: of the request, of the response.
    pub captured_cookies: [Option<&'a [u8]>; 2],
    pub counts: Counts,
    /// Method, URI and version as received; None for a request that could not be read.
    pub request_line: Option<&'a [u8]>,
    pub early: bool,
    /// Captured headers: of requests, of responses; a value is None where the header was missing.
    pub captures: [&'a [Option<Vec<u8>>]; 2],
}

/// What a proxy without `option tcplog` or `httplog` says of each connection, when it comes
/// (manual 8.2.1): `Connect from a:p to b:q (name/TCP)`.
pub fn write_connect(out: &mut Vec<u8>, client: Peer, local: Peer, frontend: &str, mode: Mode) {
    match (client, local) {
        (Peer::Inet(_), _) => {
            out.extend_from_slice(b"Connect from ");
            write_peer(out, client);
            out.extend_from_slice(b" to ");
            write_peer(out, local);
        }
        (Peer::Unix { .. }, _) => {
            out.extend_from_slice(b"Connect to ");
            write_peer(out, client);
        }
    }
    out.extend_from_slice(b" (");
    out.extend_from_slice(frontend.as_bytes());
    out.extend_from_slice(match mode {
        Mode::Tcp => b"/TCP)",
        Mode::Http => b"/HTTP)",
    });
}

/// Append a tcplog line.
pub fn write_tcp(out: &mut Vec<u8>, line: &Tcp<'_>) {
    let plus = if line.early { "+" } else { "" };
    write_begin(
        out,
        line.client,
        line.accepted,
        line.frontend,
        line.backend,
        line.server,
    );
    write_times(out, &[line.queued, line.connect]);
    out.extend_from_slice(plus.as_bytes());
    write_number(out, line.total);
    out.push(b' ');
    out.extend_from_slice(plus.as_bytes());
    write_number(out, line.bytes);
    out.push(b' ');
    out.extend_from_slice(&line.state);
    out.push(b' ');
    write_counts(out, &line.counts);
}

/// Append an httplog line.
pub fn write_http(out: &mut Vec<u8>, line: &Http<'_>) {
    let plus = if line.early { "+" } else { "" };
    write_begin(
        out,
        line.client,
        line.began,
        line.frontend,
        line.backend,
        line.server,
    );
    write_times(
        out,
        &[line.request, line.queued, line.connect, line.response],
    );
    out.extend_from_slice(plus.as_bytes());
    write_number(out, line.active);
    out.push(b' ');
    write_number(out, line.status.map_or(-1, i32::from));
    out.push(b' ');
    out.extend_from_slice(plus.as_bytes());
    write_number(out, line.bytes);
    out.push(b' ');
    for cookie in line.captured_cookies {
        write_cookie(out, cookie);
        out.push(b' ');
    }
    out.extend_from_slice(&line.state);
    out.extend_from_slice(&line.cookies);
    out.push(b' ');
    write_counts(out, &line.counts);
    for values in line.captures.iter().filter(|values| !values.is_empty()) {
        out.push(b' ');
        write_captures(out, values);
    }
    out.extend_from_slice(b" \"");
    match line.request_line {
        Some(text) => write_escaped(out, text),
        None => out.extend_from_slice(b"<BADREQ>"),
    }
    out.push(b'"');
}

/// Append a line of `option httpslog`: an httplog line, and what there is to say of TLS on a
/// connection without it (manual 8.2.4): errors, resumption, name, version and cipher.
pub fn write_https(out: &mut Vec<u8>, line: &Http<'_>) {
    write_http(out, line);
    out.extend_from_slice(b" 0/-/-/-/0 -/-/-");
}

/// Append the line of a connection that failed before there was a stream (manual 8.2.5).
pub fn write_error(
    out: &mut Vec<u8>,
    client: Peer,
    accepted: WallTime,
    frontend: &str,
    listener: &str,
    message: &str,
) {
    write_peer(out, client);
    out.extend_from_slice(b" [");
    accepted.write_bracketed(out);
    out.extend_from_slice(b"] ");
    out.extend_from_slice(frontend.as_bytes());
    write_number(out, format_args!("/{listener}: {message}"));
}

/// `client [date] frontend backend/server `.
fn write_begin(
    out: &mut Vec<u8>,
    client: Peer,
    date: WallTime,
    frontend: &str,
    backend: &str,
    server: ServerName<'_>,
) {
    write_peer(out, client);
    out.extend_from_slice(b" [");
    date.write_bracketed(out);
    out.extend_from_slice(b"] ");
    out.extend_from_slice(frontend.as_bytes());
    out.push(b' ');
    out.extend_from_slice(backend.as_bytes());
    out.push(b'/');
    out.extend_from_slice(match server {
        ServerName::Named(name) => name.as_bytes(),
        ServerName::Nobody => b"<NOSRV>",
        ServerName::Stats => b"<STATS>",
    });
    out.push(b' ');
}

/// `a:p` without brackets, also for IPv6.
fn write_peer(out: &mut Vec<u8>, peer: Peer) {
    match peer {
        Peer::Inet(address) => {
            write_number(out, address.ip());
            out.push(b':');
            write_number(out, address.port());
        }
        Peer::Unix { listener } => {
            out.extend_from_slice(b"unix:");
            write_number(out, listener);
        }
    }
}

fn write_times(out: &mut Vec<u8>, times: &[Option<u64>]) {
    for time in times {
        match time {
            Some(ms) => write_number(out, ms),
            None => out.extend_from_slice(b"-1"),
        }
        out.push(b'/');
    }
}

fn write_counts(out: &mut Vec<u8>, counts: &Counts) {
    for number in [
        counts.process,
        counts.frontend,
        counts.backend,
        counts.server,
    ] {
        write_number(out, number);
        out.push(b'/');
    }
    if counts.redispatched {
        out.push(b'+');
    }
    write_number(out, counts.retries);
    out.push(b' ');
    write_number(out, counts.server_queue);
    out.push(b'/');
    write_number(out, counts.backend_queue);
}

/// `"`, `#` and what is not printable ASCII become `#XX` (manual 8.6).
pub fn write_escaped(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if matches!(byte, b'"' | b'#') || !matches!(byte, b' '..=b'~') {
            out.extend_from_slice(&[
                b'#',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        } else {
            out.push(byte);
        }
    }
}

/// A captured cookie as it came, or `-`. A field's value has no line breaks.
pub fn write_cookie(out: &mut Vec<u8>, cookie: Option<&[u8]>) {
    match cookie {
        Some(text) => out.extend_from_slice(text),
        None => out.push(b'-'),
    }
}

/// Captured headers, as `{a|b}` (manual 8.8).
pub fn write_captures(out: &mut Vec<u8>, values: &[Option<Vec<u8>>]) {
    out.push(b'{');
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b'|');
        }
        write_captured(out, value.as_deref().unwrap_or_default());
    }
    out.push(b'}');
}

/// One captured value: besides what lines escape, the marks between values become `#XX`.
pub fn write_captured(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'{' => out.extend_from_slice(b"#7B"),
            b'|' => out.extend_from_slice(b"#7C"),
            b'}' => out.extend_from_slice(b"#7D"),
            other => write_escaped(out, &[*other]),
        }
    }
}
