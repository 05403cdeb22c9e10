//! Content rules in mode tcp that call Python functions: the stream is withheld until the answer
//! comes. As `http/calls.rs`, without a request: a function sees the bytes that have come.

use telamon_expr::{Answer, Calls, Vars};
use telamon_http::Message;
use telamon_session::Millis;

use crate::calls::{view, CallRequest};
use crate::counters::ProcessTotal;
use crate::http::token;
use crate::io::Io;
use crate::mailbox::Event;
use crate::worker::Worker;

/// A call that content rules wait for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitingCall {
    pub(crate) token: u64,
    pub(crate) until: Millis,
}

impl<I: Io> Worker<I> {
    /// Has the call made that the rule numbered `at` wants.
    pub(crate) fn call_from_stream(&mut self, index: u32, at: usize) {
        let (thread, now) = (self.index, self.now);
        let shared = self.shared.clone();
        let serial = self.next_serial();
        self.counters().add(ProcessTotal::Calls, 1);
        let seen = self.see(index);
        let (none, empty) = (Message::default(), Vars::new(&shared.programs.process_vars));
        let slot = self.slots.get(index);
        let token = token(index, thread, serial);
        let vars = slot.vars.as_ref().unwrap_or(&empty);
        let mut until = now + shared.call_timeout;
        let wanted = seen.calls.as_deref().and_then(Calls::wanted);
        if let (Some(inspection), Some(call)) = (slot.inspection.as_mut(), wanted) {
            let (kind, names) = (call.function.kind, &shared.programs.names);
            let view = view(
                kind,
                (&none, &inspection.bytes),
                (&none, &[]),
                &seen,
                vars,
                names,
            );
            let request = CallRequest { token, call, view };
            if !shared.events.offer(Event::Call(Box::new(request))) {
                until = now;
            }
            inspection.waiting = Some(WaitingCall { token, until });
            inspection.from = at;
        }
        self.unsee(index, seen);
        self.set_timer(index);
    }

    /// False while a call is waited for. One that takes too long has failed.
    pub(crate) fn stream_call_is_over(&mut self, index: u32) -> bool {
        let now = self.now;
        let inspection = self.slots.get(index).inspection.as_deref_mut();
        let Some((inspection, call)) = inspection.and_then(|one| {
            let call = one.waiting?;
            Some((one, call))
        }) else {
            return true;
        };
        if now < call.until {
            return false;
        }
        inspection.over(Answer::failure());
        let token = call.token;
        self.shared.events.offer(Event::CallOver { token });
        true
    }

    /// What came of a call, if a stream waits for it.
    pub(crate) fn stream_answered(&mut self, answered: u64, answer: Answer) {
        let index = answered as u32;
        let Some(inspection) = self.slots.get(index).inspection.as_deref_mut() else {
            return;
        };
        if inspection
            .waiting
            .is_some_and(|call| call.token == answered)
        {
            inspection.over(answer);
            self.inspect(index);
        }
    }
}
