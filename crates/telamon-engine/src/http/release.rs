//! A connection to a server that its exchange needs no more: it idles, in the pool or for its client
//! alone, or is closed.

use telamon_plan::http::Reuse;
use telamon_session::Side;

use crate::conn::{Marks, NONE, SEND};
use crate::io::Io;
use crate::shared::ServerState;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    /// The exchange needs its server no more: the connection idles, or is closed.
    pub(crate) fn release_upstream(&mut self, index: u32) {
        let shared = self.shared.clone();
        let stopping = self.soft_stopping;
        let slot = self.slots.get(index);
        let up = std::mem::replace(&mut slot.peer, NONE);
        let (proxy, backend, server) = (slot.proxy, slot.backend, slot.server);
        // With marks of its own it is nobody else's.
        let marked = std::mem::take(&mut slot.server_marks) != Marks::default();
        let closes = marked
            || slot.exchange().is_none_or(|exchange| {
                exchange.server_closes || !exchange.keep_server || !exchange.upload.is_done()
            });
        self.leave_server(index);
        if up == NONE {
            return;
        }
        let other = self.slots.get(up);
        other.peer = NONE;
        let busy = other.eof || other.running[1] & SEND != 0 || !other.out[1].is_empty();
        let found = shared.proxies[backend as usize]
            .backend
            .as_ref()
            .and_then(|backend| backend.servers.get(server as usize));
        let Some(found) = found.filter(|_| !closes && !busy && !stopping) else {
            return self.close_upstream(up);
        };
        let limits = &found.pool;
        let worn = limits
            .max_reuse
            .is_some_and(|most| self.slots.get(up).uses > most);
        let full = limits.purge_delay == 0
            || (limits.max_connections).is_some_and(|most| found.idle.total() >= most)
            || self.pools.len(found.object) > 0 && found.idles_enough();
        let gone = matches!(found.state(), ServerState::Down | ServerState::Maint);
        if worn || gone {
            return self.close_upstream(up);
        }
        if shared.route(proxy, backend).reuse == Reuse::Never || found.serves_one() {
            let key = self.slots.get(up).key(up, Side::Server);
            if let Some(http) = self.http(index) {
                http.private = Some(key);
            }
        } else if full {
            return self.close_upstream(up);
        } else {
            let slot = self.slots.get(up);
            slot.pooled = true;
            found.idle.begin(self.index, slot.uses);
            self.pools.put(found.object, up);
        }
        self.upstream_receive(up);
    }

    /// The exchange's connection is of no use any more.
    pub(crate) fn drop_upstream(&mut self, index: u32) {
        let up = std::mem::replace(&mut self.slots.get(index).peer, NONE);
        if up != NONE {
            self.slots.get(up).peer = NONE;
            self.close_upstream(up);
        }
    }

    /// Closes a connection to a server that no exchange has.
    pub(crate) fn close_upstream(&mut self, up: u32) {
        let slot = self.slots.get(up);
        if slot.stopping || !slot.used {
            return;
        }
        slot.stopping = true;
        if slot.pooled {
            if let Some(server) = self.shared.server(slot.backend, slot.server) {
                self.pools.remove(server.object, up);
            }
            self.unpool(up);
        }
        self.close(up, Side::Server);
        self.free_if_done(up);
    }

    /// The connection that idles for this client alone, unless it was closed: its slot may serve
    /// another by now.
    pub(crate) fn take_private(&mut self, index: u32) -> Option<u32> {
        let key = self.http(index)?.private.take()?;
        let slot = self.slots.live(key)?;
        slot.is_idle_upstream().then_some(key.slot)
    }

    /// A connection idles no more as one of this thread's.
    pub(crate) fn unpool(&mut self, up: u32) {
        let slot = self.slots.get(up);
        if std::mem::take(&mut slot.pooled) {
            if let Some(server) = self.shared.server(slot.backend, slot.server) {
                server.idle.end(self.index, slot.uses);
            }
        }
    }
}
