//! `observe`: how the traffic of a server counts for its health (manual 5.2).
//!
//! Errors in a row are counted here, and a success sets the count back to none; the control process
//! hears of them when they have reached `error-limit`, and does what `on-error` says. So a server
//! that is well costs one look at a number for each success, and one that fails for ever an event
//! for each `error-limit` errors. What `layer4` and `layer7` see:
//!
//! ```text
//!                     layer4    layer7
//! connected           success   nothing: the response is still to come
//! connect failed      error     error
//! a good response     nothing   success
//! anything else       nothing   error
//! ```

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use telamon_plan::{Layer, Observation};

use crate::conn::NONE;
use crate::io::Io;
use crate::mailbox::Event;
use crate::worker::Worker;

/// What a server did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerError {
    Connect,
    Status,
    Headers,
    Closed,
    Broken,
    Silent,
}

impl ServerError {
    /// As the control process knows it.
    pub fn name(self) -> &'static str {
        match self {
            ServerError::Connect => "connect",
            ServerError::Status => "status",
            ServerError::Headers => "headers",
            ServerError::Closed => "closed",
            ServerError::Broken => "broken",
            ServerError::Silent => "silent",
        }
    }
}

/// The count of one observed server.
pub(crate) struct Observed {
    layer: Layer,
    limit: u32,
    in_a_row: AtomicU32,
}

impl Observed {
    pub(crate) fn new(observation: &Observation) -> Observed {
        Observed {
            layer: observation.layer,
            limit: observation.limit,
            in_a_row: AtomicU32::new(0),
        }
    }

    fn well(&self, layer: Layer) {
        if self.layer == layer && self.in_a_row.load(Relaxed) != 0 {
            self.in_a_row.store(0, Relaxed);
        }
    }

    /// True if these are as many errors in a row as it takes; the count begins anew then.
    fn erred(&self, error: ServerError) -> bool {
        if self.layer == Layer::Layer4 && error != ServerError::Connect {
            return false;
        }
        let next = |count: u32| match count.saturating_add(1) {
            more if more >= self.limit => 0,
            more => more,
        };
        let before = self
            .in_a_row
            .fetch_update(Relaxed, Relaxed, |count| Some(next(count)));
        before.is_ok_and(|count| next(count) == 0)
    }
}

/// Does a status speak for the server? 500 may be a script's, 502 to 504 are about servers behind
/// it; those that say that something is not done here (501, 505) are a sound answer.
fn is_sound(status: u16) -> bool {
    matches!(status, 100..=499 | 501 | 505)
}

impl<I: Io> Worker<I> {
    /// The server of this stream has accepted a connection.
    pub(crate) fn observe_connected(&mut self, index: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        if let Some(observed) = shared.observed(slot.backend, slot.server) {
            observed.well(Layer::Layer4);
        }
    }

    /// The server of this stream has answered with this status.
    pub(crate) fn observe_status(&mut self, index: u32, status: u16) {
        if !is_sound(status) {
            return self.observe_error(index, ServerError::Status);
        }
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        if let Some(observed) = shared.observed(slot.backend, slot.server) {
            observed.well(Layer::Layer7);
        }
    }

    pub(crate) fn observe_error(&mut self, index: u32, error: ServerError) {
        let slot = self.slots.get(index);
        let (backend, server) = (slot.backend, slot.server);
        let Some(observed) = self.shared.observed(backend, server) else {
            return;
        };
        if !observed.erred(error) {
            return;
        }
        let proxy = &self.shared.proxies[backend as usize];
        let servers = proxy.backend.as_ref().map(|backend| &backend.servers);
        if let Some(server) = servers.and_then(|servers| servers.get(server as usize)) {
            self.shared.events.offer(Event::ServerErrors {
                proxy_id: proxy.plan.id,
                server_id: server.id,
                last: error,
            });
        }
    }
}

impl crate::shared::Shared {
    #[inline]
    fn observed(&self, backend: u32, server: u32) -> Option<&Observed> {
        if backend == NONE || server == NONE {
            return None;
        }
        let backend = self.proxies.get(backend as usize)?.backend.as_ref()?;
        backend.servers.get(server as usize)?.observed.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telamon_plan::OnError;

    fn observed(layer: Layer, limit: u32) -> Observed {
        let action = OnError::FailCheck;
        Observed::new(&Observation {
            layer,
            limit,
            action,
        })
    }

    #[test]
    fn errors_in_a_row_are_told_once_and_begin_anew() {
        let seen = observed(Layer::Layer7, 3);
        let told: Vec<bool> = (0..7).map(|_| seen.erred(ServerError::Status)).collect();
        assert_eq!(told, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn one_success_makes_up_for_all() {
        let seen = observed(Layer::Layer7, 2);
        assert!(!seen.erred(ServerError::Silent));
        seen.well(Layer::Layer7);
        assert!(!seen.erred(ServerError::Silent));
        // A connection alone says nothing of the answers.
        seen.well(Layer::Layer4);
        assert!(seen.erred(ServerError::Connect));
    }

    #[test]
    fn layer_4_sees_connects_alone() {
        let seen = observed(Layer::Layer4, 1);
        assert!(!seen.erred(ServerError::Status));
        assert!(seen.erred(ServerError::Connect));
        let seen = observed(Layer::Layer4, 2);
        assert!(!seen.erred(ServerError::Connect));
        seen.well(Layer::Layer4);
        assert!(!seen.erred(ServerError::Connect));
    }

    #[test]
    fn statuses_of_the_manual() {
        let sound: Vec<u16> = (100..=999).filter(|status| is_sound(*status)).collect();
        let expected: Vec<u16> = (100..=499).chain([501, 505]).collect();
        assert_eq!(sound, expected);
    }
}
