//! Content rules in mode tcp (manual 4.2, `tcp-request content`, `inspect-delay`): a stream's first
//! bytes are withheld until the rules have said what they think of them.
//!
//! ```text
//!  accept ──► the frontend's ──► use_backend ──► the backend's ──► use-server, pick, connect
//!              ▲   │ misses bytes                  ▲   │                       │
//!              └───┘ more, the end, or time        └───┘                       ▼
//!                                     relay ◄── tcp-response content, on the server's bytes
//! ```
//!
//! A list is run anew for every piece that comes. A condition that more bytes could change stops it
//! (`Verdict::More`) until nothing is waited for any more: the delay is over, the sender has ended,
//! or a buffer is full. What was withheld then goes on as if it had just come.

use telamon_expr::{Answer, Calls, Rules, Vars, Verdict, Wanted};
use telamon_http::{HeadParser, Message};
use telamon_session::{Cause, End, Millis, Side, Stage};
use telamon_sys::Chunk;

use crate::conn::NONE;
use crate::counters::Total;
use crate::inspect_calls::WaitingCall;
use crate::io::{Io, Key};
use crate::worker::{count, Worker};

/// Which list a stream has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum List {
    Frontend,
    Backend,
    Response,
}

impl List {
    /// Whose bytes it looks at.
    fn side(self) -> Side {
        match self {
            List::Frontend | List::Backend => Side::Client,
            List::Response => Side::Server,
        }
    }
}

/// What content rules have of a stream.
pub(crate) struct Inspection {
    list: List,
    /// What has come of the side that is looked at.
    pub(crate) bytes: Vec<u8>,
    /// The HTTP request that they are, if they are one: rules may ask for its parts.
    pub(crate) head: Message,
    /// That side has sent its last byte.
    ended: bool,
    /// It is not even there any more.
    broken: bool,
    /// When the list is run for the last time; None until it has waited.
    until: Option<Millis>,
    /// How long the client may be silent.
    patience: Option<Millis>,
    /// Of the request and of the response, for logs.
    pub(crate) captures: [Vec<Option<Vec<u8>>>; 2],
    /// Calls of Python functions in the rule at hand.
    pub(crate) calls: Option<Box<Calls>>,
    /// The one that is waited for, and the rule that goes on with its answer.
    pub(crate) waiting: Option<WaitingCall>,
    pub(crate) from: usize,
    /// The rule that ended a list last.
    pub(crate) last_rule: Option<std::sync::Arc<telamon_expr::Place>>,
    /// The level of the log line, if rules say it; `silent`: none within.
    pub(crate) log_level: Option<Option<u8>>,
}

impl Inspection {
    fn new() -> Self {
        Inspection {
            list: List::Frontend,
            bytes: Vec::new(),
            head: Message::default(),
            ended: false,
            broken: false,
            until: None,
            patience: None,
            captures: Default::default(),
            last_rule: None,
            log_level: None,
            calls: None,
            waiting: None,
            from: 0,
        }
    }

    /// When the rules must be run once more, if they wait.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        match self.waiting {
            Some(call) => Some(call.until),
            None => self.until.into_iter().chain(self.patience).min(),
        }
    }

    /// The call that was waited for has its answer.
    pub(crate) fn over(&mut self, answer: Answer) {
        self.waiting = None;
        if let Some(calls) = &self.calls {
            calls.tell(answer);
        }
    }

    /// Nothing more comes of the side; `broken`: nothing can be said to it either.
    pub(crate) fn end(&mut self, broken: bool) {
        self.ended = true;
        self.broken |= broken;
    }
}

impl<I: Io> Worker<I> {
    /// A client's stream begins. True if its first bytes are to be looked at: they are awaited.
    pub(crate) fn begin_inspection(&mut self, index: u32) -> bool {
        self.begin_list(index, List::Frontend)
    }

    /// Without rules at the frontend: on to the backend, whose rules may look at the bytes.
    pub(crate) fn begin_stream(&mut self, index: u32) {
        if self.pass_frontend(index) {
            self.inspect(index);
        } else {
            self.release_request(index);
        }
    }

    /// A server's connection is there: are its first bytes to be looked at?
    pub(crate) fn begin_response(&mut self, index: u32) {
        if self.slots.get(index).backend != NONE && self.begin_list(index, List::Response) {
            self.inspect(index);
        }
    }

    /// Begins a list, unless there is none.
    fn begin_list(&mut self, index: u32, list: List) -> bool {
        let shared = self.shared.clone();
        let now = self.now;
        let slot = self.slots.get(index);
        let programs = &shared.programs.of;
        let none = match list {
            List::Frontend => programs[slot.proxy as usize].content.is_empty(),
            List::Backend => programs[slot.backend as usize].content.is_empty(),
            List::Response => programs[slot.backend as usize].response_content.is_empty(),
        };
        if none {
            return false;
        }
        let side = list.side();
        slot.inspecting[side as usize] = true;
        let inspection = slot
            .inspection
            .get_or_insert_with(|| Box::new(Inspection::new()));
        inspection.list = list;
        inspection.until = None;
        if side == Side::Client {
            let client = shared.proxies[slot.proxy as usize].plan.timeouts.client;
            inspection.patience = client.map(|time| now + time);
            slot.stream.hold(now, None);
        } else {
            inspection.ended = false;
            inspection.patience = None;
            inspection.bytes.clear();
        }
        true
    }

    /// Bytes of a side that is looked at.
    pub(crate) fn withhold(&mut self, key: Key, chunk: Chunk) {
        let shared = self.shared.clone();
        let now = self.now;
        let slot = self.slots.get(key.slot);
        let data = self.io.pool().data(&chunk);
        let count = data.len() as u64;
        if let Some(inspection) = &mut slot.inspection {
            inspection.bytes.extend_from_slice(data);
            if key.side == Side::Client {
                let client = shared.proxies[slot.proxy as usize].plan.timeouts.client;
                inspection.patience = client.map(|time| now + time);
            }
        }
        self.io.put(chunk);
        slot.bytes[key.side as usize] += count;
        slot.stream.received(key.side, count, now);
        match key.side {
            Side::Client => self.count_before(key.slot, key.side, count),
            Side::Server => self.count_bytes(key.slot, key.side, count),
        }
        self.inspect(key.slot);
    }

    /// Runs the list that the stream has come to, and those behind it, as far as they can be.
    pub(crate) fn inspect(&mut self, index: u32) {
        let shared = self.shared.clone();
        if !self.stream_call_is_over(index) {
            return;
        }
        loop {
            let now = self.now;
            let slot = self.slots.get(index);
            let Some(inspection) = slot.inspection.as_deref_mut() else {
                return;
            };
            // A client that says nothing for too long is taken to have ended.
            inspection.ended |= inspection.patience.is_some_and(|by| by <= now);
            let list = inspection.list;
            let place = match list {
                List::Frontend => slot.proxy as usize,
                List::Backend | List::Response => slot.backend as usize,
            };
            let (plan, program) = (
                &shared.proxies[place].plan.rules,
                &shared.programs.of[place],
            );
            let (rules, delay) = match list {
                List::Response => (&program.response_content, plan.response_inspect_delay),
                _ => (&program.content, plan.request_inspect_delay),
            };
            let last = inspection.ended
                || inspection.until.is_some_and(|until| until <= now)
                || inspection.bytes.len() >= shared.sizes.head
                || delay.unwrap_or(0) == 0;
            let (verdict, at) = self.run_content(index, rules, last);
            let goes_on = matches!(verdict, Verdict::GoOn | Verdict::More | Verdict::Call);
            if let Some(inspection) = self.slots.get(index).inspection.as_deref_mut() {
                if !goes_on {
                    inspection.last_rule = rules.place(at).cloned();
                }
            }
            match verdict {
                Verdict::Call => return self.call_from_stream(index, at),
                Verdict::More => return self.await_more(index, list.side(), delay.unwrap_or(0)),
                Verdict::Close => return self.close_server(index),
                Verdict::SilentDrop => return self.refuse_content(index, list, true),
                Verdict::Reject | Verdict::Failed | Verdict::CallFailed | Verdict::Deny(_) => {
                    return self.refuse_content(index, list, false)
                }
                _ => {}
            }
            let more = list == List::Frontend && self.pass_frontend(index);
            if !more {
                return match list.side() {
                    Side::Client => self.release_request(index),
                    Side::Server => self.release_response(index),
                };
            }
        }
    }

    /// The frontend's rules have passed: which backend, and has it rules, too?
    fn pass_frontend(&mut self, index: u32) -> bool {
        self.enter_backend(index);
        let (front, back) = self.sections(index);
        back != NONE && back != front && self.begin_list(index, List::Backend)
    }

    fn run_content(&mut self, index: u32, rules: &Rules, last: bool) -> (Verdict, usize) {
        let shared = self.shared.clone();
        let mut seen = self.see(index);
        seen.may_change = !last;
        let slot = self.slots.get(index);
        let vars = slot.vars.take();
        let vars = vars.unwrap_or_else(|| Vars::new(&shared.programs.process_vars));
        let from = slot
            .inspection
            .as_mut()
            .map(|one| std::mem::take(&mut one.from));
        let inspection = slot.inspection.as_deref();
        let bytes: &[u8] = inspection.map_or(&[], |inspection| &inspection.bytes);
        let in_response = inspection.is_some_and(|one| one.list == List::Response);
        let (mut head, mut wanted) = (Message::default(), Wanted::default());
        if !in_response {
            let mut parser = HeadParser::within(shared.sizes.requests());
            match parser.parse(bytes) {
                Ok(Some(request)) => head.take_request(&request),
                Ok(None) => {}
                Err(_) => seen.head_may_come = false,
            }
        }
        let ended = rules.run(
            from.unwrap_or(0),
            &mut head,
            None,
            in_response,
            bytes,
            &seen,
            &vars,
            &mut wanted,
        );
        slot.vars = Some(vars);
        if let Some(inspection) = slot.inspection.as_deref_mut() {
            inspection.head = head;
        }
        self.unsee(index, seen);
        self.grant(index, wanted);
        ended
    }

    /// The rules wait: for bytes, for the sender's end, and no longer than the delay.
    fn await_more(&mut self, index: u32, side: Side, delay: Millis) {
        let now = self.now;
        let slot = self.slots.get(index);
        let key = slot.key(index, side);
        let class = usize::from(slot.class[side as usize]);
        if let Some(inspection) = &mut slot.inspection {
            inspection.until.get_or_insert(now + delay);
        }
        self.receive(key, class, false);
        self.set_timer(index);
    }

    /// The rules want nothing of the stream.
    fn refuse_content(&mut self, index: u32, list: List, silent: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let what = match list.side() {
            Side::Client => Total::Dreq,
            Side::Server => Total::Dresp,
        };
        if let Some(frontend) = &shared.proxies[slot.proxy as usize].frontend {
            count!(self, frontend.object, what, 1);
        }
        if what == Total::Dresp {
            self.count_denied_behind(index);
        }
        if silent {
            self.go_silently(index);
        }
        let now = self.now;
        let slot = self.slots.get(index);
        slot.inspecting = [false; 2];
        match list.side() {
            Side::Client => slot.stream.kill(Cause::Proxy),
            Side::Server => {
                // What the client has said before still goes to the server.
                slot.stream.mark(End {
                    cause: Cause::Proxy,
                    stage: Stage::Data,
                });
                let withheld = slot.inspection.as_deref().map_or(0, |one| one.bytes.len());
                slot.stream.sent(Side::Client, withheld as u64, now);
                slot.stream.eof(Side::Client);
                slot.stream.eof(Side::Server);
            }
        }
        self.settle(index);
    }

    /// The request's rules have passed: the stream goes to its server, with what was withheld.
    fn release_request(&mut self, index: u32) {
        if self.take_named_server(index).is_err() {
            return self.refuse_content(index, List::Frontend, false);
        }
        let slot = self.slots.get(index);
        slot.inspecting[Side::Client as usize] = false;
        let (bytes, ended, broken) = match slot.inspection.as_deref_mut() {
            Some(one) => (std::mem::take(&mut one.bytes), one.ended, one.broken),
            None => (Vec::new(), false, false),
        };
        if broken {
            self.broke(index, Side::Client);
            return self.settle(index);
        }
        if !bytes.is_empty() {
            self.count_behind(index, Side::Client, bytes.len() as u64);
            self.push(index, Side::Server, &bytes);
        }
        let slot = self.slots.get(index);
        slot.stream.proceed();
        if ended {
            slot.stream.eof(Side::Client);
        }
        self.settle(index);
    }

    /// `tcp-response content close`: the server is left, and what it has said goes on.
    fn close_server(&mut self, index: u32) {
        let slot = self.slots.get(index);
        slot.stream.eof(Side::Client);
        if let Some(inspection) = &mut slot.inspection {
            inspection.end(false);
        }
        self.release_response(index);
    }

    fn release_response(&mut self, index: u32) {
        let slot = self.slots.get(index);
        slot.inspecting[Side::Server as usize] = false;
        let Some(inspection) = slot.inspection.as_deref_mut() else {
            return;
        };
        let (bytes, ended) = (std::mem::take(&mut inspection.bytes), inspection.ended);
        self.push(index, Side::Client, &bytes);
        let slot = self.slots.get(index);
        if ended {
            slot.stream.eof(Side::Server);
        }
        if slot.stream.writes(Side::Client) {
            self.flush(index, Side::Client);
        }
        self.settle(index);
    }
}
