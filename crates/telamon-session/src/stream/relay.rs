//! The relay: bytes, ends and deaths of the two sides.

use super::words::{Action, Side};
use super::{Phase, Stream};
use crate::end::{Cause, End};
use crate::Millis;

impl Stream {
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

    /// `count` bytes of our own go to `side` before all others.
    pub fn owe(&mut self, side: Side, count: u64) {
        self.pending[side as usize] += count;
    }

    pub(super) fn settle(&mut self) -> Option<Action> {
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

    /// A side is gone in both directions.
    pub(super) fn die(&mut self, side: Side) {
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
}
