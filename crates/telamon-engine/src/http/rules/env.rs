//! What expressions see of a stream, and the one place where they are evaluated outside of lists.

use std::cell::Cell;

use telamon_expr::{Env, Vars};

use crate::io::Io;
use crate::seen::Seen;
use crate::worker::Worker;

/// A regular expression gave up: nobody knows whether the condition holds.
pub(crate) struct Undecided;

impl<I: Io> Worker<I> {
    /// What expressions see of an exchange. Captures and the request line move in, and back out by
    /// `unsee`.
    pub(crate) fn see(&mut self, index: u32) -> Seen {
        let (shared, thread, now) = (self.shared.clone(), self.index, self.now);
        let (live, line) = (self.live(index), self.line(index));
        let slot = self.slots.get(index);
        let front = &shared.proxies[slot.proxy as usize].plan.http;
        let uses_proxy_header = front.use_proxy_header;
        let mut seen = Seen {
            shared,
            thread,
            now,
            proxy: slot.proxy,
            backend: slot.backend,
            server: slot.server,
            listener: slot.listener,
            source: Cell::new(slot.client),
            destination: Cell::new(slot.destination),
            own: slot.own_ends.as_deref().copied().unwrap_or(slot.ends()),
            server_ends: None,
            first: false,
            requests: 0,
            captures: Default::default(),
            cookies: Default::default(),
            request_line: None,
            unique_id: Vec::new(),
            may_change: false,
            head_may_come: true,
            proxied: false,
            undecided: Default::default(),
            calls: None,
            line,
            live,
        };
        if let Some(inspection) = slot.inspection.as_deref_mut() {
            seen.captures = std::mem::take(&mut inspection.captures).into();
            seen.calls = inspection.calls.take();
        }
        if let Some(http) = slot.http.as_deref_mut() {
            seen.first = http.requests <= 1;
            seen.requests = http.requests;
            if let Some(exchange) = http.exchange.as_deref_mut() {
                seen.proxied = uses_proxy_header
                    && !exchange.head.is_empty()
                    && !matches!(exchange.head.uri().first(), Some(b'/' | b'*'));
                seen.captures = std::mem::take(&mut exchange.captures).into();
                seen.cookies = std::mem::take(&mut exchange.cookies.captured);
                seen.request_line = exchange.log.request_line.take();
                seen.unique_id = std::mem::take(&mut exchange.unique_id);
                seen.calls = exchange.calls.take();
            }
        }
        if seen.calls.is_none() && self.shared.programs.make_calls {
            seen.calls = Some(Box::default());
        }
        seen
    }

    pub(crate) fn unsee(&mut self, index: u32, seen: Seen) {
        if let Some(inspection) = self.slots.get(index).inspection.as_deref_mut() {
            inspection.captures = seen.captures.take();
            inspection.calls = seen.calls;
            return;
        }
        if let Some(exchange) = self.exchange(index) {
            exchange.captures = seen.captures.take();
            exchange.cookies.captured = seen.cookies;
            exchange.log.request_line = seen.request_line;
            exchange.unique_id = seen.unique_id;
            exchange.calls = seen.calls;
        }
    }

    /// Evaluates expressions, formats or conditions on what a stream has now. Of what a pattern could
    /// not decide there is no value: for texts, which do without.
    pub(crate) fn evaluate<T>(&mut self, index: u32, work: impl FnOnce(&Env<'_>) -> T) -> T {
        let seen = self.see(index);
        self.evaluate_as(index, seen, work)
    }

    /// The same for what decides about the stream.
    pub(crate) fn decide<T>(
        &mut self,
        index: u32,
        work: impl FnOnce(&Env<'_>) -> T,
    ) -> Result<T, Undecided> {
        let (value, gave_up) = self.evaluate(index, |env| (work(env), env.vars.take_give_up()));
        if gave_up {
            self.tell_undecided(index);
            return Err(Undecided);
        }
        Ok(value)
    }

    fn tell_undecided(&mut self, index: u32) {
        let shared = self.shared.clone();
        let name = &shared.proxies[self.slots_proxy(index) as usize].plan.name;
        shared.events.notice(self.now, "warning", || {
            format!("proxy {name}: a regular expression gave up on what a client sent")
        });
    }

    /// The same with a `seen` that the caller has added to, such as a log line's numbers.
    pub(crate) fn evaluate_as<T>(
        &mut self,
        index: u32,
        seen: Seen,
        work: impl FnOnce(&Env<'_>) -> T,
    ) -> T {
        let shared = self.shared.clone();
        let empty;
        let slot = self.slots.get(index);
        let exchange = slot
            .http
            .as_deref()
            .and_then(|http| http.exchange.as_deref());
        let inspected = slot.inspection.as_deref().map(|one| &one.head);
        let head = exchange.map(|one| &one.head).or(inspected);
        let body: &[u8] = match (exchange, slot.inspection.as_deref()) {
            (Some(exchange), _) if !exchange.reply.is_empty() => &exchange.reply_body,
            (Some(exchange), _) => &exchange.gathered,
            (None, Some(inspection)) => &inspection.bytes,
            (None, None) => &[],
        };
        let vars = match slot.vars.as_ref() {
            Some(vars) => vars,
            None => {
                empty = Vars::new(&shared.programs.process_vars);
                &empty
            }
        };
        let env = Env {
            request: head.filter(|head| !head.is_empty()),
            response: exchange
                .map(|one| &one.reply)
                .filter(|head| !head.is_empty()),
            body,
            facts: &seen,
            vars,
        };
        let value = work(&env);
        let gave_up = vars.take_give_up();
        self.unsee(index, seen);
        if gave_up {
            self.tell_undecided(index);
        }
        value
    }
}
