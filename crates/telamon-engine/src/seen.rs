//! What expressions see of the engine.
//!
//! `live.rs` gathers what a stream has come to, `numbers.rs` answers fetches, `aliases.rs` has the
//! aliases of log formats.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::SystemTime;

use telamon_expr::{Calls, Facts, Names, Number, Text, Wanted};
use telamon_session::Millis;
use telamon_sys::{process, socket};

use crate::conn::{Ends, NO_FD};
use crate::log::wall;
use crate::shared::Proxy;
use crate::worker::Common;

mod aliases;
mod live;
mod numbers;

use aliases::ALIASES;
pub(crate) use live::{limit, priority, Live};

/// One exchange (or, in TCP mode, one stream) as rules and formats see it.
pub(crate) struct Seen {
    pub(crate) shared: Rc<Common>,
    pub(crate) thread: usize,
    pub(crate) now: Millis,
    pub(crate) proxy: u32,
    pub(crate) backend: u32,
    pub(crate) server: u32,
    pub(crate) listener: u32,
    pub(crate) source: Cell<Option<SocketAddr>>,
    pub(crate) destination: Cell<Option<SocketAddr>>,
    /// The connection's own.
    pub(crate) own: Ends,
    pub(crate) server_ends: Option<(SocketAddr, SocketAddr)>,
    pub(crate) first: bool,
    pub(crate) requests: u32,
    /// Of the request and of the response; rules and converters put values into slots.
    pub(crate) captures: RefCell<[Vec<Option<Vec<u8>>>; 2]>,
    /// Captured ones, of the request and of the response.
    pub(crate) cookies: [Option<Vec<u8>>; 2],
    pub(crate) request_line: Option<Vec<u8>>,
    pub(crate) unique_id: Vec<u8>,
    pub(crate) line: Line,
    /// Content rules still wait for bytes, and one of their fetches would like more.
    pub(crate) may_change: bool,
    /// What has come in mode tcp may be the begin of an HTTP request.
    pub(crate) head_may_come: bool,
    /// `option http-use-proxy-header`, and a request to a proxy.
    pub(crate) proxied: bool,
    pub(crate) undecided: Cell<bool>,
    /// Of the exchange; None where no rule makes any.
    pub(crate) calls: Option<Box<Calls>>,
    pub(crate) live: Live,
}

/// The numbers of a log line.
#[derive(Clone, Copy, Debug)]
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
    /// Why the line is written (`%OG`).
    pub(crate) origin: &'static str,
}

impl Default for Line {
    fn default() -> Line {
        Line {
            accepted: None,
            began: None,
            idle: 0,
            request: None,
            queued: None,
            connect: None,
            response: None,
            active: 0,
            total: 0,
            status: None,
            sent: 0,
            received: 0,
            state: *b"--",
            cookies: None,
            counts: telamon_log::Counts::default(),
            stats: false,
            origin: "unspec",
        }
    }
}

/// An address with another host or port.
pub(crate) fn with_end(
    old: Option<SocketAddr>,
    ip: Option<IpAddr>,
    port: Option<u16>,
) -> Option<SocketAddr> {
    let ip = ip.or(old.map(|old| old.ip()))?;
    let port = port.or(old.map(|old| old.port())).unwrap_or(0);
    Some(SocketAddr::new(ip, port))
}

/// ChaCha, one generator a thread, with its key from the system: who sees some numbers (in a request
/// id, say) knows nothing of the next.
pub(crate) fn random() -> u64 {
    rand::random()
}

impl Facts for Seen {
    fn source(&self) -> Option<SocketAddr> {
        self.source.get()
    }

    fn destination(&self) -> Option<SocketAddr> {
        self.destination.get()
    }

    fn change_end(&self, source: bool, ip: Option<IpAddr>, port: Option<u16>) {
        let place = if source {
            &self.source
        } else {
            &self.destination
        };
        place.set(with_end(place.get(), ip, port));
    }

    fn foresee(&self, wanted: &Wanted) {
        self.live.foresee(wanted);
    }

    fn own_source(&self) -> Option<SocketAddr> {
        self.own.source
    }

    fn own_destination(&self) -> Option<SocketAddr> {
        self.own.destination
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
        self.known_number(what, proxy, server)
    }

    fn wall_micros(&self) -> i64 {
        wall(SystemTime::now()).unix_micros
    }

    fn random(&self) -> u64 {
        random()
    }

    fn hostname(&self) -> &str {
        &self.shared.hostname
    }

    fn alias(&self, name: &str, argument: &str, out: &mut Vec<u8>) -> bool {
        if matches!(name, "hrl" | "hsl") && argument == "Q" {
            aliases::quoted_captures(self, out, usize::from(name == "hsl"));
            return true;
        }
        let Some(row) = ALIASES.iter().find(|row| row.0 == name) else {
            return false;
        };
        (row.1)(self, out);
        true
    }

    fn capture(&self, response: bool, slot: usize) -> Option<Vec<u8>> {
        let captures = self.captures.borrow();
        captures[usize::from(response)].get(slot)?.clone()
    }

    fn request_line(&self) -> Option<&[u8]> {
        self.request_line.as_deref()
    }

    fn may_change(&self) -> bool {
        self.may_change
    }

    fn head_may_come(&self) -> bool {
        self.head_may_come
    }

    fn is_proxied(&self) -> bool {
        self.proxied
    }

    fn note_undecided(&self) {
        self.undecided.set(true);
    }

    fn take_undecided(&self) -> bool {
        self.undecided.take()
    }

    fn calls(&self) -> Option<&Calls> {
        self.calls.as_deref()
    }

    fn text(&self, what: Text) -> Option<Cow<'_, str>> {
        self.known_text(what)
    }

    fn server_ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        let fd = self.live.fds[1];
        let asked = || {
            let (local, peer) = (socket::local(fd).ok()?, socket::peer(fd).ok()?);
            Some((local.as_inet()?, peer.as_inet()?))
        };
        self.server_ends.or_else(|| (fd != NO_FD).then(asked)?)
    }

    fn proxy_field(&self, kind: u8) -> Option<&[u8]> {
        self.live.told.as_deref()?.get(kind)
    }

    fn zone(&self, unix_seconds: i64) -> (i32, String) {
        process::local_zone(unix_seconds)
    }

    fn find(&self, backend: Option<&[u8]>, server: Option<&[u8]>) -> Option<(u32, Option<u32>)> {
        let proxy = match backend {
            Some(name) => {
                let named =
                    |one: &&Proxy| one.backend.is_some() && one.plan.name.as_bytes() == name;
                self.shared.proxies.iter().find(named)?
            }
            None => {
                // Before one is chosen, the section is its own.
                let own = self.shared.proxies.get(self.backend as usize);
                own.unwrap_or(&self.shared.proxies[self.proxy as usize])
            }
        };
        let Some(name) = server else {
            return Some((proxy.plan.id, None));
        };
        let mut servers = proxy.backend.as_ref()?.servers.iter();
        let server = servers.find(|one| one.name.as_bytes() == name)?;
        Some((proxy.plan.id, Some(server.id)))
    }

    fn keep_capture(&self, response: bool, slot: usize, value: &[u8]) {
        let plan = &self.shared.proxies[self.proxy as usize].plan.http;
        let declared = if response {
            &plan.response_captures
        } else {
            &plan.request_captures
        };
        let Some(capture) = declared.get(slot) else {
            return;
        };
        let slots = &mut self.captures.borrow_mut()[usize::from(response)];
        if slots.len() <= slot {
            slots.resize(slot + 1, None);
        }
        slots[slot] = Some(value[..value.len().min(capture.length)].to_vec());
    }
}
