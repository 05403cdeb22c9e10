//! What is done with a request before its rules: the monitor, the unique id, captured headers.

use crate::io::Io;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// `unique-id-format`, made when the request comes.
    pub(crate) fn make_unique_id(&mut self, index: u32) {
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index) as usize;
        let Some(format) = &shared.programs.of[proxy].unique_id else {
            return;
        };
        let id = self.evaluate(index, |env| format.bytes(env));
        if let Some(exchange) = self.exchange(index) {
            exchange.unique_id = id;
        }
    }

    /// The exchange's id, or one for the stream.
    pub(crate) fn unique_id(&mut self, index: u32) -> Vec<u8> {
        if let Some(exchange) = self.exchange(index) {
            if !exchange.unique_id.is_empty() {
                return exchange.unique_id.clone();
            }
        }
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index) as usize;
        match &shared.programs.of[proxy].unique_id {
            Some(format) => self.evaluate(index, |env| format.bytes(env)),
            None => Vec::new(),
        }
    }

    /// `monitor fail`.
    pub(crate) fn monitor_fails(&mut self, index: u32) -> bool {
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index) as usize;
        let conditions = &shared.programs.of[proxy].monitor_fail;
        !conditions.is_empty()
            && self
                .decide(index, |env| conditions.iter().any(|one| one.holds(env)))
                .unwrap_or(true)
    }

    /// Headers that logs show.
    pub(crate) fn capture_headers(&mut self, index: u32, in_response: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let plan = &shared.proxies[slot.proxy as usize].plan.http;
        let declared = if in_response {
            &plan.response_captures
        } else {
            &plan.request_captures
        };
        let Some(exchange) = slot.exchange() else {
            return;
        };
        let head = if in_response {
            &exchange.reply
        } else {
            &exchange.head
        };
        let values = declared.iter().map(|capture| {
            let name = capture.header.as_ref()?;
            let value = head.lines(name.as_bytes()).next_back()?;
            Some(value[..value.len().min(capture.length)].to_vec())
        });
        exchange.captures[usize::from(in_response)] = values.collect();
    }
}
