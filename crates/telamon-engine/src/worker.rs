//! One data thread: wait, carry out what came, turn the timers, again.
//!
//! The hot path is `received` and `sent`: no lock, no allocation, no system call of its own
//! beyond what the I/O engine makes. Everything that is rare (connect, half-close, end) goes
//! through `settle`, which carries out what the stream's machine says.

use std::io;
use std::os::fd::OwnedFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::time::Duration;

use telamon_http::{HeadParser, ResponseParser};
use telamon_session::{Action, Cause, End, Millis, Policy, Side, Wheel};
use telamon_sys::{pipe::Pipe, process, socket, Chunk};

use crate::accept::Gate;
use crate::conn::{Role, Slots, CONNECT, NONE, NO_FD, RECV, SEND};
use crate::counters::{ProcessTotal, ThreadCounters, Total};
use crate::http::{Exchange, Pools, BUFFER};
use crate::io::{Event, Io, Key};
use crate::shared::{Message, Shared, Waiter};

/// Buffers that may wait for one side before its source is no longer read.
pub(crate) const MAX_BUFFERS: usize = 4;
/// The same in bytes.
const MAX_PENDING: u64 = 768 << 10;
/// After so many contained panics the thread gives up: something is wrong with the program.
const MAX_PANICS: u64 = 16;
/// Unused buffers go back to the kernel this often.
const TRIM_EVERY: Millis = 10_000;
/// Idle connections to servers are looked at this often.
const PURGE_EVERY: Millis = 1000;

/// What all threads share, as one thread holds it: counted a second time without atomic operations,
/// since every function takes hold of it.
pub(crate) struct Common(Arc<Shared>);

impl std::ops::Deref for Common {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

pub(crate) struct Worker<I: Io> {
    pub(crate) io: I,
    pub(crate) shared: Rc<Common>,
    pub(crate) index: usize,
    pub(crate) now: Millis,
    pub(crate) slots: Slots,
    pub(crate) wheel: Wheel,
    pub(crate) gates: Vec<Gate>,
    pub(crate) parked: std::collections::VecDeque<(u32, i32)>,
    pub(crate) retry_accept: Option<Millis>,
    /// When to see whether a rate's limit lets accepting go on.
    pub(crate) retry_rates: Option<Millis>,
    pub(crate) soft_stopping: bool,
    pub(crate) pools: Pools,
    /// Exchanges that are over, for the next ones. Boxed, as their owners hold them.
    #[allow(clippy::vec_box)]
    pub(crate) exchanges: Vec<Box<Exchange>>,
    pub(crate) parser: HeadParser,
    pub(crate) responses: ResponseParser,
    /// Where heads are written, and bodies that change.
    pub(crate) scratch: Vec<u8>,
    pub(crate) rewritten: Vec<u8>,
    /// Pipes that are free, how many exchanges have one, and how many may.
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) pipes_used: u32,
    pub(crate) most_pipes: u32,
    /// Clients whose exchange has more to move than is fair in one turn.
    pub(crate) pumps: Vec<Key>,
    serial: u32,
    next_purge: Millis,
    starved: Vec<(Key, usize)>,
    stopped: bool,
    next_trim: Millis,
}

/// The thread's own counters, without borrowing the worker.
macro_rules! count {
    ($self:ident, $object:expr, $what:expr, $count:expr) => {
        $self.shared.counters[$self.index]
            .of($object)
            .add($what, $count)
    };
}
pub(crate) use count;

impl<I: Io> Worker<I> {
    pub(crate) fn new(
        io: I,
        shared: Arc<Shared>,
        index: usize,
        sockets: Vec<Option<Arc<OwnedFd>>>,
    ) -> Self {
        let now = shared.now();
        Worker {
            io,
            index,
            now,
            slots: Slots::default(),
            wheel: Wheel::new(now),
            gates: sockets.into_iter().map(Gate::new).collect(),
            parked: Default::default(),
            retry_accept: None,
            retry_rates: None,
            soft_stopping: false,
            pools: Pools::default(),
            exchanges: Vec::new(),
            parser: HeadParser::within(shared.sizes.requests()),
            responses: ResponseParser::within(shared.sizes.responses()),
            scratch: Vec::with_capacity(BUFFER),
            rewritten: Vec::new(),
            pipes: Vec::new(),
            pipes_used: 0,
            most_pipes: shared.most_pipes,
            pumps: Vec::new(),
            serial: 0,
            next_purge: now + PURGE_EVERY,
            starved: Vec::new(),
            stopped: false,
            next_trim: now + TRIM_EVERY,
            shared: Rc::new(Common(shared)),
        }
    }

    /// What holds for a slot's way to a server.
    pub(crate) fn policy(&mut self, index: u32) -> Policy {
        let slot = self.slots.get(index);
        match slot.exchange() {
            Some(exchange) => exchange.policy,
            None => self.shared.route(slot.proxy, slot.backend).policy,
        }
    }

    /// Tells what Python is asked from all that it was asked before. An answer that comes late must
    /// not be taken for another's: the next owner of the slot could be another client.
    pub(crate) fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    pub(crate) fn counters(&self) -> &ThreadCounters {
        &self.shared.counters[self.index]
    }

    /// Runs until `Message::Stop`.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        self.open_gates();
        let mut fired = Vec::new();
        while !self.stopped {
            self.io.wait(self.timeout())?;
            self.now = self.shared.now();
            self.counters().add(ProcessTotal::Turns, 1);
            while let Some(event) = self.io.next() {
                self.contain(|worker, slot| worker.handle(event, slot));
            }
            self.wheel.turn(self.now, &mut fired);
            for slot in fired.drain(..) {
                self.contain(|worker, place| {
                    *place = Some(slot);
                    worker.timer(slot);
                });
            }
            self.after_turn();
        }
        Ok(())
    }

    fn timeout(&self) -> Option<Duration> {
        let mut next = self.wheel.next();
        if let Some(at) = self.retry_accept {
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        if let Some(at) = self.retry_rates {
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        if self.pools.any() || !self.pipes.is_empty() {
            next = Some(next.map_or(self.next_purge, |next| next.min(self.next_purge)));
        }
        if !self.starved.is_empty() {
            next = Some(self.now + 1);
        }
        if !self.pumps.is_empty() {
            next = Some(self.now);
        }
        // `now` was read when the turn began; what has passed since is caught up next turn.
        next.map(|at| Duration::from_millis(at.saturating_sub(self.now)))
    }

    fn after_turn(&mut self) {
        if self.retry_accept.is_some_and(|at| at <= self.now) {
            self.retry_accept = None;
            self.open_gates();
        }
        if self.retry_rates.is_some_and(|at| at <= self.now) {
            self.retry_rates = None;
            self.open_gates();
        }
        if !self.starved.is_empty() {
            for (key, class) in std::mem::take(&mut self.starved) {
                self.receive(key, class, true);
            }
        }
        for key in std::mem::take(&mut self.pumps) {
            if self.slots.live(key).is_some() {
                self.contain(|worker, place| {
                    *place = Some(key.slot);
                    worker.pump(key.slot);
                });
            }
        }
        if self.now >= self.next_purge {
            self.next_purge = self.now + PURGE_EVERY;
            self.purge_pools();
            // Pipes that nobody needs give their descriptors back, half of them each time.
            self.pipes.truncate(self.pipes.len() / 2);
        }
        if self.now >= self.next_trim {
            self.next_trim = self.now + TRIM_EVERY;
            self.io.pool_mut().trim();
            let busy = process::thread_cpu_ns();
            let before = self.counters().process(ProcessTotal::BusyNs as usize);
            self.counters()
                .add(ProcessTotal::BusyNs, busy.wrapping_sub(before));
        }
    }

    /// One thing for one slot. A panic in it ends that slot's connection, not the service.
    fn contain(&mut self, work: impl FnOnce(&mut Self, &mut Option<u32>)) {
        let mut slot = None;
        if catch_unwind(AssertUnwindSafe(|| work(self, &mut slot))).is_ok() {
            return;
        }
        self.counters().add(ProcessTotal::Panics, 1);
        let total = self.counters().process(ProcessTotal::Panics as usize);
        let text = format!(
            "data thread {}: a connection was ended by an internal error",
            self.index
        );
        self.shared.events.push(crate::shared::Event::Message {
            level: "crit",
            text,
        });
        if total > MAX_PANICS {
            std::panic::resume_unwind(Box::new("too many internal errors"));
        }
        if let Some(slot) = slot {
            self.slots.get(slot).stream.kill(Cause::Internal);
            self.end_now(slot);
        }
    }

    fn handle(&mut self, event: Event, slot: &mut Option<u32>) {
        match event {
            Event::Received { key, result, more } => {
                *slot = Some(key.slot);
                self.received(key, result, more);
            }
            Event::Sent { key, result } => {
                *slot = Some(key.slot);
                self.sent(key, result);
            }
            Event::Readable { key } => match self.slots.live(key) {
                None => self.stray(key),
                Some(_) => {
                    *slot = Some(key.slot);
                    self.upstream_readable(key);
                }
            },
            Event::Connected { key, result } => {
                *slot = Some(key.slot);
                self.connected(key, result);
            }
            Event::Starved { key, class } => match self.slots.live(key) {
                None => self.stray(key),
                Some(live) => {
                    live.running[key.side as usize] &= !RECV;
                    match class {
                        Some(class) => self.receive(key, class, true),
                        None => self.starved.push((key, 0)),
                    }
                }
            },
            Event::Accepted {
                listener,
                result,
                last,
            } => self.accepted(listener, result, last),
            Event::Unlistened { listener } => self.unlistened(listener),
            Event::Wake => self.read_mail(),
        }
    }

    /// A completion for a side that has another owner by now.
    fn stray(&mut self, key: Key) {
        let slot = self.slots.get(key.slot);
        slot.strays = slot.strays.saturating_sub(1);
        self.free_if_done(key.slot);
    }

    // ---- the relay -----------------------------------------------------------------------

    /// Asks for a receive of a side unless one runs.
    pub(crate) fn receive(&mut self, key: Key, class: usize, likely: bool) {
        let Some(slot) = self.slots.live(key) else {
            return;
        };
        let at = key.side as usize;
        if slot.running[at] & RECV == 0 && slot.fds[at] != NO_FD {
            slot.running[at] |= RECV;
            self.io.recv(key, slot.fds[at], class, likely);
        }
    }

    #[inline]
    fn received(&mut self, key: Key, result: io::Result<Option<Chunk>>, more: bool) {
        let side = key.side;
        let (from, to) = (side as usize, side.other() as usize);
        let Some(slot) = self.slots.live(key) else {
            if let Ok(Some(chunk)) = result {
                self.io.put(chunk);
            }
            return self.stray(key);
        };
        slot.running[from] &= !RECV;
        slot.more[from] = more;
        match slot.role {
            Role::Tcp => {}
            Role::Client => return self.http_received(key.slot, result),
            Role::Upstream => return self.upstream_received(key, result),
        }
        let chunk = match result {
            Ok(Some(chunk)) => chunk,
            Ok(None) if slot.inspecting[from] => {
                if let Some(inspection) = &mut slot.inspection {
                    inspection.end(false);
                }
                return self.inspect(key.slot);
            }
            Ok(None) => {
                slot.stream.eof(side);
                return self.settle(key.slot);
            }
            Err(_) if slot.inspecting == [true, false] => {
                if let Some(inspection) = &mut slot.inspection {
                    inspection.end(true);
                }
                return self.inspect(key.slot);
            }
            Err(_) => {
                self.broke(key.slot, side);
                return self.settle(key.slot);
            }
        };
        if !slot.stream.reads(side) {
            self.io.put(chunk);
            return;
        }
        let Some(chunk) = self.after_preface(key, chunk) else {
            return;
        };
        let slot = self.slots.get(key.slot);
        if slot.inspecting[from] {
            return self.withhold(key, chunk);
        }
        let count = chunk.len() as u64;
        slot.weigh(side, &chunk);
        slot.bytes[from] += count;
        slot.stream.received(side, count, self.now);
        slot.out[to].push(chunk);
        self.count_bytes(key.slot, side, count);
        let slot = self.slots.get(key.slot);
        if slot.running[to] & SEND == 0 && slot.stream.writes(side.other()) {
            self.send(key.slot, side.other());
        }
        self.receive_more(key, more);
    }

    /// Reads on from a side, if there is room for what comes.
    #[inline]
    fn receive_more(&mut self, key: Key, likely: bool) {
        let Some(slot) = self.slots.live(key) else {
            return;
        };
        let (from, to) = (key.side as usize, key.side.other() as usize);
        if slot.inspecting[from] {
            return;
        }
        let full = slot.out[to].len() >= MAX_BUFFERS
            || slot.stream.pending(key.side.other()) >= MAX_PENDING
            || (!slot.stream.is_relaying() && !slot.out[to].is_empty());
        slot.stream.stall(key.side, full, self.now);
        if !full
            && slot.running[from] & RECV == 0
            && slot.stream.reads(key.side)
            && slot.fds[from] != NO_FD
        {
            slot.running[from] |= RECV;
            self.io
                .recv(key, slot.fds[from], usize::from(slot.class[from]), likely);
        }
    }

    #[inline]
    pub(crate) fn count_bytes(&mut self, index: u32, side: Side, count: u64) {
        self.count_before(index, side, count);
        self.count_behind(index, side, count);
    }

    /// Bytes that `side` sent, in the columns of what is before the choice of a backend.
    #[inline]
    pub(crate) fn count_before(&mut self, index: u32, side: Side, count: u64) {
        let slot = self.slots.get(index);
        let (what, shared) = (column(side), &self.shared);
        let counters = &shared.counters[self.index];
        let proxy = &shared.proxies[slot.proxy as usize];
        if let Some(frontend) = &proxy.frontend {
            counters.of(frontend.object).add(what, count);
        }
        counters
            .of(shared.listeners[slot.listener as usize].object)
            .add(what, count);
        if side == Side::Server {
            counters.add(ProcessTotal::BytesOut, count);
        }
    }

    /// The same, in those of the backend and the server.
    #[inline]
    pub(crate) fn count_behind(&mut self, index: u32, side: Side, count: u64) {
        let slot = self.slots.get(index);
        if slot.backend == NONE {
            return;
        }
        let (what, counters) = (column(side), &self.shared.counters[self.index]);
        if let Some(backend) = &self.shared.proxies[slot.backend as usize].backend {
            counters.of(backend.object).add(what, count);
            if let Some(server) = backend.servers.get(slot.server as usize) {
                counters.of(server.object).add(what, count);
            }
        }
    }

    #[inline]
    pub(crate) fn send(&mut self, index: u32, side: Side) {
        let slot = self.slots.get(index);
        let at = side as usize;
        if slot.out[at].is_empty() || slot.fds[at] == NO_FD {
            return;
        }
        slot.running[at] |= SEND;
        let key = slot.key(index, side);
        self.io.send(key, slot.fds[at], slot.out[at].iter());
    }

    #[inline]
    fn sent(&mut self, key: Key, result: io::Result<usize>) {
        let side = key.side;
        let at = side as usize;
        let Some(slot) = self.slots.live(key) else {
            return self.stray(key);
        };
        slot.running[at] &= !SEND;
        let mut left = match result {
            Ok(count) => count,
            Err(_) => {
                match slot.role {
                    Role::Tcp => {}
                    Role::Client => return self.http_broke(key.slot),
                    Role::Upstream => return self.upstream_sent(key.slot, true),
                }
                self.broke(key.slot, side);
                return self.settle(key.slot);
            }
        };
        if left > 0 && slot.role == Role::Tcp {
            slot.stream.sent(side, left as u64, self.now);
        }
        while let Some(chunk) = slot.out[at].front_mut() {
            let step = left.min(chunk.len());
            chunk.advance(step);
            left -= step;
            if !chunk.is_empty() {
                break;
            }
            if let Some(chunk) = slot.out[at].pop() {
                self.io.put(chunk);
            }
        }
        match slot.role {
            Role::Tcp => {}
            Role::Client => return self.http_sent(key.slot),
            Role::Upstream => return self.upstream_sent(key.slot, false),
        }
        if !slot.out[at].is_empty() {
            self.send(key.slot, side);
            self.set_timer(key.slot);
        }
        let slot = self.slots.get(key.slot);
        let source = slot.key(key.slot, side.other());
        if slot.running[side.other() as usize] & RECV == 0 {
            self.receive_more(source, true);
            self.settle(key.slot);
        }
    }

    pub(crate) fn broke(&mut self, index: u32, side: Side) {
        let slot = self.slots.get(index);
        let first = slot.stream.end() == End::NORMAL;
        slot.stream.broke(side, true);
        if first {
            self.count_abort(index, side);
        }
    }

    pub(crate) fn count_abort(&mut self, index: u32, side: Side) {
        let what = match side {
            Side::Client => Total::CliAbrt,
            Side::Server => Total::SrvAbrt,
        };
        let slot = self.slots.get(index);
        if slot.backend == NONE {
            return;
        }
        if let Some(backend) = &self.shared.proxies[slot.backend as usize].backend {
            count!(self, backend.object, what, 1);
            if let Some(server) = backend.servers.get(slot.server as usize) {
                count!(self, server.object, what, 1);
            }
        }
    }

    // ---- carrying out the machine ----------------------------------------------------------

    /// Carries out what the stream's machine wants now.
    pub(crate) fn settle(&mut self, index: u32) {
        loop {
            let slot = self.slots.get(index);
            if slot.role == Role::Client {
                return self.http_choose(index);
            }
            if !slot.used {
                return;
            }
            let Some(action) = slot.stream.take_action() else {
                break;
            };
            match action {
                Action::Pick { avoid } => self.pick(index, avoid),
                Action::LeaveQueue => self.leave_queue(index),
                Action::Connect => self.connect(index),
                Action::Abandon => self.close(index, Side::Server),
                Action::ShutWrite(side) => {
                    let fd = slot.fds[side as usize];
                    if fd != NO_FD && socket::shutdown_write(fd).is_err() {
                        // Not connected any more: its reset will be read in a moment.
                    }
                }
                Action::Close(side) => self.close(index, side),
                Action::Finish => return self.finish(index),
            }
        }
        for side in [Side::Client, Side::Server] {
            let slot = self.slots.get(index);
            let key = slot.key(index, side);
            if slot.running[side as usize] & RECV == 0 {
                self.receive_more(key, true);
            }
        }
        self.set_timer(index);
    }

    /// The client's connection will end without a word to it (`silent-drop`).
    pub(crate) fn go_silently(&mut self, index: u32) {
        let fd = self.slots.get(index).fds[Side::Client as usize];
        if fd != NO_FD {
            // Where it cannot be done the connection ends as others do.
            let _ = socket::set_quiet(fd);
        }
    }

    pub(crate) fn close(&mut self, index: u32, side: Side) {
        let slot = self.slots.get(index);
        let at = side as usize;
        let fd = slot.fds[at];
        if fd == NO_FD {
            return;
        }
        let (key, running) = (slot.key(index, side), slot.running[at] != 0);
        slot.renew(side);
        self.io.close(key, fd, running);
    }

    /// Makes sure that the wheel wakes the slot no later than its machine asks for.
    pub(crate) fn set_timer(&mut self, index: u32) {
        let slot = self.slots.get(index);
        let at = match slot.role {
            Role::Tcp => {
                let policy = &self.shared.route(slot.proxy, slot.backend).policy;
                let rules = slot.rules_deadline();
                let stream = slot.stream.deadline(policy);
                stream.into_iter().chain(rules).min()
            }
            Role::Client if slot.stopping => None,
            Role::Client => self.http_deadline(index),
            Role::Upstream => None,
        };
        if let Some(at) = at {
            if self.wheel.at(index).is_none_or(|set| at < set) {
                self.wheel.set(index, at);
            }
        }
    }

    fn timer(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if !slot.used {
            return;
        }
        match slot.role {
            Role::Tcp => {}
            Role::Client => return self.http_timer(index),
            Role::Upstream => return,
        }
        if slot.rules_deadline().is_some_and(|at| at <= self.now) {
            return self.inspect(index);
        }
        let servers = self.servers_of(index);
        let slot = self.slots.get(index);
        let policy = &self.shared.route(slot.proxy, slot.backend).policy;
        let failure = slot.stream.expire(self.now, policy, servers);
        if failure.is_some() {
            self.count_retry(index);
        }
        self.settle(index);
        if self.slots.get(index).used {
            self.set_timer(index);
        }
    }

    /// The stream is over: book it, log it, and free the slot when nothing runs any more.
    fn finish(&mut self, index: u32) {
        self.leave_server(index);
        self.book_end(index);
        self.release_client(index);
        self.slots.get(index).stopping = true;
        self.free_if_done(index);
    }

    /// Takes the connection out of all gauges and closes what is open.
    pub(crate) fn release_client(&mut self, index: u32) {
        self.wheel.clear(index);
        let slot = self.slots.get(index);
        let listener = &self.shared.listeners[slot.listener as usize];
        listener.gauges.leave();
        if let Some(frontend) = &self.shared.proxies[slot.proxy as usize].frontend {
            frontend.gauges.leave();
        }
        self.shared.connections.leave();
        self.counters().streams.fetch_sub(1, Relaxed);
        self.shared.room_made();
        self.close(index, Side::Client);
        self.close(index, Side::Server);
    }

    pub(crate) fn free_if_done(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if !slot.used || !slot.stopping || slot.strays > 0 {
            return;
        }
        slot.stopping = false;
        for at in 0..2 {
            while let Some(chunk) = self.slots.get(index).out[at].pop() {
                self.io.put(chunk);
            }
        }
        self.slots.give(index);
    }

    /// Ends a connection whatever state it is in.
    pub(crate) fn end_now(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if !slot.used || slot.stopping {
            return;
        }
        match slot.role {
            Role::Tcp => {}
            Role::Client => return self.http_kill(index, Cause::Killed),
            Role::Upstream => {
                let owner = slot.peer;
                return if owner == NONE {
                    self.close_upstream(index);
                } else {
                    self.http_kill(owner, Cause::Killed);
                };
            }
        }
        self.settle(index);
        let slot = self.slots.get(index);
        if slot.used && !slot.stopping {
            self.finish(index);
        }
    }

    // ---- mail ------------------------------------------------------------------------------

    fn read_mail(&mut self) {
        for message in self.shared.threads[self.index].take() {
            match message {
                Message::Place { waiter, server } => self.place(waiter, server),
                Message::Repick(waiter) => self.repick(waiter),
                Message::Listeners => self.open_gates(),
                Message::KillServer { proxy, server } => self.kill_server(proxy, server),
                Message::Respond {
                    token,
                    response,
                    keep_alive,
                } => {
                    self.respond(token, response, keep_alive);
                }
                Message::Answer { token, answer } => self.answered(token, answer),
                Message::SoftStop => {
                    self.soft_stopping = true;
                    self.close_gates();
                    self.close_idle();
                }
                Message::Stop => self.stop(),
            }
        }
    }

    fn kill_server(&mut self, proxy: usize, server: usize) {
        for index in self.slots.used() {
            let slot = self.slots.get(index);
            if slot.backend != proxy as u32 || slot.server != server as u32 || slot.stopping {
                continue;
            }
            match slot.role {
                Role::Tcp => {
                    slot.stream.kill(Cause::Killed);
                    self.settle(index);
                }
                Role::Client if slot.placed => self.http_kill(index, Cause::Killed),
                Role::Upstream if slot.peer == NONE => self.close_upstream(index),
                Role::Client | Role::Upstream => {}
            }
        }
    }

    /// Who waits for a client's next request waits no longer.
    fn close_idle(&mut self) {
        let shared = self.shared.clone();
        for index in self.slots.used() {
            let slot = self.slots.get(index);
            let idle = slot.http.as_deref().is_some_and(|http| http.is_idle());
            let plan = &shared.proxies[slot.proxy as usize].plan;
            if idle && !slot.stopping && !plan.http.idle_close_on_response {
                self.http_close(index);
            } else if slot.role == Role::Upstream && slot.peer == NONE {
                self.close_upstream(index);
            }
        }
    }

    fn stop(&mut self) {
        self.soft_stopping = true;
        self.close_gates();
        self.drop_parked();
        for index in self.slots.used() {
            if self.slots.get(index).role == Role::Tcp {
                self.slots.get(index).stream.kill(Cause::Killed);
            }
            self.end_now(index);
        }
        self.stopped = true;
    }

    fn repick(&mut self, waiter: Waiter) {
        let slot = self.slots.get(waiter.slot);
        let same = slot.used && slot.generation[0] == waiter.generation;
        if same && slot.stream.is_queued() {
            slot.queue = NONE;
            self.pick(waiter.slot, false);
            self.settle(waiter.slot);
        }
    }

    fn connected(&mut self, key: Key, result: io::Result<()>) {
        let Some(slot) = self.slots.live(key) else {
            return self.stray(key);
        };
        if slot.role == Role::Upstream {
            return self.upstream_connected(key, result);
        }
        slot.running[key.side as usize] &= !CONNECT;
        match result {
            Ok(()) => {
                slot.stream.connected(self.now);
                self.announce(key.slot, key.slot);
                self.log_early(key.slot);
                let likely = false;
                if self.slots.get(key.slot).stream.writes(Side::Server) {
                    self.send(key.slot, Side::Server);
                }
                self.begin_response(key.slot);
                self.receive_more(key, likely);
            }
            Err(error) => self.connect_failed(key.slot, &error),
        }
        self.settle(key.slot);
    }
}

fn column(side: Side) -> Total {
    match side {
        Side::Client => Total::Bin,
        Side::Server => Total::Bout,
    }
}
