//! From a request to a server: choose the backend, pick, connect or take an idle connection, send.

use std::io;

use telamon_http::forward;
use telamon_plan::{http::Reuse, LogStep};
use telamon_session::{Action, Cause, End, Side, Stage, Stream};

use super::idle::PROVEN;
use super::Step;
use crate::conn::{Marks, Role, CONNECT, NONE, NO_FD, RECV, SEND};
use crate::counters::Total;
use crate::io::{Io, Key};
use crate::worker::{count, Worker};

/// A body's begin that is not longer than this goes with the head, in one buffer.
pub(super) const TOGETHER: usize = 8 << 10;

impl<I: Io> Worker<I> {
    pub(super) fn http_enter_backend(&mut self, index: u32) {
        let last = self.http(index).map_or((NONE, NONE), |http| http.last);
        self.enter_backend(index);
        self.prefer(index, last);
        let now = self.now;
        let slot = self.slots.get(index);
        slot.stream = Stream::new(now);
        slot.server = NONE;
        slot.previous = NONE;
        slot.queue_ahead = [0; 2];
        if let Some(http) = slot.http.as_deref_mut() {
            http.step = Step::Choosing;
        }
        self.http_choose(index);
    }

    /// The server of the client's last request, as (backend, server), is the one to take again
    /// (`option prefer-last-server`), unless rules want another.
    fn prefer(&mut self, index: u32, last: (u32, u32)) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let (backend, server) = last;
        if slot.wanted != NONE || server == NONE || backend != slot.backend {
            return;
        }
        let proxy = &shared.proxies[backend as usize];
        let http = &proxy.plan.http;
        let longest_queue = http.max_keep_alive_queue.unwrap_or(0);
        let stays = http.prefer_last_server
            && proxy
                .backend
                .as_ref()
                .is_some_and(|found| found.may_prefer(server as usize, longest_queue));
        if stays {
            slot.wanted = server;
        }
    }

    /// Carries out what the stream's machine wants until the request is with a server, waits, or
    /// has failed.
    pub(crate) fn http_choose(&mut self, index: u32) {
        loop {
            let slot = self.slots.get(index);
            if !slot.used || slot.stopping {
                return;
            }
            match slot.http.as_deref() {
                Some(http) if http.step == Step::Choosing => {}
                _ => return,
            }
            if slot.stream.has_failed() {
                return self.http_failed(index);
            }
            match slot.stream.take_action() {
                Some(Action::Pick { avoid }) => self.pick(index, avoid),
                Some(Action::LeaveQueue) => self.leave_queue(index),
                Some(Action::Connect) => self.http_connect(index),
                Some(Action::Abandon) => self.drop_upstream(index),
                _ => break,
            }
        }
        self.http_receive(index);
        self.set_timer(index);
    }

    fn http_connect(&mut self, index: u32) {
        if self.redirected(index) {
            return;
        }
        if let Some(up) = self.take_idle(index) {
            let now = self.now;
            let policy = self.policy(index);
            let slot = self.slots.get(index);
            slot.stream.connecting(now, &policy);
            self.unpool(up);
            self.attach(index, up, true);
            self.count_reuse(index);
            return self.http_connected(index);
        }
        self.connect(index);
    }

    /// An idle connection to the picked server that this request may use.
    fn take_idle(&mut self, index: u32) -> Option<u32> {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let (backend, server) = (slot.backend, slot.server);
        let reuse = shared.route(slot.proxy, slot.backend).reuse;
        let retried = slot.stream.retries() > 0;
        let marked = slot.server_marks != Marks::default();
        let http = slot.http.as_deref_mut()?;
        let first = http.requests <= 1;
        if let Some(own) = self.take_private(index) {
            let up = self.slots.get(own);
            if up.backend == backend && up.server == server && !retried && !marked {
                return Some(own);
            }
            self.close_upstream(own);
        }
        let allowed = match reuse {
            Reuse::Never => false,
            Reuse::Safe => !first,
            Reuse::Aggressive | Reuse::Always => true,
        };
        if !allowed || retried || marked {
            return None;
        }
        let found = shared.server(backend, server)?;
        let least_uses = match reuse == Reuse::Aggressive && first {
            true => PROVEN,
            false => 0,
        };
        if let Some(up) = self.pools.take(found.object) {
            if self.slots.get(up).uses >= least_uses {
                return Some(up);
            }
            self.pools.put(found.object, up);
        }
        self.borrow(index, found, least_uses)
    }

    /// A connection's slot and a client's begin to belong to each other.
    pub(crate) fn attach(&mut self, index: u32, up: u32, reused: bool) {
        self.slots.get(index).peer = up;
        let slot = self.slots.get(up);
        slot.peer = index;
        slot.uses += 1;
        if let Some(exchange) = self.exchange(index) {
            exchange.reused = reused;
        }
    }

    /// A slot for a connection to the server that the client's stream has picked.
    pub(crate) fn new_upstream(&mut self, index: u32) -> u32 {
        let up = self.upstream_slot(index);
        self.attach(index, up, false);
        up
    }

    /// The same, without a client as yet.
    pub(super) fn upstream_slot(&mut self, index: u32) -> u32 {
        let (backend, server, proxy, listener) = {
            let slot = self.slots.get(index);
            (slot.backend, slot.server, slot.proxy, slot.listener)
        };
        let up = self.slots.take();
        let slot = self.slots.get(up);
        slot.role = Role::Upstream;
        slot.backend = backend;
        slot.server = server;
        slot.proxy = proxy;
        slot.listener = listener;
        slot.uses = 0;
        slot.in_backend = false;
        slot.placed = false;
        up
    }

    pub(crate) fn upstream_connected(&mut self, key: Key, result: io::Result<()>) {
        let up = key.slot;
        let index = self.slots.get(up).peer;
        self.slots.get(up).running[Side::Server as usize] &= !CONNECT;
        if index == NONE {
            return self.close_upstream(up);
        }
        match result {
            Ok(()) => {
                self.observe_connected(index);
                self.announce(index, up);
                self.http_connected(index);
            }
            Err(error) => self.connect_failed(index, &error),
        }
        self.http_choose(index);
    }

    /// The connection is there: the request goes out.
    fn http_connected(&mut self, index: u32) {
        let now = self.now;
        let slot = self.slots.get(index);
        slot.stream.connected(now);
        if slot.stream.has_failed() {
            return;
        }
        self.log_step(index, LogStep::Connect);
        let slot = self.slots.get(index);
        let (up, backend, server) = (slot.peer, slot.backend as usize, slot.server as usize);
        let head = slot.exchange().map_or(0, |exchange| exchange.head_size);
        self.count_behind(index, Side::Client, head);
        let slot = self.slots.get(index);
        let shared = self.shared.clone();
        let route = shared.route(slot.proxy, slot.backend);
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        http.step = Step::Waiting;
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return;
        };
        exchange.connected_at = now;
        exchange.server_active = now;
        exchange.client_active = now;
        let scratch = &mut self.scratch;
        scratch.clear();
        scratch.extend_from_slice(&exchange.outgoing);
        if let (Some(name), Some(found)) = (&route.server_name, &shared.proxies[backend].backend) {
            forward::write_field(scratch, name, found.servers[server].name.as_bytes());
        }
        forward::write_end(scratch, exchange.connection);
        if route.server_case {
            shared.cases.apply(scratch);
        }
        if route.drop_request_trailers {
            exchange.upload.drop_trailers();
        }
        if let Some(kept) = &exchange.kept_body {
            scratch.extend_from_slice(kept);
        } else if route.retry.keeps_requests() && self.http_keepable(index) {
            if let Some(exchange) = self.exchange(index) {
                exchange.kept_body = Some(Vec::new());
            }
        }
        let scratch = std::mem::take(&mut self.scratch);
        self.push(up, Side::Server, &scratch);
        self.scratch = scratch;
        self.upstream_receive(up);
        // The body's begin, or the next request, came with the head.
        self.take_rest(index);
        self.flush(up, Side::Server);
        self.set_timer(index);
    }

    /// Nothing of its body has gone yet that a retry would miss.
    fn http_keepable(&mut self, index: u32) -> bool {
        self.slots.get(index).stream.retries() == 0
            || self
                .exchange(index)
                .is_some_and(|exchange| exchange.upload.is_done())
    }

    /// Own bytes for a side.
    pub(crate) fn push(&mut self, index: u32, side: Side, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let class = usize::from(rest.len() > 16 << 10);
            let Some(mut chunk) = self.io.pool_mut().take_at_most(class) else {
                // Without it the stream is broken; its end closes both sides.
                return self.starved_of_buffers(index, side);
            };
            let space = self.io.pool_mut().space(&chunk);
            let count = space.len().min(rest.len());
            space[..count].copy_from_slice(&rest[..count]);
            chunk.fill(count);
            rest = &rest[count..];
            self.slots.get(index).out[side as usize].push(chunk);
        }
    }

    /// Sends what waits for a side, unless a send runs.
    #[inline]
    pub(crate) fn flush(&mut self, index: u32, side: Side) {
        if index == NONE {
            return;
        }
        let slot = self.slots.get(index);
        if slot.running[side as usize] & (SEND | CONNECT) == 0 {
            self.send(index, side);
        }
    }

    /// Reads on from the server, if there is room at the client.
    pub(crate) fn upstream_receive(&mut self, up: u32) {
        let slot = self.slots.get(up);
        if slot.running[1] & RECV != 0 || slot.fds[1] == NO_FD || slot.eof {
            return;
        }
        let owner = slot.peer;
        if owner != NONE && self.slots.get(owner).is_splicing() {
            return;
        }
        if owner != NONE && self.slots.get(owner).out[0].len() >= crate::worker::MAX_BUFFERS {
            return;
        }
        let slot = self.slots.get(up);
        let key = slot.key(up, Side::Server);
        slot.running[1] |= RECV;
        let (class, more) = (usize::from(slot.class[1]), slot.more[1]);
        self.io.recv(key, slot.fds[1], class, more);
    }

    /// No server has taken the request: what the client is told of it.
    fn http_failed(&mut self, index: u32) {
        let slot = self.slots.get(index);
        let end = slot.stream.end();
        // What it still wants done is done here: places and the queue are given back.
        if slot.queue != NONE || slot.stream.is_queued() {
            self.leave_queue(index);
        }
        while let Some(action) = self.slots.get(index).stream.take_action() {
            if action == Action::LeaveQueue {
                self.leave_queue(index);
            }
            if action == Action::Finish {
                break;
            }
        }
        self.drop_upstream(index);
        self.leave_server(index);
        match end.cause {
            Cause::Client => {
                self.http_end(index, end);
                self.http_close(index);
            }
            Cause::Killed | Cause::Internal => {
                self.http_end(index, end);
                self.http_close(index);
            }
            _ => self.fail(index, 503, end),
        }
    }

    /// The exchange ends with an error page.
    pub(super) fn fail(&mut self, index: u32, status: u16, end: End) {
        self.discard_rest(index);
        if let Some(exchange) = self.exchange(index) {
            exchange.log.end = end;
            exchange.held = None;
            // What the client still sends of its body has no reader any more.
            exchange.keep &= exchange.upload.is_done();
        }
        self.http_error(index, status);
    }

    /// After a failure of an established connection: may the request be sent once more?
    pub(super) fn http_retry(&mut self, index: u32) -> bool {
        let mut policy = self.policy(index);
        let servers = self.servers_of(index);
        let now = self.now;
        let slot = self.slots.get(index);
        policy.retries = self.shared.proxies[slot.proxy as usize].route.retry.most;
        if u32::from(slot.stream.retries()) >= policy.retries {
            return false;
        }
        let keeps = slot.exchange().is_some_and(|exchange| {
            !exchange.answered
                && !exchange.no_retry
                && (exchange.upload.is_done() && exchange.kept_body.is_some())
        });
        if !keeps {
            return false;
        }
        self.drop_upstream(index);
        let slot = self.slots.get(index);
        slot.stream.lost(now, &policy, servers);
        if let Some(http) = slot.http.as_deref_mut() {
            http.step = Step::Choosing;
        }
        if let Some(exchange) = self.exchange(index) {
            exchange.incoming.clear();
            exchange.server_closes = false;
            exchange.log.bytes = 0;
            exchange.log.status = None;
            exchange.log.response_time = None;
        }
        self.count_retry(index);
        self.http_choose(index);
        true
    }

    fn count_reuse(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if let Some(backend) = &self.shared.proxies[slot.backend as usize].backend {
            let server = &backend.servers[slot.server as usize];
            count!(self, backend.object, Total::Reuse, 1);
            count!(self, server.object, Total::Reuse, 1);
        }
    }

    /// A server's answer that is worth another try.
    pub(super) fn count_response_error(&mut self, index: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        if slot.backend == NONE {
            return;
        }
        if let Some(backend) = &shared.proxies[slot.backend as usize].backend {
            count!(self, backend.object, Total::Eresp, 1);
            if let Some(server) = backend.servers.get(slot.server as usize) {
                count!(self, server.object, Total::Eresp, 1);
            }
        }
    }

    /// What has come of the request's body has no reader. If it is all of it, the client's
    /// connection is as good as before.
    fn discard_rest(&mut self, index: u32) {
        let Some(http) = self.slots.get(index).http.as_deref_mut() else {
            return;
        };
        let (Some(exchange), Some(mut rest)) = (http.exchange.as_deref_mut(), http.rest.take())
        else {
            return;
        };
        self.rewritten.clear();
        let taken = (exchange.upload).take(self.io.pool().data(&rest), &mut self.rewritten);
        match taken {
            Ok(taken) if taken.used < rest.len() => {
                rest.advance(taken.used);
                http.rest = Some(rest);
            }
            _ => self.io.put(rest),
        }
    }

    /// The letters of an end in this step of the exchange.
    pub(super) fn end_of(&mut self, index: u32, cause: Cause) -> End {
        let uploads = self
            .exchange(index)
            .is_some_and(|exchange| !exchange.upload.is_done());
        let stage = match self.http(index).map(|http| http.step) {
            Some(Step::Choosing) if self.slots.get(index).stream.is_queued() => Stage::Queue,
            Some(Step::Choosing) => Stage::Connect,
            Some(Step::Waiting) if uploads && cause == Cause::Client => Stage::Data,
            Some(Step::Waiting) => Stage::Header,
            Some(Step::Calling | Step::Held)
                if self.exchange(index).is_some_and(|one| one.held.is_some()) =>
            {
                Stage::Header
            }
            Some(
                Step::Idle | Step::Head | Step::Body | Step::Page | Step::Gathering | Step::Calling,
            )
            | None => Stage::Request,
            Some(_) => Stage::Data,
        };
        End { cause, stage }
    }
}
