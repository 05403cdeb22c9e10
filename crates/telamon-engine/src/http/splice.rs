//! Long bodies of responses, moved through a pipe without being copied.
//!
//! The head and what came with it go the usual way. From there on, if enough of a body of known
//! length is still to come, nothing needs to look at it: `pump` moves it from the server's socket
//! into the exchange's pipe and from there to the client, and waits for whichever blocks. The pipe
//! is the exchange's, not the server's connection's: that one goes back to its pool as soon as its
//! last byte lies in the pipe.

use std::io::ErrorKind;
use std::sync::atomic::Ordering::Relaxed;

use telamon_session::Side;
use telamon_sys::pipe::Pipe;

use super::{Body, Step};
use crate::conn::{NONE, NO_FD, RECV, SEND};
use crate::counters::ProcessTotal;
use crate::io::{Io, Key};
use crate::worker::Worker;

/// A body is moved that way if so much of it is still to come: less costs more than copying it.
const WORTH: u64 = 32 << 10;
/// Bytes that are taken at once, and how often in one turn, so that others get theirs.
const MOST: usize = 512 << 10;
const TURNS: usize = 4;
/// Empty pipes that a thread keeps.
const KEPT: usize = 32;

impl<I: Io> Worker<I> {
    /// May the rest of this exchange's response go through a pipe? Takes one if so.
    pub(super) fn splices(&mut self, index: u32, up: u32) -> bool {
        let most = self.most_pipes;
        let Some(exchange) = self.exchange(index) else {
            return false;
        };
        let long = matches!(exchange.download, Body::Left(left) if left >= WORTH);
        if !long || exchange.pipe.is_some() {
            return false;
        }
        let key = self.slots.get(up).key(up, Side::Server);
        if !self.io.is_still(key) {
            return false;
        }
        if self.pipes_used >= most {
            return false;
        }
        // Without one the body is copied.
        let Some(pipe) = self.pipes.pop().or_else(|| Pipe::new().ok()) else {
            return false;
        };
        self.pipes_used += 1;
        self.note_pipes();
        // The next head needs no large buffer.
        self.slots.get(up).class[Side::Server as usize] = 0;
        if let Some(exchange) = self.exchange(index) {
            exchange.pipe = Some(pipe);
        }
        true
    }

    /// Something lies in the pipe that the client has not got.
    pub(super) fn is_piped(&mut self, index: u32) -> bool {
        self.exchange(index)
            .and_then(|exchange| exchange.pipe.as_ref())
            .is_some_and(|pipe| pipe.inside() > 0)
    }

    /// The server's socket has something for the pipe.
    pub(crate) fn upstream_readable(&mut self, key: Key) {
        let up = key.slot;
        self.slots.get(up).running[Side::Server as usize] &= !RECV;
        match self.slots.get(up).peer {
            NONE => self.close_upstream(up),
            index => self.pump(index),
        }
    }

    /// Moves what can be moved now.
    pub(crate) fn pump(&mut self, index: u32) {
        for _ in 0..TURNS {
            let taken = self.fill_pipe(index).unwrap_or_else(|broken| {
                // What lies in the pipe still goes out; what follows is no more.
                let up = self.slots.get(index).peer;
                self.slots.get(up).eof = true;
                self.response_eof(index, up, broken);
                true
            });
            let Ok(given) = self.drain_pipe(index) else {
                return self.http_broke(index);
            };
            let exchange = self.exchange(index);
            let over = exchange.is_none_or(|exchange| exchange.download.is_done());
            if over && !self.is_piped(index) {
                return self.http_check_end(index);
            }
            if !taken && !given {
                self.await_pipe(index);
                return self.set_timer(index);
            }
        }
        // Others first; then it goes on.
        let key = self.slots.get(index).key(index, Side::Client);
        self.pumps.push(key);
    }

    /// From the server into the pipe. True if something came; an error is the stream's end, in good
    /// order (false) or not (true).
    fn fill_pipe(&mut self, index: u32) -> Result<bool, bool> {
        let now = self.now;
        let slot = self.slots.get(index);
        let (up, step) = (slot.peer, slot.http.as_deref().map(|http| http.step));
        if up == NONE || step != Some(Step::Streaming) {
            return Ok(false);
        }
        let fd = self.slots.get(up).fds[Side::Server as usize];
        let Some(exchange) = self.exchange(index) else {
            return Ok(false);
        };
        let Body::Left(left) = exchange.download else {
            return Ok(false);
        };
        let Some(pipe) = exchange.pipe.as_mut().filter(|_| fd != NO_FD) else {
            return Ok(false);
        };
        let most = usize::try_from(left).unwrap_or(MOST).min(MOST);
        let count = match pipe.fill(fd, most) {
            Ok(0) => return Err(false),
            Ok(count) => count as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(_) => return Err(true),
        };
        exchange.server_active = now;
        exchange.log.bytes += count;
        exchange.download = match left - count {
            0 => Body::Done,
            left => Body::Left(left),
        };
        let done = exchange.download.is_done();
        self.count_bytes(index, Side::Server, count);
        self.counters().add(ProcessTotal::SplicedBytesOut, count);
        if done {
            self.download_ended(index);
        }
        Ok(true)
    }

    /// From the pipe to the client, once all that came before is sent. True if something went.
    fn drain_pipe(&mut self, index: u32) -> Result<bool, ()> {
        let now = self.now;
        let slot = self.slots.get(index);
        let fd = slot.fds[Side::Client as usize];
        let busy = !slot.out[0].is_empty() || slot.running[0] & SEND != 0;
        if busy || fd == NO_FD || slot.stopping {
            return Ok(false);
        }
        let Some(exchange) = slot.exchange() else {
            return Ok(false);
        };
        let Some(pipe) = exchange.pipe.as_mut().filter(|pipe| pipe.inside() > 0) else {
            return Ok(false);
        };
        match pipe.drain(fd) {
            Ok(count) => {
                exchange.client_active = now;
                Ok(count > 0)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => Ok(false),
                ErrorKind::Interrupted => Ok(true),
                _ => Err(()),
            },
        }
    }

    /// Waits for what blocks: the client, if the pipe has something for it, and else the server. A
    /// full pipe is no reason to wait for the server: its socket may be full as well.
    fn await_pipe(&mut self, index: u32) {
        let piped = self.is_piped(index);
        let slot = self.slots.get(index);
        if slot.stopping {
            return;
        }
        let busy = !slot.out[0].is_empty() || slot.running[0] & SEND != 0;
        if piped && !busy {
            let (key, fd) = (slot.key(index, Side::Client), slot.fds[0]);
            slot.running[0] |= SEND;
            self.io.await_writable(key, fd);
        }
        let up = self.slots.get(index).peer;
        let more = self
            .exchange(index)
            .is_some_and(|exchange| !exchange.download.is_done());
        if up == NONE || piped || !more {
            return;
        }
        let slot = self.slots.get(up);
        if slot.running[1] & RECV == 0 && slot.fds[1] != NO_FD && !slot.eof {
            let (key, fd) = (slot.key(up, Side::Server), slot.fds[1]);
            slot.running[1] |= RECV;
            self.io.await_readable(key, fd);
        }
    }

    /// The exchange's pipe is of no use any more.
    pub(super) fn give_pipe(&mut self, pipe: Option<Pipe>) {
        let Some(pipe) = pipe else { return };
        self.pipes_used -= 1;
        if pipe.inside() == 0 && self.pipes.len() < KEPT {
            self.pipes.push(pipe);
        }
        self.note_pipes();
    }

    /// For `show info`.
    pub(crate) fn note_pipes(&self) {
        let [used, free] = &self.counters().pipes;
        used.store(self.pipes_used, Relaxed);
        free.store(self.pipes.len() as u32, Relaxed);
    }
}
