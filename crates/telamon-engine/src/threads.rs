//! What each thread does and holds at this moment: `show activity`, `show threads`, `show pools`
//! and `show fd` of the stats socket.
//!
//! As with streams (`sessions.rs`) the threads are asked by message. Their descriptors come in
//! parts, since there may be as many as clients.

use std::os::fd::RawFd;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{channel, Sender};
use std::time::{Duration, Instant};

use telamon_session::Side;
use telamon_sys::{pool, process};

use crate::conn::{Role, Slot, CONNECT, NONE, NO_FD, RECV, SEND};
use crate::counters::ProcessTotal;
use crate::engine::Engine;
use crate::io::Io;
use crate::mailbox::Message;
use crate::worker::Worker;

const PART: u32 = 1024;
const PATIENCE: Duration = Duration::from_millis(500);

/// One kind of memory: how large one piece is, how many were made, how many are in use.
#[derive(Clone, Copy, Debug)]
pub struct PoolState {
    pub name: &'static str,
    pub size: usize,
    pub made: usize,
    pub used: usize,
}

/// One thread. `totals` have the names of the process's totals.
#[derive(Clone, Debug)]
pub struct ThreadState {
    pub thread: usize,
    pub cpu_ns: u64,
    pub totals: Vec<(&'static str, u64)>,
    /// Client connections.
    pub streams: u32,
    pub pools: Vec<PoolState>,
}

/// Who has a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    Listener,
    Client,
    Server,
    /// Other threads and the control side wake the thread by it.
    Mailbox,
}

impl Holder {
    pub fn name(self) -> &'static str {
        match self {
            Holder::Listener => "listener",
            Holder::Client => "client",
            Holder::Server => "server",
            Holder::Mailbox => "mailbox",
        }
    }
}

/// One descriptor of a thread; all threads name the listeners. The ids are the plan's.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    pub fd: RawFd,
    pub thread: usize,
    pub holder: Holder,
    pub proxy: Option<u32>,
    pub backend: Option<u32>,
    pub server: Option<u32>,
    pub receiving: bool,
    pub sending: bool,
    pub connecting: bool,
}

impl Engine {
    /// All threads, in their order; one that does not answer in time is left out.
    pub fn threads(&self) -> Vec<ThreadState> {
        let (to, from) = channel();
        self.shared()
            .broadcast(|| Message::State { to: to.clone() });
        drop(to);
        let until = Instant::now() + PATIENCE;
        let mut found = Vec::new();
        while let Ok(state) = from.recv_timeout(until.saturating_duration_since(Instant::now())) {
            found.push(state);
        }
        found.sort_by_key(|state: &ThreadState| state.thread);
        found
    }

    /// The descriptors of all threads, in no order.
    pub fn descriptors(&self) -> Vec<Descriptor> {
        let (to, from) = channel();
        self.shared().broadcast(|| Message::Descriptors {
            first: 0,
            to: to.clone(),
        });
        drop(to);
        let until = Instant::now() + PATIENCE;
        let mut found = Vec::new();
        while let Ok(part) = from.recv_timeout(until.saturating_duration_since(Instant::now())) {
            found.extend(part);
        }
        found
    }
}

impl<I: Io> Worker<I> {
    pub(crate) fn state(&self) -> ThreadState {
        let counters = self.counters();
        let names = ProcessTotal::NAMES.iter().enumerate();
        ThreadState {
            thread: self.index,
            cpu_ns: process::thread_cpu_ns(),
            totals: names
                .map(|(what, name)| (*name, counters.process(what)))
                .collect(),
            streams: counters.streams.load(Relaxed),
            pools: self.pool_states(),
        }
    }

    fn pool_states(&self) -> Vec<PoolState> {
        let buffers = self.io.pool();
        let (made, used) = (buffers.touched(), buffers.held());
        let names = ["buffer", "buffer_64k", "buffer_256k"];
        let classes = names.into_iter().enumerate();
        let mut found: Vec<PoolState> = classes
            .map(|(class, name)| PoolState {
                name,
                size: pool::SIZES[class],
                made: made[class],
                used: used[class],
            })
            .collect();
        found.push(PoolState {
            name: "connection",
            size: size_of::<Slot>(),
            made: self.slots.capacity(),
            used: self.slots.in_use(),
        });
        found
    }

    /// A part of the descriptors, from a slot on; the rest comes in later turns.
    pub(crate) fn tell_descriptors(&mut self, first: u32, to: Sender<Vec<Descriptor>>) {
        let end = (self.slots.capacity() as u32).min(first.saturating_add(PART));
        let mut part = Vec::new();
        if first == 0 {
            self.own_descriptors(&mut part);
        }
        for slot in first..end {
            self.slot_descriptors(slot, &mut part);
        }
        let heard = part.is_empty() || to.send(part).is_ok();
        if heard && (end as usize) < self.slots.capacity() {
            let rest = Message::Descriptors { first: end, to };
            self.shared.threads[self.index].send(rest);
        }
    }

    fn blank(&self, fd: RawFd, holder: Holder) -> Descriptor {
        Descriptor {
            fd,
            thread: self.index,
            holder,
            proxy: None,
            backend: None,
            server: None,
            receiving: true,
            sending: false,
            connecting: false,
        }
    }

    /// The mailbox's and the listeners'.
    fn own_descriptors(&self, out: &mut Vec<Descriptor>) {
        let mailbox = self.shared.threads[self.index].signal.fd();
        out.push(self.blank(mailbox, Holder::Mailbox));
        for (listener, fd, open) in self.gate_states() {
            let proxy = self.shared.listeners[listener].proxy;
            out.push(Descriptor {
                proxy: Some(self.shared.proxies[proxy].plan.id),
                receiving: open,
                ..self.blank(fd, Holder::Listener)
            });
        }
    }

    fn slot_descriptors(&mut self, index: u32, out: &mut Vec<Descriptor>) {
        let shared = self.shared.clone();
        let slot = self.slots.get(index);
        if !slot.used {
            return;
        }
        let id = |proxy: u32| Some(shared.proxies.get(proxy as usize)?.plan.id);
        let (backend, server) = (slot.backend, slot.server);
        let frontend = (slot.role != Role::Upstream).then_some(slot.proxy);
        let server = (server != NONE)
            .then(|| {
                let backend = shared.proxies.get(backend as usize)?.backend.as_ref()?;
                Some(backend.servers.get(server as usize)?.id)
            })
            .flatten();
        let (fds, running) = (slot.fds, slot.running);
        let sides = [
            (Side::Client, Holder::Client),
            (Side::Server, Holder::Server),
        ];
        for (side, holder) in sides {
            let at = side as usize;
            if fds[at] == NO_FD {
                continue;
            }
            out.push(Descriptor {
                proxy: frontend.and_then(id),
                backend: id(backend),
                server,
                receiving: running[at] & RECV != 0,
                sending: running[at] & SEND != 0,
                connecting: running[at] & CONNECT != 0,
                ..self.blank(fds[at], holder)
            });
        }
    }
}
