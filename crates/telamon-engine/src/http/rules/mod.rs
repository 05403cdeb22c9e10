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

pub(crate) use env::Undecided;
pub(crate) use response::Passed;

use telamon_expr::{Rules, Vars, Verdict, Wanted};

use crate::http::Exchange;
use crate::io::Io;
use crate::worker::Worker;

/// Which list of rules a request has come to (a place in `request::STATIONS`), and which rule of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RulePlace {
    station: usize,
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
        self.run_list_while(index, rules, from, in_response, false)
    }

    /// The same; with `may_change` its conditions may ask for more than has come.
    fn run_list_while(
        &mut self,
        index: u32,
        rules: &Rules,
        from: usize,
        in_response: bool,
        may_change: bool,
    ) -> (Verdict, usize) {
        if rules.is_empty() || self.exchange(index).is_none() {
            return (Verdict::GoOn, 0);
        }
        let shared = self.shared.clone();
        let mut seen = self.see(index);
        seen.may_change = may_change;
        let mut wanted = Wanted::default();
        let slot = self.slots.get(index);
        let vars = slot
            .vars
            .take()
            .unwrap_or_else(|| Vars::new(&shared.programs.process_vars));
        let Some(exchange) = slot.exchange() else {
            return (Verdict::GoOn, 0);
        };
        let Exchange {
            head,
            reply,
            gathered,
            reply_body,
            ..
        } = exchange;
        let (edited, other, body) = match in_response {
            true => (reply, Some(&*head), &reply_body[..]),
            false => (head, None, &gathered[..]),
        };
        let (verdict, at) = rules.run(
            from,
            edited,
            other,
            in_response,
            body,
            &seen,
            &vars,
            &mut wanted,
        );
        slot.vars = Some(vars);
        // A rule that answers has not come to its end: see `rule_answer`.
        if matches!(
            verdict,
            Verdict::Allow | Verdict::Deny(_) | Verdict::Reject | Verdict::SilentDrop
        ) {
            if let Some(exchange) = slot.exchange() {
                exchange.last_rule = rules.place(at).cloned();
            }
        }
        self.unsee(index, seen);
        self.grant(index, wanted);
        (verdict, at)
    }

    pub(crate) fn slots_proxy(&self, index: u32) -> u32 {
        self.slots.proxy_of(index)
    }

    pub(crate) fn sections(&mut self, index: u32) -> (u32, u32) {
        let slot = self.slots.get(index);
        (slot.proxy, slot.backend)
    }
}
