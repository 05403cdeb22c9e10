//! Idle connections that change their thread (`tune.idle-pool.shared`, on by default).
//!
//! A thread takes its own idle connections without a lock and with their receive armed. Those that
//! it had no need of for a while it lends: any thread that finds none of its own may take them.
//!
//! ```text
//!            not needed for LEND_EVERY        nothing runs on it any more
//!  own pool ────────────────────────► leaving ───────────────────────────► lent, no thread's
//!                                        │ data or end: closed               │    │
//!  another thread's exchange ◄───────────┼───────────────────────────────────┘    │ ended, purged
//!                                        └──────────────► closed ◄────────────────┘
//! ```
//!
//! While it is lent nobody watches the descriptor. Whoever takes it looks whether it is still silent,
//! and each thread that has lent one sweeps all servers' once a second.

use std::io;

use telamon_session::{Millis, Side};

use super::idle::Lent;
use crate::conn::{NO_FD, RECV};
use crate::io::Io;
use crate::shared::{Server, ServerState, Shared};
use crate::worker::Worker;

/// So often a thread looks which of its idle connections it did not need.
pub(crate) const LEND_EVERY: Millis = 100;

/// How many idle connections to a server each thread keeps for itself: together they have so many
/// as `pool-low-conn` says, below which a thread takes none of another's (manual).
fn keeps(shared: &Shared, server: &Server) -> usize {
    (server.pool.low_connections as usize).div_ceil(shared.threads.len())
}

impl<I: Io> Worker<I> {
    pub(crate) fn lend_idle(&mut self) {
        let shared = self.shared.clone();
        let slots = &mut self.slots;
        let gone = self.pools.unneeded(|up| {
            let slot = slots.get(up);
            let server = shared.server(slot.backend, slot.server);
            server.map_or(0, |server| keeps(&shared, server))
        });
        for up in gone {
            let slot = self.slots.get(up);
            slot.lending = true;
            let key = slot.key(up, Side::Server);
            let (fd, watched) = (slot.fds[1], slot.running[1] & RECV != 0);
            if watched {
                self.io.leave(key, fd);
            } else {
                self.lent(up);
            }
        }
    }

    /// An idle connection's receive has ended with this. Did it end since the connection leaves?
    pub(super) fn has_left(&mut self, up: u32, error: &io::Error) -> bool {
        self.slots.get(up).lending && error.raw_os_error() == Some(libc::ECANCELED)
    }

    /// Nothing runs on a connection that leaves: it is no thread's now.
    pub(super) fn lent(&mut self, up: u32) {
        let shared = self.shared.clone();
        let slot = self.slots.get(up);
        let server = shared.server(slot.backend, slot.server);
        let wanted = |server: &&Server| {
            !self.soft_stopping && !matches!(server.state(), ServerState::Down | ServerState::Maint)
        };
        let Some(server) = server.filter(wanted) else {
            return self.close_upstream(up);
        };
        let uses = slot.uses;
        let fd = std::mem::replace(&mut slot.fds[1], NO_FD);
        server.idle.lend(Lent::new(fd, uses));
        self.keeps_lent = true;
        self.unpool(up);
        let slot = self.slots.get(up);
        slot.renew(Side::Server);
        slot.stopping = true;
        self.free_if_done(up);
    }

    /// A connection to the picked server that no thread has.
    pub(super) fn borrow(&mut self, index: u32, server: &Server, least_uses: u32) -> Option<u32> {
        let lent = server.idle.borrow(least_uses)?;
        let up = self.upstream_slot(index);
        let slot = self.slots.get(up);
        slot.uses = lent.uses;
        let fd = lent.into_fd();
        slot.fds[1] = fd;
        let key = slot.key(up, Side::Server);
        if self.io.adopt_connected(key, fd).is_err() {
            self.close_upstream(up);
            return None;
        }
        Some(up)
    }

    /// Looks after all connections that are lent.
    pub(crate) fn sweep_lent(&mut self) {
        if !self.keeps_lent {
            return;
        }
        let (shared, now) = (self.shared.clone(), self.now);
        let servers = shared
            .proxies
            .iter()
            .filter_map(|proxy| proxy.backend.as_ref());
        let left = servers
            .flat_map(|backend| &backend.servers)
            .map(|server| server.idle.sweep(now, server.pool.purge_delay));
        self.keeps_lent = left.sum::<u32>() > 0;
    }

    /// Idle connections to a server are of no use any more, wherever they are.
    pub(crate) fn drop_idle(&mut self, backend: usize, server: usize) {
        for up in self.slots.used() {
            let slot = self.slots.get(up);
            let of_server = slot.backend == backend as u32 && slot.server == server as u32;
            if of_server && slot.is_idle_upstream() {
                self.close_upstream(up);
            }
        }
        if let Some(found) = self.shared.server(backend as u32, server as u32) {
            found.idle.clear();
        }
    }

    /// Nobody will take any.
    pub(crate) fn drop_lent(&self) {
        for proxy in &self.shared.proxies {
            let servers = proxy.backend.iter().flat_map(|backend| &backend.servers);
            servers.for_each(|server| server.idle.clear());
        }
    }
}
