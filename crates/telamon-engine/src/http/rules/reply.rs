//! Answers that rules give.

use telamon_expr::Rules;
use telamon_http::{forward, Message};
use telamon_session::End;

use crate::io::Io;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// An answer that a rule gives.
    pub(super) fn rule_answer(&mut self, index: u32, rules: &Rules, at: usize, end: End) {
        let (status, made) = self.evaluate(index, |env| rules.answer(at, env));
        self.leave_server(index);
        if let Some(exchange) = self.exchange(index) {
            exchange.log.end = end;
            exchange.last_rule = rules.place(at).cloned();
            exchange.keep &= exchange.upload.is_done();
        }
        match made {
            None => self.http_error(index, status),
            Some((head, body)) => self.own_answer(index, head, &body),
        }
    }

    /// A response of our own goes through the last rules, and out.
    pub(crate) fn own_answer(&mut self, index: u32, head: Message, body: &[u8]) {
        let stopping = self.soft_stopping;
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        exchange.keep &= !stopping;
        exchange.reply = head;
        self.after_rules(index);
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        let status = exchange.reply.status();
        let connection = forward::Connection::of_response(
            exchange.reply.version(),
            exchange.version,
            exchange.keep,
        );
        let mut out = Vec::new();
        exchange
            .reply
            .write_response(&mut out, forward::Framing::Kept, connection);
        if !exchange.is_head {
            out.extend_from_slice(body);
        }
        let logged = telamon_http::logged_size(&out);
        self.http_answer(index, status, out, logged);
        self.leave_backend(index);
    }
}
