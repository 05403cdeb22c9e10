//! Connections that end before there is a stream: they have a line of their own (manual 8.2.5).

use telamon_log::write_error;
use telamon_plan::LogStep;
use telamon_proxy_protocol::Fault;

use super::{level, Moment};
use crate::io::Io;
use crate::log::wall;
use crate::seen::Line;
use crate::worker::Worker;

/// How a connection ended of which not even the PROXY protocol's header came.
#[derive(Clone, Copy)]
pub(crate) enum Unheard {
    Bad(Fault),
    Late,
    Closed,
}

impl Unheard {
    /// In HAProxy's words. `began`: some bytes came.
    fn message(self, began: bool) -> &'static str {
        match self {
            Unheard::Bad(Fault::Signature | Fault::Version) => {
                "Received something which does not look like a PROXY protocol header"
            }
            Unheard::Bad(Fault::Protocol) => {
                "Received an unhandled protocol in the PROXY protocol header"
            }
            Unheard::Bad(_) => "Received an invalid PROXY protocol header",
            Unheard::Late => "Timeout while waiting for PROXY protocol header",
            Unheard::Closed if began => "Truncated PROXY protocol header received",
            Unheard::Closed => "Connection closed while waiting for PROXY protocol header",
        }
    }
}

impl<I: Io> Worker<I> {
    /// A connection that ended before its PROXY protocol header was whole (manual 8.2.5).
    pub(crate) fn log_preface(&mut self, index: u32, how: Unheard) {
        let shared = self.shared.clone();
        let client = self.peer(index);
        let slot = self.slots.get(index);
        let proxy = &shared.proxies[slot.proxy as usize];
        let Some(seen) = slot.preface.take() else {
            return;
        };
        slot.logged = true;
        if !proxy.logger.wanted() || (proxy.plan.dontlognull && seen.is_empty()) {
            return;
        }
        let accepted = slot.accepted;
        let listener = &shared.listeners[slot.listener as usize];
        let number = listener.id.to_string();
        // A name that nobody gave is made of the number.
        let name = listener.name.strip_prefix("sock-");
        let name = match name.filter(|rest| *rest == number) {
            Some(number) => number,
            None => &listener.name,
        };
        let format = shared.programs.of[slot.proxy as usize].error_log.as_ref();
        let mut text = Vec::with_capacity(128);
        if format.is_none() {
            let message = how.message(!seen.is_empty());
            let accepted = wall(accepted);
            write_error(&mut text, client, accepted, &proxy.plan.name, name, message);
        }
        let moment = Moment {
            step: LogStep::Error,
            level: level(&proxy.plan, false),
            line: Line {
                accepted: Some(accepted),
                began: Some(accepted),
                counts: self.counts(index),
                ..Line::default()
            },
            format,
            traffic: false,
        };
        self.say(index, &moment, text);
    }
}
