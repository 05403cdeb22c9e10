//! Log aliases (manual 8.2.6).

use std::io::Write;
use std::net::SocketAddr;
use std::time::SystemTime;

use telamon_expr::Facts;
use telamon_log::WallTime;
use telamon_session::Millis;

use super::Seen;
use crate::log::wall;

type Alias = fn(&Seen, &mut Vec<u8>);

/// Log aliases (manual 8.2.6).
pub(super) const ALIASES: &[(&str, Alias)] = &[
    ("B", |seen, out| put(out, seen.line.sent)),
    ("HM", |seen, out| word(seen, out, 0)),
    ("HP", |seen, out| path(seen, out, false)),
    ("HPO", |seen, out| path(seen, out, true)),
    ("HQ", |seen, out| query(seen, out)),
    ("HU", |seen, out| word(seen, out, 1)),
    ("HV", |seen, out| word(seen, out, 2)),
    ("H", |seen, out| put(out, &seen.shared.hostname)),
    ("ID", |seen, out| out.extend_from_slice(&seen.unique_id)),
    ("OG", |seen, out| put(out, seen.line.origin)),
    ("ST", |seen, out| {
        put(out, seen.line.status.map_or(-1, i32::from))
    }),
    ("T", |seen, out| date(out, seen.line.accepted, true)),
    ("Ta", |seen, out| put(out, seen.line.active)),
    ("Tc", |seen, out| time(out, seen.line.connect)),
    ("Td", |seen, out| {
        put(out, seen.line.active.saturating_sub(known(seen)))
    }),
    ("Th", |_, out| out.push(b'0')),
    ("Ti", |seen, out| put(out, seen.line.idle)),
    ("Tl", |seen, out| date(out, seen.line.accepted, false)),
    ("Tq", |seen, out| {
        time(out, seen.line.request.map(|time| time + seen.line.idle))
    }),
    ("Tr", |seen, out| time(out, seen.line.response)),
    ("TR", |seen, out| time(out, seen.line.request)),
    ("Ts", |seen, out| {
        put(out, moment(seen.line.accepted).unix_micros / 1_000_000)
    }),
    ("Tt", |seen, out| put(out, seen.line.total)),
    ("Tu", |seen, out| {
        put(out, seen.line.total.saturating_sub(seen.line.idle))
    }),
    ("Tw", |seen, out| time(out, seen.line.queued)),
    ("U", |seen, out| put(out, seen.line.received)),
    ("ac", |seen, out| put(out, seen.line.counts.process)),
    ("b", |seen, out| backend(seen, out)),
    ("bc", |seen, out| put(out, seen.line.counts.backend)),
    ("bi", |seen, out| {
        host(out, seen.server_ends.map(|ends| ends.0))
    }),
    ("bp", |seen, out| {
        port(out, seen.server_ends.map(|ends| ends.0))
    }),
    ("bq", |seen, out| put(out, seen.line.counts.backend_queue)),
    ("CC", |seen, out| {
        out.extend_from_slice(seen.cookies[0].as_deref().unwrap_or_default())
    }),
    ("CS", |seen, out| {
        out.extend_from_slice(seen.cookies[1].as_deref().unwrap_or_default())
    }),
    ("ci", |seen, out| host(out, seen.source.get())),
    ("cp", |seen, out| port(out, seen.source.get())),
    ("f", |seen, out| put(out, seen.names().frontend.0)),
    ("fc", |seen, out| put(out, seen.line.counts.frontend)),
    ("fi", |seen, out| host(out, seen.destination.get())),
    ("fp", |seen, out| port(out, seen.destination.get())),
    ("ft", |seen, out| put(out, seen.names().frontend.0)),
    ("hr", |seen, out| captures(seen, out, 0, false)),
    ("hrl", |seen, out| captures(seen, out, 0, true)),
    ("hs", |seen, out| captures(seen, out, 1, false)),
    ("hsl", |seen, out| captures(seen, out, 1, true)),
    ("lc", |seen, out| put(out, seen.requests)),
    ("ms", |seen, out| {
        let millis = moment(seen.line.accepted).unix_micros.rem_euclid(1_000_000) / 1000;
        put(out, format_args!("{millis:03}"));
    }),
    ("o", |_, _| {}),
    ("pid", |_, out| put(out, std::process::id())),
    ("r", |seen, out| request(seen, out)),
    ("rc", |seen, out| {
        if seen.line.counts.redispatched {
            out.push(b'+');
        }
        put(out, seen.line.counts.retries);
    }),
    ("rt", |seen, out| put(out, seen.requests)),
    ("s", |seen, out| server(seen, out)),
    ("sc", |seen, out| put(out, seen.line.counts.server)),
    ("si", |seen, out| {
        host(out, seen.server_ends.map(|ends| ends.1))
    }),
    ("sp", |seen, out| {
        port(out, seen.server_ends.map(|ends| ends.1))
    }),
    ("sq", |seen, out| put(out, seen.line.counts.server_queue)),
    // There is no TLS.
    ("sslc", |_, out| out.push(b'-')),
    ("sslv", |_, out| out.push(b'-')),
    ("t", |seen, out| {
        moment(seen.line.accepted).write_bracketed(out)
    }),
    ("tr", |seen, out| {
        moment(seen.line.began).write_bracketed(out)
    }),
    ("trg", |seen, out| date(out, seen.line.began, true)),
    ("trl", |seen, out| date(out, seen.line.began, false)),
    ("ts", |seen, out| out.extend_from_slice(&seen.line.state)),
    ("tsc", |seen, out| {
        out.extend_from_slice(&seen.line.state);
        out.extend_from_slice(&seen.line.cookies.unwrap_or(*b"--"));
    }),
];

fn put(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to memory cannot fail.
    let _ = write!(out, "{value}");
}

fn time(out: &mut Vec<u8>, value: Option<Millis>) {
    match value {
        Some(value) => put(out, value),
        None => out.extend_from_slice(b"-1"),
    }
}

/// How much of the active time is accounted for before the data.
fn known(seen: &Seen) -> Millis {
    let line = &seen.line;
    let all = [line.request, line.queued, line.connect, line.response];
    all.iter().flatten().sum()
}

fn moment(time: Option<SystemTime>) -> WallTime {
    wall(time.unwrap_or_else(SystemTime::now))
}

fn date(out: &mut Vec<u8>, time: Option<SystemTime>, in_utc: bool) {
    let mut moment = moment(time);
    if in_utc {
        moment.utc_offset = 0;
    }
    moment.write_with_offset(out);
}

fn host(out: &mut Vec<u8>, address: Option<SocketAddr>) {
    match address {
        Some(address) => put(out, address.ip().to_canonical()),
        None => out.push(b'-'),
    }
}

fn port(out: &mut Vec<u8>, address: Option<SocketAddr>) {
    match address {
        Some(address) => put(out, address.port()),
        None => out.push(b'-'),
    }
}

fn backend(seen: &Seen, out: &mut Vec<u8>) {
    let names = seen.names();
    put(out, names.backend.unwrap_or(names.frontend).0);
}

fn server(seen: &Seen, out: &mut Vec<u8>) {
    match seen.names().server {
        _ if seen.line.stats => put(out, "<STATS>"),
        Some((name, _)) => put(out, name),
        None => put(out, "<NOSRV>"),
    }
}

/// The request line, as log lines escape it.
fn request(seen: &Seen, out: &mut Vec<u8>) {
    match &seen.request_line {
        Some(line) => telamon_log::write_escaped(out, line),
        None => out.extend_from_slice(b"<BADREQ>"),
    }
}

fn word(seen: &Seen, out: &mut Vec<u8>, at: usize) {
    let line = seen.request_line.as_deref();
    match line.and_then(|line| line.split(|byte| *byte == b' ').nth(at)) {
        Some(word) => telamon_log::write_escaped(out, word),
        None => out.extend_from_slice(b"<BADREQ>"),
    }
}

fn target(seen: &Seen) -> Option<&[u8]> {
    let line = seen.request_line.as_deref()?;
    line.split(|byte| *byte == b' ').nth(1)
}

fn path(seen: &Seen, out: &mut Vec<u8>, only: bool) {
    let Some(uri) = target(seen) else {
        return out.extend_from_slice(b"<BADREQ>");
    };
    let end = uri
        .iter()
        .position(|byte| *byte == b'?')
        .unwrap_or(uri.len());
    let mut path = &uri[..end];
    if only {
        if let Some(scheme) = path.windows(3).position(|three| three == b"://") {
            let rest = &path[scheme + 3..];
            let slash = rest.iter().position(|byte| *byte == b'/');
            path = slash.map_or(&rest[..0], |slash| &rest[slash..]);
        }
    }
    telamon_log::write_escaped(out, path);
}

fn query(seen: &Seen, out: &mut Vec<u8>) {
    if let Some(uri) = target(seen) {
        if let Some(at) = uri.iter().position(|byte| *byte == b'?') {
            telamon_log::write_escaped(out, &uri[at..]);
        }
    }
}

/// Captured headers, as `{a|b}` or, in CLF style, each quoted.
fn captures(seen: &Seen, out: &mut Vec<u8>, side: usize, list: bool) {
    let values = &seen.captures.borrow()[side];
    if values.is_empty() {
        return;
    }
    if !list {
        return telamon_log::write_captures(out, values);
    }
    for (at, value) in values.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b" " } else { b"" });
        match value {
            Some(value) => telamon_log::write_captured(out, value),
            None => out.push(b'-'),
        }
    }
}

/// `%{+Q}hrl`, `%{+Q}hsl`: a list with quotes around each.
pub(super) fn quoted_captures(seen: &Seen, out: &mut Vec<u8>, side: usize) {
    for (at, value) in seen.captures.borrow()[side].iter().enumerate() {
        out.extend_from_slice(if at > 0 { b" \"" } else { b"\"" });
        telamon_log::write_captured(out, value.as_deref().unwrap_or_default());
        out.push(b'"');
    }
}
