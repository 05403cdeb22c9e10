//! After CONNECT or an upgrade: both sides say what they like (RFC 9110 7.8, 9.3.6).

use telamon_session::Side;
use telamon_sys::{socket, Chunk};

use crate::conn::{NONE, NO_FD};
use crate::io::Io;
use crate::worker::Worker;

impl<I: Io> Worker<I> {
    pub(super) fn tunnel(&mut self, index: u32, from: Side, chunk: Chunk) {
        let now = self.now;
        let up = self.slots.get(index).peer;
        let count = chunk.len() as u64;
        if up == NONE {
            return self.io.put(chunk);
        }
        if let Some(exchange) = self.exchange(index) {
            match from {
                Side::Client => {
                    exchange.client_active = now;
                    self.count_behind(index, Side::Client, count);
                }
                Side::Server => {
                    exchange.server_active = now;
                    exchange.log.bytes += count;
                }
            }
        }
        let (to, side) = match from {
            Side::Client => (up, Side::Server),
            Side::Server => (index, Side::Client),
        };
        if chunk.is_empty() {
            self.io.put(chunk);
        } else {
            self.slots.get(to).out[side as usize].push(chunk);
        }
        self.flush(to, side);
        match from {
            Side::Client => self.http_receive(index),
            Side::Server => self.upstream_receive(up),
        }
        self.set_timer(index);
    }

    /// One side of a tunnel has ended: the other is told, once all was sent.
    pub(super) fn tunnel_eof(&mut self, index: u32, up: u32, side: Side) {
        let (from, to) = match side {
            Side::Client => (index, up),
            Side::Server => (up, index),
        };
        let _ = from;
        let pending = !self.slots.get(to).out[side.other() as usize].is_empty();
        if !pending {
            self.tunnel_sent(index, side.other());
        }
    }

    /// All that waited for a side of a tunnel was sent.
    pub(super) fn tunnel_sent(&mut self, index: u32, side: Side) {
        let up = self.slots.get(index).peer;
        if up == NONE {
            return self.http_finish(index);
        }
        let client_ended = self.http(index).is_some_and(|http| http.ended);
        let server_ended = self.slots.get(up).eof;
        let (source_ended, fd) = match side {
            Side::Client => (server_ended, self.slots.get(index).fds[0]),
            Side::Server => (client_ended, self.slots.get(up).fds[1]),
        };
        if source_ended && fd != NO_FD {
            let _ = socket::shutdown_write(fd);
        }
        let drained =
            self.slots.get(index).out[0].is_empty() && self.slots.get(up).out[1].is_empty();
        if client_ended && server_ended && drained {
            self.drop_upstream(index);
            return self.http_finish(index);
        }
        match side {
            Side::Client => self.upstream_receive(up),
            Side::Server => self.http_receive(index),
        }
        self.set_timer(index);
    }
}
