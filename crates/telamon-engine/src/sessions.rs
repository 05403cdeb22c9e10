//! What streams there are at this moment (`show sess`), and the end of one of them (`shutdown
//! session`).
//!
//! Slots belong to their thread, so the control side asks each thread by a message. A thread looks
//! at a part of its slots in a turn and sends itself the rest: that clients are many must not make
//! one of them wait. The control side waits `PATIENCE` for all threads together; what a thread has
//! not said by then is left out.

use std::net::SocketAddr;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::time::{Duration, Instant, SystemTime};

use telamon_session::{Cause, Side};
use telamon_sys::socket;

use crate::conn::{Role, Slot, NONE, NO_FD};
use crate::engine::Engine;
use crate::io::Io;
use crate::mailbox::Message;
use crate::shared::Shared;
use crate::worker::Worker;

/// So many slots are looked at in one turn.
const PART: u32 = 1024;
const PATIENCE: Duration = Duration::from_millis(500);

/// Where a stream's way to its server stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerSide {
    None,
    Queued,
    Connecting,
    Established,
}

impl ServerSide {
    pub fn name(self) -> &'static str {
        match self {
            ServerSide::None => "none",
            ServerSide::Queued => "queued",
            ServerSide::Connecting => "connecting",
            ServerSide::Established => "established",
        }
    }
}

/// One stream. The ids are the plan's.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: u64,
    pub client: Option<SocketAddr>,
    pub proxy: u32,
    pub listener: u32,
    pub backend: Option<u32>,
    pub server: Option<u32>,
    pub accepted: SystemTime,
    /// Milliseconds until the next of its timers, if one runs.
    pub expires: Option<u64>,
    /// Descriptors to the client and to the server.
    pub fds: [Option<i32>; 2],
    pub server_side: ServerSide,
    pub retries: u16,
    /// What came from the client and from the server.
    pub bytes: [u64; 2],
}

/// Which stream of all: thread, slot, and the slot's owner (a slot serves many after another).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SessionId {
    thread: usize,
    slot: u32,
    generation: u32,
}

impl SessionId {
    /// Never 0, which is no session for scripts.
    fn pack(self) -> u64 {
        (self.thread as u64 + 1) << 56 | u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    fn unpack(id: u64) -> Option<Self> {
        Some(SessionId {
            thread: usize::try_from(id >> 56).ok()?.checked_sub(1)?,
            slot: id as u32,
            generation: (id >> 32) as u32 & 0xff_ffff,
        })
    }
}

impl Engine {
    /// All streams; the threads' order says nothing.
    pub fn sessions(&self) -> Vec<Session> {
        let (to, from) = channel();
        self.shared().broadcast(|| Message::Sessions {
            first: 0,
            to: to.clone(),
        });
        drop(to);
        collect(&from)
    }

    /// Ends one stream; false if there is none of this id (any more).
    pub fn shutdown_session(&self, id: u64) -> bool {
        let Some(id) = SessionId::unpack(id) else {
            return false;
        };
        let Some(thread) = self.shared().threads.get(id.thread) else {
            return false;
        };
        let (to, from) = channel();
        thread.send(Message::KillSession { id, to });
        from.recv_timeout(PATIENCE).unwrap_or(false)
    }
}

/// Until every thread has dropped its end, which says that it is done.
fn collect(from: &Receiver<Vec<Session>>) -> Vec<Session> {
    let until = Instant::now() + PATIENCE;
    let mut found = Vec::new();
    while let Ok(part) = from.recv_timeout(until.saturating_duration_since(Instant::now())) {
        found.extend(part);
    }
    found
}

/// A client's connection that waits for its next request is no stream, nor is one to a server.
fn is_stream(slot: &Slot) -> bool {
    let busy = match slot.role {
        Role::Tcp => true,
        Role::Client => slot
            .http
            .as_ref()
            .is_some_and(|http| http.exchange.is_some()),
        Role::Upstream => false,
    };
    slot.used && !slot.stopping && busy
}

fn peer(fd: i32) -> Option<SocketAddr> {
    socket::peer(fd).ok()?.as_inet()
}

fn server_side(slot: &Slot) -> ServerSide {
    if slot.stream.is_queued() {
        ServerSide::Queued
    } else if slot.stream.is_connecting() {
        ServerSide::Connecting
    } else if slot.stream.is_relaying() {
        ServerSide::Established
    } else {
        ServerSide::None
    }
}

fn id_of(shared: &Shared, proxy: u32) -> Option<u32> {
    Some(shared.proxies.get(proxy as usize)?.plan.id)
}

fn server_id(shared: &Shared, slot: &Slot) -> Option<u32> {
    let backend = shared
        .proxies
        .get(slot.backend as usize)?
        .backend
        .as_ref()?;
    Some(backend.servers.get(slot.server as usize)?.id)
}

impl<I: Io> Worker<I> {
    /// A part of the streams, from a slot on; the rest comes in later turns.
    pub(crate) fn tell_sessions(&mut self, first: u32, to: Sender<Vec<Session>>) {
        let end = (self.slots.capacity() as u32).min(first.saturating_add(PART));
        let part: Vec<Session> = (first..end).filter_map(|at| self.session(at)).collect();
        let heard = part.is_empty() || to.send(part).is_ok();
        if heard && (end as usize) < self.slots.capacity() {
            let rest = Message::Sessions { first: end, to };
            self.shared.threads[self.index].send(rest);
        }
    }

    fn session(&mut self, index: u32) -> Option<Session> {
        let shared = self.shared.clone();
        let expires = self.wheel.at(index);
        let upstream = match self.slots.get(index).peer {
            NONE => NO_FD,
            peer => self.slots.get(peer).fds[Side::Server as usize],
        };
        let slot = self.slots.get(index);
        if !is_stream(slot) {
            return None;
        }
        let upstream = match slot.role {
            Role::Tcp => slot.fds[Side::Server as usize],
            Role::Client | Role::Upstream => upstream,
        };
        let fds = [slot.fds[Side::Client as usize], upstream];
        let id = SessionId {
            thread: self.index,
            slot: index,
            generation: slot.generation[Side::Client as usize],
        };
        let accepted = slot.accepted;
        Some(Session {
            id: id.pack(),
            // Where nothing else asks for it, it was not looked up when the client came.
            client: slot.client.or_else(|| peer(fds[0])),
            proxy: id_of(&shared, slot.proxy)?,
            listener: shared.listeners.get(slot.listener as usize)?.id,
            backend: id_of(&shared, slot.backend),
            server: server_id(&shared, slot),
            expires: expires.map(|at| at.saturating_sub(self.now)),
            fds: fds.map(|fd| (fd != NO_FD).then_some(fd)),
            server_side: server_side(slot),
            retries: slot.stream.retries(),
            bytes: slot.bytes,
            accepted: slot.exchange().map_or(accepted, |one| one.log.wall),
        })
    }

    pub(crate) fn kill_session(&mut self, id: SessionId) -> bool {
        if id.slot as usize >= self.slots.capacity() {
            return false;
        }
        let slot = self.slots.get(id.slot);
        if !is_stream(slot) || slot.generation[Side::Client as usize] != id.generation {
            return false;
        }
        match slot.role {
            Role::Tcp => {
                slot.stream.kill(Cause::Killed);
                self.settle(id.slot);
            }
            Role::Client | Role::Upstream => self.http_shut(id.slot),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::SessionId;

    #[test]
    fn ids_are_their_parts() {
        for (thread, slot, generation) in [(0, 0, 0), (63, u32::MAX, 0xff_ffff), (1, 2, 3)] {
            let id = SessionId {
                thread,
                slot,
                generation,
            };
            assert_ne!(id.pack(), 0);
            assert_eq!(SessionId::unpack(id.pack()), Some(id));
        }
        assert_eq!(SessionId::unpack(0x12), None);
    }
}
