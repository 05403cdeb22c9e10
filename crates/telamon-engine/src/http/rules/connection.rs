//! `tcp-request connection` and `session`, and in mode tcp `content`.

use telamon_expr::{Vars, Verdict, Wanted};
use telamon_http::Message;

use crate::counters::Total;
use crate::io::Io;
use crate::worker::{count, Worker};

impl<I: Io> Worker<I> {
    /// `tcp-request connection` and `session`, and in TCP mode `content`: may the connection stay?
    /// `lists`: connection (0), session (1), and content (2), which in HTTP waits for a request.
    pub(crate) fn connection_rules(&mut self, index: u32, lists: std::ops::Range<usize>) -> bool {
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index);
        let program = &shared.programs.of[proxy as usize];
        let all = [
            (&program.connection, Total::Dcon),
            (&program.session, Total::Dses),
            (&program.content, Total::Dreq),
        ];
        for (rules, counter) in all.into_iter().take(lists.end).skip(lists.start) {
            if rules.is_empty() {
                continue;
            }
            let seen = self.see(index);
            let vars = Vars::new(&shared.programs.process_vars);
            let mut wanted = Wanted::default();
            let mut none = Message::default();
            let (verdict, _) = rules.run(0, &mut none, None, false, &[], &seen, &vars, &mut wanted);
            self.unsee(index, seen);
            if !vars.is_empty() {
                if let Some(http) = self.http(index) {
                    http.vars = Some(vars);
                }
            }
            self.grant(index, wanted, false);
            if matches!(
                verdict,
                Verdict::Reject | Verdict::SilentDrop | Verdict::Failed
            ) {
                if let Some(frontend) = &shared.proxies[proxy as usize].frontend {
                    count!(self, frontend.object, counter, 1);
                }
                return false;
            }
        }
        true
    }
}
