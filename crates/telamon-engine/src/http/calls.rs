//! Rules that call Python functions: the request waits while the control process makes the call.
//!
//! ```text
//!  data thread                                      control process
//!  rules ── Verdict::Call ── Step::Calling ──Event::Call──► a Python thread
//!    ▲                            │                              │
//!    │      same rule again       │◄──────Message::Answer────────┘
//!    └────────────────────────────┤
//!                                 └── time limit: a failure, Event::CallOver
//! ```
//!
//! A data thread never takes Python's lock, and never waits: other exchanges go on meanwhile.

use telamon_expr::{Answer, Calls, Vars};

use super::{after, token, Step};
use crate::calls::{view, CallRequest};
use crate::counters::ProcessTotal;
use crate::io::Io;
use crate::mailbox::Event;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// Has the call made that the exchange's rules want; with its answer they go on.
    pub(super) fn call(&mut self, index: u32) {
        let (thread, now) = (self.index, self.now);
        let shared = self.shared.clone();
        let serial = self.next_serial();
        let seen = self.see(index);
        let wanted = seen.calls.as_deref().and_then(Calls::wanted);
        let empty = Vars::new(&shared.programs.process_vars);
        let slot = self.slots.get(index);
        let vars = slot.vars.as_ref().unwrap_or(&empty);
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        http.serial = serial;
        let token = token(index, thread, serial);
        let exchange = http.exchange.as_deref();
        let request = exchange.zip(wanted).map(|(exchange, call)| CallRequest {
            token,
            view: view(
                call.function.kind,
                (&exchange.head, &exchange.gathered),
                (&exchange.reply, &exchange.reply_body),
                &seen,
                vars,
                &shared.programs.names,
            ),
            call,
        });
        http.step = Step::Calling;
        http.deadline = after(now, Some(shared.call_timeout));
        self.unsee(index, seen);
        self.counters().add(ProcessTotal::Calls, 1);
        let offered = request.is_some_and(|request| {
            let event = Event::Call(Box::new(request));
            self.shared.events.offer(event)
        });
        if let (false, Some(http)) = (offered, self.http(index)) {
            // It has failed already, and the timer says so.
            http.deadline = now;
        }
        // Whether the client is still there is known only to who reads. In a response that is for
        // those who pass the request's body on.
        if self.exchange(index).is_some_and(|one| one.held.is_none()) {
            self.http_receive(index);
        }
        self.set_timer(index);
    }

    /// After expressions outside of lists were evaluated: was the answer to a call missing? It is on
    /// its way then, and they are evaluated anew when it is there.
    pub(super) fn must_call(&mut self, index: u32) -> bool {
        let exchange = self.exchange(index);
        let Some(calls) = exchange.and_then(|exchange| exchange.calls.as_deref()) else {
            return false;
        };
        calls.begin();
        let waits = calls.waits();
        if waits {
            self.call(index);
        } else {
            calls.forget();
        }
        waits
    }

    /// What came of a call; too late for a request that is gone or has given up.
    pub(crate) fn answered(&mut self, answered: u64, answer: Answer) {
        let index = answered as u32;
        if index as usize >= self.slots.capacity() {
            return;
        }
        if self.slots.get(index).inspection.is_some() {
            return self.stream_answered(answered, answer);
        }
        if self.call_token(index) == Some(answered) {
            self.call_over(index, answer);
        }
    }

    /// The time limit of a call has passed.
    pub(super) fn call_late(&mut self, index: u32) {
        if let Some(token) = self.call_token(index) {
            self.shared.events.offer(Event::CallOver { token });
        }
        self.call_over(index, Answer::failure());
    }

    fn call_over(&mut self, index: u32, answer: Answer) {
        let Some(http) = self.http(index) else { return };
        http.step = Step::Head;
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return;
        };
        if let Some(calls) = &exchange.calls {
            calls.tell(answer);
        }
        if !self.wake_reply(index) {
            self.request_rules(index);
        }
    }

    /// The token of the call that an exchange waits for.
    fn call_token(&mut self, index: u32) -> Option<u64> {
        let thread = self.index;
        let http = self.slots.get(index).http.as_deref()?;
        (http.step == Step::Calling).then(|| token(index, thread, http.serial))
    }
}
