//! A response's way through its lists: the backend's first, then the frontend's.

use telamon_expr::{Rules, Verdict};
use telamon_http::Message;
use telamon_session::{Cause, End, Stage};

use super::RulePlace;
use crate::conn::NONE;
use crate::http::held::Wait;
use crate::io::Io;
use crate::worker::Worker;

/// What becomes of a server's response.
pub(crate) enum Passed {
    On,
    /// Something else is answered in its place, or nothing.
    Replaced,
    /// A rule waits; the lists go on from there.
    Waits(Wait),
}

impl<I: Io> Worker<I> {
    /// The rules of a server's response, from where it has come to.
    pub(crate) fn response_rules(&mut self, index: u32) -> Passed {
        let shared = self.shared.clone();
        let place = self
            .exchange(index)
            .map_or_else(Default::default, |one| one.reply_place);
        let (front, back) = self.sections(index);
        if place == RulePlace::default() {
            self.capture_headers(index, true);
            if let Some(vars) = &self.slots.get(index).vars {
                vars.drop_request();
            }
            if !self.response_content(index, back) {
                return Passed::Replaced;
            }
        }
        let lists = [back, front];
        let mut from = place.rule;
        let passed = place.station.saturating_sub(1);
        for (list, proxy) in lists.into_iter().enumerate().skip(passed) {
            if list > 0 && front == back {
                break;
            }
            let rules = &shared.programs.of[proxy as usize].response;
            let (verdict, at) = self.run_list(index, rules, from, true);
            from = 0;
            let waits = match verdict {
                Verdict::Call => Some((Wait::Call, at)),
                Verdict::Pause(time) => Some((Wait::Time(time), at + 1)),
                Verdict::Wait { time, bytes } => Some((Wait::Body(bytes, time), at + 1)),
                _ => None,
            };
            if let Some((wait, rule)) = waits {
                let station = list + 1;
                if let Some(exchange) = self.exchange(index) {
                    exchange.reply_place = RulePlace { station, rule };
                }
                return Passed::Waits(wait);
            }
            if !self.response_verdict(index, rules, verdict) {
                return Passed::Replaced;
            }
        }
        if self.leaks_cookies(index) {
            self.count_denied_response(index);
            self.drop_upstream(index);
            let end = End {
                cause: Cause::Proxy,
                stage: Stage::Header,
            };
            self.fail(index, 502, end);
            return Passed::Replaced;
        }
        self.response_cookies(index);
        self.after_rules(index);
        Passed::On
    }

    /// What a list's verdict means for the response; false if it does not go on.
    fn response_verdict(&mut self, index: u32, rules: &Rules, verdict: Verdict) -> bool {
        let end = End {
            cause: Cause::Proxy,
            stage: Stage::Header,
        };
        match verdict {
            Verdict::GoOn
            | Verdict::Allow
            | Verdict::Call
            | Verdict::BadUri
            | Verdict::More
            | Verdict::Close
            | Verdict::Wait { .. }
            | Verdict::Pause(_) => return true,
            Verdict::Failed | Verdict::CallFailed => {
                let status = if verdict == Verdict::Failed { 502 } else { 500 };
                self.drop_upstream(index);
                self.fail(index, status, end);
            }
            Verdict::Deny(at) => {
                self.count_denied_response(index);
                self.drop_upstream(index);
                self.rule_answer(index, rules, at, end);
            }
            Verdict::Return(at)
            | Verdict::Redirect(at)
            | Verdict::Auth(at)
            | Verdict::Tarpit(at) => {
                let end = End {
                    cause: Cause::Local,
                    ..end
                };
                self.drop_upstream(index);
                self.rule_answer(index, rules, at, end);
            }
            Verdict::Reject | Verdict::SilentDrop => {
                if verdict == Verdict::SilentDrop {
                    self.go_silently(index);
                }
                self.http_end(index, end);
                self.http_close(index);
            }
        }
        false
    }

    /// `tcp-response content`. Without `inspect-delay` HAProxy runs it when the connection is there,
    /// before anything of the response has come.
    fn response_content(&mut self, index: u32, back: u32) -> bool {
        let shared = self.shared.clone();
        let rules = &shared.programs.of[back as usize].response_content;
        if rules.is_empty() {
            return true;
        }
        let delay = shared.proxies[back as usize]
            .plan
            .rules
            .response_inspect_delay;
        let hidden = match self.exchange(index) {
            Some(exchange) if delay.unwrap_or(0) == 0 => std::mem::take(&mut exchange.reply),
            _ => Message::default(),
        };
        let (verdict, _) = self.run_list(index, rules, 0, true);
        if let Some(exchange) = self.exchange(index).filter(|_| !hidden.is_empty()) {
            exchange.reply = hidden;
        }
        match verdict {
            Verdict::Reject | Verdict::SilentDrop => {}
            Verdict::Close => {
                if let Some(exchange) = self.exchange(index) {
                    exchange.server_closes = true;
                }
                return true;
            }
            _ => return true,
        }
        self.count_denied_response(index);
        if let Some(exchange) = self.exchange(index) {
            exchange.log.response_time = None;
            exchange.log.bytes += exchange.log.head;
        }
        let end = End {
            cause: Cause::Proxy,
            stage: Stage::Data,
        };
        self.http_end(index, end);
        self.http_close(index);
        false
    }

    /// `http-after-response`, on every response that goes to a client.
    pub(super) fn after_rules(&mut self, index: u32) {
        let shared = self.shared.clone();
        let (front, back) = self.sections(index);
        if back != NONE && back != front {
            self.run_list(index, &shared.programs.of[back as usize].after, 0, true);
        }
        self.run_list(index, &shared.programs.of[front as usize].after, 0, true);
    }

    /// Is there an `http-after-response` that would see this exchange's answers?
    pub(crate) fn has_after_rules(&mut self, index: u32) -> bool {
        let (front, back) = self.sections(index);
        let programs = &self.shared.programs.of;
        let has = |proxy: u32| {
            programs
                .get(proxy as usize)
                .is_some_and(|program| !program.after.is_empty())
        };
        has(front) || has(back)
    }
}
