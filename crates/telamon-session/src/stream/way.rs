//! The way to a server: held back, queued, connecting, trying again.

use super::timeouts::after;
use super::words::{Failure, Policy, Servers, Side};
use super::{Phase, Stream, NEVER};
use crate::end::{Cause, End, Stage};
use crate::Millis;

/// `timeout connect`'s stand-in for the pause before retrying the same server.
const RETRY_PAUSE: Millis = 1000;

impl Stream {
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

    pub(super) fn redispatches(&self, policy: &Policy, servers: Servers) -> bool {
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

    pub(super) fn again(&mut self, anew: bool) {
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
}
