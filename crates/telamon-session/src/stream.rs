//! One proxied stream: two sides, a phase, and what to do next.
//!
//! ```text
//!            picked            connected
//! Choosing ─────────► Connecting ─────────► Relaying ─────► Over
//!   │  ▲ ▲ queue place   │  ▲                              ▲
//!   ▼  │ └───redispatch──┤  │ pause over                   │
//!  Queued                ▼  │                              │
//!   │                  Pausing ── no retry left ───────────┤
//!   └── timeout, client gone ──────────────────────────────┘
//! ```
//!
//! In the relay each side has an input and an output. An input that ended (`Half::ended`) closes
//! the other side's output once what is pending has been written; a side with both ended is
//! closed; both sides closed is the end. A side that *died* (reset, write timeout) loses input and
//! output at once, and the other side may then only finish what is pending for it.
//!
//! The caller tells what happened (`received`, `eof`, `connected`, ...), then takes
//! [`Stream::take_action`] until it gives nothing more.

use crate::end::{Cause, End, Stage};
use crate::Millis;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Client = 0,
    Server = 1,
}

impl Side {
    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// The `timeout` words and retries that hold for a stream, in milliseconds. None: for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    pub client: Option<Millis>,
    pub server: Option<Millis>,
    pub connect: Option<Millis>,
    pub queue: Option<Millis>,
    pub tunnel: Option<Millis>,
    pub client_fin: Option<Millis>,
    pub server_fin: Option<Millis>,
    pub retries: u32,
    /// `option redispatch N`: 0 never; N: on every Nth retry; -N: on the Nth from the end.
    pub redispatch: i32,
}

/// What the machine must know of a backend to choose between waiting and redispatching.
#[derive(Clone, Copy, Debug)]
pub struct Servers {
    /// The server that was tried may still be used.
    pub same_usable: bool,
    /// How many active servers may be used.
    pub usable: usize,
    /// The algorithm picks in turn, so that another server is as good.
    pub in_turn: bool,
}

/// Why a connect failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Refused, unreachable, reset.
    Refused,
    /// `timeout connect` struck.
    Timeout,
    /// No descriptor, no port, no memory on this machine.
    Resource,
}

/// What the caller must do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Choose a server (not the last one if `avoid` and there is another), then say `picked`,
    /// `queued` or `unavailable`.
    Pick { avoid: bool },
    /// Give up the place in the queue.
    LeaveQueue,
    /// Begin a connect to the server that was picked.
    Connect,
    /// Give up the connect, or the failed socket of it.
    Abandon,
    /// Send the end of the stream to this side; its input goes on.
    ShutWrite(Side),
    /// Close this side's socket; data pending for it is thrown away.
    Close(Side),
    /// Nothing is left: log it and forget it.
    Finish,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Choosing,
    Queued,
    /// Picked, the connect is to begin (again).
    Assigned,
    Connecting,
    /// Waiting before a retry; `avoid` will pick anew.
    Pausing {
        anew: bool,
    },
    Relaying,
    Over,
}

/// `true` bits of one side.
#[derive(Clone, Copy, Default, Debug)]
struct Half {
    /// No more input from this side (end of stream, timeout, or we stopped listening).
    ended: bool,
    /// The output to this side is shut.
    shut: bool,
    /// `Close` was given out.
    closed: bool,
    /// The caller cannot take more input now (buffers full): no read timeout runs.
    stalled: bool,
}

#[derive(Clone, Debug)]
pub struct Stream {
    phase: Phase,
    halves: [Half; 2],
    /// A socket to the server exists.
    has_server: bool,
    abandon: bool,
    leave_queue: bool,
    pick: bool,
    avoid: bool,
    finished: bool,
    redispatched: bool,
    retries: u16,
    end: End,
    /// Bytes accepted for a side and not yet written to it.
    pending: [u64; 2],
    /// Last activity of a side, reads and writes; last progress of its output.
    active: [Millis; 2],
    wrote: [Millis; 2],
    /// When the phase ends by itself (queue, connect, pause); `Millis::MAX` never.
    phase_ends: Millis,
    started: Millis,
    dequeued: Millis,
    connected: Millis,
}

/// `timeout connect`'s stand-in for the pause before retrying the same server.
const RETRY_PAUSE: Millis = 1000;
const NEVER: Millis = Millis::MAX;

impl Stream {
    /// A client has connected.
    pub fn new(now: Millis) -> Self {
        Stream {
            phase: Phase::Choosing,
            halves: [Half::default(); 2],
            has_server: false,
            abandon: false,
            leave_queue: false,
            pick: true,
            avoid: false,
            finished: false,
            redispatched: false,
            retries: 0,
            end: End::NORMAL,
            pending: [0; 2],
            active: [now; 2],
            wrote: [now; 2],
            phase_ends: NEVER,
            started: now,
            dequeued: NEVER,
            connected: NEVER,
        }
    }

    /// The client must say something first, within `limit`: until `proceed` no server is chosen.
    pub fn hold(&mut self, now: Millis, limit: Option<Millis>) {
        self.phase_ends = after(now, limit);
        self.pick = false;
    }

    /// It has said it.
    pub fn proceed(&mut self) {
        self.phase_ends = NEVER;
        self.pick = self.phase == Phase::Choosing;
    }

    /// `count` bytes of our own go to `side` before all others.
    pub fn owe(&mut self, side: Side, count: u64) {
        self.pending[side as usize] += count;
    }

    // ---- what happened -------------------------------------------------------------------

    /// A server was picked and has room. True if it is a redispatch: it follows a retry.
    pub fn picked(&mut self, now: Millis) {
        debug_assert!(matches!(self.phase, Phase::Choosing | Phase::Queued));
        if self.dequeued == NEVER {
            self.dequeued = now;
        }
        self.phase = Phase::Assigned;
    }

    /// All servers that could serve it are full: it waits.
    pub fn queued(&mut self, now: Millis, policy: &Policy) {
        self.phase = Phase::Queued;
        // `timeout queue` falls back to `timeout connect` (manual, "timeout queue").
        self.phase_ends = after(now, policy.queue.or(policy.connect));
    }

    /// No server can be used (HAProxy: SC), or its queue is full (`full`: SQ).
    pub fn unavailable(&mut self, full: bool) {
        let stage = if full { Stage::Queue } else { Stage::Connect };
        self.fail(End {
            cause: Cause::Server,
            stage,
        });
    }

    /// The connect has begun.
    pub fn connecting(&mut self, now: Millis, policy: &Policy) {
        self.phase = Phase::Connecting;
        self.has_server = true;
        self.phase_ends = after(now, policy.connect);
    }

    /// The server has accepted.
    pub fn connected(&mut self, now: Millis) {
        if self.phase != Phase::Connecting {
            return;
        }
        self.phase = Phase::Relaying;
        self.phase_ends = NEVER;
        self.connected = now;
        self.active[Side::Server as usize] = now;
        self.wrote[Side::Server as usize] = now;
    }

    /// The connect failed: retry, redispatch or give up. True if it will be tried again.
    pub fn connect_failed(
        &mut self,
        failure: Failure,
        now: Millis,
        policy: &Policy,
        servers: Servers,
    ) -> bool {
        if !matches!(self.phase, Phase::Connecting | Phase::Assigned) {
            return false;
        }
        self.abandon = self.has_server;
        self.has_server = false;
        self.phase_ends = NEVER;
        if u32::from(self.retries) >= policy.retries || failure == Failure::Resource {
            let cause = match failure {
                Failure::Refused => Cause::Server,
                Failure::Timeout => Cause::ServerTimeout,
                Failure::Resource => Cause::Resource,
            };
            self.fail(End {
                cause,
                stage: Stage::Connect,
            });
            return false;
        }
        self.retries += 1;
        let anew = self.redispatches(policy, servers);
        let same = !anew || !servers.in_turn || servers.usable <= 1;
        if failure == Failure::Refused && same {
            // The same server would most likely refuse again at once (HAProxy's turn-around).
            self.phase = Phase::Pausing { anew };
            self.phase_ends = now
                + policy
                    .connect
                    .map_or(RETRY_PAUSE, |time| time.min(RETRY_PAUSE));
        } else {
            self.again(anew);
        }
        true
    }

    /// An established connection failed before the server's answer: the request is to be sent
    /// again, as after a failed connect. The caller has closed the connection.
    pub fn lost(&mut self, now: Millis, policy: &Policy, servers: Servers) -> bool {
        self.phase = Phase::Connecting;
        self.has_server = false;
        self.connected = NEVER;
        self.connect_failed(Failure::Timeout, now, policy, servers)
    }

    fn redispatches(&self, policy: &Policy, servers: Servers) -> bool {
        let (done, every) = (i64::from(self.retries), i64::from(policy.redispatch));
        let due = match every {
            0 => return false,
            1.. => done % every == 0,
            _ => {
                let period = i64::from(policy.retries) + 1 + every;
                period > 0 && done % period == 0
            }
        };
        due || !servers.same_usable || (servers.in_turn && servers.usable > 1)
    }

    fn again(&mut self, anew: bool) {
        self.phase_ends = NEVER;
        if anew {
            self.phase = Phase::Choosing;
            self.pick = true;
            self.avoid = true;
        } else {
            self.phase = Phase::Assigned;
        }
    }

    /// The retry went to another server than before (the log's `+`).
    pub fn set_redispatched(&mut self) {
        self.redispatched = true;
    }

    /// `count` bytes came from `side`; they are pending for the other one.
    #[inline]
    pub fn received(&mut self, side: Side, count: u64, now: Millis) {
        let to = side.other() as usize;
        if self.pending[to] == 0 {
            self.wrote[to] = now;
        }
        self.pending[to] += count;
        self.active[side as usize] = now;
    }

    /// `count` pending bytes were written to `side`.
    #[inline]
    pub fn sent(&mut self, side: Side, count: u64, now: Millis) {
        let at = side as usize;
        self.pending[at] = self.pending[at].saturating_sub(count);
        self.active[at] = now;
        self.wrote[at] = now;
    }

    /// The caller has no room for more input of `side` (true), or has it again.
    #[inline]
    pub fn stall(&mut self, side: Side, stalled: bool, now: Millis) {
        let half = &mut self.halves[side as usize];
        if half.stalled && !stalled {
            self.active[side as usize] = now;
        }
        half.stalled = stalled;
    }

    /// `side` has sent all that it will send.
    pub fn eof(&mut self, side: Side) {
        self.halves[side as usize].ended = true;
        let waiting = !matches!(self.phase, Phase::Relaying | Phase::Over);
        // A client that leaves before it sent anything is not worth a server's time; one that
        // has sent its whole request may be waiting for the answer.
        if waiting && side == Side::Client && self.pending[Side::Server as usize] == 0 {
            self.fail(End {
                cause: Cause::Client,
                stage: self.stage(),
            });
        }
    }

    /// The client has sent all that it will send, and the connect has come about, though
    /// `connected` is still to be said: its end is that of a stream with a server.
    pub fn eof_at_connect(&mut self) {
        self.halves[Side::Client as usize].ended = true;
    }

    /// `side`'s socket broke, while reading (`input`) or writing.
    pub fn broke(&mut self, side: Side, input: bool) {
        let cause = match side {
            Side::Client => Cause::Client,
            Side::Server => Cause::Server,
        };
        // A write that fails since the peer had already ended in good order, with nothing read
        // from us since, is told by HAProxy as that side's abort all the same.
        let _ = input;
        self.mark(End {
            cause,
            stage: self.stage(),
        });
        self.die(side);
    }

    /// An operator or the process's end closes the stream.
    pub fn kill(&mut self, cause: Cause) {
        self.fail(End {
            cause,
            stage: self.stage(),
        });
    }

    /// Time has passed. What is due happens; nothing if nothing is.
    pub fn expire(&mut self, now: Millis, policy: &Policy, servers: Servers) -> Option<Failure> {
        if now >= self.phase_ends {
            match self.phase {
                Phase::Queued => {
                    self.dequeued = now;
                    self.fail(End {
                        cause: Cause::ServerTimeout,
                        stage: Stage::Queue,
                    });
                }
                Phase::Connecting => {
                    self.connect_failed(Failure::Timeout, now, policy, servers);
                    return Some(Failure::Timeout);
                }
                Phase::Pausing { anew } => self.again(anew),
                Phase::Choosing => self.fail(End {
                    cause: Cause::ClientTimeout,
                    stage: Stage::Request,
                }),
                _ => {}
            }
            self.phase_ends = match self.phase {
                Phase::Queued | Phase::Connecting | Phase::Pausing { .. } => self.phase_ends,
                _ => NEVER,
            };
        }
        for side in [Side::Client, Side::Server] {
            if now >= self.write_ends(side, policy) {
                self.mark(End {
                    cause: timeout_of(side),
                    stage: self.stage(),
                });
                self.die(side);
            } else if now >= self.read_ends(side, policy) {
                self.mark(End {
                    cause: timeout_of(side),
                    stage: self.stage(),
                });
                self.halves[side as usize].ended = true;
                if !matches!(self.phase, Phase::Relaying | Phase::Over) {
                    self.fail(self.end);
                }
            }
        }
        None
    }

    // ---- what to do ----------------------------------------------------------------------

    /// The next thing to do, each given out once.
    pub fn take_action(&mut self) -> Option<Action> {
        if self.leave_queue {
            self.leave_queue = false;
            return Some(Action::LeaveQueue);
        }
        if self.abandon {
            self.abandon = false;
            return Some(Action::Abandon);
        }
        match self.phase {
            Phase::Choosing if self.pick => {
                self.pick = false;
                Some(Action::Pick { avoid: self.avoid })
            }
            Phase::Assigned => Some(Action::Connect),
            Phase::Relaying | Phase::Over => self.settle(),
            _ => None,
        }
    }

    fn settle(&mut self) -> Option<Action> {
        for side in [Side::Server, Side::Client] {
            let at = side as usize;
            let source_ended = self.halves[side.other() as usize].ended;
            let exists = side == Side::Client || self.has_server;
            let half = &mut self.halves[at];
            if half.closed || !exists {
                continue;
            }
            if !half.shut && source_ended && self.pending[at] == 0 {
                half.shut = true;
                if !half.ended {
                    return Some(Action::ShutWrite(side));
                }
            }
            if half.shut && half.ended {
                half.closed = true;
                return Some(Action::Close(side));
            }
        }
        let server_closed = self.halves[1].closed || !self.has_server;
        if self.halves[0].closed && server_closed && !self.finished {
            self.phase = Phase::Over;
            self.finished = true;
            return Some(Action::Finish);
        }
        None
    }

    /// May the caller read from `side` now (its own room for data aside)?
    #[inline]
    pub fn reads(&self, side: Side) -> bool {
        let half = &self.halves[side as usize];
        !half.ended && !half.closed && (side == Side::Client || self.phase == Phase::Relaying)
    }

    /// May the caller write pending data to `side` now?
    #[inline]
    pub fn writes(&self, side: Side) -> bool {
        let half = &self.halves[side as usize];
        !half.shut && (side == Side::Client || self.phase == Phase::Relaying)
    }

    /// The next moment at which `expire` has something to do. It may come later than this
    /// said, never earlier, unless something happened in between.
    pub fn deadline(&self, policy: &Policy) -> Option<Millis> {
        let mut first = self.phase_ends;
        for side in [Side::Client, Side::Server] {
            first = first
                .min(self.write_ends(side, policy))
                .min(self.read_ends(side, policy));
        }
        (first != NEVER).then_some(first)
    }

    fn read_ends(&self, side: Side, policy: &Policy) -> Millis {
        let half = &self.halves[side as usize];
        if half.ended || half.closed || half.stalled {
            return NEVER;
        }
        if self.phase == Phase::Relaying {
            return after(self.active[side as usize], self.limit(side, policy));
        }
        // Before the server is there the client's own silence is not held against it: the
        // queue's and the connect's timeouts watch.
        NEVER
    }

    fn write_ends(&self, side: Side, policy: &Policy) -> Millis {
        let at = side as usize;
        let half = &self.halves[at];
        if half.shut || self.pending[at] == 0 || self.phase != Phase::Relaying {
            return NEVER;
        }
        after(self.wrote[at], self.limit(side, policy))
    }

    /// Which timeout holds for a side in the relay (manual: `client-fin`, `tunnel`).
    fn limit(&self, side: Side, policy: &Policy) -> Option<Millis> {
        let (plain, fin) = match side {
            Side::Client => (policy.client, policy.client_fin),
            Side::Server => (policy.server, policy.server_fin),
        };
        if self.halves[side as usize].shut {
            return fin.or(policy.tunnel).or(plain);
        }
        policy.tunnel.or(plain)
    }

    // ---- what it was ---------------------------------------------------------------------

    pub fn end(&self) -> End {
        self.end
    }

    /// Sets the end's letters if nothing has set them yet.
    pub fn mark(&mut self, end: End) {
        if self.end.cause == Cause::Normal {
            self.end = end;
        }
    }

    pub fn is_over(&self) -> bool {
        self.finished
    }

    pub fn is_relaying(&self) -> bool {
        self.phase == Phase::Relaying
    }

    pub fn is_connecting(&self) -> bool {
        self.phase == Phase::Connecting
    }

    pub fn is_queued(&self) -> bool {
        self.phase == Phase::Queued
    }

    /// Ended before a server took it.
    pub fn has_failed(&self) -> bool {
        self.phase == Phase::Over
    }

    /// The next connect goes to a server that is still to be picked.
    pub fn picks_anew(&self) -> bool {
        matches!(self.phase, Phase::Choosing | Phase::Pausing { anew: true })
    }

    pub fn retries(&self) -> u16 {
        self.retries
    }

    pub fn is_redispatched(&self) -> bool {
        self.redispatched
    }

    pub fn pending(&self, side: Side) -> u64 {
        self.pending[side as usize]
    }

    /// Milliseconds in the queue (log `%Tw`), or None if it never left it.
    pub fn queue_time(&self) -> Option<Millis> {
        (self.dequeued != NEVER).then(|| self.dequeued.saturating_sub(self.started))
    }

    /// Milliseconds of connecting, retries included (log `%Tc`), or None without a connection.
    pub fn connect_time(&self) -> Option<Millis> {
        (self.connected != NEVER).then(|| self.connected.saturating_sub(self.dequeued))
    }

    /// When the client connected.
    pub fn started(&self) -> Millis {
        self.started
    }

    // ---- inner ---------------------------------------------------------------------------

    fn stage(&self) -> Stage {
        match self.phase {
            Phase::Choosing => Stage::Request,
            Phase::Queued => Stage::Queue,
            Phase::Assigned | Phase::Connecting | Phase::Pausing { .. } => Stage::Connect,
            Phase::Relaying | Phase::Over => Stage::Data,
        }
    }

    /// A side is gone in both directions.
    fn die(&mut self, side: Side) {
        let at = side as usize;
        self.pending[at] = 0;
        self.halves[at].ended = true;
        self.halves[at].shut = true;
        // Nothing that the other side may still say has a reader.
        self.halves[side.other() as usize].ended = true;
        if self.phase != Phase::Relaying {
            self.fail(self.end);
        }
    }

    /// The stream is over before or in spite of the relay: both sides close at once.
    fn fail(&mut self, end: End) {
        self.mark(end);
        self.leave_queue = self.phase == Phase::Queued;
        self.pick = false;
        self.phase = Phase::Over;
        self.phase_ends = NEVER;
        for at in 0..2 {
            self.pending[at] = 0;
            self.halves[at].ended = true;
            self.halves[at].shut = true;
        }
    }
}

fn after(start: Millis, time: Option<Millis>) -> Millis {
    time.map_or(NEVER, |time| start.saturating_add(time))
}

fn timeout_of(side: Side) -> Cause {
    match side {
        Side::Client => Cause::ClientTimeout,
        Side::Server => Cause::ServerTimeout,
    }
}
