//! What expressions see of the engine: addresses, names, counters, and the aliases of log formats.

use std::io::Write;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use telamon_expr::{Calls, Facts, Names, Number};
use telamon_log::WallTime;
use telamon_session::Millis;

use crate::conn::NONE;
use crate::log::wall;
use crate::shared::ServerState;
use crate::worker::Common;

/// One exchange (or, in TCP mode, one stream) as rules and formats see it.
pub(crate) struct Seen {
    pub(crate) shared: Rc<Common>,
    pub(crate) thread: usize,
    pub(crate) now: Millis,
    pub(crate) proxy: u32,
    pub(crate) backend: u32,
    pub(crate) server: u32,
    pub(crate) listener: u32,
    pub(crate) source: Option<SocketAddr>,
    pub(crate) destination: Option<SocketAddr>,
    pub(crate) server_ends: Option<(SocketAddr, SocketAddr)>,
    pub(crate) first: bool,
    pub(crate) requests: u32,
    pub(crate) captures: [Vec<Option<Vec<u8>>>; 2],
    /// Captured ones, of the request and of the response.
    pub(crate) cookies: [Option<Vec<u8>>; 2],
    pub(crate) request_line: Option<Vec<u8>>,
    pub(crate) unique_id: Vec<u8>,
    pub(crate) line: Line,
    /// Content rules still wait for bytes, and one of their fetches would like more.
    pub(crate) may_change: bool,
    pub(crate) undecided: std::cell::Cell<bool>,
    /// Of the exchange.
    pub(crate) calls: Calls,
}

/// The numbers of a log line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line {
    pub(crate) accepted: Option<SystemTime>,
    pub(crate) began: Option<SystemTime>,
    pub(crate) idle: Millis,
    pub(crate) request: Option<Millis>,
    pub(crate) queued: Option<Millis>,
    pub(crate) connect: Option<Millis>,
    pub(crate) response: Option<Millis>,
    pub(crate) active: Millis,
    pub(crate) total: Millis,
    pub(crate) status: Option<u16>,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) state: [u8; 2],
    pub(crate) cookies: Option<[u8; 2]>,
    pub(crate) counts: telamon_log::Counts,
    pub(crate) stats: bool,
}

impl Seen {
    fn proxy_index(&self, id: Option<u32>, own: u32) -> Option<usize> {
        match id {
            None => (own != NONE).then_some(own as usize),
            Some(id) => self.shared.proxies.iter().position(|one| one.plan.id == id),
        }
    }

    fn server_of(
        &self,
        proxy: Option<u32>,
        server: Option<u32>,
    ) -> Option<(&crate::shared::Backend, usize)> {
        let at = self.proxy_index(proxy, self.backend)?;
        let backend = self.shared.proxies[at].backend.as_ref()?;
        let place = match server {
            None => self.server as usize,
            Some(id) => backend.servers.iter().position(|one| one.id == id)?,
        };
        (place < backend.servers.len()).then_some((backend, place))
    }

    fn backend_number(&self, what: Number, proxy: Option<u32>) -> Option<i64> {
        // Where a fetch names no backend, the frontend's own is meant.
        let own = if self.backend == NONE {
            self.proxy
        } else {
            self.backend
        };
        let at = self.proxy_index(proxy, own)?;
        let backend = self.shared.proxies[at].backend.as_ref()?;
        let usable = || backend.servers.iter().filter(|server| server.is_usable());
        let current = |server: &crate::shared::Server| server.gauges.current.load(Relaxed);
        let queued = i64::from(backend.gauges.queued.load(Relaxed));
        Some(match what {
            Number::BackendConnections => i64::from(backend.gauges.current.load(Relaxed)),
            Number::BackendSessionRate => i64::from(backend.gauges.sessions.read(self.now)),
            Number::UsableServers => usable().count() as i64,
            Number::Queue => queued,
            Number::AverageQueue => match usable().count() as i64 {
                0 => queued * 9999,
                count => (queued + count - 1) / count,
            },
            Number::BackendFreeConnections => {
                let mut free = 0;
                for server in usable() {
                    let limit = server.maxconn.load(Relaxed);
                    if limit == 0 {
                        return Some(-1);
                    }
                    free += i64::from(limit.saturating_sub(current(server)));
                }
                free
            }
            Number::ConnectionSlots => {
                let mut slots = 0;
                for server in usable() {
                    let limit = server.maxconn.load(Relaxed);
                    if limit == 0 || server.maxqueue == 0 {
                        return Some(-1);
                    }
                    let held = current(server) + server.gauges.queued.load(Relaxed);
                    slots += i64::from(limit + server.maxqueue) - i64::from(held);
                }
                slots
            }
            _ => return None,
        })
    }

    fn server_number(&self, what: Number, proxy: Option<u32>, server: Option<u32>) -> Option<i64> {
        let (backend, place) = self.server_of(proxy, server)?;
        let server = &backend.servers[place];
        let current = server.gauges.current.load(Relaxed);
        Some(match what {
            Number::ServerConnections => i64::from(current),
            Number::ServerQueue => i64::from(server.gauges.queued.load(Relaxed)),
            Number::ServerSessionRate => i64::from(server.gauges.sessions.read(self.now)),
            Number::ServerWeight => i64::from(server.weight.load(Relaxed)),
            Number::ServerIsUp => {
                let up = matches!(server.state(), ServerState::Up | ServerState::Drain);
                i64::from(up)
            }
            Number::ServerFreeConnections => match server.maxconn.load(Relaxed) {
                0 => -1,
                limit => i64::from(limit.saturating_sub(current)),
            },
            _ => return None,
        })
    }
}

impl Facts for Seen {
    fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    fn destination(&self) -> Option<SocketAddr> {
        self.destination
    }

    fn names(&self) -> Names<'_> {
        let shared = &self.shared;
        let front = &shared.proxies[self.proxy as usize].plan;
        let behind = shared.proxies.get(self.backend as usize);
        let server = behind
            .and_then(|behind| behind.backend.as_ref())
            .and_then(|backend| backend.servers.get(self.server as usize));
        let listener = &shared.listeners[self.listener as usize];
        Names {
            frontend: (&front.name, front.id),
            backend: behind.map(|behind| (behind.plan.name.as_str(), behind.plan.id)),
            server: server.map(|server| (server.name.as_str(), server.id)),
            listener: (&listener.name, listener.id),
        }
    }

    fn number(&self, what: Number, proxy: Option<u32>, server: Option<u32>) -> Option<i64> {
        let shared = &self.shared;
        let front = || {
            let at = self.proxy_index(proxy, self.proxy)?;
            shared.proxies[at].frontend.as_ref()
        };
        match what {
            Number::ActiveConnections => Some(i64::from(shared.connections.current.load(Relaxed))),
            Number::FirstRequest => Some(i64::from(self.first)),
            Number::FrontendConnections => Some(i64::from(front()?.gauges.current.load(Relaxed))),
            Number::FrontendRequestRate => Some(i64::from(front()?.gauges.requests.read(self.now))),
            Number::FrontendSessionRate => Some(i64::from(front()?.gauges.sessions.read(self.now))),
            Number::Stopping => Some(0),
            Number::Threads => Some(shared.threads.len() as i64),
            Number::Thread => Some(self.thread as i64),
            Number::AverageQueue
            | Number::BackendConnections
            | Number::BackendFreeConnections
            | Number::BackendSessionRate
            | Number::ConnectionSlots
            | Number::UsableServers
            | Number::Queue => self.backend_number(what, proxy),
            _ => self.server_number(what, proxy, server),
        }
    }

    fn wall_micros(&self) -> i64 {
        wall(SystemTime::now()).unix_micros
    }

    fn random(&self) -> u64 {
        // SplitMix64 over the clock and a counter that all threads share.
        static STEP: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let step = STEP.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed);
        let mut mixed = step ^ (self.wall_micros() as u64).rotate_left(32);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn hostname(&self) -> &str {
        &self.shared.hostname
    }

    fn alias(&self, name: &str, _argument: &str, out: &mut Vec<u8>) -> bool {
        let Some(row) = ALIASES.iter().find(|row| row.0 == name) else {
            return false;
        };
        (row.1)(self, out);
        true
    }

    fn capture(&self, response: bool, slot: usize) -> Option<&[u8]> {
        self.captures[usize::from(response)].get(slot)?.as_deref()
    }

    fn request_line(&self) -> Option<&[u8]> {
        self.request_line.as_deref()
    }

    fn may_change(&self) -> bool {
        self.may_change
    }

    fn note_undecided(&self) {
        self.undecided.set(true);
    }

    fn take_undecided(&self) -> bool {
        self.undecided.take()
    }

    fn calls(&self) -> Option<&Calls> {
        Some(&self.calls)
    }
}

type Alias = fn(&Seen, &mut Vec<u8>);

/// Log aliases (manual 8.2.6).
pub(crate) const ALIASES: &[(&str, Alias)] = &[
    ("B", |seen, out| put(out, seen.line.sent)),
    ("HM", |seen, out| word(seen, out, 0)),
    ("HP", |seen, out| path(seen, out, false)),
    ("HPO", |seen, out| path(seen, out, true)),
    ("HQ", |seen, out| query(seen, out)),
    ("HU", |seen, out| word(seen, out, 1)),
    ("HV", |seen, out| word(seen, out, 2)),
    ("H", |seen, out| put(out, &seen.shared.hostname)),
    ("ID", |seen, out| out.extend_from_slice(&seen.unique_id)),
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
        telamon_log::write_cookie(out, seen.cookies[0].as_deref())
    }),
    ("CS", |seen, out| {
        telamon_log::write_cookie(out, seen.cookies[1].as_deref())
    }),
    ("ci", |seen, out| host(out, seen.source)),
    ("cp", |seen, out| port(out, seen.source)),
    ("f", |seen, out| put(out, seen.names().frontend.0)),
    ("fc", |seen, out| put(out, seen.line.counts.frontend)),
    ("fi", |seen, out| host(out, seen.destination)),
    ("fp", |seen, out| port(out, seen.destination)),
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
fn captures(seen: &Seen, out: &mut Vec<u8>, side: usize, clf: bool) {
    let values = &seen.captures[side];
    if values.is_empty() {
        return;
    }
    if clf {
        for (at, value) in values.iter().enumerate() {
            out.extend_from_slice(if at > 0 { b" \"" } else { b"\"" });
            telamon_log::write_captured(out, value.as_deref().unwrap_or_default());
            out.push(b'"');
        }
        return;
    }
    telamon_log::write_captures(out, values);
}
