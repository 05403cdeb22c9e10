//! Answers that rules give.

use telamon_expr::Rules;
use telamon_http::{forward, Message};
use telamon_session::End;

use crate::io::Io;
use crate::worker::Worker;

/// A challenge of a proxy's own (RFC 9110 11.7).
fn as_proxy(head: &mut Message, body: &mut [u8]) {
    let challenges: Vec<Vec<u8>> = head
        .lines(b"www-authenticate")
        .map(<[u8]>::to_vec)
        .collect();
    if challenges.is_empty() {
        return;
    }
    head.set_status(407, b"Unauthorized");
    head.remove_fields(|field| field.is("www-authenticate"));
    for challenge in challenges {
        head.add_field(b"proxy-authenticate", &challenge);
    }
    if let Some(at) = body.windows(3).position(|three| three == b"401") {
        body[at..at + 3].copy_from_slice(b"407");
    }
}

impl<I: Io> Worker<I> {
    /// An answer that a rule gives.
    pub(super) fn rule_answer(&mut self, index: u32, rules: &Rules, at: usize, end: End) {
        let made = self.decide(index, |env| {
            let (status, made) = rules.answer(at, env);
            (status, made, env.facts.is_proxied())
        });
        let (status, mut made, proxied) = made.unwrap_or((500, None, false));
        if let Some((head, body)) = made.as_mut().filter(|_| proxied && status == 401) {
            as_proxy(head, body);
        }
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
        exchange.reply_body.clear();
        exchange.reply_body.extend_from_slice(body);
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
