//! A request's way through its lists: the frontend's, the choice of the backend, the backend's.

use telamon_expr::Verdict;
use telamon_http::forward;
use telamon_plan::http::NamePolicy;
use telamon_plan::LogStep;
use telamon_session::{Cause, End, Stage};

use super::{Flow, RulePlace};
use crate::conn::NONE;
use crate::http::client::write_addresses;
use crate::http::Undecided;
use crate::io::Io;
use crate::worker::Worker;

/// Whose rules.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Front,
    Back,
}

/// Where a request stops on its way.
#[derive(Clone, Copy)]
pub(super) enum Station {
    /// `tcp-request content`
    Content(Of),
    /// `option http-buffer-request`
    Body(Of),
    /// `http-request`
    Request(Of),
    /// `option http-restrict-req-hdr-names`
    Names(Of),
    /// `redirect`
    Redirects(Of),
    /// `use_backend`
    Choice,
}

pub(super) const STATIONS: [Station; 11] = [
    Station::Content(Of::Front),
    Station::Body(Of::Front),
    Station::Request(Of::Front),
    Station::Names(Of::Front),
    Station::Redirects(Of::Front),
    Station::Choice,
    Station::Content(Of::Back),
    Station::Body(Of::Back),
    Station::Request(Of::Back),
    Station::Names(Of::Back),
    Station::Redirects(Of::Back),
];

impl<I: Io> Worker<I> {
    /// The rules of a request, from where it has come to, up to the choice of its server.
    pub(crate) fn request_rules(&mut self, index: u32) {
        if self.shared.programs.read_bodies {
            self.show_body(index);
        }
        loop {
            let Some(exchange) = self.exchange(index) else {
                return;
            };
            let place = exchange.place;
            let Some(station) = STATIONS.get(place.station) else {
                return self.rules_passed(index);
            };
            if matches!(self.stop_at(index, *station, place.rule), Flow::Stop) {
                return;
            }
            if let Some(exchange) = self.exchange(index) {
                exchange.place = RulePlace {
                    station: place.station + 1,
                    rule: 0,
                };
                exchange.inspect_until = None;
            }
        }
    }

    /// What has come of the body with the head, before any rule has waited for more.
    fn show_body(&mut self, index: u32) {
        let Some(http) = self.slots.get(index).http.as_deref_mut() else {
            return;
        };
        let (Some(exchange), Some(rest)) = (http.exchange.as_deref_mut(), &http.rest) else {
            return;
        };
        if exchange.place == RulePlace::default() && exchange.raw_head == 0 {
            let data = self.io.pool().data(rest);
            exchange.upload.show(data, &mut exchange.gathered);
        }
    }

    /// The section whose rules are meant; none where frontend and backend are one, or where there
    /// is no backend.
    pub(super) fn section_of(&mut self, index: u32, of: Of) -> Option<u32> {
        let (front, back) = self.sections(index);
        match of {
            Of::Front => Some(front),
            Of::Back => (back != NONE && back != front).then_some(back),
        }
    }

    fn stop_at(&mut self, index: u32, station: Station, from: usize) -> Flow {
        let shared = self.shared.clone();
        let (Station::Content(of)
        | Station::Body(of)
        | Station::Request(of)
        | Station::Names(of)
        | Station::Redirects(of)) = station
        else {
            return self.choose_backend(index);
        };
        let Some(proxy) = self.section_of(index, of) else {
            return Flow::On;
        };
        let program = &shared.programs.of[proxy as usize];
        match station {
            Station::Content(_) => self.content_list(index, proxy, from),
            Station::Body(_) => self.buffer_request(index, proxy, from),
            Station::Names(_) => self.restrict_names(index, proxy),
            Station::Redirects(_) => {
                let (verdict, at) = self.run_list(index, &program.redirects, from, false);
                self.carry_out(index, &program.redirects, verdict, at, proxy)
            }
            _ => {
                let (verdict, at) = self.run_list(index, &program.request, from, false);
                self.carry_out(index, &program.request, verdict, at, proxy)
            }
        }
    }

    /// `option http-restrict-req-hdr-names`: names with other marks than hyphens, which some take
    /// for the same as others (manual 4.2).
    fn restrict_names(&mut self, index: u32, proxy: u32) -> Flow {
        let policy = self.shared.proxies[proxy as usize].plan.http.name_policy;
        let odd = |name: &[u8]| {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
            !name.iter().all(plain)
        };
        let Some(exchange) = self.exchange(index) else {
            return Flow::Stop;
        };
        match policy {
            Some(NamePolicy::Delete) => exchange.head.remove_fields(|field| odd(field.name)),
            Some(NamePolicy::Reject) if exchange.head.fields().any(|field| odd(field.name)) => {
                self.count_denied(index, proxy);
                let end = End {
                    cause: Cause::Proxy,
                    stage: Stage::Request,
                };
                self.fail(index, 403, end);
                return Flow::Stop;
            }
            _ => {}
        }
        Flow::On
    }

    /// `tcp-request content`: what has come is a whole head, so that only what waits for the body or for
    /// time itself makes it wait (manual 4.2, `tcp-request inspect-delay`).
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
        let may_change = now < until && !self.is_whole(index);
        let (verdict, at) = self.run_list_while(index, rules, from, false, may_change);
        match verdict {
            Verdict::More => {
                self.hold(index, 0, until - now);
                Flow::Stop
            }
            Verdict::Reject | Verdict::SilentDrop if self.slots_proxy(index) == proxy => {
                // To HAProxy's logs it is no request yet.
                if let Some(exchange) = self.exchange(index) {
                    exchange.log.request_line = None;
                    exchange.log.request_time = None;
                }
                self.carry_out(index, rules, verdict, at, proxy)
            }
            Verdict::Reject | Verdict::SilentDrop | Verdict::Call | Verdict::CallFailed => {
                self.carry_out(index, rules, verdict, at, proxy)
            }
            _ => Flow::On,
        }
    }

    /// Has all of the request come?
    fn is_whole(&mut self, index: u32) -> bool {
        let Some(http) = self.http(index) else {
            return true;
        };
        let come = http.rest.as_ref().map_or(0, |rest| rest.len() as u64);
        http.exchange
            .as_deref()
            .is_none_or(|exchange| exchange.upload.ends_within(come))
    }

    /// `use_backend`, then `default_backend`.
    fn choose_backend(&mut self, index: u32) -> Flow {
        let shared = self.shared.clone();
        let proxy = self.slots_proxy(index);
        let chosen = self.backend_of(index);
        if self.must_call(index) {
            return Flow::Stop;
        }
        let Ok(chosen) = chosen else {
            return self.refuse_undecided(index);
        };
        let Some(at) = chosen else {
            return Flow::On;
        };
        self.slots.get(index).backend = at as u32;
        let route = shared.route(proxy, at as u32);
        // A section that is its own backend keeps what its rules have said (`set-timeout`).
        let other = at as u32 != proxy;
        if let Some(exchange) = self.exchange(index).filter(|_| other) {
            let client = exchange.policy.client;
            exchange.policy = route.policy;
            exchange.policy.client = client;
        }
        match self.persist_rules(index) {
            Ok(()) => Flow::On,
            Err(Undecided) => self.refuse_undecided(index),
        }
    }

    /// Nobody knows where the request belongs, and a guess might lead it past a rule.
    fn refuse_undecided(&mut self, index: u32) -> Flow {
        let end = End {
            cause: Cause::Proxy,
            stage: Stage::Request,
        };
        self.fail(index, 503, end);
        Flow::Stop
    }

    /// All rules have passed: the head is written as it goes to the server.
    fn rules_passed(&mut self, index: u32) {
        let shared = self.shared.clone();
        if self.exchange(index).is_some_and(|one| one.raw_head == 0) {
            let named = self.take_named_server(index);
            if self.must_call(index) {
                return;
            }
            let Ok(named) = named else {
                self.refuse_undecided(index);
                return;
            };
            self.request_cookies(index, named);
            self.log_step(index, LogStep::Request);
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
        self.tell_forwarded(index);
        let Some(exchange) = self.exchange(index) else {
            return;
        };
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
