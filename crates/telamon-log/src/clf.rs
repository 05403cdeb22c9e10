//! `option httplog clf`: what NCSA's common log format has, then HAProxy's own fields (manual 8.2.3).

use crate::line::{Http, Peer, ServerName};
use crate::{write_captured, write_escaped, write_number};

/// Append the line.
pub fn write_clf(out: &mut Vec<u8>, line: &Http<'_>) {
    let plus = if line.early { "+" } else { "" };
    match line.client {
        Peer::Inet(address) => write_number(out, address.ip()),
        Peer::Unix { .. } => out.extend_from_slice(b"unix"),
    }
    out.extend_from_slice(b" - - [");
    line.began.in_utc().write_with_offset(out);
    out.extend_from_slice(b"] ");
    quoted(out, |out| match line.request_line {
        Some(text) => write_escaped(out, text),
        None => out.extend_from_slice(b"<BADREQ>"),
    });
    let status = line.status.map_or(-1, i32::from);
    let port = match line.client {
        Peer::Inet(address) => u32::from(address.port()),
        Peer::Unix { listener } => listener,
    };
    let millis = line.began.unix_micros.rem_euclid(1_000_000) / 1000;
    let bytes = line.bytes;
    write_number(
        out,
        format_args!(" {status} {plus}{bytes} \"\" \"\" {port} {millis:03} "),
    );
    for name in [line.frontend, line.backend, server(line.server)] {
        quoted(out, |out| out.extend_from_slice(name.as_bytes()));
        out.push(b' ');
    }
    for time in [line.request, line.queued, line.connect, line.response] {
        match time {
            Some(millis) => write_number(out, format_args!("{millis} ")),
            None => out.extend_from_slice(b"-1 "),
        }
    }
    write_number(out, format_args!("{plus}{} ", line.active));
    out.extend_from_slice(&line.state);
    out.extend_from_slice(&line.cookies);
    counts(out, line);
    for cookie in line.captured_cookies {
        out.push(b' ');
        quoted(out, |out| out.extend_from_slice(cookie.unwrap_or_default()));
    }
    out.push(b' ');
    for (which, values) in line.captures.into_iter().enumerate() {
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                out.push(b' ');
            }
            quoted(out, |out| {
                write_captured(out, value.as_deref().unwrap_or_default());
            });
        }
        // A blank before nothing is no second one.
        if which == 0 && !values.is_empty() {
            out.push(b' ');
        }
    }
}

fn counts(out: &mut Vec<u8>, line: &Http<'_>) {
    let c = &line.counts;
    let plus = if c.redispatched { "+" } else { "" };
    write_number(
        out,
        format_args!(
            " {} {} {} {} {plus}{} {} {}",
            c.process, c.frontend, c.backend, c.server, c.retries, c.server_queue, c.backend_queue
        ),
    );
}

fn server(name: ServerName<'_>) -> &str {
    match name {
        ServerName::Named(name) => name,
        ServerName::Nobody => "<NOSRV>",
        ServerName::Stats => "<STATS>",
    }
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}
