//! The slots: one for each client connection of a thread.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::SystemTime;

use telamon_expr::Vars;
use telamon_session::{Side, Stream};
use telamon_sys::{pool, socket, Chunk};

use crate::http::{Exchange, Http};
use crate::inspect::Inspection;
use crate::io::{Key, GENERATION_BITS};

pub(crate) const NO_FD: RawFd = -1;
/// No backend, no server.
pub(crate) const NONE: u32 = u32::MAX;

/// Operations that run on a side (bits of `Slot::running`).
pub(crate) const RECV: u8 = 1;
pub(crate) const SEND: u8 = 2;
pub(crate) const CONNECT: u8 = 4;

/// So many small receives in a row make the next buffer smaller.
const SEVERAL: u8 = 4;

/// Data on its way to a side. Most of the time there is one buffer or none.
#[derive(Default)]
pub(crate) struct Outbox {
    first: Option<Chunk>,
    rest: VecDeque<Chunk>,
}

impl Outbox {
    pub(crate) fn push(&mut self, chunk: Chunk) {
        if self.first.is_none() {
            self.first = Some(chunk);
        } else {
            self.rest.push_back(chunk);
        }
    }

    /// Before everything else.
    pub(crate) fn push_front(&mut self, chunk: Chunk) {
        if let Some(second) = self.first.replace(chunk) {
            self.rest.push_front(second);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.first.take();
        self.first = self.rest.pop_front();
        if self.first.is_none() && self.rest.capacity() > 0 {
            self.rest = VecDeque::new();
        }
        chunk
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut Chunk> {
        self.first.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        self.first.iter().chain(self.rest.iter())
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

/// A client's address, and where it wanted to go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) source: Option<SocketAddr>,
    pub(crate) destination: Option<SocketAddr>,
}

/// What a slot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// A client's connection and the one to its server, in `mode tcp`.
    Tcp,
    /// A client's connection in `mode http`.
    Client,
    /// A connection to a server in `mode http`; its descriptor is on the server's side.
    Upstream,
}

/// What rules ask of the kernel for a connection's packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) tos: Option<u32>,
    pub(crate) mark: Option<u32>,
}

impl Marks {
    /// Who may not set a mark goes without one, as in HAProxy.
    pub(crate) fn put_on(self, fd: RawFd) {
        if let Some(tos) = self.tos {
            let _ = socket::set_tos(fd, tos as u8);
        }
        if let Some(mark) = self.mark {
            let _ = socket::set_mark(fd, mark);
        }
    }
}

/// One client connection and, in TCP mode, its stream to a server.
pub(crate) struct Slot {
    pub(crate) stream: Stream,
    pub(crate) role: Role,
    /// A client's connection to a server, and the other way round.
    pub(crate) peer: u32,
    /// Of a connection to a server: how many exchanges it has had, whether it has ended, and whether
    /// it lies in the pool.
    pub(crate) uses: u32,
    pub(crate) eof: bool,
    pub(crate) pooled: bool,
    /// It leaves this thread as soon as nothing runs on it (`http/lend.rs`).
    pub(crate) lending: bool,
    pub(crate) used: bool,
    pub(crate) stopping: bool,
    /// Its log line was written early (`option logasap`).
    pub(crate) logged: bool,
    /// Operations that run, by side.
    pub(crate) running: [u8; 2],
    /// Buffer class of the next receive, by side; how many receives in a row a smaller one would have
    /// done for; and whether the socket had more than the last one took.
    pub(crate) class: [u8; 2],
    small: [u8; 2],
    pub(crate) more: [bool; 2],
    /// Operations of descriptors that this slot has given up; it stays until they completed.
    pub(crate) strays: u16,
    pub(crate) generation: [u32; 2],
    pub(crate) fds: [RawFd; 2],
    pub(crate) out: [Outbox; 2],
    pub(crate) listener: u32,
    /// Indexes of proxies: the frontend's and the backend's.
    pub(crate) proxy: u32,
    pub(crate) backend: u32,
    pub(crate) server: u32,
    /// A retry begins here: the server that failed.
    pub(crate) previous: u32,
    /// Waits in the queue of this server (NONE: of the backend).
    pub(crate) queue: u32,
    /// Type of service and mark of the server's connection, as rules say.
    pub(crate) server_marks: Marks,
    /// Its place in queues, as rules say.
    pub(crate) priority: telamon_balance::Priority,
    /// The server that it belongs to (NONE: any will do), and whether it may be down.
    pub(crate) wanted: u32,
    pub(crate) forced: bool,
    /// A place at `server` was taken.
    pub(crate) placed: bool,
    pub(crate) in_backend: bool,
    pub(crate) bytes: [u64; 2],
    pub(crate) queue_ahead: [u32; 2],
    pub(crate) accepted: SystemTime,
    pub(crate) client: Option<SocketAddr>,
    /// Where the client wanted to go, if somebody asks for it.
    pub(crate) destination: Option<SocketAddr>,
    /// The connection's own addresses, once a rule has changed them; and those that hold again when
    /// the request under way is over.
    pub(crate) own_ends: Option<Box<Ends>>,
    pub(crate) ends_before: Option<Box<Ends>>,
    /// A header of the PROXY protocol is to come first; what came of it so far.
    pub(crate) preface: Option<Vec<u8>>,
    /// What that header said besides the addresses.
    pub(crate) told: Option<Rc<telamon_proxy_protocol::Extensions>>,
    /// Content rules look at what comes of a side, which is withheld (mode tcp).
    pub(crate) inspecting: [bool; 2],
    pub(crate) inspection: Option<Box<Inspection>>,
    /// Variables of rules, once one was set.
    pub(crate) vars: Option<Vars>,
    pub(crate) http: Option<Box<Http>>,
}

impl Slot {
    fn new() -> Self {
        Slot {
            stream: Stream::new(0),
            role: Role::Tcp,
            peer: NONE,
            uses: 0,
            eof: false,
            pooled: false,
            lending: false,
            used: false,
            stopping: false,
            logged: false,
            running: [0; 2],
            class: [0; 2],
            small: [0; 2],
            more: [false; 2],
            strays: 0,
            generation: [0; 2],
            fds: [NO_FD; 2],
            out: [Outbox::default(), Outbox::default()],
            listener: 0,
            proxy: 0,
            backend: NONE,
            server: NONE,
            previous: NONE,
            queue: NONE,
            server_marks: Marks::default(),
            priority: telamon_balance::Priority::default(),
            wanted: NONE,
            forced: false,
            placed: false,
            in_backend: false,
            bytes: [0; 2],
            queue_ahead: [0; 2],
            accepted: SystemTime::UNIX_EPOCH,
            client: None,
            destination: None,
            own_ends: None,
            ends_before: None,
            preface: None,
            told: None,
            inspecting: [false; 2],
            inspection: None,
            vars: None,
            http: None,
        }
    }

    pub(crate) fn key(&self, slot: u32, side: Side) -> Key {
        Key {
            slot,
            side,
            generation: self.generation[side as usize],
        }
    }

    /// A connection to a server that no exchange has.
    pub(crate) fn is_idle_upstream(&self) -> bool {
        self.role == Role::Upstream && self.peer == NONE && !self.stopping
    }

    pub(crate) fn ends(&self) -> Ends {
        Ends {
            source: self.client,
            destination: self.destination,
        }
    }

    /// What rules said of the addresses and marks for one request holds no more.
    pub(crate) fn restore_ends(&mut self) {
        self.server_marks = Marks::default();
        if let Some(before) = self.ends_before.take() {
            (self.client, self.destination) = (before.source, before.destination);
        }
    }

    /// When content rules that wait are run again at the latest.
    pub(crate) fn rules_deadline(&self) -> Option<telamon_session::Millis> {
        if self.inspecting == [false; 2] {
            return None;
        }
        self.inspection.as_deref()?.deadline()
    }

    /// The HTTP exchange under way.
    #[inline]
    pub(crate) fn exchange(&mut self) -> Option<&mut Exchange> {
        self.http.as_deref_mut()?.exchange.as_deref_mut()
    }

    /// The rest of the response under way comes through a pipe.
    #[inline]
    pub(crate) fn is_splicing(&mut self) -> bool {
        self.exchange()
            .is_some_and(|one| one.pipe.is_some() && !one.download.is_done())
    }

    /// A new owner of the side: completions from before are strays.
    pub(crate) fn renew(&mut self, side: Side) {
        let at = side as usize;
        self.strays += self.running[at].count_ones() as u16;
        self.running[at] = 0;
        self.generation[at] = (self.generation[at] + 1) & ((1 << GENERATION_BITS) - 1);
        self.fds[at] = NO_FD;
        self.class[at] = 0;
        self.small[at] = 0;
        self.more[at] = false;
    }

    /// Chooses the class of the side's next receive by what the last one brought: up when a buffer
    /// was filled, down when several in a row were nearly empty. (One alone says nothing: a body of
    /// 64 KiB with its head is a full buffer and a few bytes.)
    #[inline]
    pub(crate) fn weigh(&mut self, side: Side, chunk: &Chunk) {
        let at = side as usize;
        let class = self.class[at];
        if chunk.len() == pool::SIZES[chunk.class()] {
            self.class[at] = (class + 1).min(pool::CLASSES as u8 - 1);
        } else if class > 0 && chunk.len() < pool::SIZES[usize::from(class) - 1] / 2 {
            self.small[at] += 1;
            if self.small[at] < SEVERAL {
                return;
            }
            self.class[at] = class - 1;
        }
        self.small[at] = 0;
    }
}

#[derive(Default)]
pub(crate) struct Slots {
    // Boxed: growing must not move (and for a moment double) what is there.
    #[allow(clippy::vec_box)]
    slots: Vec<Box<Slot>>,
    free: Vec<u32>,
}

impl Slots {
    pub(crate) fn take(&mut self) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Box::new(Slot::new()));
            (self.slots.len() - 1) as u32
        });
        self.slots[index as usize].used = true;
        index
    }

    pub(crate) fn give(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        slot.renew(Side::Client);
        slot.renew(Side::Server);
        slot.used = false;
        slot.role = Role::Tcp;
        slot.peer = NONE;
        slot.eof = false;
        slot.pooled = false;
        slot.lending = false;
        slot.http = None;
        slot.server_marks = Marks::default();
        slot.priority = telamon_balance::Priority::default();
        slot.wanted = NONE;
        slot.forced = false;
        slot.client = None;
        slot.destination = None;
        slot.own_ends = None;
        slot.ends_before = None;
        slot.preface = None;
        slot.told = None;
        slot.inspecting = [false; 2];
        slot.inspection = None;
        slot.vars = None;
        self.free.push(index);
    }

    /// The proxy whose client a slot serves.
    pub(crate) fn proxy_of(&self, index: u32) -> u32 {
        self.slots[index as usize].proxy
    }

    #[inline]
    pub(crate) fn get(&mut self, index: u32) -> &mut Slot {
        &mut self.slots[index as usize]
    }

    /// The slot that a key speaks of, unless it has another owner by now.
    #[inline]
    pub(crate) fn live(&mut self, key: Key) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        (slot.used && slot.generation[key.side as usize] == key.generation).then_some(&mut **slot)
    }

    pub(crate) fn used(&self) -> Vec<u32> {
        let all = self.slots.iter().enumerate();
        all.filter(|(_, slot)| slot.used)
            .map(|(index, _)| index as u32)
            .collect()
    }

    /// How many have an owner.
    pub(crate) fn in_use(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Slots that were ever made.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }
}
