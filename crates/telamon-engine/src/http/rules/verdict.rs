//! What a list's verdict means for the request.

use telamon_expr::{Rules, Verdict};
use telamon_session::{Cause, End, Millis, Stage};

use super::request::{Of, Station, STATIONS};
use super::Flow;
use crate::conn::NONE;
use crate::http::{after, Step};
use crate::io::Io;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// What a list's verdict means for the request.
    pub(super) fn carry_out(
        &mut self,
        index: u32,
        rules: &Rules,
        verdict: Verdict,
        at: usize,
        proxy: u32,
    ) -> Flow {
        let end = |cause, stage| End { cause, stage };
        match verdict {
            Verdict::GoOn | Verdict::Allow => return Flow::On,
            Verdict::Deny(at) => {
                self.count_denied(index, proxy);
                // Logs say of denied requests, too, what their cookies were worth.
                self.request_cookies(index, false);
                self.name_wanted(index, proxy);
                self.rule_answer(index, rules, at, end(Cause::Proxy, Stage::Request));
            }
            Verdict::Return(at) | Verdict::Redirect(at) | Verdict::Auth(at) => {
                self.count_intercepted(index);
                self.rule_answer(index, rules, at, end(Cause::Local, Stage::Request));
            }
            Verdict::Tarpit(at) => {
                self.count_denied(index, proxy);
                self.tarpit(index, at);
            }
            Verdict::Reject | Verdict::SilentDrop => {
                self.count_denied(index, proxy);
                if verdict == Verdict::SilentDrop {
                    self.go_silently(index);
                }
                self.http_end(index, end(Cause::Proxy, Stage::Request));
                self.http_close(index);
            }
            // Only content rules wait for more or close, and they are not run here.
            Verdict::More | Verdict::Close => return Flow::On,
            Verdict::Pause(time) => self.hold(index, at + 1, time),
            Verdict::Wait { time, bytes } => return self.gather(index, at + 1, Some(time), bytes),
            Verdict::BadUri => {
                // As of a request that is none, logs tell no time.
                if let Some(exchange) = self.exchange(index) {
                    exchange.log.request_time = None;
                }
                self.fail(index, 400, end(Cause::Proxy, Stage::Request));
            }
            Verdict::Failed | Verdict::CallFailed => {
                self.fail(index, 500, end(Cause::Proxy, Stage::Request));
            }
            Verdict::Call => {
                if let Some(exchange) = self.exchange(index) {
                    exchange.place.rule = at;
                }
                self.call(index);
            }
        }
        Flow::Stop
    }

    /// Logs name the server to which a denied request's cookie led.
    fn name_wanted(&mut self, index: u32, proxy: u32) {
        let has_servers = self.shared.proxies[proxy as usize].backend.is_some();
        let slot = self.slots.get(index);
        if slot.wanted != NONE && has_servers {
            (slot.backend, slot.server) = (proxy, slot.wanted);
        }
    }

    /// Nothing happens for a while; then the list goes on.
    pub(super) fn hold(&mut self, index: u32, rule: usize, time: Millis) {
        let now = self.now;
        let Some(http) = self.http(index) else { return };
        http.step = Step::Held;
        http.deadline = now + time;
        if let Some(exchange) = http.exchange.as_deref_mut() {
            exchange.place.rule = rule;
        }
        self.set_timer(index);
    }

    /// The answer comes after `timeout tarpit`, so that who asks too much learns nothing early.
    pub(super) fn tarpit(&mut self, index: u32, at: usize) {
        let shared = self.shared.clone();
        let now = self.now;
        let slot = self.slots.get(index);
        let timeouts = &shared.proxies[slot.proxy as usize].plan.timeouts;
        let Some(http) = slot.http.as_deref_mut() else {
            return;
        };
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return;
        };
        let time = exchange.tarpit.or(timeouts.tarpit).or(timeouts.connect);
        exchange.place.rule = at;
        http.step = Step::Tarpit;
        http.deadline = after(now, time.or(Some(0)));
        self.http_receive(index);
        self.set_timer(index);
    }

    /// The time of a held request or response is over.
    pub(crate) fn held_over(&mut self, index: u32) {
        if self.wake_reply(index) {
            return;
        }
        let shared = self.shared.clone();
        let (front, back) = self.sections(index);
        let Some(http) = self.http(index) else { return };
        let step = http.step;
        http.step = Step::Head;
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return;
        };
        let place = exchange.place;
        if step != Step::Tarpit {
            return self.request_rules(index);
        }
        let proxy = match STATIONS.get(place.station) {
            Some(Station::Request(Of::Back)) => back,
            _ => front,
        };
        let rules = &shared.programs.of[proxy as usize].request;
        let end = End {
            cause: Cause::Proxy,
            stage: Stage::Tarpit,
        };
        self.rule_answer(index, rules, place.rule, end);
    }
}
