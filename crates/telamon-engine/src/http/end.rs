//! How exchanges and connections end.

use telamon_session::{Cause, End, Millis, Side, Stage, Stream};
use telamon_sys::socket;

use super::{after, Body, Step};
use crate::conn::{Role, NONE, NO_FD, SEND};
use crate::io::Io;
use crate::logs::Unheard;
use crate::worker::Worker;

/// How long the end of a client's words is awaited before its connection is closed.
const LINGER: Millis = 2000;

impl<I: Io> Worker<I> {
    /// Something was sent to the client.
    pub(crate) fn http_sent(&mut self, index: u32) {
        let now = self.now;
        let slot = self.slots.get(index);
        let up = slot.peer;
        let pending = !slot.out[0].is_empty();
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        let step = http.step;
        if let Some(exchange) = http.exchange.as_deref_mut() {
            exchange.client_active = now;
        }
        if step == Step::Sending {
            return self.send_answer(index);
        }
        if pending {
            self.flush(index, Side::Client);
        }
        if up != NONE {
            self.upstream_receive(up);
        }
        if pending {
            return;
        }
        if self.exchange(index).is_some_and(|one| one.pipe.is_some()) {
            return self.pump(index);
        }
        match step {
            Step::Tunnel => self.tunnel_sent(index, Side::Client),
            Step::Streaming => self.http_check_end(index),
            _ => {}
        }
    }

    /// Is the exchange over: all received, all sent?
    pub(super) fn http_check_end(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if !slot.out[0].is_empty() || slot.running[0] & SEND != 0 {
            return;
        }
        if self.is_piped(index) {
            return self.set_timer(index);
        }
        let slot = self.slots.get(index);
        let over = slot
            .exchange()
            .is_some_and(|exchange| exchange.done && exchange.upload.is_done());
        if over {
            self.http_finish(index);
        } else {
            self.set_timer(index);
        }
    }

    /// The exchange is over: it is booked and logged, and the connection goes on or is closed.
    pub(super) fn http_finish(&mut self, index: u32) {
        let now = self.now;
        self.drop_upstream(index);
        self.book_exchange(index);
        self.log_http(index);
        let pipe = self.exchange(index).and_then(|one| one.pipe.take());
        self.give_pipe(pipe);
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let timeouts = &shared.proxies[slot.proxy as usize].plan.timeouts;
        slot.restore_ends();
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        let keep = http
            .exchange
            .as_ref()
            .is_some_and(|exchange| exchange.keep && exchange.upload.is_done())
            && !(http.ended && http.rest.is_none())
            && !self.soft_stopping;
        if let Some(vars) = &slot.vars {
            vars.end_request();
        }
        if let Some(mut exchange) = http.exchange.take() {
            if self.exchanges.len() < 256 {
                exchange.clear();
                self.exchanges.push(exchange);
            }
        }
        if !keep {
            return self.drain_client(index);
        }
        // What the next request says of a backend is its own.
        http.last = (slot.backend, slot.server);
        slot.backend = NONE;
        slot.server = NONE;
        slot.queue_ahead = [0; 2];
        slot.stream = Stream::new(now);
        http.since = now;
        http.step = Step::Idle;
        let idle = timeouts
            .http_keep_alive
            .or(timeouts.http_request)
            .or(timeouts.client);
        http.deadline = after(now, idle);
        self.set_timer(index);
        self.take_rest(index);
    }

    /// The client must be able to read the answer even if it is still sending: our half is shut,
    /// and its own end is awaited for a moment before the close (RFC 9112 9.6).
    fn drain_client(&mut self, index: u32) {
        let now = self.now;
        let proxy = self.slots.get(index).proxy as usize;
        let client = self.shared.proxies[proxy].plan.timeouts.client;
        let slot = self.slots.get(index);
        let fd = slot.fds[0];
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        if http.ended {
            return self.http_close(index);
        }
        http.step = Step::Draining;
        http.input = Vec::new();
        http.deadline = now + client.unwrap_or(LINGER).min(LINGER);
        if let Some(rest) = http.rest.take() {
            self.io.put(rest);
        }
        if fd != NO_FD {
            let _ = socket::shutdown_write(fd);
        }
        self.http_receive(index);
        self.set_timer(index);
    }

    /// The client has sent its last byte.
    pub(super) fn http_eof(&mut self, index: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let (up, proxy) = (slot.peer, slot.proxy as usize);
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        http.ended = true;
        let uploads = http
            .exchange
            .as_ref()
            .is_some_and(|exchange| !exchange.upload.is_done());
        match http.step {
            // Half-closed clients still get their answer.
            Step::Page | Step::Sending => {
                if let Some(exchange) = http.exchange.as_deref_mut() {
                    exchange.keep = false;
                }
            }
            Step::Held | Step::Tarpit | Step::Calling => {}
            Step::Head if slot.preface.is_some() => {
                self.log_preface(index, Unheard::Closed);
                self.http_close(index);
            }
            Step::Gathering => self.http_broke(index),
            Step::Head | Step::Body if http.has_input() || http.step != Step::Head => {
                self.count_bad_request(index);
                let end = End {
                    cause: Cause::Client,
                    stage: Stage::Request,
                };
                if let Some(exchange) = self.exchange(index) {
                    exchange.log.end = end;
                    exchange.log.request_line = None;
                    exchange.keep = false;
                }
                self.bare_answer(index, 400);
            }
            Step::Head => self.gone_before_request(index),
            Step::Waiting | Step::Streaming if uploads => self.http_broke(index),
            Step::Choosing | Step::Waiting if shared.proxies[proxy].route.abort_on_close => {
                self.abort_request(index);
            }
            Step::Choosing | Step::Waiting | Step::Streaming => {}
            Step::Tunnel if up != NONE => self.tunnel_eof(index, up, Side::Client),
            _ => self.http_close(index),
        }
    }

    /// `option abortonclose`: who has ended its words is taken to have lost its patience.
    fn abort_request(&mut self, index: u32) {
        let end = self.end_of(index, Cause::Client);
        self.count_abort(index, Side::Client);
        let status = if end.stage == Stage::Header { 400 } else { 503 };
        self.give_up(index, status, end);
    }

    /// The request's way to a server ends with an answer of our own.
    fn give_up(&mut self, index: u32, status: u16, end: End) {
        if self.slots.get(index).stream.is_queued() {
            self.leave_queue(index);
        }
        self.drop_upstream(index);
        self.leave_server(index);
        self.fail(index, status, end);
    }

    /// It connected, and left without a word.
    fn gone_before_request(&mut self, index: u32) {
        self.begin_exchange(index);
        if let Some(exchange) = self.exchange(index) {
            exchange.log.end = End {
                cause: Cause::Client,
                stage: Stage::Request,
            };
            // Nobody reads it, but HAProxy's line names the answer that it was worth.
            exchange.log.status = Some(400);
        }
        self.log_http_null(index);
        self.http_close(index);
    }

    /// A request's body broke its own framing.
    pub(super) fn bad_upload(&mut self, index: u32) {
        self.count_bad_request(index);
        let end = self.end_of(index, Cause::Proxy);
        let answered = self
            .exchange(index)
            .is_some_and(|exchange| exchange.answered);
        self.drop_upstream(index);
        self.leave_server(index);
        if let Some(exchange) = self.exchange(index) {
            exchange.upload = Body::Done;
            exchange.keep = false;
        }
        if answered {
            self.http_end(index, end);
            return self.http_close(index);
        }
        self.fail(index, 400, end);
    }

    /// The client's connection broke, or the exchange cannot go on.
    pub(crate) fn http_broke(&mut self, index: u32) {
        let Some(http) = self.http(index) else { return };
        let step = http.step;
        match step {
            Step::Head if self.slots.get(index).preface.is_some() => {
                self.log_preface(index, Unheard::Closed);
            }
            Step::Head => return self.gone_before_request(index),
            Step::Idle | Step::Draining | Step::Body => {}
            Step::Gathering | Step::Held | Step::Tarpit | Step::Calling => {
                let end = self.end_of(index, Cause::Client);
                if self.exchange(index).is_some_and(|one| one.held.is_some()) {
                    self.count_abort(index, Side::Client);
                }
                self.http_end(index, end);
            }
            Step::Sending | Step::Page => {
                let end = End {
                    cause: Cause::Client,
                    stage: Stage::Data,
                };
                self.http_end(index, end);
            }
            Step::Choosing | Step::Waiting | Step::Streaming | Step::Tunnel => {
                let end = self.end_of(index, Cause::Client);
                let over = self.exchange(index).is_some_and(|exchange| exchange.done);
                self.count_abort(index, Side::Client);
                let end = if over { End::NORMAL } else { end };
                self.http_end(index, end);
            }
        }
        self.http_close(index);
    }

    /// A request that met the end of a connection that had served before: the client's own is closed
    /// without a word, and it sends again.
    pub(super) fn close_silently(&mut self, index: u32, end: End) {
        if let Some(exchange) = self.exchange(index) {
            exchange.log.left_out = true;
        }
        self.http_end(index, end);
        self.http_close(index);
    }

    /// No buffer is left: what cannot be sent whole is not sent on.
    pub(super) fn starved_of_buffers(&mut self, index: u32, side: Side) {
        let client = match side {
            Side::Client => index,
            Side::Server => self.slots.get(index).peer,
        };
        if client == NONE {
            return;
        }
        if self.slots.get(client).role == Role::Tcp {
            return self.slots.get(client).stream.kill(Cause::Resource);
        }
        let end = self.end_of(client, Cause::Resource);
        if let Some(exchange) = self.exchange(client) {
            exchange.log.end = end;
            exchange.keep = false;
            exchange.done = true;
            exchange.upload = Body::Done;
            exchange.download = Body::Done;
        }
        self.drop_upstream(client);
    }

    /// An operator, a server's going down or the process's end closes the exchange.
    pub(crate) fn http_kill(&mut self, index: u32, cause: Cause) {
        let end = self.end_of(index, cause);
        if self.http(index).is_some_and(|http| http.exchange.is_some()) {
            self.http_end(index, end);
        }
        self.http_close(index);
    }

    /// An operator ends this exchange alone; who has heard nothing of a server's hears 502, as from
    /// HAProxy.
    pub(crate) fn http_shut(&mut self, index: u32) {
        let step = self.http(index).map(|http| http.step);
        if !matches!(step, Some(Step::Choosing | Step::Waiting)) {
            return self.http_kill(index, Cause::Killed);
        }
        let end = self.end_of(index, Cause::Killed);
        self.give_up(index, 502, end);
    }

    /// Books and logs an exchange that did not come to its own end.
    pub(super) fn http_end(&mut self, index: u32, end: End) {
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        if exchange.log.end == End::NORMAL {
            exchange.log.end = end;
        }
        self.drop_upstream(index);
        self.book_exchange(index);
        self.log_http(index);
    }

    /// What a finished exchange leaves behind: places, gauges, times.
    fn book_exchange(&mut self, index: u32) {
        self.leave_server(index);
        let shared = self.shared.clone();
        let now = self.now;
        let slot = self.slots.get(index);
        if !slot.in_backend {
            return;
        }
        let Some(backend) = &shared.proxies[slot.backend as usize].backend else {
            return;
        };
        let server = backend.servers.get(slot.server as usize);
        let (queued, connected) = (slot.stream.queue_time(), slot.stream.connect_time());
        if let (Some(server), Some(exchange)) = (server, slot.exchange()) {
            let log = &exchange.log;
            for gauges in [&backend.gauges, &server.gauges] {
                gauges.queue_time.add(queued.unwrap_or(0));
                gauges.connect_time.add(connected.unwrap_or(0));
                gauges.response_time.add(log.response_time.unwrap_or(0));
                gauges.total_time.add(now.saturating_sub(log.started));
            }
        }
        self.leave_backend(index);
    }

    pub(crate) fn leave_backend(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if !std::mem::take(&mut slot.in_backend) {
            return;
        }
        if let Some(backend) = &self.shared.proxies[slot.backend as usize].backend {
            backend.gauges.leave();
            backend.balancer.inner().depart();
        }
    }

    /// Frees the connection.
    pub(crate) fn http_close(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if slot.stopping {
            return;
        }
        slot.stopping = true;
        if slot.stream.is_queued() {
            self.leave_queue(index);
        }
        self.drop_upstream(index);
        self.leave_server(index);
        self.leave_backend(index);
        let pipe = self.exchange(index).and_then(|one| one.pipe.take());
        self.give_pipe(pipe);
        if let Some(private) = self.take_private(index) {
            self.close_upstream(private);
        }
        if let Some(rest) = self.http(index).and_then(|http| http.rest.take()) {
            self.io.put(rest);
        }
        self.release_client(index);
        self.free_if_done(index);
    }
}
