//! The one face of both I/O engines: operations go in, their completions come out.
//!
//! The worker asks for a receive, a send, a connect; later [`Io::next`] tells how it went. With
//! io_uring that is what the kernel does; [`epoll::EpollIo`] carries the same out with optimistic
//! system calls and edge-triggered readiness. At most one receive and one send or connect run
//! for each side of a slot.

pub(crate) mod epoll;
pub(crate) mod uring;

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use telamon_session::Side;
use telamon_sys::{Chunk, Pool, SockAddr};

/// Whose operation it is: slot, side, and the slot's generation, so that a late completion of
/// an earlier owner is known as such.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) side: Side,
    pub(crate) generation: u32,
}

/// Generations run in this many bits.
pub(crate) const GENERATION_BITS: u32 = 24;

impl Key {
    pub(crate) fn pack(self) -> u64 {
        u64::from(self.slot)
            | u64::from(self.generation & ((1 << GENERATION_BITS) - 1)) << 32
            | (self.side as u64) << 56
    }

    pub(crate) fn unpack(token: u64) -> Key {
        Key {
            slot: token as u32,
            generation: (token >> 32) as u32 & ((1 << GENERATION_BITS) - 1),
            side: if token >> 56 & 1 == 0 {
                Side::Client
            } else {
                Side::Server
            },
        }
    }
}

/// What became of an operation.
#[derive(Debug)]
pub(crate) enum Event {
    /// A new connection or an error; `last`: accepting has ended and must be asked for anew.
    Accepted {
        listener: u32,
        result: io::Result<RawFd>,
        last: bool,
    },
    /// Accepting has ended after `unlisten`.
    Unlistened {
        listener: u32,
    },
    /// Data (`Some`), the end of the stream (`None`), or an error.
    /// `more`: the socket probably has more already.
    Received {
        key: Key,
        result: io::Result<Option<Chunk>>,
        more: bool,
    },
    /// A receive found no buffer. Ask again with this class; None: when some have come back.
    Starved {
        key: Key,
        class: Option<usize>,
    },
    /// So many bytes were sent; 0: there is room again, send anew.
    Sent {
        key: Key,
        result: io::Result<usize>,
    },
    /// After `await_readable`.
    Readable {
        key: Key,
    },
    Connected {
        key: Key,
        result: io::Result<()>,
    },
    /// Another thread has left a message.
    Wake,
}

pub(crate) trait Io {
    fn pool(&self) -> &Pool;
    fn pool_mut(&mut self) -> &mut Pool;
    /// Takes a buffer back.
    fn put(&mut self, chunk: Chunk);

    /// Accepts on `fd` until `unlisten` or an error.
    fn listen(&mut self, listener: u32, fd: RawFd) -> io::Result<()>;
    /// Stops accepting; `Unlistened` tells when no more connections can come.
    fn unlisten(&mut self, listener: u32, fd: RawFd);
    /// Accepts what waits now, and then tells `Unlistened`.
    fn take_waiting(&mut self, listener: u32, fd: RawFd);

    /// A descriptor begins to belong to a key.
    fn adopt(&mut self, key: Key, fd: RawFd) -> io::Result<()>;
    /// The same with one that is connected, and was another thread's before.
    fn adopt_connected(&mut self, key: Key, fd: RawFd) -> io::Result<()>;
    /// A silent descriptor that a receive runs on leaves the key, open: the receive's end with
    /// ECANCELED tells when nothing runs on it any more. Ends it in another way, it stays.
    fn leave(&mut self, key: Key, fd: RawFd);
    /// Receives once. `class`: how large a buffer; `likely`: data is probably there already.
    fn recv(&mut self, key: Key, fd: RawFd, class: usize, likely: bool);
    /// Sends what fits of the chunks, which stay the caller's.
    fn send<'a>(&mut self, key: Key, fd: RawFd, chunks: impl Iterator<Item = &'a Chunk>);
    fn connect(&mut self, key: Key, fd: RawFd, address: &SockAddr);
    /// Nothing runs that receives from this side, and nothing that came waits to be asked for.
    fn is_still(&self, key: Key) -> bool;
    /// The side's socket was just found empty: `Readable` tells when it is not any more.
    fn await_readable(&mut self, key: Key, fd: RawFd);
    /// The side's socket was just found full: `Sent` (of 0 bytes) tells when it is not any more.
    fn await_writable(&mut self, key: Key, fd: RawFd);

    /// Gives a descriptor back: what runs on it is cancelled (and still completes, if
    /// `running`), then it is closed.
    fn close(&mut self, key: Key, fd: RawFd, running: bool);

    /// Waits for events, at most `timeout` (None: for ever).
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()>;
    fn next(&mut self) -> Option<Event>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_packing() {
        for side in [Side::Client, Side::Server] {
            let key = Key {
                slot: u32::MAX,
                side,
                generation: (1 << GENERATION_BITS) - 1,
            };
            assert_eq!(Key::unpack(key.pack()), key);
        }
    }
}
