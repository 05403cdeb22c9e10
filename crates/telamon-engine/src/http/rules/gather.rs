//! Rules that wait for a request's body.

use telamon_session::Millis;

use super::Flow;
use crate::http::{Step, BUFFER};
use crate::io::Io;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// `wait-for-body`: more of it is read, up to a buffer, before the list goes on.
    pub(super) fn gather(&mut self, index: u32, rule: usize, time: Millis, bytes: u64) -> Flow {
        let now = self.now;
        let Some(http) = self.http(index) else {
            return Flow::Stop;
        };
        if let Some(exchange) = http.exchange.as_deref_mut() {
            if exchange.raw_head > 0 {
                // A page collects its request's body by itself.
                return Flow::On;
            }
            exchange.place.rule = rule;
            exchange.gather = if bytes == 0 {
                BUFFER
            } else {
                usize::try_from(bytes).unwrap_or(BUFFER).min(BUFFER)
            };
        }
        http.step = Step::Gathering;
        http.deadline = now + time;
        self.gather_more(index);
        Flow::Stop
    }

    /// Something of the body came while rules wait for it.
    pub(crate) fn gather_more(&mut self, index: u32) {
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
        complete |= exchange.raw.len() >= BUFFER;
        if failed {
            return self.bad_upload(index);
        }
        if complete {
            return self.gathered(index);
        }
        self.http_receive(index);
        self.set_timer(index);
    }

    /// As much of the body is there as rules wait for, or their time is over: what was read goes
    /// on as if it had just come.
    pub(crate) fn gathered(&mut self, index: u32) {
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        let raw = std::mem::take(&mut exchange.raw);
        let chunk = if raw.is_empty() {
            None
        } else {
            let class = usize::from(raw.len() > BUFFER);
            let Some(mut chunk) = self.io.pool_mut().take(class) else {
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
