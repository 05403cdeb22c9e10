//! What a stream has come to, whenever an expression asks: its connections, limits and times.

use std::cell::Cell;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;

use telamon_balance::Priority;
use telamon_expr::{Place, Side, Wanted};
use telamon_log::Counts;
use telamon_proxy_protocol::Extensions;
use telamon_session::{Millis, Policy};

use super::Line;
use crate::conn::{Role, NONE, NO_FD};
use crate::io::Io;
use crate::worker::Worker;

pub(crate) struct Live {
    /// The client's connection, and the server's.
    pub(super) fds: [RawFd; 2],
    pub(super) told: Option<Rc<Extensions>>,
    pub(super) priority: Cell<Priority>,
    /// As rules have left it.
    pub(super) policy: Cell<Policy>,
    pub(super) tarpit: Cell<Option<Millis>>,
    /// How many stood before it in the queue of the server, and of the backend.
    pub(super) places: [u32; 2],
    pub(super) reused: bool,
    /// What the server said, whatever rules have made of it.
    pub(super) server_status: Option<u16>,
    /// The rule that ended a list last.
    pub(super) last_rule: Option<Arc<Place>>,
    pub(super) stopping: bool,
}

impl Default for Live {
    fn default() -> Live {
        Live {
            fds: [NO_FD; 2],
            told: None,
            priority: Cell::default(),
            policy: Cell::default(),
            tarpit: Cell::default(),
            places: [0; 2],
            reused: false,
            server_status: None,
            last_rule: None,
            stopping: false,
        }
    }
}

impl Live {
    pub(super) fn fd(&self, side: Side) -> RawFd {
        self.fds[side as usize]
    }

    /// What rules have wanted so far, though it is done when their list has ended.
    pub(super) fn foresee(&self, wanted: &Wanted) {
        self.priority.set(priority(wanted, self.priority.get()));
        let (mut policy, mut tarpit) = (self.policy.get(), self.tarpit.get());
        limit(wanted, &mut policy, &mut tarpit);
        self.policy.set(policy);
        self.tarpit.set(tarpit);
    }
}

/// The limits that rules want.
pub(crate) fn limit(wanted: &Wanted, policy: &mut Policy, tarpit: &mut Option<Millis>) {
    for (name, value) in &wanted.timeouts {
        let place = match *name {
            "client" => &mut policy.client,
            "connect" => &mut policy.connect,
            "queue" => &mut policy.queue,
            "server" => &mut policy.server,
            "tunnel" => &mut policy.tunnel,
            _ => &mut *tarpit,
        };
        *place = Some(*value);
    }
    policy.retries = wanted.retries.unwrap_or(policy.retries);
}

/// The place in queues that rules want.
pub(crate) fn priority(wanted: &Wanted, before: Priority) -> Priority {
    Priority {
        class: wanted
            .priority_class
            .map_or(before.class, |class| class.clamp(-2047, 2047) as i16),
        offset: wanted.priority_offset.map_or(before.offset, |offset| {
            offset.clamp(-524_287, 524_287) as i32
        }),
    }
}

impl<I: Io> Worker<I> {
    pub(crate) fn live(&mut self, index: u32) -> Live {
        let policy = self.policy(index);
        let stopping = self.soft_stopping;
        let slot = self.slots.get(index);
        let tarpit = self.shared.proxies[slot.proxy as usize]
            .plan
            .timeouts
            .tarpit;
        let mut live = Live {
            fds: slot.fds,
            told: slot.told.clone(),
            priority: Cell::new(slot.priority),
            policy: Cell::new(policy),
            tarpit: Cell::new(tarpit),
            places: slot.queue_ahead,
            stopping,
            ..Live::default()
        };
        let (role, peer) = (slot.role, slot.peer);
        if let Some(inspection) = slot.inspection.as_deref() {
            live.last_rule.clone_from(&inspection.last_rule);
        }
        if let Some(exchange) = slot.exchange() {
            live.tarpit.set(exchange.tarpit.or(tarpit));
            live.reused = exchange.reused;
            live.server_status = exchange.server_status;
            live.last_rule.clone_from(&exchange.last_rule);
        }
        if role == Role::Client && peer != NONE {
            live.fds[1] = self.slots.get(peer).fds[1];
        }
        live
    }

    /// The numbers of a line that would be written now.
    pub(crate) fn line(&mut self, index: u32) -> Line {
        let now = self.now;
        let slot = self.slots.get(index);
        let stream = &slot.stream;
        let mut line = Line {
            accepted: Some(slot.accepted),
            began: Some(slot.accepted),
            queued: stream.queue_time(),
            connect: stream.connect_time(),
            active: now.saturating_sub(stream.started()),
            total: now.saturating_sub(stream.started()),
            sent: slot.bytes[1],
            received: slot.bytes[0],
            state: stream.end().letters(),
            counts: Counts {
                retries: u32::from(stream.retries()),
                redispatched: stream.is_redispatched(),
                ..Counts::default()
            },
            ..Line::default()
        };
        if let Some(exchange) = slot.exchange() {
            let log = &exchange.log;
            line.began = Some(log.wall);
            line.idle = log.idle;
            line.request = log.request_time;
            line.response = log.response_time;
            line.active = now.saturating_sub(log.started);
            line.total = now.saturating_sub(log.accepted);
            line.status = log.status;
            line.sent = log.bytes;
            line.state = log.end.letters();
        }
        line
    }
}
