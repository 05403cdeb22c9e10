//! `tcp-request connection` and `session`: may the connection stay?

use telamon_expr::{Vars, Verdict, Wanted};
use telamon_http::Message;

use crate::counters::Total;
use crate::io::Io;
use crate::worker::{count, Worker};

impl<I: Io> Worker<I> {
    /// `lists`: connection (0) and session (1).
    pub(crate) fn connection_rules(&mut self, index: u32, lists: std::ops::Range<usize>) -> bool {
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index);
        let program = &shared.programs.of[proxy as usize];
        let all = [
            (&program.connection, Total::Dcon),
            (&program.session, Total::Dses),
        ];
        for (rules, counter) in all.into_iter().take(lists.end).skip(lists.start) {
            if rules.is_empty() {
                continue;
            }
            let seen = self.see(index);
            let vars = self.slots.get(index).vars.take();
            let vars = vars.unwrap_or_else(|| Vars::new(&shared.programs.process_vars));
            let mut wanted = Wanted::default();
            let mut none = Message::default();
            let (verdict, _) = rules.run(0, &mut none, None, false, &[], &seen, &vars, &mut wanted);
            self.slots.get(index).vars = (!vars.is_empty()).then_some(vars);
            self.unsee(index, seen);
            self.grant(index, wanted);
            if counter == Total::Dcon {
                // The first rules change the connection itself: `fc_src` sees it, too.
                self.slots.get(index).own_ends = None;
            }
            if verdict == Verdict::SilentDrop {
                self.go_silently(index);
            }
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
