//! Where rules are run in an exchange: on the request at the frontend, then at the backend; on the
//! response the other way round.
//!
//! A frontend whose proxies have no rules never comes here. Otherwise the request's head is a
//! [`telamon_http::Message`] that rules may change; when they are through it is written as it goes
//! to the server. A list that must wait (for a body, in a tarpit) remembers its place in `RulePlace`
//! and goes on from there.

use std::net::SocketAddr;

use telamon_expr::{Env, Rules, Vars, Verdict, Wanted};
use telamon_http::{forward, Message};
use telamon_session::{Cause, End, Millis, Stage};

use super::client::write_addresses;
use super::{after, Step};
use crate::conn::NONE;
use crate::counters::Total;
use crate::io::Io;
use crate::program::Target;
use crate::seen::{Line, Seen};
use crate::worker::{count, Worker};

/// Which list of rules a request has come to, and which rule of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RulePlace {
    stage: u8,
    rule: usize,
}

/// Whether the exchange goes on after a list.
enum Flow {
    On,
    /// An answer is on its way, or the list waits.
    Stop,
}

impl<I: Io> Worker<I> {
    /// What expressions see of an exchange. Captures and the request line move in, and back out by
    /// `unsee`.
    pub(crate) fn see(&mut self, index: u32) -> Seen {
        let (shared, thread, now) = (self.shared.clone(), self.index, self.now);
        let slot = self.slots.get(index);
        let mut seen = Seen {
            shared,
            thread,
            now,
            proxy: slot.proxy,
            backend: slot.backend,
            server: slot.server,
            listener: slot.listener,
            source: slot.client,
            destination: slot.destination,
            server_ends: None,
            first: false,
            requests: 0,
            captures: Default::default(),
            cookies: Default::default(),
            request_line: None,
            unique_id: Vec::new(),
            line: Line {
                accepted: Some(slot.accepted),
                ..Line::default()
            },
        };
        if let Some(http) = slot.http.as_deref_mut() {
            seen.first = http.requests <= 1;
            seen.requests = http.requests;
            if let Some(exchange) = http.exchange.as_deref_mut() {
                seen.captures = std::mem::take(&mut exchange.captures);
                seen.cookies = std::mem::take(&mut exchange.cookies.captured);
                seen.request_line = exchange.log.request_line.take();
                seen.unique_id = std::mem::take(&mut exchange.unique_id);
                seen.line.began = Some(exchange.log.wall);
                seen.line.idle = exchange.log.idle;
            }
        }
        seen
    }

    pub(crate) fn unsee(&mut self, index: u32, seen: Seen) {
        if let Some(exchange) = self.exchange(index) {
            exchange.captures = seen.captures;
            exchange.cookies.captured = seen.cookies;
            exchange.log.request_line = seen.request_line;
            exchange.unique_id = seen.unique_id;
        }
    }

    /// Runs a list on a head, and does what it wants besides.
    fn run_list(
        &mut self,
        index: u32,
        rules: &Rules,
        from: usize,
        in_response: bool,
    ) -> (Verdict, usize) {
        if rules.is_empty() {
            return (Verdict::GoOn, 0);
        }
        let process = self.shared.programs.process_vars.clone();
        let seen = self.see(index);
        let mut wanted = Wanted::default();
        let Some(http) = self.http(index) else {
            return (Verdict::GoOn, 0);
        };
        let vars = http.vars.take();
        let Some(exchange) = http.exchange.as_deref_mut() else {
            return (Verdict::GoOn, 0);
        };
        let vars = vars.unwrap_or_else(|| Vars::new(&process));
        let mut request = std::mem::take(&mut exchange.head);
        let mut reply = std::mem::take(&mut exchange.reply);
        let body = std::mem::take(&mut exchange.gathered);
        let (edited, other) = if in_response {
            (&mut reply, Some(&request))
        } else {
            (&mut request, None)
        };
        let (verdict, at) = rules.run(
            from,
            edited,
            other,
            in_response,
            &body,
            &seen,
            &vars,
            &mut wanted,
        );
        if let Some(http) = self.http(index) {
            http.vars = Some(vars);
            if let Some(exchange) = http.exchange.as_deref_mut() {
                exchange.head = request;
                exchange.reply = reply;
                exchange.gathered = body;
            }
        }
        self.unsee(index, seen);
        self.grant(index, wanted, in_response);
        (verdict, at)
    }

    /// Does what rules want beyond the head.
    fn grant(&mut self, index: u32, wanted: Wanted, in_response: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        if wanted.source.is_some() || wanted.source_port.is_some() {
            slot.client = changed(slot.client, wanted.source, wanted.source_port);
        }
        if wanted.destination.is_some() || wanted.destination_port.is_some() {
            let (ip, port) = (wanted.destination, wanted.destination_port);
            slot.destination = changed(slot.destination, ip, port);
        }
        if let Some(class) = wanted.priority_class {
            slot.priority.class = class.clamp(-2047, 2047) as i16;
        }
        if let Some(offset) = wanted.priority_offset {
            slot.priority.offset = offset.clamp(-524_287, 524_287) as i32;
        }
        let plan = &shared.proxies[slot.proxy as usize].plan.http;
        let declared = if in_response {
            &plan.response_captures
        } else {
            &plan.request_captures
        };
        let Some(exchange) = slot.exchange() else {
            return;
        };
        for (place, mut value) in wanted.captures {
            value.truncate(declared.get(place).map_or(usize::MAX, |one| one.length));
            let slots = &mut exchange.captures[usize::from(in_response)];
            if slots.len() <= place {
                slots.resize(place + 1, None);
            }
            slots[place] = Some(value);
        }
        for (name, value) in wanted.timeouts {
            let place = match name {
                "client" => &mut exchange.policy.client,
                "connect" => &mut exchange.policy.connect,
                "queue" => &mut exchange.policy.queue,
                "server" => &mut exchange.policy.server,
                "tunnel" => &mut exchange.policy.tunnel,
                _ => &mut exchange.tarpit,
            };
            *place = Some(value);
        }
        if let Some(retries) = wanted.retries {
            exchange.policy.retries = retries;
        }
        if let Some(level) = wanted.log_level {
            exchange.log.level = Some(level);
        }
        exchange.no_retry |= wanted.no_retry;
        if !wanted.hints.is_empty() && exchange.version.is_1_1() {
            self.push(index, telamon_session::Side::Client, &wanted.hints);
            self.flush(index, telamon_session::Side::Client);
        }
    }

    // ---- requests ------------------------------------------------------------------------------

    /// The rules of a request, from where it has come to, up to the choice of its server.
    pub(super) fn request_rules(&mut self, index: u32) {
        loop {
            let Some(exchange) = self.exchange(index) else {
                return;
            };
            let place = exchange.place;
            let flow = match place.stage {
                0 => self.request_list(index, self.slots_proxy(index), place.rule),
                1 => self.choose_backend(index),
                2 => {
                    let (front, back) = self.sections(index);
                    if front == back || back == NONE {
                        Flow::On
                    } else {
                        self.request_list(index, back, place.rule)
                    }
                }
                _ => return self.rules_passed(index),
            };
            if matches!(flow, Flow::Stop) {
                return;
            }
            if let Some(exchange) = self.exchange(index) {
                exchange.place = RulePlace {
                    stage: place.stage + 1,
                    rule: 0,
                };
            }
        }
    }

    fn slots_proxy(&self, index: u32) -> u32 {
        self.slots.proxy_of(index)
    }

    fn sections(&mut self, index: u32) -> (u32, u32) {
        let slot = self.slots.get(index);
        (slot.proxy, slot.backend)
    }

    fn request_list(&mut self, index: u32, proxy: u32, from: usize) -> Flow {
        let shared = self.shared.clone();
        let program = &shared.programs.of[proxy as usize];
        if from == 0 {
            let (verdict, at) = self.run_list(index, &program.content, 0, false);
            if matches!(verdict, Verdict::Reject | Verdict::SilentDrop) {
                return self.carry_out(index, &program.content, verdict, at, proxy);
            }
        }
        let (verdict, at) = self.run_list(index, &program.request, from, false);
        let flow = self.carry_out(index, &program.request, verdict, at, proxy);
        if matches!(flow, Flow::Stop) {
            return flow;
        }
        let (verdict, at) = self.run_list(index, &program.redirects, 0, false);
        self.carry_out(index, &program.redirects, verdict, at, proxy)
    }

    /// What a list's verdict means for the request.
    fn carry_out(
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
                self.http_end(index, end(Cause::Proxy, Stage::Request));
                self.http_close(index);
            }
            Verdict::Pause(time) => self.hold(index, at + 1, time),
            Verdict::Wait { time, bytes } => return self.gather(index, at + 1, time, bytes),
            Verdict::Failed => self.fail(index, 500, end(Cause::Proxy, Stage::Request)),
        }
        Flow::Stop
    }

    /// Nothing happens for a while; then the list goes on.
    fn hold(&mut self, index: u32, rule: usize, time: Millis) {
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
    fn tarpit(&mut self, index: u32, at: usize) {
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

    /// A held request's time is over.
    pub(super) fn held_over(&mut self, index: u32) {
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
        let proxy = if place.stage == 0 { front } else { back };
        let rules = &shared.programs.of[proxy as usize].request;
        let end = End {
            cause: Cause::Proxy,
            stage: Stage::Tarpit,
        };
        self.rule_answer(index, rules, place.rule, end);
    }

    /// `wait-for-body`: more of it is read, up to a buffer, before the list goes on.
    fn gather(&mut self, index: u32, rule: usize, time: Millis, bytes: u64) -> Flow {
        let now = self.now;
        let Some(http) = self.http(index) else {
            return Flow::Stop;
        };
        if let Some(exchange) = http.exchange.as_deref_mut() {
            if exchange.raw_head > 0 {
                // A page collects its request's body by itself.
                return Flow::On;
            }
            exchange.place.rule = rule;
            exchange.gather = if bytes == 0 {
                super::BUFFER
            } else {
                usize::try_from(bytes)
                    .unwrap_or(super::BUFFER)
                    .min(super::BUFFER)
            };
        }
        http.step = Step::Gathering;
        http.deadline = now + time;
        self.gather_more(index);
        Flow::Stop
    }

    /// Something of the body came while rules wait for it.
    pub(super) fn gather_more(&mut self, index: u32) {
        let Some(http) = self.http(index) else { return };
        let rest = http.rest.take();
        let come = rest.map(|chunk| {
            let data = self.io.pool().data(&chunk).to_vec();
            self.io.put(chunk);
            data
        });
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        let mut complete = exchange.upload.is_done();
        exchange.raw.extend(come.unwrap_or_default());
        // The body is read from the start each time: it is small, and it comes in few pieces.
        let (mut body, raw) = (exchange.upload.clone(), std::mem::take(&mut exchange.raw));
        exchange.gathered.clear();
        let mut gathered = std::mem::take(&mut exchange.gathered);
        let failed = body.take_bare(&raw, &mut gathered).is_err();
        exchange.gathered = gathered;
        exchange.raw = raw;
        complete |= body.is_done() || exchange.gathered.len() >= exchange.gather;
        complete |= exchange.raw.len() >= super::BUFFER;
        if failed {
            return self.bad_upload(index);
        }
        if complete {
            return self.gathered(index);
        }
        self.http_receive(index);
        self.set_timer(index);
    }

    /// As much of the body is there as rules wait for, or their time is over: what was read goes
    /// on as if it had just come.
    pub(super) fn gathered(&mut self, index: u32) {
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        let raw = std::mem::take(&mut exchange.raw);
        let chunk = if raw.is_empty() {
            None
        } else {
            let class = usize::from(raw.len() > super::BUFFER);
            let Some(mut chunk) = self.io.pool_mut().take(class) else {
                return self.http_broke(index);
            };
            let space = self.io.pool_mut().space(&chunk);
            let count = space.len().min(raw.len());
            space[..count].copy_from_slice(&raw[..count]);
            chunk.fill(count);
            Some(chunk)
        };
        if let Some(http) = self.http(index) {
            http.step = Step::Head;
            http.rest = chunk;
        }
        self.request_rules(index);
    }

    /// `use_backend`, then `default_backend`.
    fn choose_backend(&mut self, index: u32) -> Flow {
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index);
        let chosen = self.backend_of(index);
        let Some(at) = chosen else {
            return Flow::On;
        };
        self.slots.get(index).backend = at as u32;
        let route = shared.route(proxy, at as u32);
        if let Some(exchange) = self.exchange(index) {
            let client = exchange.policy.client;
            exchange.policy = route.policy;
            exchange.policy.client = client;
        }
        Flow::On
    }

    /// The backend that a stream's rules name, or the default one.
    pub(crate) fn backend_of(&mut self, index: u32) -> Option<usize> {
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index) as usize;
        let default = shared.proxies[proxy]
            .frontend
            .as_ref()
            .and_then(|frontend| frontend.backend);
        let choices = &shared.programs.of[proxy].backends;
        if choices.is_empty() {
            return default;
        }
        let seen = self.see(index);
        let empty = (Message::default(), Vars::new(&shared.programs.process_vars));
        let slot = self.slots.get(index);
        let http = slot.http.as_deref();
        let exchange = http.and_then(|http| http.exchange.as_deref());
        let env = Env {
            request: exchange.map(|exchange| &exchange.head),
            response: None,
            body: exchange.map_or(&[], |exchange| &exchange.gathered),
            facts: &seen,
            vars: http.and_then(|http| http.vars.as_ref()).unwrap_or(&empty.1),
        };
        let chosen = choices.iter().find_map(|choice| {
            if choice
                .condition
                .as_ref()
                .is_some_and(|one| !one.holds(&env))
            {
                return None;
            }
            let by_id = |id: u32| shared.proxies.iter().position(|one| one.plan.id == id);
            match &choice.target {
                Target::Fixed(id) => by_id(*id),
                Target::Named(format) => {
                    let name = format.bytes(&env);
                    shared.proxies.iter().position(|one| {
                        one.backend.is_some() && one.plan.name.as_bytes() == name.as_slice()
                    })
                }
            }
        });
        self.unsee(index, seen);
        chosen.or(default)
    }

    /// `use-server`: the server (by place) that the backend's rules name.
    pub(crate) fn named_server(&mut self, index: u32) -> Option<usize> {
        let shared = self.shared.clone();
        let backend = self.slots.get(index).backend as usize;
        let rules = &shared.programs.of.get(backend)?.servers;
        if rules.is_empty() {
            return None;
        }
        let servers = &shared.proxies[backend].backend.as_ref()?.servers;
        let seen = self.see(index);
        let empty = Vars::new(&shared.programs.process_vars);
        let slot = self.slots.get(index);
        let http = slot.http.as_deref();
        let exchange = http.and_then(|http| http.exchange.as_deref());
        let env = Env {
            request: exchange.map(|exchange| &exchange.head),
            response: None,
            body: &[],
            facts: &seen,
            vars: http.and_then(|http| http.vars.as_ref()).unwrap_or(&empty),
        };
        let chosen = rules.iter().find_map(|rule| {
            if rule.condition.as_ref().is_some_and(|one| !one.holds(&env)) {
                return None;
            }
            let place = match &rule.target {
                Target::Fixed(id) => servers.iter().position(|one| one.id == *id),
                Target::Named(format) => {
                    let name = format.bytes(&env);
                    servers
                        .iter()
                        .position(|one| one.name.as_bytes() == name.as_slice())
                }
            };
            place.filter(|place| servers[*place].is_usable())
        });
        self.unsee(index, seen);
        chosen
    }

    /// The value of `balance hash <expr>`.
    fn hash_key(&mut self, index: u32) -> Option<Vec<u8>> {
        let shared = self.shared.clone();
        let backend = self.slots.get(index).backend as usize;
        let expression = shared.programs.of.get(backend)?.hash_key.as_ref()?;
        let seen = self.see(index);
        let empty = Vars::new(&shared.programs.process_vars);
        let slot = self.slots.get(index);
        let http = slot.http.as_deref();
        let exchange = http.and_then(|http| http.exchange.as_deref());
        let env = Env {
            request: exchange.map(|exchange| &exchange.head),
            response: None,
            body: exchange.map_or(&[], |exchange| &exchange.gathered),
            facts: &seen,
            vars: http.and_then(|http| http.vars.as_ref()).unwrap_or(&empty),
        };
        let value = expression.value(&env);
        let value = value.map(|value| value.into_bytes().into_owned());
        self.unsee(index, seen);
        value
    }

    /// All rules have passed: the head is written as it goes to the server.
    fn rules_passed(&mut self, index: u32) {
        let shared = self.shared.clone();
        if self.exchange(index).is_some_and(|one| one.raw_head == 0) {
            let named = self.named_server(index);
            if let Some(server) = named {
                self.slots.get(index).wanted = server as u32;
            }
            self.request_cookies(index, named.is_some());
        }
        let slot = self.slots.get(index);
        let (client, destination) = (slot.client, slot.destination);
        let route = shared.route(slot.proxy, slot.backend);
        let name = &shared.proxies[slot.proxy as usize]
            .plan
            .http
            .unique_id_header;
        let Some(exchange) = slot.exchange() else {
            return;
        };
        if let (Some(name), false) = (name, exchange.unique_id.is_empty()) {
            let id = exchange.unique_id.clone();
            exchange.head.add_field(name.as_bytes(), &id);
        }
        exchange.is_head = exchange.head.method() == b"HEAD";
        let out = &mut exchange.outgoing;
        out.clear();
        exchange.head.write_request(out);
        let head = &exchange.head;
        let had = |name: &[u8]| head.lines(name).next().is_some();
        write_addresses(out, route, client, destination, had);
        let version = exchange.head.version();
        let keeps = exchange.keep_server || route.pretend_keepalive;
        exchange.connection = forward::Connection::of_request(version, keeps);
        if exchange.raw_head > 0 {
            return self.page_begin(index);
        }
        let key = self.hash_key(index);
        if let Some(exchange) = self.exchange(index) {
            exchange.hash_key = key;
        }
        self.http_enter_backend(index);
    }

    /// `unique-id-format`, made when the request comes.
    pub(super) fn make_unique_id(&mut self, index: u32) {
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index) as usize;
        let Some(format) = &shared.programs.of[proxy].unique_id else {
            return;
        };
        let mut seen = self.see(index);
        let vars = Vars::new(&shared.programs.process_vars);
        let mut id = Vec::new();
        if let Some(exchange) = self.exchange(index) {
            let env = Env {
                request: Some(&exchange.head),
                response: None,
                body: &[],
                facts: &seen,
                vars: &vars,
            };
            format.write(&env, &mut id);
        }
        seen.unique_id = id;
        self.unsee(index, seen);
    }

    /// `monitor fail`.
    pub(super) fn monitor_fails(&mut self, index: u32) -> bool {
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index) as usize;
        let conditions = &shared.programs.of[proxy].monitor_fail;
        if conditions.is_empty() {
            return false;
        }
        let seen = self.see(index);
        let vars = Vars::new(&shared.programs.process_vars);
        let fails = self.exchange(index).is_some_and(|exchange| {
            let env = Env {
                request: Some(&exchange.head),
                response: None,
                body: &[],
                facts: &seen,
                vars: &vars,
            };
            conditions.iter().any(|condition| condition.holds(&env))
        });
        self.unsee(index, seen);
        fails
    }

    /// Headers that logs show.
    pub(super) fn capture_headers(&mut self, index: u32, in_response: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let plan = &shared.proxies[slot.proxy as usize].plan.http;
        let declared = if in_response {
            &plan.response_captures
        } else {
            &plan.request_captures
        };
        let Some(exchange) = slot.exchange() else {
            return;
        };
        let head = if in_response {
            &exchange.reply
        } else {
            &exchange.head
        };
        let values = declared.iter().map(|capture| {
            let name = capture.header.as_ref()?;
            let value = head.lines(name.as_bytes()).next_back()?;
            Some(value[..value.len().min(capture.length)].to_vec())
        });
        exchange.captures[usize::from(in_response)] = values.collect();
    }

    // ---- responses -----------------------------------------------------------------------------

    /// The rules of a server's response; false if something else is answered in its place.
    pub(super) fn response_rules(&mut self, index: u32) -> bool {
        let shared = self.shared.clone();
        self.capture_headers(index, true);
        let (front, back) = self.sections(index);
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
                Verdict::GoOn | Verdict::Allow | Verdict::Wait { .. } | Verdict::Pause(_) => {}
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

    /// `http-after-response`, on every response that goes to a client.
    fn after_rules(&mut self, index: u32) {
        let shared = self.shared.clone();
        let (front, back) = self.sections(index);
        if back != NONE && back != front {
            self.run_list(index, &shared.programs.of[back as usize].after, 0, true);
        }
        self.run_list(index, &shared.programs.of[front as usize].after, 0, true);
    }

    /// Is there an `http-after-response` that would see this exchange's answers?
    pub(super) fn has_after_rules(&mut self, index: u32) -> bool {
        let (front, back) = self.sections(index);
        let programs = &self.shared.programs.of;
        let has = |proxy: u32| {
            programs
                .get(proxy as usize)
                .is_some_and(|program| !program.after.is_empty())
        };
        has(front) || has(back)
    }

    /// An answer that a rule gives.
    fn rule_answer(&mut self, index: u32, rules: &Rules, at: usize, end: End) {
        let shared = self.shared.clone();
        let seen = self.see(index);
        let empty = Vars::new(&shared.programs.process_vars);
        let (status, made) = {
            let slot = self.slots.get(index);
            let http = slot.http.as_deref();
            let exchange = http.and_then(|http| http.exchange.as_deref());
            let env = Env {
                request: exchange.map(|exchange| &exchange.head),
                response: exchange
                    .map(|exchange| &exchange.reply)
                    .filter(|reply| !reply.is_empty()),
                body: exchange.map_or(&[], |exchange| &exchange.gathered),
                facts: &seen,
                vars: http.and_then(|http| http.vars.as_ref()).unwrap_or(&empty),
            };
            rules.answer(at, &env)
        };
        self.unsee(index, seen);
        self.leave_server(index);
        if let Some(exchange) = self.exchange(index) {
            exchange.log.end = end;
            exchange.keep &= exchange.upload.is_done();
        }
        match made {
            None => self.http_error(index, status),
            Some((head, body)) => self.own_answer(index, head, &body),
        }
    }

    /// A response of our own goes through the last rules, and out.
    pub(super) fn own_answer(&mut self, index: u32, head: Message, body: &[u8]) {
        let stopping = self.soft_stopping;
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        exchange.keep &= !stopping;
        exchange.reply = head;
        self.after_rules(index);
        let Some(exchange) = self.exchange(index) else {
            return;
        };
        let status = exchange.reply.status();
        let connection = forward::Connection::of_response(
            exchange.reply.version(),
            exchange.version,
            exchange.keep,
        );
        let mut out = Vec::new();
        exchange.reply.write_response(&mut out, false, connection);
        if !exchange.is_head {
            out.extend_from_slice(body);
        }
        let logged = telamon_http::logged_size(&out);
        self.http_answer(index, status, out, logged);
        self.leave_backend(index);
    }

    // ---- counting ------------------------------------------------------------------------------

    fn count_denied(&mut self, index: u32, proxy: u32) {
        let shared = self.shared.clone();
        let front = self.slots_proxy(index);
        if let Some(frontend) = &shared.proxies[front as usize].frontend {
            count!(self, frontend.object, Total::Dreq, 1);
        }
        if proxy != front {
            if let Some(backend) = &shared.proxies[proxy as usize].backend {
                count!(self, backend.object, Total::Dreq, 1);
            }
        }
    }

    fn count_denied_response(&mut self, index: u32) {
        let shared = self.shared.clone();
        let (front, back) = self.sections(index);
        if let Some(frontend) = &shared.proxies[front as usize].frontend {
            count!(self, frontend.object, Total::Dresp, 1);
        }
        if let Some(backend) = shared
            .proxies
            .get(back as usize)
            .and_then(|one| one.backend.as_ref())
        {
            count!(self, backend.object, Total::Dresp, 1);
        }
    }

    fn count_intercepted(&mut self, index: u32) {
        let shared = self.shared.clone();
        let front = self.slots_proxy(index);
        if let Some(frontend) = &shared.proxies[front as usize].frontend {
            count!(self, frontend.object, Total::Intercepted, 1);
        }
    }

    // ---- connections ---------------------------------------------------------------------------

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

fn changed(
    old: Option<SocketAddr>,
    ip: Option<std::net::IpAddr>,
    port: Option<u16>,
) -> Option<SocketAddr> {
    let ip = ip.or(old.map(|old| old.ip()))?;
    Some(SocketAddr::new(
        ip,
        port.or(old.map(|old| old.port())).unwrap_or(0),
    ))
}
