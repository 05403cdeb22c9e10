//! When a stream ends by itself, and what that means.

use super::words::{Failure, Policy, Servers, Side};
use super::{Phase, Stream, NEVER};
use crate::end::{Cause, End, Stage};
use crate::Millis;

impl Stream {
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

    pub(super) fn read_ends(&self, side: Side, policy: &Policy) -> Millis {
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

    pub(super) fn write_ends(&self, side: Side, policy: &Policy) -> Millis {
        let at = side as usize;
        let half = &self.halves[at];
        if half.shut || self.pending[at] == 0 || self.phase != Phase::Relaying {
            return NEVER;
        }
        after(self.wrote[at], self.limit(side, policy))
    }

    /// Which timeout holds for a side in the relay (manual: `client-fin`, `tunnel`).
    pub(super) fn limit(&self, side: Side, policy: &Policy) -> Option<Millis> {
        let (plain, fin) = match side {
            Side::Client => (policy.client, policy.client_fin),
            Side::Server => (policy.server, policy.server_fin),
        };
        if self.halves[side as usize].shut {
            return fin.or(policy.tunnel).or(plain);
        }
        policy.tunnel.or(plain)
    }
}

pub(super) fn after(start: Millis, time: Option<Millis>) -> Millis {
    time.map_or(NEVER, |time| start.saturating_add(time))
}

pub(super) fn timeout_of(side: Side) -> Cause {
    match side {
        Side::Client => Cause::ClientTimeout,
        Side::Server => Cause::ServerTimeout,
    }
}
