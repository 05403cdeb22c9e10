//! Which timeout runs in which step, and what it does when it strikes.

use telamon_session::{Cause, End, Millis, Stage};

use super::{after, Step, NEVER};
use crate::conn::NONE;
use crate::io::Io;
use crate::logs::Unheard;
use crate::observe::ServerError;
use crate::worker::{Worker, MAX_BUFFERS};

/// The two moments at which an exchange with a server gives up.
struct Limits {
    client: Millis,
    server: Millis,
}

impl<I: Io> Worker<I> {
    /// When the timer of a client's slot must strike at the latest.
    pub(crate) fn http_deadline(&mut self, index: u32) -> Option<Millis> {
        let at = match self.http(index)?.step {
            Step::Choosing => {
                let policy = self.policy(index);
                return self.slots.get(index).stream.deadline(&policy);
            }
            Step::Waiting | Step::Streaming | Step::Tunnel => {
                let limits = self.limits(index);
                limits.client.min(limits.server)
            }
            _ => self.http(index)?.deadline,
        };
        (at != NEVER).then_some(at)
    }

    fn limits(&mut self, index: u32) -> Limits {
        let piped = self.is_piped(index);
        let slot = self.slots.get(index);
        // While the client has something to take from a pipe, nobody waits for the server.
        let ahead = match piped {
            true => MAX_BUFFERS,
            false => slot.out[0].len(),
        };
        let up = slot.peer;
        let (behind, server_ended) = match up {
            NONE => (0, true),
            _ => {
                let other = self.slots.get(up);
                (other.out[1].len(), other.eof)
            }
        };
        let mut limits = Limits {
            client: NEVER,
            server: NEVER,
        };
        let Some(http) = self.http(index) else {
            return limits;
        };
        let step = http.step;
        let ended = (http.ended, server_ended);
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return limits;
        };
        let policy = &exchange.policy;
        if step == Step::Tunnel {
            let (client_ended, server_ended) = ended;
            let client_fin = policy.client_fin.filter(|_| server_ended);
            let server_fin = policy.server_fin.filter(|_| client_ended);
            let client = client_fin.or(policy.tunnel).or(policy.client);
            let server = server_fin.or(policy.tunnel).or(policy.server);
            // A side that has ended its words is waited for only as far as it must read.
            if !client_ended || ahead > 0 {
                limits.client = after(exchange.client_active, client);
            }
            if !server_ended || behind > 0 {
                limits.server = after(exchange.server_active, server);
            }
            if policy.tunnel.is_some() && !client_ended && !server_ended {
                // Either side's words keep a tunnel alive.
                let last = limits.client.max(limits.server);
                limits = Limits {
                    client: last,
                    server: last,
                };
            }
            return limits;
        }
        let uploads = !exchange.upload.is_done();
        if (uploads && behind < MAX_BUFFERS) || ahead > 0 {
            limits.client = after(exchange.client_active, policy.client);
        }
        let waits = step == Step::Streaming || !uploads || exchange.discard || behind > 0;
        if up != NONE && !exchange.done && waits && ahead < MAX_BUFFERS {
            limits.server = after(exchange.server_active, policy.server);
        }
        // Rules that wait for its body give up like those who wait for its head.
        limits.server = limits.server.min(exchange.held_until);
        limits
    }

    pub(crate) fn http_timer(&mut self, index: u32) {
        let now = self.now;
        let Some(at) = self.http_deadline(index) else {
            return;
        };
        if now < at {
            return self.set_timer(index);
        }
        let Some(http) = self.http(index) else { return };
        match http.step {
            Step::Head | Step::Body => self.head_late(index),
            Step::Choosing => {
                let (policy, servers) = (self.policy(index), self.servers_of(index));
                let failure = self.slots.get(index).stream.expire(now, &policy, servers);
                if failure.is_some() {
                    self.observe_error(index, ServerError::Connect);
                    self.count_retry(index);
                }
                self.http_choose(index);
            }
            Step::Waiting | Step::Streaming => {
                let limits = self.limits(index);
                if limits.client <= now {
                    self.client_late(index);
                } else {
                    self.server_late(index);
                }
            }
            Step::Tunnel => {
                let limits = self.limits(index);
                let cause = if limits.client <= now {
                    Cause::ClientTimeout
                } else {
                    Cause::ServerTimeout
                };
                let end = End {
                    cause,
                    stage: Stage::Data,
                };
                self.http_end(index, end);
                self.http_close(index);
            }
            Step::Sending => {
                let end = End {
                    cause: Cause::ClientTimeout,
                    stage: Stage::Data,
                };
                self.http_end(index, end);
                self.http_close(index);
            }
            Step::Page => {}
            Step::Gathering => self.gathered_late(index),
            Step::Held | Step::Tarpit => self.held_over(index),
            Step::Calling => self.call_late(index),
            Step::Idle | Step::Draining => self.http_close(index),
        }
    }

    fn head_late(&mut self, index: u32) {
        let shared = self.shared.clone();
        if self.slots.get(index).preface.is_some() {
            // It has not even said who it is.
            self.log_preface(index, Unheard::Late);
            return self.http_close(index);
        }
        let Some(http) = self.http(index) else { return };
        let silent = http.exchange.is_none();
        if silent && http.requests > 0 {
            return self.http_close(index);
        }
        self.begin_exchange(index);
        self.count_bad_request(index);
        let slot = self.slots.get(index);
        let quiet = silent && shared.proxies[slot.proxy as usize].plan.http.ignore_probes;
        if let Some(exchange) = slot.exchange() {
            exchange.log.end = End {
                cause: Cause::ClientTimeout,
                stage: Stage::Request,
            };
            exchange.log.request_line = None;
            exchange.keep = false;
            if silent {
                // Its first byte was awaited since the connection came.
                exchange.log.started = exchange.log.accepted;
                exchange.log.idle = 0;
            }
        }
        if quiet {
            return self.http_close(index);
        }
        self.answer_late(index);
    }

    fn answer_late(&mut self, index: u32) {
        if let Some(exchange) = self.exchange(index) {
            exchange.keep = false;
        }
        self.bare_answer(index, 408);
    }

    /// The client does not read, or its body does not come.
    fn client_late(&mut self, index: u32) {
        let waiting = self
            .http(index)
            .is_some_and(|http| http.step == Step::Waiting);
        let end = End {
            cause: Cause::ClientTimeout,
            stage: if waiting { Stage::Header } else { Stage::Data },
        };
        self.drop_upstream(index);
        self.leave_server(index);
        if waiting {
            return self.fail(index, 408, end);
        }
        self.http_end(index, end);
        self.http_close(index);
    }

    fn server_late(&mut self, index: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let retry = &shared.route(slot.proxy, slot.backend).retry;
        let waiting = slot
            .http
            .as_deref()
            .is_some_and(|http| http.step == Step::Waiting);
        let is_held = slot.exchange().is_some_and(|one| one.held.is_some());
        let end = End {
            cause: Cause::ServerTimeout,
            stage: match (waiting, is_held) {
                (true, true) => Stage::Request, // as HAProxy's logs say of `wait-for-body`
                (true, false) => Stage::Header,
                (false, _) => Stage::Data,
            },
        };
        if waiting && retry.response_timeout && self.http_retry(index) {
            return;
        }
        if waiting && !is_held {
            self.observe_error(index, ServerError::Silent);
        }
        if let Some(exchange) = self.exchange(index).filter(|_| is_held) {
            exchange.log.response_time = None;
            exchange.count_unsent();
        }
        self.count_response_error(index);
        self.drop_upstream(index);
        self.leave_server(index);
        if waiting {
            return self.fail(index, 504, end);
        }
        self.http_end(index, end);
        self.http_close(index);
    }

    /// Idle connections that are not needed are closed, each server's at its own pace.
    pub(crate) fn purge_pools(&mut self) {
        let shared = self.shared.clone();
        if shared.idle_is_shared {
            // A thread's own are those that it needs; the others are lent.
            return self.sweep_lent();
        }
        let now = self.now;
        for proxy in &shared.proxies {
            let Some(backend) = &proxy.backend else {
                continue;
            };
            for server in &backend.servers {
                if self.pools.len(server.object) == 0 {
                    continue;
                }
                let limits = &server.pool;
                let low = limits.low_connections as usize;
                for up in self
                    .pools
                    .purge(server.object, now, limits.purge_delay, low)
                {
                    self.close_upstream(up);
                }
            }
        }
    }
}
