//! A stream's way to its server: pick, queue, connect, retry, leave.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

use telamon_proxy_protocol::{kind, Fields};
use telamon_session::{Cause, Failure, Servers, Side};
use telamon_sys::{socket, SockAddr};

use crate::compile::set_keepalive;
use crate::conn::{Role, Slot, CONNECT, NONE};
use crate::counters::Total;
use crate::http::Asked;
use crate::io::Io;
use crate::observe::ServerError;
use crate::pick::Pick;
use crate::shared::{Backend, Server, Waiter};
use crate::usesrc::presented;
use crate::worker::{count, Worker};

impl<I: Io> Worker<I> {
    /// The stream begins to belong to its frontend's backend, if there is one.
    pub(crate) fn enter_backend(&mut self, index: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let at = match (slot.role, slot.backend) {
            // Rules have chosen it.
            (_, chosen) if chosen != NONE => Some(chosen as usize),
            (Role::Tcp, _) => self.backend_of(index).unwrap_or(None),
            _ => {
                let frontend = shared.proxies[slot.proxy as usize].frontend.as_ref();
                frontend.and_then(|frontend| frontend.backend)
            }
        };
        let Some(at) = at else {
            return;
        };
        let slot = self.slots.get(index);
        let Some(backend) = &shared.proxies[at].backend else {
            return;
        };
        slot.backend = at as u32;
        slot.in_backend = true;
        backend.gauges.enter();
        backend.balancer.inner().arrive();
        backend.gauges.sessions.hit(self.now);
        count!(self, backend.object, Total::Stot, 1);
    }

    fn waiter(&mut self, index: u32) -> Waiter {
        let thread = self.index;
        let slot = self.slots.get(index);
        let generation = slot.generation[Side::Client as usize];
        Waiter {
            thread,
            slot: index,
            generation,
            backend: slot.backend,
        }
    }

    /// Chooses a server for the stream, or queues it.
    pub(crate) fn pick(&mut self, index: u32, avoid: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        if slot.backend == NONE {
            return slot.stream.unavailable(false);
        }
        let Some(backend) = &shared.proxies[slot.backend as usize].backend else {
            return slot.stream.unavailable(false);
        };
        if avoid {
            // The place at the server that failed goes to whoever waits for it.
            slot.previous = slot.server;
            slot.wanted = NONE;
            self.leave_server(index);
        }
        let waiter = self.waiter(index);
        let slot = self.slots.get(index);
        let previous = (avoid && slot.previous != NONE).then_some(slot.previous as usize);
        backend.balancer.inner().advance(self.now);
        let first = choose(backend, slot, self.io.pool(), previous);
        let bound = match first {
            Pick::Server(server) => return self.assign(index, server),
            Pick::None => return self.no_server(index, backend),
            Pick::Full(bound) => bound,
        };
        if let Some(server) = bound.map(|at| &backend.servers[at]) {
            let limit = server.maxqueue;
            if limit > 0 && server.gauges.queued.load(Relaxed) >= limit {
                return self.queue_is_full(index);
            }
        }
        let mut queue = backend.queue();
        backend.gauges.enqueue();
        // A place that was freed before the count stood would be offered to nobody.
        if let Pick::Server(server) = choose(backend, slot, self.io.pool(), previous) {
            backend.gauges.dequeue();
            drop(queue);
            return self.assign(index, server);
        }
        if let Some(at) = bound {
            backend.servers[at].gauges.enqueue();
            backend.balancer.inner().enqueue(at);
        }
        slot.queue = bound.map_or(NONE, |at| at as u32);
        let ahead = queue.push(bound, waiter, slot.priority, self.now);
        // HAProxy's logs count the request itself, too.
        slot.queue_ahead[usize::from(bound.is_none())] = ahead + 1;
        drop(queue);
        let now = self.now;
        let policy = self.policy(index);
        self.slots.get(index).stream.queued(now, &policy);
    }

    /// The queue of the server that it belongs to takes no more. With `option redispatch` another
    /// is better than none, unless the stream is forced (manual, `maxqueue`).
    fn queue_is_full(&mut self, index: u32) {
        let redispatch = self.policy(index).redispatch != 0;
        let slot = self.slots.get(index);
        let belongs = std::mem::replace(&mut slot.wanted, NONE) != NONE;
        if belongs && redispatch && !slot.forced {
            return self.pick(index, false);
        }
        slot.stream.unavailable(true);
        self.count_failed(index);
    }

    fn no_server(&mut self, index: u32, backend: &Backend) {
        self.slots.get(index).stream.unavailable(false);
        count!(self, backend.object, Total::Econ, 1);
    }

    /// A place at `server` is the stream's.
    fn assign(&mut self, index: u32, server: usize) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let Some(backend) = &shared.proxies[slot.backend as usize].backend else {
            return;
        };
        let gauges = &backend.servers[server].gauges;
        slot.server = server as u32;
        slot.queue = NONE;
        slot.placed = true;
        slot.stream.picked(self.now);
        let object = backend.servers[server].object;
        let (previous, retries) = (slot.previous, slot.stream.retries());
        if previous != NONE && retries > 0 {
            let what = if previous == server as u32 {
                Total::Wretr
            } else {
                Total::Wredis
            };
            if what == Total::Wredis {
                slot.stream.set_redispatched();
            }
            let failed = backend
                .servers
                .get(previous as usize)
                .map(|server| server.object);
            count!(self, failed.unwrap_or(object), what, 1);
            count!(self, backend.object, what, 1);
        }
        self.slots.get(index).previous = NONE;
        gauges.sessions.hit(self.now);
        gauges.last.store(self.now as i64, Relaxed);
        backend.gauges.last.store(self.now as i64, Relaxed);
        for object in [object, backend.object] {
            count!(self, object, Total::Lbtot, 1);
        }
        count!(self, object, Total::Stot, 1);
    }

    /// The queue gave the stream a place.
    pub(crate) fn place(&mut self, waiter: Waiter, server: usize) {
        let slot = self.slots.get(waiter.slot);
        let same = slot.used && slot.generation[Side::Client as usize] == waiter.generation;
        if same && slot.stream.is_queued() {
            self.assign(waiter.slot, server);
            return self.settle(waiter.slot);
        }
        // Gone in the meantime (its slot may even serve another client): on to the next.
        let backend = waiter.backend as usize;
        if let Some(found) = &self.shared.proxies[backend].backend {
            found.leave(server);
            self.shared.serve_queue(backend, server);
        }
    }

    /// Gives up the place in the queue.
    pub(crate) fn leave_queue(&mut self, index: u32) {
        let shared = self.shared.clone();
        let waiter = self.waiter(index);
        let slot = self.slots.get(index);
        let Some(backend) = &shared.proxies[slot.backend as usize].backend else {
            return;
        };
        let left = backend.queue().remove(waiter);
        if let Some(bound) = left {
            backend.gauges.dequeue();
            if let Some(server) = bound {
                backend.servers[server].gauges.dequeue();
                backend.balancer.inner().dequeue(server);
            }
        }
        slot.queue = NONE;
        self.count_failed(index);
    }

    /// Gives the place at the server back, to the next in the queue.
    pub(crate) fn leave_server(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if !slot.placed {
            return;
        }
        slot.placed = false;
        let (proxy, server) = (slot.backend as usize, slot.server as usize);
        if let Some(backend) = &self.shared.proxies[proxy].backend {
            backend.leave(server);
            self.shared.serve_queue(proxy, server);
        }
    }

    /// Begins a connect to the assigned server.
    pub(crate) fn connect(&mut self, index: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let Some(backend) = &shared.proxies[slot.backend as usize].backend else {
            return;
        };
        let server = &backend.servers[slot.server as usize];
        let address = server.address();
        let address = match (server.port_offset, slot.destination, address.as_inet()) {
            (Some(offset), Some(to), Some(inet)) => SockAddr::inet(SocketAddr::new(
                inet.ip(),
                (i32::from(to.port()) + offset) as u16,
            )),
            _ => address,
        };
        let plan = &shared.proxies[slot.backend as usize].plan;
        count!(self, server.object, Total::Connect, 1);
        count!(self, backend.object, Total::Connect, 1);
        let slot = self.slots.get(index);
        let foreign = server.usesrc.as_ref();
        let foreign = foreign.and_then(|usesrc| presented(usesrc, slot, self.io.pool()));
        // What is lost with the first packet must be sent again; streams of mode tcp cannot.
        let retry = &shared.route(slot.proxy, slot.backend).retry;
        let early = server.fast_open
            && slot.role == Role::Client
            && (retry.empty_response && retry.response_timeout);
        let made = socket::stream_for(&address).and_then(|fd| {
            if early {
                let _ = socket::set_fast_open_connect(fd.as_raw_fd());
            }
            let foreign = foreign.map(SockAddr::inet);
            let foreign = foreign.filter(|one| one.family() == address.family());
            dress(fd, server, foreign.as_ref(), plan)
        });
        let fd = match made {
            Ok(fd) => fd.into_raw_fd(),
            Err(error) if !is_shortage(&error) => return self.connect_failed(index, &error),
            Err(error) => {
                self.out_of_descriptors(&error);
                return self.connect_failed(index, &error);
            }
        };
        let policy = self.policy(index);
        let slot = self.slots.get(index);
        slot.server_marks.put_on(fd);
        slot.stream.connecting(self.now, &policy);
        // In HTTP a connection outlives its exchange: it has a slot of its own.
        let carrier = match slot.role {
            Role::Client => self.new_upstream(index),
            _ => index,
        };
        let slot = self.slots.get(carrier);
        slot.fds[Side::Server as usize] = fd;
        let key = slot.key(carrier, Side::Server);
        slot.running[Side::Server as usize] |= CONNECT;
        if let Err(error) = self.io.adopt(key, fd) {
            self.slots.get(carrier).running[Side::Server as usize] = 0;
            return self.connect_failed(index, &error);
        }
        self.io.connect(key, fd, &address);
    }

    /// The PROXY protocol's header, if the server wants one, goes before all other bytes.
    /// `carrier` is the slot that has the server's descriptor.
    pub(crate) fn announce(&mut self, index: u32, carrier: u32) {
        let slot = self.slots.get(index);
        let shared = self.shared.clone();
        let backend = shared.proxies[slot.backend as usize].backend.as_ref();
        let Some(server) = backend.map(|found| &found.servers[slot.server as usize]) else {
            return;
        };
        if server.send_proxy == 0 {
            return;
        }
        let id = match server.proxy_unique_id {
            true => self.unique_id(index),
            false => Vec::new(),
        };
        let slot = self.slots.get(index);
        let authority = slot.told.as_ref().filter(|_| server.proxy_authority);
        let fields = Fields {
            checksum: server.proxy_checksum,
            authority: authority.and_then(|told| told.get(kind::AUTHORITY)),
            unique_id: (!id.is_empty()).then_some(&id[..]),
            ..Fields::default()
        };
        let ends = slot.client.zip(slot.destination).into();
        let mut header = Vec::new();
        let written = telamon_proxy_protocol::write(server.send_proxy, &ends, &fields, &mut header);
        // Without it the server would take the first bytes for a header.
        let (Ok(()), Some(mut chunk)) = (written, self.io.pool_mut().take(0)) else {
            return slot.stream.kill(Cause::Resource);
        };
        let Some(space) = self.io.pool_mut().space(&chunk).get_mut(..header.len()) else {
            self.io.put(chunk);
            return self.slots.get(index).stream.kill(Cause::Resource);
        };
        space.copy_from_slice(&header);
        chunk.fill(header.len());
        slot.stream.owe(Side::Server, header.len() as u64);
        self.slots.get(carrier).out[Side::Server as usize].push_front(chunk);
    }

    pub(crate) fn servers_of(&mut self, index: u32) -> Servers {
        let slot = self.slots.get(index);
        let none = Servers {
            same_usable: false,
            usable: 0,
            in_turn: false,
        };
        if slot.backend == NONE {
            return none;
        }
        let Some(backend) = &self.shared.proxies[slot.backend as usize].backend else {
            return none;
        };
        Servers {
            same_usable: backend
                .servers
                .get(slot.server as usize)
                .is_some_and(|s| s.is_usable()),
            usable: backend.balancer.inner().active(),
            in_turn: backend.balancer.in_turn(),
        }
    }

    pub(crate) fn connect_failed(&mut self, index: u32, error: &io::Error) {
        let failure = match error.raw_os_error() {
            Some(
                libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EADDRNOTAVAIL,
            ) => Failure::Resource,
            _ => Failure::Refused,
        };
        if failure == Failure::Refused {
            self.observe_error(index, ServerError::Connect);
        }
        let servers = self.servers_of(index);
        let (policy, now) = (self.policy(index), self.now);
        let stream = &mut self.slots.get(index).stream;
        stream.connect_failed(failure, now, &policy, servers);
        self.count_retry(index);
    }

    /// After a failed connect: it is a retry with the same server, the start of a redispatch
    /// (counted when the new server is known), or the end.
    pub(crate) fn count_retry(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if slot.stream.has_failed() {
            return self.count_failed(index);
        }
        if slot.stream.picks_anew() {
            return;
        }
        let Some(backend) = &self.shared.proxies[slot.backend as usize].backend else {
            return;
        };
        count!(self, backend.object, Total::Wretr, 1);
        count!(
            self,
            backend.servers[slot.server as usize].object,
            Total::Wretr,
            1
        );
    }

    fn count_failed(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if slot.backend == NONE {
            return;
        }
        let Some(backend) = &self.shared.proxies[slot.backend as usize].backend else {
            return;
        };
        count!(self, backend.object, Total::Econ, 1);
        if let Some(server) = backend.servers.get(slot.server as usize) {
            count!(self, server.object, Total::Econ, 1);
        }
    }

    /// Books what a finished stream leaves behind: gauges, times, the log line.
    pub(crate) fn book_end(&mut self, index: u32) {
        let shared = self.shared.clone();
        let now = self.now;
        let slot = self.slots.get(index);
        let backend = shared
            .proxies
            .get(slot.backend as usize)
            .and_then(|proxy| proxy.backend.as_ref());
        if let (true, Some(backend)) = (std::mem::take(&mut slot.in_backend), backend) {
            backend.gauges.leave();
            backend.balancer.inner().depart();
            let stream = &slot.stream;
            let total = now.saturating_sub(stream.started());
            let server = backend.servers.get(slot.server as usize);
            let both = [Some(&backend.gauges), server.map(|server| &server.gauges)];
            for gauges in both.into_iter().flatten() {
                gauges.queue_time.add(stream.queue_time().unwrap_or(0));
                gauges.connect_time.add(stream.connect_time().unwrap_or(0));
                gauges.total_time.add(total);
            }
        }
        // The line counts the backend's and the server's other streams, as HAProxy's does.
        self.log_end(index);
    }
}

/// What the backend and the server want of a connection's socket.
fn dress(
    fd: OwnedFd,
    server: &Server,
    foreign: Option<&SockAddr>,
    plan: &telamon_plan::Proxy,
) -> io::Result<OwnedFd> {
    let raw = fd.as_raw_fd();
    if let Some(name) = &server.source_interface {
        socket::bind_interface(raw, name)?;
    }
    if let Some(foreign) = foreign {
        socket::set_transparent(raw, foreign)?;
        socket::bind_source(raw, foreign)?;
    } else if let Some(source) = &server.source {
        socket::bind_source(raw, source)?;
    }
    // For TCP; a unix socket refuses it and needs none of it.
    if plan.server_keepalive.is_some() {
        let _ = set_keepalive(raw, plan.server_keepalive);
    }
    if let Some(millis) = server.tcp_ut {
        let _ = socket::set_user_timeout(raw, millis);
    }
    if plan.nolinger {
        let _ = socket::set_reset_on_close(raw, true);
    }
    Ok(fd)
}

fn is_shortage(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    matches!(
        code,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

/// Picks and takes the place, again if another thread was quicker. A stream that belongs to a
/// server gets that one, or waits for it, as long as the server may have it.
fn choose(backend: &Backend, slot: &Slot, pool: &telamon_sys::Pool, avoid: Option<usize>) -> Pick {
    let wanted = slot.wanted as usize;
    if slot.wanted != NONE && backend.may_use(wanted, slot.forced) {
        let enters = !backend.balancer.inner().is_full(wanted) && backend.try_enter(wanted);
        return if enters {
            Pick::Server(wanted)
        } else {
            Pick::Full(Some(wanted))
        };
    }
    let request = Asked::of(slot, pool);
    let client = slot.client.map(|address| address.ip());
    for _ in 0..4 {
        match backend.balancer.pick(&request, client, avoid) {
            Pick::Server(server) if !backend.try_enter(server) => {}
            pick => return pick,
        }
    }
    Pick::Full(None)
}
