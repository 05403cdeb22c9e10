//! What a stream has come to, whenever an expression asks: its connections, limits and times.

use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;

use telamon_balance::Priority;
use telamon_expr::{Place, Side};
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
    pub(super) priority: Priority,
    /// As rules have left it.
    pub(super) policy: Policy,
    pub(super) tarpit: Option<Millis>,
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
            priority: Priority::default(),
            policy: Policy::default(),
            tarpit: None,
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
            priority: slot.priority,
            policy,
            tarpit,
            places: slot.queue_ahead,
            stopping,
            ..Live::default()
        };
        let (role, peer) = (slot.role, slot.peer);
        if let Some(inspection) = slot.inspection.as_deref() {
            live.last_rule.clone_from(&inspection.last_rule);
        }
        if let Some(exchange) = slot.exchange() {
            live.tarpit = exchange.tarpit.or(tarpit);
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
