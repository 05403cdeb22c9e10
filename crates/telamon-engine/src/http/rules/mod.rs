//! Where rules are run in an exchange: on the request at the frontend, then at the backend; on the
//! response the other way round.
//!
//! A frontend whose proxies have no rules never comes here. Otherwise the request's head is a
//! [`telamon_http::Message`] that rules may change; when they are through it is written as it goes
//! to the server. A list that must wait (for a body, in a tarpit) remembers its place in `RulePlace`
//! and goes on from there.
//!
//! ```text
//!  before.rs      request.rs                                             response.rs
//!  unique id ───► content, request, redirects ─► use_backend ─► the same  response, cookies,
//!  captures       of the frontend                choice.rs      of the    after-response
//!                      │                                        backend         │
//!                      └── verdict.rs: go on, answer (reply.rs), hold, tarpit, ─┘
//!                                      wait for the body (gather.rs), close
//! ```
//!
//! `env.rs` is what expressions see, `wanted.rs` what rules want besides, `connection.rs` what is
//! looked at before there is a request, `count.rs` the statistics.

mod before;
mod choice;
mod connection;
mod count;
mod env;
mod gather;
mod reply;
mod request;
mod response;
mod verdict;
mod wanted;

use telamon_expr::{Rules, Vars, Verdict, Wanted};

use crate::io::Io;
use crate::worker::Worker;

/// Which list of rules a request has come to, and which rule of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RulePlace {
    stage: u8,
    rule: usize,
}

/// Whether the exchange goes on after a list.
enum Flow {
    On,
    /// An answer is on its way, or the list waits.
    Stop,
}

impl<I: Io> Worker<I> {
    /// Runs a list on a head, and does what it wants besides.
    fn run_list(
        &mut self,
        index: u32,
        rules: &Rules,
        from: usize,
        in_response: bool,
    ) -> (Verdict, usize) {
        if rules.is_empty() {
            return (Verdict::GoOn, 0);
        }
        let process = self.shared.programs.process_vars.clone();
        let seen = self.see(index);
        let mut wanted = Wanted::default();
        let Some(http) = self.http(index) else {
            return (Verdict::GoOn, 0);
        };
        let vars = http.vars.take();
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return (Verdict::GoOn, 0);
        };
        let vars = vars.unwrap_or_else(|| Vars::new(&process));
        let mut request = std::mem::take(&mut exchange.head);
        let mut reply = std::mem::take(&mut exchange.reply);
        let body = std::mem::take(&mut exchange.gathered);
        let (edited, other) = if in_response {
            (&mut reply, Some(&request))
        } else {
            (&mut request, None)
        };
        let (verdict, at) = rules.run(
            from,
            edited,
            other,
            in_response,
            &body,
            &seen,
            &vars,
            &mut wanted,
        );
        if let Some(http) = self.http(index) {
            http.vars = Some(vars);
            if let Some(exchange) = http.exchange.as_deref_mut() {
                exchange.head = request;
                exchange.reply = reply;
                exchange.gathered = body;
            }
        }
        self.unsee(index, seen);
        self.grant(index, wanted, in_response);
        (verdict, at)
    }

    fn slots_proxy(&self, index: u32) -> u32 {
        self.slots.proxy_of(index)
    }

    fn sections(&mut self, index: u32) -> (u32, u32) {
        let slot = self.slots.get(index);
        (slot.proxy, slot.backend)
    }
}
