//! Rules that wait for a request's body: `wait-for-body`, and `option http-buffer-request`.

use telamon_session::{Cause, End, Millis, Side, Stage};
use telamon_sys::pool;

use super::Flow;
use crate::http::{after, Step};
use crate::io::Io;
use crate::worker::Worker;

/// RFC 9110 15.2.1
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl<I: Io> Worker<I> {
    /// `option http-buffer-request`, within `timeout http-request`. `from`: 1 once it has waited.
    pub(super) fn buffer_request(&mut self, index: u32, proxy: u32, from: usize) -> Flow {
        let shared = self.shared.clone();
        let plan = &shared.proxies[proxy as usize].plan;
        let waited = self
            .exchange(index)
            .is_none_or(|one| one.upload.is_done() || one.is_connect);
        if !plan.http.buffer_request || from > 0 || waited {
            return Flow::On;
        }
        let time = plan.timeouts.http_request.or(plan.timeouts.client);
        if let Some(exchange) = self.exchange(index) {
            exchange.log.body_counts = true;
        }
        self.gather(index, 1, time, 0)
    }

    /// More of the body is read, up to a buffer, before the list goes on with `rule`.
    pub(super) fn gather(
        &mut self,
        index: u32,
        rule: usize,
        time: Option<Millis>,
        bytes: u64,
    ) -> Flow {
        let (now, most) = (self.now, self.shared.sizes.buffer);
        let Some(http) = self.http(index) else {
            return Flow::Stop;
        };
        if let Some(exchange) = http.exchange.as_deref_mut() {
            if exchange.raw_head > 0 {
                // A page collects its request's body by itself.
                return Flow::On;
            }
            exchange.place.rule = rule;
            exchange.gather = match bytes {
                0 => most,
                _ => usize::try_from(bytes).unwrap_or(most).min(most),
            };
        }
        http.step = Step::Gathering;
        http.deadline = after(now, time);
        self.ask_for_body(index);
        self.gather_more(index);
        Flow::Stop
    }

    /// A client that waits to be asked for its body is asked, and the server need not do it again.
    fn ask_for_body(&mut self, index: u32) {
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        let is = |value: &[u8]| value.eq_ignore_ascii_case(b"100-continue");
        let waits = exchange.head.values(b"expect").any(is);
        if !waits || !exchange.version.is_1_1() || exchange.upload.is_done() {
            return;
        }
        exchange.head.remove_fields(|field| field.is("expect"));
        exchange.log.bytes += telamon_http::logged_size(CONTINUE);
        self.push(index, Side::Client, CONTINUE);
        self.flush(index, Side::Client);
    }

    /// Something of the body came while rules wait for it.
    pub(crate) fn gather_more(&mut self, index: u32) {
        let most = self.shared.sizes.buffer;
        let Some(http) = self.http(index) else { return };
        let rest = http.rest.take();
        let come = rest.map(|chunk| {
            let data = self.io.pool().data(&chunk).to_vec();
            self.io.put(chunk);
            data
        });
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        let mut complete = exchange.upload.is_done();
        exchange.raw.extend(come.unwrap_or_default());
        // The body is read from the start each time: it is small, and it comes in few pieces.
        let (mut body, raw) = (exchange.upload.clone(), std::mem::take(&mut exchange.raw));
        exchange.gathered.clear();
        let mut gathered = std::mem::take(&mut exchange.gathered);
        let failed = body.take_bare(&raw, &mut gathered).is_err();
        exchange.gathered = gathered;
        exchange.raw = raw;
        complete |= body.is_done() || exchange.gathered.len() >= exchange.gather;
        complete |= exchange.raw.len() >= most;
        if failed {
            return self.bad_upload(index);
        }
        if complete {
            return self.gathered(index);
        }
        self.http_receive(index);
        self.set_timer(index);
    }

    /// The body did not come in time.
    pub(crate) fn gathered_late(&mut self, index: u32) {
        let end = End {
            cause: Cause::ClientTimeout,
            stage: Stage::Request,
        };
        self.count_bad_request(index);
        if let Some(exchange) = self.exchange(index) {
            exchange.log.request_time = None;
        }
        self.fail(index, 408, end);
    }

    /// As much of the body is there as rules wait for, or their time is over: what was read goes
    /// on as if it had just come.
    pub(crate) fn gathered(&mut self, index: u32) {
        let now = self.now;
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        if std::mem::take(&mut exchange.log.body_counts) {
            exchange.log.request_time = Some(now.saturating_sub(exchange.log.started));
        }
        let raw = std::mem::take(&mut exchange.raw);
        let chunk = if raw.is_empty() {
            None
        } else {
            let class = pool::SIZES.iter().position(|size| *size >= raw.len());
            let Some(mut chunk) = class.and_then(|class| self.io.pool_mut().take(class)) else {
                return self.http_broke(index);
            };
            let space = self.io.pool_mut().space(&chunk);
            let count = space.len().min(raw.len());
            space[..count].copy_from_slice(&raw[..count]);
            chunk.fill(count);
            Some(chunk)
        };
        if let Some(http) = self.http(index) {
            http.step = Step::Head;
            http.rest = chunk;
        }
        self.request_rules(index);
    }
}
