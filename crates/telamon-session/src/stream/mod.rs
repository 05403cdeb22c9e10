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

mod relay;
mod timeouts;
mod way;
mod words;

use crate::end::{Cause, End, Stage};
use crate::Millis;
pub use words::{Action, Failure, Policy, Servers, Side};

const NEVER: Millis = Millis::MAX;

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

    /// An operator or the process's end closes the stream.
    pub fn kill(&mut self, cause: Cause) {
        self.fail(End {
            cause,
            stage: self.stage(),
        });
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
