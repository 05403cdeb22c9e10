//! A response that is held back while its rules wait: for its body (`wait-for-body`), for a while
//! (`pause`), for a Python function.
//!
//! What came behind its head is in `Exchange::held`. While the body is awaited the step is `Waiting`
//! still: more is read from the server, and the request's body goes on to it. The other two waits
//! read nothing of the server.

use telamon_session::Millis;
use telamon_sys::{pool, Chunk};

use super::rules::Passed;
use super::{after, Step, NEVER};
use crate::conn::NONE;
use crate::io::Io;
use crate::worker::Worker;

/// What a response's rules wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    Call,
    Time(Millis),
    /// So many bytes of the body (0: all of it, or a buffer full), this long.
    Body(u64, Millis),
}

impl<I: Io> Worker<I> {
    /// A response's rules wait; `begun` came behind its head.
    pub(super) fn hold_reply(&mut self, index: u32, begun: Vec<u8>, wait: Wait) {
        let (now, most) = (self.now, self.most_held());
        let up = self.slots.get(index).peer;
        let Some(http) = self.http(index) else { return };
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return;
        };
        exchange.held = Some(begun);
        match wait {
            Wait::Call => self.call(index),
            Wait::Time(time) => {
                http.step = Step::Held;
                http.deadline = after(now, Some(time));
                self.set_timer(index);
            }
            Wait::Body(bytes, time) => {
                exchange.gather = match bytes {
                    0 => most,
                    _ => usize::try_from(bytes).unwrap_or(most).min(most),
                };
                exchange.held_until = after(now, Some(time));
                if up != NONE {
                    // All of it must fit into one buffer in the end.
                    self.slots.get(up).class[1] = 0;
                }
                self.gather_reply(index);
            }
        }
    }

    /// How much of a response is held back at most.
    fn most_held(&self) -> usize {
        let largest = pool::SIZES[pool::SIZES.len() - 1];
        self.shared.sizes.buffer.min(largest - pool::SIZES[0])
    }

    /// More came of a response whose rules wait for its body.
    pub(super) fn held_data(&mut self, index: u32, chunk: Chunk) {
        let Some(exchange) = self.slots.get(index).exchange() else {
            return self.io.put(chunk);
        };
        let held = exchange.held.get_or_insert_default();
        held.extend_from_slice(self.io.pool().data(&chunk));
        self.io.put(chunk);
        self.gather_reply(index);
    }

    /// Is as much of the body there as a response's rules wait for, or is it over?
    pub(super) fn gather_reply(&mut self, index: u32) {
        let most = self.most_held();
        let up = self.slots.get(index).peer;
        let ended = up == NONE || self.slots.get(up).eof;
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        let held = exchange.held.take().unwrap_or_default();
        // The body is read from the start each time: it is small, and it comes in few pieces.
        let mut body = exchange.download.clone();
        exchange.reply_body.clear();
        // A broken one is told by who sends it on.
        let used = body.take_bare(&held, &mut exchange.reply_body);
        exchange.server_closes |= body.is_done() && used.is_ok_and(|used| used < held.len());
        let enough = body.is_done() || exchange.reply_body.len() >= exchange.gather;
        if used.is_err() {
            exchange.count_unsent();
        }
        if ended || enough || used.is_err() || held.len() >= most {
            exchange.held_until = NEVER;
            return self.resume_reply(index, &held);
        }
        exchange.held = Some(held);
        self.upstream_receive(up);
        self.set_timer(index);
    }

    /// What a held response's rules have waited for is there. False if no response is held.
    pub(super) fn wake_reply(&mut self, index: u32) -> bool {
        let Some(http) = self.http(index) else {
            return false;
        };
        let ended = http.ended;
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return false;
        };
        let Some(begun) = exchange.held.take() else {
            return false;
        };
        exchange.keep &= !ended;
        http.step = Step::Waiting;
        self.resume_reply(index, &begun);
        true
    }

    /// The rules go on where they have waited; `begun` came behind the response's head.
    fn resume_reply(&mut self, index: u32, begun: &[u8]) {
        match self.response_rules(index) {
            Passed::On => self.release_reply(index, begun),
            Passed::Replaced => {}
            Passed::Waits(wait) => self.hold_reply(index, begun.to_vec(), wait),
        }
    }

    /// The response goes on, as if it had just come.
    fn release_reply(&mut self, index: u32, begun: &[u8]) {
        let up = self.slots.get(index).peer;
        let class = pool::SIZES.iter().position(|size| *size >= begun.len());
        let Some(mut chunk) = class.and_then(|class| self.io.pool_mut().take(class)) else {
            return self.http_broke(index);
        };
        let space = self.io.pool_mut().space(&chunk);
        space[..begun.len()].copy_from_slice(begun);
        chunk.fill(begun.len());
        self.write_reply(index);
        self.reply_ready(index, up, chunk);
        if !self.is_streaming(index) {
            return;
        }
        // What came of the request's body meanwhile, and the end of the server's words.
        self.take_rest(index);
        let slot = self.slots.get(index);
        let same = slot.peer == up && slot.exchange().is_some_and(|one| !one.done);
        if same && up != NONE && self.slots.get(up).eof && self.is_streaming(index) {
            self.response_eof(index, up, false);
        }
    }

    fn is_streaming(&mut self, index: u32) -> bool {
        let step = self.http(index).map(|http| http.step);
        step == Some(Step::Streaming)
    }
}
