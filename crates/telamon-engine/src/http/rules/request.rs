//! A request's way through its lists: the frontend's, the choice of the backend, the backend's.

use telamon_expr::Verdict;
use telamon_http::forward;

use super::{Flow, RulePlace};
use crate::conn::NONE;
use crate::http::client::write_addresses;
use crate::io::Io;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// The rules of a request, from where it has come to, up to the choice of its server.
    pub(crate) fn request_rules(&mut self, index: u32) {
        loop {
            let Some(exchange) = self.exchange(index) else {
                return;
            };
            let place = exchange.place;
            let flow = match place.stage {
                0 => self.request_lists(index, self.slots_proxy(index), place),
                1 => self.choose_backend(index),
                2 => {
                    let (front, back) = self.sections(index);
                    if front == back || back == NONE {
                        Flow::On
                    } else {
                        self.request_lists(index, back, place)
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
                    ..RulePlace::default()
                };
                exchange.inspect_until = None;
            }
        }
    }

    /// `tcp-request content`, `http-request` and `redirect`, from the place that was come to.
    fn request_lists(&mut self, index: u32, proxy: u32, place: RulePlace) -> Flow {
        let shared = self.shared.clone();
        let program = &shared.programs.of[proxy as usize];
        let lists = [&program.content, &program.request, &program.redirects];
        let mut from = place.rule;
        for (list, rules) in (0..).zip(lists).skip(usize::from(place.list)) {
            if let Some(exchange) = self.exchange(index) {
                exchange.place.list = list;
            }
            let flow = if list == 0 {
                self.content_list(index, proxy, from)
            } else {
                let (verdict, at) = self.run_list(index, rules, from, false);
                self.carry_out(index, rules, verdict, at, proxy)
            };
            from = 0;
            if matches!(flow, Flow::Stop) {
                return flow;
            }
        }
        Flow::On
    }

    /// `tcp-request content`: what has come is a whole head, so that only what waits for time itself
    /// makes it wait (manual 4.2, `tcp-request inspect-delay`).
    fn content_list(&mut self, index: u32, proxy: u32, from: usize) -> Flow {
        let shared = self.shared.clone();
        let rules = &shared.programs.of[proxy as usize].content;
        if rules.is_empty() {
            return Flow::On;
        }
        let delay = shared.proxies[proxy as usize]
            .plan
            .rules
            .request_inspect_delay;
        let now = self.now;
        let Some(exchange) = self.exchange(index) else {
            return Flow::Stop;
        };
        let until = *exchange
            .inspect_until
            .get_or_insert(now + delay.unwrap_or(0));
        let (verdict, at) = self.run_list_while(index, rules, from, false, now < until);
        match verdict {
            Verdict::More => {
                self.hold(index, 0, until - now);
                Flow::Stop
            }
            Verdict::Reject | Verdict::SilentDrop | Verdict::Call | Verdict::CallFailed => {
                self.carry_out(index, rules, verdict, at, proxy)
            }
            _ => Flow::On,
        }
    }

    /// `use_backend`, then `default_backend`.
    fn choose_backend(&mut self, index: u32) -> Flow {
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index);
        let chosen = self.backend_of(index);
        if self.must_call(index) {
            return Flow::Stop;
        }
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

    /// All rules have passed: the head is written as it goes to the server.
    fn rules_passed(&mut self, index: u32) {
        let shared = self.shared.clone();
        if self.exchange(index).is_some_and(|one| one.raw_head == 0) {
            let named = self.named_server(index);
            if self.must_call(index) {
                return;
            }
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
        exchange.connection = match exchange.head.lists_upgrade() {
            true => forward::Connection::Implied,
            false => forward::Connection::of_request(version, keeps),
        };
        if exchange.raw_head > 0 {
            return self.page_begin(index);
        }
        let key = self.hash_key(index);
        if let Some(exchange) = self.exchange(index) {
            exchange.hash_key = key;
        }
        self.http_enter_backend(index);
    }
}
