//! One data thread: wait, carry out what came, turn the timers, again.
//!
//! The hot path is `received` and `sent` (`relay.rs`): no lock, no allocation, no system call of its own
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
use telamon_session::{Action, Cause, Millis, Policy, Side, Wheel};
use telamon_sys::{pipe::Pipe, process, socket};

use crate::accept::Gate;
use crate::conn::{Role, Slots, CONNECT, NONE, NO_FD, RECV};
use crate::counters::{ProcessTotal, ThreadCounters};
use crate::http::{Exchange, Pools, BUFFER, LEND_EVERY};
use crate::io::{Event, Io, Key};
use crate::observe::ServerError;
use crate::shared::Shared;

/// Buffers that may wait for one side before its source is no longer read.
pub(crate) const MAX_BUFFERS: usize = 4;
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
    /// It has lent a connection, and looks after all that are lent.
    pub(crate) keeps_lent: bool,
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
    next_lend: Millis,
    starved: Vec<(Key, usize)>,
    pub(crate) stopped: bool,
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
            keeps_lent: false,
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
            next_lend: now + LEND_EVERY,
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
            let mut events = 0;
            while let Some(event) = self.io.next() {
                events += 1;
                self.contain(|worker, slot| worker.handle(event, slot));
            }
            self.wheel.turn(self.now, &mut fired);
            self.counters().add(ProcessTotal::Events, events);
            self.counters()
                .add(ProcessTotal::Timers, fired.len() as u64);
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
        if self.shared.idle_is_shared && self.pools.any() {
            next = Some(next.map_or(self.next_lend, |next| next.min(self.next_lend)));
        }
        if self.pools.any() || self.keeps_lent || !self.pipes.is_empty() {
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
        if self.now >= self.next_lend {
            self.next_lend = self.now + LEND_EVERY;
            if self.shared.idle_is_shared {
                self.lend_idle();
            }
        }
        if self.now >= self.next_purge {
            self.next_purge = self.now + PURGE_EVERY;
            self.purge_pools();
            // Pipes that nobody needs give their descriptors back, half of them each time.
            self.pipes.truncate(self.pipes.len() / 2);
            self.note_pipes();
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
        self.shared.events.push(crate::mailbox::Event::Message {
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
    pub(crate) fn stray(&mut self, key: Key) {
        let slot = self.slots.get(key.slot);
        slot.strays = slot.strays.saturating_sub(1);
        self.free_if_done(key.slot);
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
            self.observe_error(index, ServerError::Connect);
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
                self.observe_connected(key.slot);
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
