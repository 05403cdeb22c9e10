//! Accepting, with brakes: the limits of process, frontend and listener, and descriptors that
//! run out.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::Arc;
use std::time::SystemTime;

use telamon_plan::Mode;
use telamon_proxy_protocol::Parsed;
use telamon_session::{Cause, Side, Stream};
use telamon_sys::{socket, Chunk};

use crate::conn::{Role, NONE, RECV};
use crate::counters::{ProcessTotal, Total};
use crate::http::Http;
use crate::io::{Io, Key};
use crate::logs::Unheard;
use crate::shared::Frontend;
use crate::worker::{count, Worker};

/// One listener as a thread sees it.
pub(crate) struct Gate {
    /// None after it was closed for good.
    fd: Option<Arc<OwnedFd>>,
    open: bool,
    /// `unlisten` was asked for and has not been confirmed.
    closing: bool,
    /// Looks at what still waits after accepting has ended for good.
    looks: u8,
}

impl Gate {
    pub(crate) fn new(fd: Option<Arc<OwnedFd>>) -> Self {
        Gate {
            fd,
            open: false,
            closing: false,
            looks: 0,
        }
    }
}

/// So often a thread that stops looks for connections that wait, lest others' keep it for ever.
const MOST_LOOKS: u8 = 8;

/// How long accepting rests when descriptors have run out.
const REST: u64 = 200;
/// How long accepting rests when a rate is reached.
const RATE_REST: u64 = 10;

impl<I: Io> Worker<I> {
    /// Room for one more connection of this listener? Takes the places if so.
    fn enter(&self, listener: u32) -> bool {
        let listener = &self.shared.listeners[listener as usize];
        let Some(frontend) = &self.shared.proxies[listener.proxy].frontend else {
            return false;
        };
        let all = self.shared.maxconn.load(Relaxed);
        if !self.within_rates(frontend) || !self.shared.connections.try_enter(all) {
            return false;
        }
        if frontend.gauges.try_enter(frontend.maxconn.load(Relaxed)) {
            if listener.gauges.try_enter(listener.maxconn) {
                return true;
            }
            frontend.gauges.leave();
        }
        self.shared.connections.leave();
        false
    }

    /// `maxconnrate`, `maxsessrate` and `rate-limit sessions`.
    fn within_rates(&self, frontend: &Frontend) -> bool {
        self.shared.connection_rate.has_room(self.now)
            && self.shared.session_rate.has_room(self.now)
            && frontend.gauges.sessions.has_room(self.now)
    }

    fn may_open(&self, listener: usize) -> bool {
        let listener = &self.shared.listeners[listener];
        let proxy = &self.shared.proxies[listener.proxy];
        let Some(frontend) = &proxy.frontend else {
            return false;
        };
        !self.soft_stopping
            && self.retry_accept.is_none()
            && frontend.enabled.load(Relaxed)
            && !frontend.is_closed()
    }

    fn has_room(&self, listener: usize) -> bool {
        let listener = &self.shared.listeners[listener];
        let Some(frontend) = &self.shared.proxies[listener.proxy].frontend else {
            return false;
        };
        let below = |gauges: &crate::counters::Gauges, limit| gauges.current.load(Relaxed) < limit;
        self.within_rates(frontend)
            && below(&self.shared.connections, self.shared.maxconn.load(Relaxed))
            && below(&frontend.gauges, frontend.maxconn.load(Relaxed))
            && below(&listener.gauges, listener.maxconn)
    }

    /// Brings each listener into the state that limits and switches ask for.
    pub(crate) fn open_gates(&mut self) {
        self.serve_parked();
        for index in 0..self.gates.len() {
            let wanted = self.may_open(index) && self.ready(index);
            let gate = &mut self.gates[index];
            let Some(fd) = gate.fd.as_ref().map(|fd| fd.as_raw_fd()) else {
                continue;
            };
            if wanted && !gate.open && !gate.closing {
                match self.io.listen(index as u32, fd) {
                    Ok(()) => gate.open = true,
                    Err(error) => {
                        let now = self.now;
                        self.shared.events.notice(now, "alert", || {
                            format!("a listening socket cannot be watched: {error}")
                        });
                    }
                }
            } else if !wanted && gate.open {
                self.shut_gate(index);
            }
        }
    }

    /// Room now, or else a place among those who are told when there is.
    fn ready(&mut self, index: usize) -> bool {
        if self.has_room(index) {
            return true;
        }
        self.retry_rates_of(index);
        self.shared
            .waiting_threads
            .fetch_or(1 << (self.index & 63), AcqRel);
        // What was released before the bit stood would tell nobody.
        self.has_room(index)
    }

    /// Nobody tells when a rate has fallen: look again soon.
    fn retry_rates_of(&mut self, index: usize) {
        let proxy = self.shared.listeners[index].proxy;
        let frontend = self.shared.proxies[proxy].frontend.as_ref();
        if frontend.is_some_and(|frontend| !self.within_rates(frontend)) {
            self.retry_rates = Some(self.now + RATE_REST);
        }
    }

    fn shut_gate(&mut self, index: usize) {
        let gate = &mut self.gates[index];
        if let (true, Some(fd)) = (gate.open, &gate.fd) {
            gate.open = false;
            gate.closing = true;
            self.io.unlisten(index as u32, fd.as_raw_fd());
        }
    }

    /// Stops accepting for good; the descriptor goes when nothing can come from it any more.
    pub(crate) fn close_gates(&mut self) {
        for index in 0..self.gates.len() {
            self.close_gate(index);
        }
    }

    /// The same for one frontend (`shutdown frontend`).
    pub(crate) fn close_gates_of(&mut self, proxy: usize) {
        for index in 0..self.gates.len() {
            if self.shared.listeners[index].proxy == proxy {
                self.close_gate(index);
            }
        }
    }

    fn close_gate(&mut self, index: usize) {
        self.shut_gate(index);
        if !self.gates[index].closing {
            self.gates[index].fd = None;
        }
    }

    /// Descriptors of the listeners, and whether this thread accepts from them now.
    pub(crate) fn gate_states(&self) -> impl Iterator<Item = (usize, RawFd, bool)> + '_ {
        let gates = self.gates.iter().enumerate();
        gates.filter_map(|(index, gate)| Some((index, gate.fd.as_ref()?.as_raw_fd(), gate.open)))
    }

    fn frontend_closed(&self, listener: usize) -> bool {
        let proxy = self.shared.listeners[listener].proxy;
        let frontend = self.shared.proxies[proxy].frontend.as_ref();
        frontend.is_some_and(Frontend::is_closed)
    }

    /// Gives up what was accepted and never served.
    pub(crate) fn drop_parked(&mut self) {
        while let Some((_, fd)) = self.parked.pop_front() {
            let _ = socket::close(fd);
        }
    }

    pub(crate) fn unlistened(&mut self, listener: u32) {
        let gate = &mut self.gates[listener as usize];
        gate.closing = false;
        gate.open = false;
        if self.soft_stopping || self.frontend_closed(listener as usize) {
            self.leave_gate(listener as usize);
        } else {
            self.open_gates();
        }
    }

    /// Accepting has ended for good. The kernel tells of a connection only one of those who wait for
    /// it: if that was us, just as we left, the process that takes over does not know of it, and it
    /// would wait there for the next one to come. So what waits now is taken here.
    fn leave_gate(&mut self, index: usize) {
        let gate = &mut self.gates[index];
        let Some(fd) = gate.fd.as_ref().map(|fd| fd.as_raw_fd()) else {
            return;
        };
        gate.looks += 1;
        if gate.looks <= MOST_LOOKS && socket::has_waiting(fd) {
            gate.closing = true;
            self.io.take_waiting(index as u32, fd);
        } else {
            gate.fd = None;
        }
    }

    pub(crate) fn accepted(&mut self, listener: u32, result: io::Result<RawFd>, last: bool) {
        let gate = &mut self.gates[listener as usize];
        if last {
            gate.open = false;
            gate.closing = false;
        }
        match result {
            // Also while it stops softly: what the ring had accepted by then is a client's
            // connection, and closing it would be a reset.
            Ok(fd) if self.parked.is_empty() && self.enter(listener) => self.open(listener, fd),
            Ok(fd) => {
                self.parked.push_back((listener, fd));
                self.shut_gate(listener as usize);
                self.ready(listener as usize);
                self.serve_parked();
            }
            // The socket no longer listens.
            Err(_) if self.frontend_closed(listener as usize) => {}
            Err(error) => self.accept_failed(&error),
        }
        if last && self.retry_accept.is_none() {
            self.open_gates();
        }
    }

    /// Connections that were accepted before the brake held.
    fn serve_parked(&mut self) {
        while let Some((listener, fd)) = self.parked.front().copied() {
            if !self.enter(listener) {
                self.ready(listener as usize);
                return;
            }
            self.parked.pop_front();
            self.open(listener, fd);
        }
    }

    fn accept_failed(&mut self, error: &io::Error) {
        match error.raw_os_error() {
            // The client was gone before it was taken (accept(2)).
            Some(libc::ECONNABORTED | libc::EINTR | libc::EPROTO) => {}
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                self.out_of_descriptors(error);
            }
            _ => {
                let text = format!("accept failed: {error}");
                self.shared.events.notice(self.now, "alert", || text);
                self.rest();
            }
        }
    }

    pub(crate) fn out_of_descriptors(&mut self, error: &io::Error) {
        let open = self.shared.connections.current.load(Relaxed);
        let text = format!(
            "out of resources with {open} connections open ({error}); accepting pauses. Raise \
             the limit of open files (ulimit -n) or lower maxconn."
        );
        self.shared.events.notice(self.now, "alert", || text);
        self.rest();
    }

    fn rest(&mut self) {
        self.retry_accept = Some(self.now + REST);
        for index in 0..self.gates.len() {
            self.shut_gate(index);
        }
    }

    /// A new connection with its places taken.
    fn open(&mut self, listener_index: u32, fd: RawFd) {
        let index = self.slots.take();
        let shared = self.shared.clone();
        let listener = &shared.listeners[listener_index as usize];
        let proxy = &shared.proxies[listener.proxy];
        let slot = self.slots.get(index);
        slot.listener = listener_index;
        slot.proxy = listener.proxy as u32;
        slot.fds[Side::Client as usize] = fd;
        slot.bytes = [0; 2];
        slot.backend = NONE;
        slot.server = NONE;
        slot.previous = NONE;
        slot.queue = NONE;
        slot.placed = false;
        slot.in_backend = false;
        slot.logged = false;
        slot.queue_ahead = [0; 2];
        slot.stream = Stream::new(self.now);
        slot.accepted = SystemTime::now();
        if listener.smaller_segments > 0 {
            let _ = socket::make_segments_smaller(fd, listener.smaller_segments);
        }
        let http = proxy.plan.mode == Mode::Http;
        let (client, ends) = self.needs_client(proxy);
        // Rules may ask for either end.
        let asked = proxy.ruled || !self.shared.programs.quiet;
        let ends = ends || asked;
        let slot = self.slots.get(index);
        if http || asked || proxy.logger.wanted() || client {
            slot.client = socket::peer(fd).ok().and_then(|address| address.as_inet());
        }
        if ends || proxy.route.original_to.is_some() {
            slot.destination = socket::local(fd).ok().and_then(|address| address.as_inet());
        }
        self.count_open(listener_index);
        let slot = self.slots.get(index);
        let key = slot.key(index, Side::Client);
        if http {
            slot.role = Role::Client;
            slot.http = Some(Box::new(Http::new(self.now, &proxy.plan.timeouts)));
        }
        if let Err(error) = self.io.adopt(key, fd) {
            self.out_of_descriptors(&error);
            self.slots
                .get(index)
                .stream
                .kill(telamon_session::Cause::Resource);
            return self.end_now(index);
        }
        if listener.accept_proxy {
            // The first rules see who connected, those of sessions whom the header names.
            if !self.shared.programs.quiet && !self.connection_rules(index, 0..1) {
                return self.refuse(index);
            }
            let slot = self.slots.get(index);
            slot.preface = Some(Vec::new());
            // Until its header is read it is nobody's stream: no line tells of it.
            slot.logged = true;
            if !http {
                slot.stream.hold(self.now, proxy.plan.timeouts.client);
            }
            slot.running[0] |= RECV;
            self.io.recv(key, fd, 0, true);
            return self.set_timer(index);
        }
        if !self.shared.programs.quiet && !self.connection_rules(index, 0..2) {
            return self.refuse(index);
        }
        self.log_accept(index);
        if http {
            let slot = self.slots.get(index);
            slot.running[0] |= RECV;
            self.io.recv(key, fd, 0, false);
            return self.set_timer(index);
        }
        if self.begin_inspection(index) {
            self.inspect(index);
        } else {
            self.begin_stream(index);
        }
    }

    /// A rule wants nothing of the connection.
    fn refuse(&mut self, index: u32) {
        let slot = self.slots.get(index);
        slot.logged = true;
        if slot.role == Role::Client {
            return self.http_close(index);
        }
        slot.stream.kill(Cause::Proxy);
        self.end_now(index);
    }

    /// A client sends a PROXY protocol header first: it says who the client is. What follows it in
    /// the chunk comes back; None if nothing does, or the stream cannot go on.
    #[inline]
    pub(crate) fn after_preface(&mut self, key: Key, chunk: Chunk) -> Option<Chunk> {
        if key.side == Side::Server || self.slots.get(key.slot).preface.is_none() {
            return Some(chunk);
        }
        self.read_preface(key, chunk)
    }

    #[cold]
    fn read_preface(&mut self, key: Key, mut chunk: Chunk) -> Option<Chunk> {
        let slot = self.slots.get(key.slot);
        let seen = slot.preface.as_mut()?;
        let before = seen.len();
        seen.extend_from_slice(self.io.pool().data(&chunk));
        match telamon_proxy_protocol::parse(seen) {
            Parsed::More => {
                slot.running[0] |= RECV;
                let fd = slot.fds[0];
                self.io.put(chunk);
                self.io.recv(key, fd, 0, false);
                return None;
            }
            Parsed::Bad(fault) => {
                self.io.put(chunk);
                self.log_preface(key.slot, Unheard::Bad(fault));
                let slot = self.slots.get(key.slot);
                if slot.role == Role::Client {
                    self.http_close(key.slot);
                    return None;
                }
                slot.stream.kill(Cause::Client);
            }
            Parsed::Done(header) => {
                slot.preface = None;
                slot.logged = false;
                if let Some((source, destination)) = header.ends.inet() {
                    // `fc_src` stays the address that has connected.
                    let own = slot.ends();
                    slot.own_ends.get_or_insert_with(|| Box::new(own));
                    slot.client = Some(source);
                    slot.destination = Some(destination);
                }
                slot.told = Some(Rc::new(header.extensions));
                chunk.advance(header.length - before);
                let http = slot.role == Role::Client;
                if !self.shared.programs.quiet && !self.connection_rules(key.slot, 1..2) {
                    self.io.put(chunk);
                    self.refuse(key.slot);
                    return None;
                }
                self.log_accept(key.slot);
                if http {
                    return self.first_of_http(key.slot, chunk);
                }
                if self.begin_inspection(key.slot) {
                    self.withhold(key, chunk);
                    return None;
                }
                self.begin_stream(key.slot);
                let slot = self.slots.live(key);
                if !chunk.is_empty() && slot.is_some_and(|slot| slot.stream.reads(key.side)) {
                    return Some(chunk);
                }
                self.io.put(chunk);
                return None;
            }
        }
        self.settle(key.slot);
        None
    }

    /// What follows the header is a request's begin, unless it is still to come.
    fn first_of_http(&mut self, index: u32, chunk: Chunk) -> Option<Chunk> {
        if !chunk.is_empty() {
            return Some(chunk);
        }
        self.io.put(chunk);
        self.http_receive(index);
        None
    }

    /// Must the client's address be known, and where it wanted to go?
    fn needs_client(&self, proxy: &crate::shared::Proxy) -> (bool, bool) {
        let backend = proxy
            .frontend
            .as_ref()
            .and_then(|frontend| frontend.backend);
        let backend = backend.and_then(|at| self.shared.proxies[at].backend.as_ref());
        backend.map_or((false, false), |backend| {
            let ends = backend.needs_ends;
            (ends || backend.balancer.needs_client(), ends)
        })
    }

    fn count_open(&mut self, listener: u32) {
        let listener = &self.shared.listeners[listener as usize];
        self.counters().streams.fetch_add(1, Relaxed);
        self.counters().add(ProcessTotal::CumConns, 1);
        self.shared.connection_rate.hit(self.now);
        self.shared.session_rate.hit(self.now);
        count!(self, listener.object, Total::Stot, 1);
        if let Some(frontend) = &self.shared.proxies[listener.proxy].frontend {
            count!(self, frontend.object, Total::Stot, 1);
            count!(self, frontend.object, Total::ConnTot, 1);
            frontend.gauges.sessions.hit(self.now);
            frontend.gauges.connections.hit(self.now);
        }
    }
}
