//! A `mode http` connection as far as the stats page needs it: one request at a time, answered
//! by Python or by one of the proxy's own pages.

use std::io;

use telamon_plan::Timeouts;
use telamon_session::{Cause, End, Millis, Side, Stage};
use telamon_sys::{socket, Chunk};

use crate::conn::{NO_FD, RECV, SEND};
use crate::counters::{ProcessTotal, Total};
use crate::io::Io;
use crate::request::{self, Head, Parsed};
use crate::shared::Event;
use crate::worker::{count, Worker};

/// The largest request head, and the largest body of a page request (HAProxy's tune.bufsize).
const BUFFER: usize = 16 << 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// Waiting for the first byte of the next request.
    Idle,
    Head,
    Body,
    /// Python makes the page.
    Page,
    Sending,
    /// The answer is sent and our side is shut; what the client still sends is thrown away.
    Draining,
}

pub(crate) struct Http {
    step: Step,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    head: Option<Head>,
    keep_alive: bool,
    deadline: Millis,
    requests: u32,
    serial: u32,
    pub(crate) log: HttpLog,
}

/// What the log line of the current request says.
#[derive(Clone, Debug)]
pub(crate) struct HttpLog {
    pub(crate) started: Millis,
    pub(crate) accepted: Millis,
    pub(crate) idle: Millis,
    pub(crate) request_time: Option<Millis>,
    pub(crate) status: Option<u16>,
    pub(crate) bytes: u64,
    pub(crate) request_line: Option<Vec<u8>>,
    pub(crate) end: End,
    pub(crate) stats: bool,
    pub(crate) wall: std::time::SystemTime,
}

const NEVER: Millis = Millis::MAX;
const LINGER: Millis = 2000;

fn after(now: Millis, time: Option<Millis>) -> Millis {
    time.map_or(NEVER, |time| now.saturating_add(time))
}

impl Http {
    pub(crate) fn new(now: Millis, timeouts: &Timeouts) -> Self {
        Http {
            step: Step::Head,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            head: None,
            keep_alive: false,
            deadline: after(now, timeouts.http_request.or(timeouts.client)),
            requests: 0,
            serial: 0,
            log: HttpLog {
                started: now,
                accepted: now,
                idle: 0,
                request_time: None,
                status: None,
                bytes: 0,
                request_line: None,
                end: End::NORMAL,
                stats: false,
                wall: std::time::SystemTime::now(),
            },
        }
    }

    pub(crate) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    pub(crate) fn deadline(&self) -> Option<Millis> {
        (self.deadline != NEVER).then_some(self.deadline)
    }
}

/// A token names a slot, and which of its requests.
fn token(index: u32, thread: usize, serial: u32) -> u64 {
    u64::from(index) | (thread as u64 & 0xff) << 32 | u64::from(serial & 0xff_ffff) << 40
}

/// The thread that a token belongs to.
pub(crate) fn thread_of(token: u64) -> usize {
    (token >> 32 & 0xff) as usize
}

impl<I: Io> Worker<I> {
    fn http(&mut self, index: u32) -> Option<&mut Http> {
        self.slots.get(index).http.as_deref_mut()
    }

    fn timeouts(&mut self, index: u32) -> Timeouts {
        let proxy = self.slots.get(index).proxy as usize;
        self.shared.proxies[proxy].plan.timeouts.clone()
    }

    pub(crate) fn http_received(&mut self, index: u32, result: io::Result<Option<Chunk>>) {
        let chunk = match result {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return self.http_eof(index),
            Err(_) => return self.http_broke(index),
        };
        let data = self.io.pool().data(&chunk).to_vec();
        self.io.put(chunk);
        self.count_in(index, data.len() as u64);
        let now = self.now;
        let timeouts = self.timeouts(index);
        let Some(http) = self.http(index) else { return };
        match http.step {
            Step::Draining => return self.http_receive(index),
            Step::Idle => {
                http.step = Step::Head;
                http.log.idle = now - http.log.accepted;
                http.log.started = now;
                http.log.wall = std::time::SystemTime::now();
                http.deadline = after(now, timeouts.http_request.or(timeouts.client));
            }
            _ => {}
        }
        http.input.extend_from_slice(&data);
        self.http_advance(index);
    }

    /// Reads what has come so far as far as it goes.
    fn http_advance(&mut self, index: u32) {
        let Some(http) = self.http(index) else { return };
        if http.step == Step::Head {
            match request::parse(&http.input, BUFFER) {
                Parsed::Partial => return self.http_receive(index),
                Parsed::Bad(status) => return self.http_bad(index, status),
                Parsed::Head(head) => self.http_head(index, head),
            }
        }
        let Some(http) = self.http(index) else { return };
        if http.step == Step::Body {
            let Some(end) = http.head.as_ref().map(Head::with_body) else {
                return;
            };
            if http.input.len() < end {
                return self.http_receive(index);
            }
            self.http_page(index);
        } else {
            self.set_timer(index);
        }
    }

    fn http_head(&mut self, index: u32, head: Head) {
        let now = self.now;
        let shared = self.shared.clone();
        let proxy = &shared.proxies[self.slots.get(index).proxy as usize];
        self.counters().add(ProcessTotal::CumReq, 1);
        if let Some(frontend) = &proxy.frontend {
            count!(self, frontend.object, Total::ReqTot, 1);
            frontend.gauges.requests.hit(now);
        }
        let Some(http) = self.http(index) else { return };
        http.log.request_time = Some(now - http.log.started);
        http.log.request_line = Some(http.input[head.line.clone()].to_vec());
        http.requests += 1;
        http.keep_alive = head.keep_alive;
        let uri = &head.uri;
        let page = proxy
            .plan
            .stats
            .as_ref()
            .is_some_and(|page| uri.starts_with(page.uri.as_bytes()));
        let too_large = head.body.is_none_or(|body| body > BUFFER as u64);
        http.head = Some(head);
        if page && too_large {
            return self.http_bad(index, 413);
        }
        if page {
            http.step = Step::Body;
            http.log.stats = true;
            return;
        }
        // No server behind: HAProxy's 503.
        self.enter_backend(index);
        let Some(http) = self.http(index) else { return };
        http.log.end = End {
            cause: Cause::Server,
            stage: Stage::Connect,
        };
        http.keep_alive &= http.head.as_ref().is_some_and(|head| head.body == Some(0));
        let page = http
            .head
            .as_ref()
            .map(|head| request::answer(503, http.keep_alive, head));
        let page = page.unwrap_or_default();
        let logged = telamon_http::logged_size(&page);
        self.http_answer(index, 503, page, logged);
        self.leave_backend(index);
    }

    fn http_page(&mut self, index: u32) {
        let now = self.now;
        let thread = self.index;
        let slot = self.slots.get(index);
        let client = slot
            .client
            .map_or_else(|| "unix".to_owned(), |address| address.to_string());
        let proxy_id = self.shared.proxies[slot.proxy as usize].plan.id;
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        let Some(head) = &http.head else { return };
        http.step = Step::Page;
        http.deadline = NEVER;
        http.serial = http.serial.wrapping_add(1);
        http.log.started = http.log.started.min(now);
        let event = Event::Page {
            token: token(index, thread, http.serial ^ slot.generation[0]),
            proxy_id,
            client,
            head: http.input[head.start..head.end].to_vec(),
            body: http.input[head.end..head.with_body()].to_vec(),
        };
        self.shared.events.push(event);
        self.http_receive(index);
    }

    /// Python's answer to a page request; too late for one that is gone.
    pub(crate) fn respond(&mut self, answered: u64, response: Vec<u8>, keep_alive: bool) {
        let index = answered as u32;
        let thread = self.index;
        if index as usize >= self.slots.capacity() {
            return;
        }
        let slot = self.slots.get(index);
        let generation = slot.generation[0];
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        if http.step != Step::Page || token(index, thread, http.serial ^ generation) != answered {
            return;
        }
        http.keep_alive &= keep_alive;
        http.log.end = End {
            cause: Cause::Local,
            stage: Stage::Request,
        };
        let status = request::status_of(&response);
        if let Some(frontend) = &self.shared.proxies[self.slots.get(index).proxy as usize].frontend
        {
            count!(self, frontend.object, Total::Intercepted, 1);
        }
        let logged = telamon_http::logged_size(&response);
        self.http_answer(index, status, response, logged);
    }

    fn http_bad(&mut self, index: u32, status: u16) {
        let proxy = self.slots.get(index).proxy as usize;
        if let Some(frontend) = &self.shared.proxies[proxy].frontend {
            count!(self, frontend.object, Total::Ereq, 1);
        }
        let Some(http) = self.http(index) else { return };
        http.log.end = End {
            cause: Cause::Proxy,
            stage: Stage::Request,
        };
        http.keep_alive = false;
        self.http_answer(index, status, request::bare(status), 0);
    }

    fn http_answer(&mut self, index: u32, status: u16, response: Vec<u8>, logged: u64) {
        let now = self.now;
        let timeouts = self.timeouts(index);
        let proxy = self.slots.get(index).proxy as usize;
        if let Some(frontend) = &self.shared.proxies[proxy].frontend {
            let what = match status {
                100..=199 => Total::Hrsp1xx,
                200..=299 => Total::Hrsp2xx,
                300..=399 => Total::Hrsp3xx,
                400..=499 => Total::Hrsp4xx,
                500..=599 => Total::Hrsp5xx,
                _ => Total::HrspOther,
            };
            count!(self, frontend.object, what, 1);
        }
        let Some(http) = self.http(index) else { return };
        http.step = Step::Sending;
        http.log.status = Some(status);
        http.log.bytes = logged;
        http.output = response;
        http.sent = 0;
        http.deadline = after(now, timeouts.client);
        self.count_out(index);
        self.http_sent(index);
        self.set_timer(index);
    }

    /// Room to send: fills the next buffer, or goes on after the last.
    pub(crate) fn http_sent(&mut self, index: u32) {
        let now = self.now;
        let client = self.timeouts(index).client;
        let slot = self.slots.get(index);
        if slot.running[0] & SEND != 0 {
            return;
        }
        if !slot.out[0].is_empty() {
            return self.send(index, Side::Client);
        }
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        if http.step != Step::Sending {
            return;
        }
        if http.sent < http.output.len() {
            let class = if http.output.len() > BUFFER { 1 } else { 0 };
            let Some(mut chunk) = self.io.pool_mut().take_at_most(class) else {
                return self.http_broke(index);
            };
            let space = self.io.pool_mut().space(&chunk);
            let count = space.len().min(http.output.len() - http.sent);
            space[..count].copy_from_slice(&http.output[http.sent..http.sent + count]);
            chunk.fill(count);
            http.sent += count;
            http.deadline = after(now, client);
            slot.out[0].push(chunk);
            return self.send(index, Side::Client);
        }
        self.http_answered(index);
    }

    fn http_answered(&mut self, index: u32) {
        let now = self.now;
        self.log_http(index);
        let timeouts = self.timeouts(index);
        let slot = self.slots.get(index);
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        http.output = Vec::new();
        if !http.keep_alive {
            // The client must be able to read the answer even if it is still sending: our half
            // is shut, and its own end is awaited for a moment before the close (RFC 9112 9.6).
            http.step = Step::Draining;
            http.input = Vec::new();
            http.deadline = now + timeouts.client.unwrap_or(LINGER).min(LINGER);
            if slot.fds[0] != NO_FD {
                let _ = socket::shutdown_write(slot.fds[0]);
            }
            self.http_receive(index);
            return self.set_timer(index);
        }
        let used = http.head.take().map_or(0, |head| head.with_body());
        http.input.drain(..used.min(http.input.len()));
        let ahead = !http.input.is_empty();
        http.log.accepted = now;
        http.log.started = now;
        http.log.idle = 0;
        http.log.request_time = None;
        http.log.status = None;
        http.log.request_line = None;
        http.log.end = End::NORMAL;
        http.log.stats = false;
        http.log.wall = std::time::SystemTime::now();
        http.step = if ahead { Step::Head } else { Step::Idle };
        let idle = timeouts
            .http_keep_alive
            .or(timeouts.http_request)
            .or(timeouts.client);
        http.deadline = after(now, idle);
        if ahead {
            return self.http_advance(index);
        }
        http.input.shrink_to_fit();
        self.http_receive(index);
        self.set_timer(index);
    }

    fn http_receive(&mut self, index: u32) {
        let slot = self.slots.get(index);
        let key = slot.key(index, Side::Client);
        if slot.running[0] & RECV == 0 && slot.fds[0] != NO_FD {
            slot.running[0] |= RECV;
            self.io.recv(key, slot.fds[0], 0, false);
        }
        self.set_timer(index);
    }

    /// The client has sent its last byte.
    fn http_eof(&mut self, index: u32) {
        let Some(http) = self.http(index) else { return };
        match http.step {
            // Half-closed clients still get their answer.
            Step::Page | Step::Sending => http.keep_alive = false,
            Step::Head | Step::Body if !http.input.is_empty() => {
                http.log.end = End {
                    cause: Cause::Client,
                    stage: Stage::Request,
                };
                http.log.request_line = None;
                http.keep_alive = false;
                self.http_count_bad(index);
                self.http_answer(index, 400, request::bare(400), 0);
            }
            Step::Head => {
                http.log.end = End {
                    cause: Cause::Client,
                    stage: Stage::Request,
                };
                // Nobody reads it, but HAProxy's line names the answer that it was worth.
                http.log.status = Some(400);
                self.log_http_null(index);
                self.http_close(index);
            }
            _ => self.http_close(index),
        }
    }

    fn http_count_bad(&mut self, index: u32) {
        let proxy = self.slots.get(index).proxy as usize;
        if let Some(frontend) = &self.shared.proxies[proxy].frontend {
            count!(self, frontend.object, Total::Ereq, 1);
        }
    }

    pub(crate) fn http_broke(&mut self, index: u32) {
        let Some(http) = self.http(index) else { return };
        match http.step {
            Step::Sending | Step::Page => {
                http.log.end = End {
                    cause: Cause::Client,
                    stage: Stage::Data,
                };
                self.log_http(index);
            }
            Step::Head => {
                http.log.end = End {
                    cause: Cause::Client,
                    stage: Stage::Request,
                };
                // Nobody reads it, but HAProxy's line names the answer that it was worth.
                http.log.status = Some(400);
                self.log_http_null(index);
            }
            _ => {}
        }
        self.http_close(index);
    }

    pub(crate) fn http_timer(&mut self, index: u32) {
        let now = self.now;
        let Some(http) = self.http(index) else { return };
        if now < http.deadline {
            return self.set_timer(index);
        }
        match http.step {
            Step::Head | Step::Body => {
                let empty = http.input.is_empty() && http.requests > 0;
                if empty {
                    return self.http_close(index);
                }
                http.log.end = End {
                    cause: Cause::ClientTimeout,
                    stage: Stage::Request,
                };
                http.log.request_line = None;
                http.keep_alive = false;
                self.http_count_bad(index);
                self.http_answer(index, 408, request::bare(408), 0);
            }
            Step::Sending => {
                http.log.end = End {
                    cause: Cause::ClientTimeout,
                    stage: Stage::Data,
                };
                self.log_http(index);
                self.http_close(index);
            }
            Step::Page => {}
            Step::Idle | Step::Draining => self.http_close(index),
        }
    }

    /// Frees the connection.
    fn http_close(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if slot.stopping {
            return;
        }
        slot.stopping = true;
        self.leave_backend(index);
        self.release_client(index);
        self.free_if_done(index);
    }

    /// A 503 was booked at the backend; it is left with the connection.
    fn leave_backend(&mut self, index: u32) {
        let slot = self.slots.get(index);
        if !std::mem::take(&mut slot.in_backend) {
            return;
        }
        if let Some(backend) = &self.shared.proxies[slot.backend as usize].backend {
            backend.gauges.leave();
        }
    }

    fn count_in(&mut self, index: u32, count: u64) {
        let slot = self.slots.get(index);
        let (proxy, listener) = (slot.proxy as usize, slot.listener as usize);
        count!(
            self,
            self.shared.listeners[listener].object,
            Total::Bin,
            count
        );
        if let Some(frontend) = &self.shared.proxies[proxy].frontend {
            count!(self, frontend.object, Total::Bin, count);
        }
    }

    fn count_out(&mut self, index: u32) {
        let slot = self.slots.get(index);
        let count = slot
            .http
            .as_ref()
            .map_or(0, |http| http.output.len() as u64);
        let (proxy, listener) = (slot.proxy as usize, slot.listener as usize);
        count!(
            self,
            self.shared.listeners[listener].object,
            Total::Bout,
            count
        );
        if let Some(frontend) = &self.shared.proxies[proxy].frontend {
            count!(self, frontend.object, Total::Bout, count);
        }
        self.counters().add(ProcessTotal::BytesOut, count);
    }
}
