//! Answers of the proxy's own: pages that Python makes, error pages, the monitor's.

use telamon_http::{Answer, Persistence};
use telamon_session::{Cause, End, Side, Stage};
use telamon_sys::Chunk;

use super::{after, token, Step, BUFFER, NEVER};
use crate::conn::SEND;
use crate::counters::{ProcessTotal, Total};
use crate::io::Io;
use crate::mailbox::Event;
use crate::worker::{count, Worker};

impl<I: Io> Worker<I> {
    /// A request for the stats page: its body is collected, then Python makes the page.
    pub(super) fn page_begin(&mut self, index: u32) {
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        exchange.log.stats = true;
        exchange.raw_total = match &exchange.upload {
            super::Body::Done => exchange.raw_head,
            super::Body::Left(left) if *left <= BUFFER as u64 => exchange.raw_head + *left as usize,
            // Pages take small bodies of known length.
            _ => return self.http_bad(index, 413),
        };
        exchange.upload = super::Body::Done;
        if let Some(http) = self.http(index) {
            http.step = Step::Body;
            if let Some(rest) = http.rest.take() {
                return self.page_body(index, rest);
            }
        }
        self.page_collected(index);
    }

    pub(super) fn page_body(&mut self, index: u32, mut chunk: Chunk) {
        let data = self.io.pool().data(&chunk);
        let Some(exchange) = self.slots.get(index).exchange() else {
            return self.io.put(chunk);
        };
        let count = (exchange.raw_total - exchange.raw.len()).min(data.len());
        exchange.raw.extend_from_slice(&data[..count]);
        chunk.advance(count);
        if chunk.is_empty() {
            self.io.put(chunk);
        } else if let Some(http) = self.http(index) {
            http.rest = Some(chunk);
        }
        self.page_collected(index);
    }

    fn page_collected(&mut self, index: u32) {
        let (thread, serial) = (self.index, self.next_serial());
        let slot = self.slots.get(index);
        let client = slot
            .client
            .map_or_else(|| "unix".to_owned(), |address| address.to_string());
        let proxy_id = self.shared.proxies[slot.proxy as usize].plan.id;
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return;
        };
        if exchange.raw.len() < exchange.raw_total {
            self.http_receive(index);
            return self.set_timer(index);
        }
        http.step = Step::Page;
        http.deadline = NEVER;
        http.serial = serial;
        let event = Event::Page {
            token: token(index, thread, serial),
            proxy_id,
            client,
            head: exchange.raw[..exchange.raw_head].to_vec(),
            body: exchange.raw[exchange.raw_head..].to_vec(),
        };
        self.shared.events.push(event);
        self.http_receive(index);
        self.set_timer(index);
    }

    /// Python's answer to a page request; too late for one that is gone.
    pub(crate) fn respond(&mut self, answered: u64, response: Vec<u8>, keep_alive: bool) {
        let index = answered as u32;
        let thread = self.index;
        if index as usize >= self.slots.capacity() {
            return;
        }
        let slot = self.slots.get(index);
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        if http.step != Step::Page || token(index, thread, http.serial) != answered {
            return;
        }
        if let Some(exchange) = http.exchange.as_deref_mut() {
            exchange.keep &= keep_alive;
            exchange.log.end = End {
                cause: Cause::Local,
                stage: Stage::Request,
            };
        }
        let status = status_of(&response);
        if let Some(frontend) = &self.shared.proxies[self.slots.get(index).proxy as usize].frontend
        {
            count!(self, frontend.object, Total::Intercepted, 1);
        }
        let logged = telamon_http::logged_size(&response);
        self.http_answer(index, status, response, logged);
    }

    /// `monitor-uri`: the frontend says that it serves, unless `monitor fail` says otherwise.
    pub(super) fn monitor(&mut self, index: u32) {
        let status = if self.monitor_fails(index) { 503 } else { 200 };
        if let Some(exchange) = self.exchange(index) {
            exchange.log.end = End {
                cause: Cause::Local,
                stage: Stage::Request,
            };
            exchange.keep &= exchange.upload.is_done();
            // Nothing is said of it in the log (manual, `monitor-uri`).
            exchange.log.left_out = true;
        }
        self.http_error(index, status);
    }

    /// A head that was not understood.
    pub(super) fn http_bad(&mut self, index: u32, status: u16) {
        self.count_bad_request(index);
        if let Some(exchange) = self.exchange(index) {
            exchange.log.end = End {
                cause: Cause::Proxy,
                stage: Stage::Request,
            };
            exchange.log.request_line = None;
            exchange.keep = false;
        }
        self.bare_answer(index, status);
    }

    /// The answer to what was no request.
    pub(super) fn bare_answer(&mut self, index: u32, status: u16) {
        // As in HAProxy, which has no stream yet: an error file counts only where it is empty.
        let silent = self
            .own_error(index, status)
            .is_some_and(|own| own.is_empty());
        let page = if silent { Vec::new() } else { bare(status) };
        self.http_answer(index, status, page, 0);
    }

    pub(crate) fn count_bad_request(&mut self, index: u32) {
        let proxy = self.slots.get(index).proxy as usize;
        if let Some(frontend) = &self.shared.proxies[proxy].frontend {
            count!(self, frontend.object, Total::Ereq, 1);
        }
    }

    /// An error page to a request that was read.
    pub(super) fn http_error(&mut self, index: u32, status: u16) {
        if let Some((head, body)) = self.made_error(index, status) {
            return self.own_answer(index, head, &body);
        }
        let own = self.own_error(index, status);
        // HAProxy's own texts of these two end the connection by a field that its logs count.
        let (closing, ready_made) = (matches!(status, 400 | 408), own.is_none());
        let stopping = self.soft_stopping;
        if self.has_after_rules(index) {
            let mut page = own.unwrap_or_default();
            if let (true, Some(answer)) = (page.is_empty(), Answer::of(status)) {
                answer.write(Persistence::Implied, false, &mut page);
            }
            let mut parser = telamon_http::ResponseParser::new(page.len() + 1);
            if let Ok(Some(response)) = parser.parse(&page) {
                let mut head = telamon_http::Message::default();
                head.take_response(&response);
                return self.own_answer(index, head, &page[response.end..]);
            }
        }
        let own = self.own_error(index, status);
        let Some(http) = self.http(index) else { return };
        let ended = http.ended;
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return;
        };
        exchange.keep &= !(stopping || ended || closing && ready_made);
        let page = match own {
            Some(page) => {
                let client_is_1_1 = exchange.version.is_1_1();
                let (page, keep) = own_page(page, exchange.keep, client_is_1_1, exchange.is_head);
                exchange.keep = keep;
                page
            }
            None => {
                let persistence = match (exchange.keep, exchange.version.is_1_1()) {
                    (true, true) => Persistence::Implied,
                    (true, false) => Persistence::KeepAlive,
                    (false, _) => Persistence::Close,
                };
                let mut page = Vec::new();
                if let Some(answer) = Answer::of(status) {
                    answer.write(persistence, exchange.is_head, &mut page);
                }
                page
            }
        };
        let mut logged = telamon_http::logged_size(&page);
        if closing && ready_made {
            logged += "connectionclose".len() as u64;
        }
        self.http_answer(index, status, page, logged);
        self.leave_backend(index);
    }

    /// An `http-error` reply that is made of parts.
    fn made_error(&mut self, index: u32, status: u16) -> Option<(telamon_http::Message, Vec<u8>)> {
        let shared = self.shared.clone();
        let (front, back) = self.sections(index);
        for place in [back, front] {
            let Some(program) = shared.programs.of.get(place as usize) else {
                continue;
            };
            if let Some(reply) = program.errors.iter().find(|one| one.status == status) {
                return self.evaluate(index, |env| reply.make(env));
            }
            let errors = &shared.proxies[place as usize].errors;
            if errors.iter().any(|error| error.0 == status) {
                return None;
            }
        }
        None
    }

    /// `errorfile` and its kin: the backend's words win over the frontend's.
    fn own_error(&mut self, index: u32, status: u16) -> Option<Vec<u8>> {
        let slot = self.slots.get(index);
        let proxies = &self.shared.proxies;
        let behind = proxies.get(slot.backend as usize);
        let front = &proxies[slot.proxy as usize];
        [behind, Some(front)].into_iter().flatten().find_map(|one| {
            let found = one.errors.iter().find(|error| error.0 == status);
            found.map(|error| error.1.clone())
        })
    }

    pub(super) fn http_answer(
        &mut self,
        index: u32,
        status: u16,
        mut response: Vec<u8>,
        logged: u64,
    ) {
        let now = self.now;
        let front = self.slots_proxy(index) as usize;
        if self.shared.proxies[front].plan.http.adjust_client_case {
            self.shared.cases.apply(&mut response);
        }
        let proxy = self.slots.get(index).proxy as usize;
        let client = self.shared.proxies[proxy].plan.timeouts.client;
        self.count_status(index, status, false);
        let Some(http) = self.http(index) else { return };
        http.step = Step::Sending;
        http.deadline = after(now, client);
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return;
        };
        exchange.log.status = Some(status);
        exchange.log.bytes += logged;
        exchange.sent = 0;
        let count = response.len() as u64;
        exchange.output = response;
        self.count_out(index, count);
        self.send_answer(index);
        self.set_timer(index);
    }

    /// Room to send: fills the next buffer, or goes on after the last.
    pub(super) fn send_answer(&mut self, index: u32) {
        let now = self.now;
        let proxy = self.slots.get(index).proxy as usize;
        let client = self.shared.proxies[proxy].plan.timeouts.client;
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
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return;
        };
        let left = &exchange.output[exchange.sent..];
        if left.is_empty() {
            return self.http_finish(index);
        }
        let class = usize::from(left.len() > BUFFER);
        let Some(mut chunk) = self.io.pool_mut().take_at_most(class) else {
            return self.http_broke(index);
        };
        let space = self.io.pool_mut().space(&chunk);
        let count = space.len().min(left.len());
        space[..count].copy_from_slice(&left[..count]);
        chunk.fill(count);
        exchange.sent += count;
        http.deadline = after(now, client);
        slot.out[0].push(chunk);
        self.send(index, Side::Client);
    }

    /// A response's status, in the columns of all that it passed; `served`: a server said it.
    pub(super) fn count_status(&mut self, index: u32, status: u16, served: bool) {
        let what = match status {
            100..=199 => Total::Hrsp1xx,
            200..=299 => Total::Hrsp2xx,
            300..=399 => Total::Hrsp3xx,
            400..=499 => Total::Hrsp4xx,
            500..=599 => Total::Hrsp5xx,
            _ => Total::HrspOther,
        };
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let (proxy, backend, server) = (slot.proxy as usize, slot.backend as usize, slot.server);
        if let Some(frontend) = &shared.proxies[proxy].frontend {
            count!(self, frontend.object, what, 1);
        }
        if !slot.in_backend {
            return;
        }
        if let Some(found) = shared
            .proxies
            .get(backend)
            .and_then(|proxy| proxy.backend.as_ref())
        {
            count!(self, found.object, what, 1);
            count!(self, found.object, Total::ReqTot, 1);
            if let Some(server) = found.servers.get(server as usize).filter(|_| served) {
                count!(self, server.object, what, 1);
                count!(self, server.object, Total::ReqTot, 1);
            }
        }
    }

    fn count_out(&mut self, index: u32, count: u64) {
        let slot = self.slots.get(index);
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

/// An error file as it goes out, and whether the connection is kept behind it: only a body whose
/// length is said leaves it usable. What becomes of it is said at the end of the headers.
fn own_page(mut page: Vec<u8>, keep: bool, client_is_1_1: bool, is_head: bool) -> (Vec<u8>, bool) {
    let Some(end) = page.windows(4).position(|four| four == b"\r\n\r\n") else {
        return (Vec::new(), false);
    };
    let end = end + 2;
    let says = |name: &[u8]| {
        page[..end]
            .split(|byte| *byte == b'\n')
            .any(|line| line.len() >= name.len() && line[..name.len()].eq_ignore_ascii_case(name))
    };
    let told = says(b"connection:");
    let keep = keep && !told && says(b"content-length:");
    let is_1_1 = page.starts_with(b"HTTP/1.1 ");
    let word: &[u8] = match (keep, is_1_1) {
        _ if told => b"",
        (true, true) if client_is_1_1 => b"",
        (true, _) => b"connection: keep-alive\r\n",
        (false, true) => b"connection: close\r\n",
        (false, false) => b"",
    };
    if is_head {
        page.truncate(end + 2);
    }
    page.splice(end..end, word.iter().copied());
    (page, keep)
}

/// The proxy's own answer to a request that was not understood.
fn bare(status: u16) -> Vec<u8> {
    Answer::of(status)
        .or_else(|| Answer::of(400))
        .map(Answer::bare)
        .unwrap_or_default()
}

/// The status of a response head; 0 if it has none.
fn status_of(response: &[u8]) -> u16 {
    let digits = response.get(9..12).unwrap_or_default();
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::own_page;

    #[test]
    fn an_error_file_ends_with_what_becomes_of_the_connection() {
        // As HAProxy 2.6 sends them: file, keep, client speaks 1.1, what is added, kept.
        let cases: [(&str, bool, bool, &str, bool); 8] = [
            (
                "HTTP/1.1 503 X\r\ncontent-length: 2\r\n",
                true,
                true,
                "",
                true,
            ),
            (
                "HTTP/1.1 503 X\r\ncontent-length: 2\r\n",
                false,
                true,
                "connection: close\r\n",
                false,
            ),
            (
                "HTTP/1.1 503 X\r\ncontent-length: 2\r\n",
                true,
                false,
                "connection: keep-alive\r\n",
                true,
            ),
            (
                "HTTP/1.1 503 X\r\nx-a: b\r\n",
                true,
                true,
                "connection: close\r\n",
                false,
            ),
            (
                "HTTP/1.1 503 X\r\nconnection: close\r\n",
                true,
                true,
                "",
                false,
            ),
            (
                "HTTP/1.0 503 X\r\ncontent-length: 2\r\n",
                true,
                true,
                "connection: keep-alive\r\n",
                true,
            ),
            (
                "HTTP/1.0 503 X\r\ncontent-length: 2\r\n",
                false,
                true,
                "",
                false,
            ),
            ("HTTP/1.0 503 X\r\n", true, true, "", false),
        ];
        for (head, keep, client_is_1_1, added, kept) in cases {
            let page = format!("{head}\r\nhi").into_bytes();
            let sent = own_page(page.clone(), keep, client_is_1_1, false);
            assert_eq!(sent, (format!("{head}{added}\r\nhi").into_bytes(), kept));
            let (sent, _) = own_page(page, keep, client_is_1_1, true);
            assert_eq!(sent, format!("{head}{added}\r\n").into_bytes());
        }
        assert_eq!(own_page(Vec::new(), true, true, false), (Vec::new(), false));
    }
}
