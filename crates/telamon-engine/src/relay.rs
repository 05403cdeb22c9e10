//! The relay in TCP mode: what one side sends goes to the other, with bytes going from one socket's
//! buffer straight to the other's send. Here are also the columns that count them.

use std::io;

use telamon_session::{End, Side};
use telamon_sys::{socket, Chunk};

use crate::conn::{Role, NONE, NO_FD, RECV, SEND};
use crate::counters::{ProcessTotal, Total};
use crate::io::{Io, Key};
use crate::worker::{count, Worker, MAX_BUFFERS};

/// Bytes that may wait for one side before its source is no longer read.
const MAX_PENDING: u64 = 768 << 10;

impl<I: Io> Worker<I> {
    /// Asks for a receive of a side unless one runs.
    pub(crate) fn receive(&mut self, key: Key, class: usize, likely: bool) {
        let Some(slot) = self.slots.live(key) else {
            return;
        };
        let at = key.side as usize;
        if slot.running[at] & RECV == 0 && slot.fds[at] != NO_FD {
            slot.running[at] |= RECV;
            self.io.recv(key, slot.fds[at], class, likely);
        }
    }

    #[inline]
    pub(crate) fn received(&mut self, key: Key, result: io::Result<Option<Chunk>>, more: bool) {
        let side = key.side;
        let (from, to) = (side as usize, side.other() as usize);
        let Some(slot) = self.slots.live(key) else {
            if let Ok(Some(chunk)) = result {
                self.io.put(chunk);
            }
            return self.stray(key);
        };
        slot.running[from] &= !RECV;
        slot.more[from] = more;
        match slot.role {
            Role::Tcp => {}
            Role::Client => return self.http_received(key.slot, result),
            Role::Upstream => return self.upstream_received(key, result),
        }
        let chunk = match result {
            Ok(Some(chunk)) => chunk,
            Ok(None) if slot.inspecting[from] => {
                if let Some(inspection) = &mut slot.inspection {
                    inspection.end(false);
                }
                return self.inspect(key.slot);
            }
            Ok(None) => {
                self.ended(key);
                return self.settle(key.slot);
            }
            Err(_) if slot.inspecting == [true, false] => {
                if let Some(inspection) = &mut slot.inspection {
                    inspection.end(true);
                }
                return self.inspect(key.slot);
            }
            Err(_) => {
                self.broke(key.slot, side);
                return self.settle(key.slot);
            }
        };
        if !slot.stream.reads(side) {
            self.io.put(chunk);
            return;
        }
        let Some(chunk) = self.after_preface(key, chunk) else {
            return;
        };
        let slot = self.slots.get(key.slot);
        if slot.inspecting[from] {
            return self.withhold(key, chunk);
        }
        let count = chunk.len() as u64;
        slot.weigh(side, &chunk);
        slot.bytes[from] += count;
        slot.stream.received(side, count, self.now);
        slot.out[to].push(chunk);
        self.count_bytes(key.slot, side, count);
        let slot = self.slots.get(key.slot);
        if slot.running[to] & SEND == 0 && slot.stream.writes(side.other()) {
            self.send(key.slot, side.other());
        }
        self.receive_more(key, more);
    }

    /// A side has sent all that it will send. What happened first is told first, in whatever order
    /// the kernel tells of it: a server that has accepted before the client's end has a stream.
    fn ended(&mut self, key: Key) {
        let slot = self.slots.get(key.slot);
        let server = slot.fds[Side::Server as usize];
        let connecting = key.side == Side::Client && slot.stream.is_connecting();
        if connecting && server != NO_FD && socket::peer(server).is_ok() {
            slot.stream.eof_at_connect();
        } else {
            slot.stream.eof(key.side);
        }
    }

    /// Reads on from a side, if there is room for what comes.
    #[inline]
    pub(crate) fn receive_more(&mut self, key: Key, likely: bool) {
        let Some(slot) = self.slots.live(key) else {
            return;
        };
        let (from, to) = (key.side as usize, key.side.other() as usize);
        if slot.inspecting[from] {
            return;
        }
        let full = slot.out[to].len() >= MAX_BUFFERS
            || slot.stream.pending(key.side.other()) >= MAX_PENDING
            || (!slot.stream.is_relaying() && !slot.out[to].is_empty());
        // One that is read already has its time limit, however full it is behind it.
        let reading = slot.running[from] & RECV != 0;
        slot.stream.stall(key.side, full && !reading, self.now);
        if !full && !reading && slot.stream.reads(key.side) && slot.fds[from] != NO_FD {
            slot.running[from] |= RECV;
            self.io
                .recv(key, slot.fds[from], usize::from(slot.class[from]), likely);
        }
    }

    #[inline]
    pub(crate) fn count_bytes(&mut self, index: u32, side: Side, count: u64) {
        self.count_before(index, side, count);
        self.count_behind(index, side, count);
    }

    /// Bytes that `side` sent, in the columns of what is before the choice of a backend.
    #[inline]
    pub(crate) fn count_before(&mut self, index: u32, side: Side, count: u64) {
        let slot = self.slots.get(index);
        let (what, shared) = (column(side), &self.shared);
        let counters = &shared.counters[self.index];
        let proxy = &shared.proxies[slot.proxy as usize];
        if let Some(frontend) = &proxy.frontend {
            counters.of(frontend.object).add(what, count);
        }
        counters
            .of(shared.listeners[slot.listener as usize].object)
            .add(what, count);
        if side == Side::Server {
            counters.add(ProcessTotal::BytesOut, count);
        }
    }

    /// The same, in those of the backend and the server.
    #[inline]
    pub(crate) fn count_behind(&mut self, index: u32, side: Side, count: u64) {
        let slot = self.slots.get(index);
        if slot.backend == NONE {
            return;
        }
        let (what, counters) = (column(side), &self.shared.counters[self.index]);
        if let Some(backend) = &self.shared.proxies[slot.backend as usize].backend {
            counters.of(backend.object).add(what, count);
            if let Some(server) = backend.servers.get(slot.server as usize) {
                counters.of(server.object).add(what, count);
            }
        }
    }

    #[inline]
    pub(crate) fn send(&mut self, index: u32, side: Side) {
        let slot = self.slots.get(index);
        let at = side as usize;
        if slot.out[at].is_empty() || slot.fds[at] == NO_FD {
            return;
        }
        slot.running[at] |= SEND;
        let key = slot.key(index, side);
        self.io.send(key, slot.fds[at], slot.out[at].iter());
    }

    #[inline]
    pub(crate) fn sent(&mut self, key: Key, result: io::Result<usize>) {
        let side = key.side;
        let at = side as usize;
        let Some(slot) = self.slots.live(key) else {
            return self.stray(key);
        };
        slot.running[at] &= !SEND;
        let mut left = match result {
            Ok(count) => count,
            Err(_) => {
                match slot.role {
                    Role::Tcp => {}
                    Role::Client => return self.http_broke(key.slot),
                    Role::Upstream => return self.upstream_sent(key.slot, true),
                }
                self.broke(key.slot, side);
                return self.settle(key.slot);
            }
        };
        if left > 0 && slot.role == Role::Tcp {
            slot.stream.sent(side, left as u64, self.now);
        }
        while let Some(chunk) = slot.out[at].front_mut() {
            let step = left.min(chunk.len());
            chunk.advance(step);
            left -= step;
            if !chunk.is_empty() {
                break;
            }
            if let Some(chunk) = slot.out[at].pop() {
                self.io.put(chunk);
            }
        }
        match slot.role {
            Role::Tcp => {}
            Role::Client => return self.http_sent(key.slot),
            Role::Upstream => return self.upstream_sent(key.slot, false),
        }
        if !slot.out[at].is_empty() {
            self.send(key.slot, side);
            self.set_timer(key.slot);
        }
        let slot = self.slots.get(key.slot);
        let source = slot.key(key.slot, side.other());
        if slot.running[side.other() as usize] & RECV == 0 {
            self.receive_more(source, true);
            self.settle(key.slot);
        }
    }

    pub(crate) fn broke(&mut self, index: u32, side: Side) {
        let slot = self.slots.get(index);
        let first = slot.stream.end() == End::NORMAL;
        slot.stream.broke(side, true);
        if first {
            self.count_abort(index, side);
        }
    }

    pub(crate) fn count_abort(&mut self, index: u32, side: Side) {
        let what = match side {
            Side::Client => Total::CliAbrt,
            Side::Server => Total::SrvAbrt,
        };
        let slot = self.slots.get(index);
        if slot.backend == NONE {
            return;
        }
        if let Some(backend) = &self.shared.proxies[slot.backend as usize].backend {
            count!(self, backend.object, what, 1);
            if let Some(server) = backend.servers.get(slot.server as usize) {
                count!(self, server.object, what, 1);
            }
        }
    }
}

fn column(side: Side) -> Total {
    match side {
        Side::Client => Total::Bin,
        Side::Server => Total::Bout,
    }
}
