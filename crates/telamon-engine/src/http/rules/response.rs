//! A response's way through its lists: the backend's first, then the frontend's.

use telamon_expr::Verdict;
use telamon_session::{Cause, End, Stage};

use crate::conn::NONE;
use crate::io::Io;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// The rules of a server's response; false if something else is answered in its place.
    pub(crate) fn response_rules(&mut self, index: u32) -> bool {
        let shared = self.shared.clone();
        self.capture_headers(index, true);
        let (front, back) = self.sections(index);
        if !self.response_content(index, back) {
            return false;
        }
        let lists = [back, front];
        for (at, proxy) in lists.iter().enumerate() {
            if at > 0 && front == back {
                break;
            }
            let rules = &shared.programs.of[*proxy as usize].response;
            let (verdict, _) = self.run_list(index, rules, 0, true);
            let end = End {
                cause: Cause::Proxy,
                stage: Stage::Header,
            };
            match verdict {
                Verdict::GoOn
                | Verdict::Allow
                | Verdict::More
                | Verdict::Close
                | Verdict::Wait { .. }
                | Verdict::Pause(_) => {}
                Verdict::Failed => {
                    self.drop_upstream(index);
                    self.fail(index, 502, end);
                    return false;
                }
                Verdict::Deny(at) => {
                    self.count_denied_response(index);
                    self.drop_upstream(index);
                    self.rule_answer(index, rules, at, end);
                    return false;
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
                    return false;
                }
                Verdict::Reject | Verdict::SilentDrop => {
                    self.http_end(index, end);
                    self.http_close(index);
                    return false;
                }
            }
        }
        self.response_cookies(index);
        self.after_rules(index);
        true
    }

    /// `tcp-response content`: its head is here, and nothing more is waited for.
    fn response_content(&mut self, index: u32, back: u32) -> bool {
        let shared = self.shared.clone();
        let rules = &shared.programs.of[back as usize].response_content;
        let (verdict, _) = self.run_list(index, rules, 0, true);
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
