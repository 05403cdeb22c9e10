//! Where an exchange meets its cookies.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use super::cacheable::is_cacheable;
use super::passes::{set_cookie, take_request, take_response, Desk};
use super::Outcome;
use crate::io::Io;
use crate::shared::{Proxy, Server};
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// The request's cookies, when its rules have passed. `named`: a rule has chosen the server.
    pub(in crate::http) fn request_cookies(&mut self, index: u32, named: bool) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let capture = &shared.proxies[slot.proxy as usize].plan.http.cookie_capture;
        // A rule of a `listen` section may deny before the backend is chosen.
        let behind = shared.proxies.get(slot.backend as usize);
        let behind = behind.or_else(|| shared.proxies.get(slot.proxy as usize));
        let cookie = behind.and_then(|behind| behind.plan.http.cookie.as_ref());
        if capture.is_none() && cookie.is_none() {
            return;
        }
        let persist = slot.forced || behind.is_some_and(|behind| behind.plan.http.persist);
        let server = |value: &[u8]| led_to(behind?, value, persist);
        let desk = Desk {
            cookie,
            capture: capture.as_ref(),
            server: &server,
            persist,
            now: seconds(),
        };
        let Some(exchange) = slot.exchange() else {
            return;
        };
        exchange.cookies.direct = named;
        let chosen = take_request(&desk, &mut exchange.head, &mut exchange.cookies);
        if let Some(server) = chosen {
            slot.wanted = server as u32;
            slot.forced |= persist;
        }
    }

    /// `option checkcache`: a cookie in a response that a cache may keep would be everybody's.
    pub(in crate::http) fn leaks_cookies(&mut self, index: u32) -> bool {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let behind = shared.proxies.get(slot.backend as usize);
        let checks = behind.is_some_and(|behind| behind.plan.http.check_cache);
        slot.exchange().filter(|_| checks).is_some_and(|exchange| {
            let reply = &exchange.reply;
            reply.lines(b"set-cookie").next().is_some()
                && is_cacheable(exchange.head.method(), reply)
        })
    }

    /// The response's cookies, between the rules for it and those for every response.
    pub(in crate::http) fn response_cookies(&mut self, index: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        let front = &shared.proxies[slot.proxy as usize].plan.http;
        let Some(behind) = shared.proxies.get(slot.backend as usize) else {
            return;
        };
        let (capture, cookie) = (front.cookie_capture.as_ref(), &behind.plan.http.cookie);
        let (wanted, server) = (slot.wanted, slot.server);
        let (Some(plan), Some(backend)) = (&behind.plan.backend, &behind.backend) else {
            return;
        };
        let at = server as usize;
        let (Some(plan), Some(found)) = (plan.servers.get(at), backend.servers.get(at)) else {
            return;
        };
        let own = name_of(plan, found);
        let own = own.as_deref();
        let Some(exchange) = slot.exchange() else {
            return;
        };
        let (reply, state) = (&mut exchange.reply, &mut exchange.cookies);
        let direct = state.direct && wanted == server;
        take_response(cookie.as_ref(), capture, reply, state, own, direct);
        let Some(cookie) = cookie else { return };
        let (post, now) = (exchange.head.method() == b"POST", seconds());
        if !state.wants_insertion(cookie, direct, post, now) {
            return;
        }
        let private = cookie.nocache && is_cacheable(exchange.head.method(), reply);
        let text = set_cookie(cookie, own, state.first_visit, now);
        reply.add_field(b"set-cookie", &text);
        state.outcome = match own {
            Some(_) if direct => Outcome::Updated,
            _ => Outcome::Inserted,
        };
        if private {
            reply.add_field(b"cache-control", b"private");
        }
    }
}

/// The server that a cookie's value names, and whether it may be used: of several the first that
/// may, or, where a cookie leads to servers that are down as well, the first.
fn led_to(proxy: &Proxy, value: &[u8], persist: bool) -> Option<(usize, bool)> {
    let (plan, backend) = (proxy.plan.backend.as_ref()?, proxy.backend.as_ref()?);
    let both = plan.servers.iter().zip(&backend.servers).enumerate();
    let mut theirs = both.filter_map(|(at, (plan, server))| {
        let name = name_of(plan, server)?;
        (name.as_bytes() == value).then(|| (at, backend.may_use(at, false)))
    });
    let first = theirs.next()?;
    if first.1 || persist {
        return Some(first);
    }
    Some(theirs.find(|(_, usable)| *usable).unwrap_or(first))
}

/// A server's value in the persistence cookie.
fn name_of<'s>(plan: &'s telamon_plan::Server, server: &Server) -> Option<Cow<'s, str>> {
    let own = plan.cookie.as_deref().map(Cow::Borrowed);
    own.or_else(|| Some(Cow::Owned(server.dynamic_cookie()?.as_str().to_owned())))
}

fn seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
