//! The io_uring engine.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::time::Duration;

use telamon_sys::ring::{Completion, Ring, CLASS_SHIFT};
use telamon_sys::{socket, Chunk, Pool, SockAddr};

use super::{Event, Io, Key};

/// What a token's operation is (bits 57 to 60 of the token).
const KIND_SHIFT: u32 = 57;
const RECV: u64 = 1;
const SEND: u64 = 2;
const CONNECT: u64 = 3;
const ACCEPT: u64 = 4;
const WAKE: u64 = 5;
/// Cancels and closes: nobody waits for them.
const SILENT: u64 = 6;

/// Up to so many completions in a turn, sends are made by system call: a send through the ring
/// completes while it is submitted, so the wait would return for it at once, and the turn would
/// cost a second `io_uring_enter`. With more of them the ring's batch is cheaper.
const FEW: usize = 3;
/// Only small messages go that way: bulk is gathered, and waits in the ring for room.
const SMALL: usize = 16 << 10;

pub(crate) struct UringIo {
    ring: Ring,
    wake: RawFd,
    /// This turn has few completions.
    few: bool,
    /// Sends that were made by system call.
    sent: VecDeque<(Key, usize)>,
}

impl UringIo {
    /// For the calling thread alone. `wake` is the thread's eventfd.
    pub(crate) fn new(wake: RawFd) -> io::Result<Self> {
        let mut ring = Ring::new()?;
        ring.poll(wake, WAKE << KIND_SHIFT);
        Ok(UringIo {
            ring,
            wake,
            few: true,
            sent: VecDeque::new(),
        })
    }

    fn received(&mut self, done: Completion) -> Event {
        let key = Key::unpack(done.token);
        let class = (done.token >> CLASS_SHIFT) as usize;
        if done.result == -libc::ENOBUFS {
            // No buffer of this size was left. Larger ones at their limit are stood in for by
            // smaller ones; without any the receive waits until some come back.
            let class = if self.ring.grow(class) {
                Some(class)
            } else {
                class.checked_sub(1)
            };
            return Event::Starved { key, class };
        }
        let chunk = match done.chunk {
            Some(chunk) if done.result <= 0 => {
                self.ring.put(chunk);
                None
            }
            other => other,
        };
        let result = match done.result {
            0.. => Ok(chunk),
            code => Err(io::Error::from_raw_os_error(-code)),
        };
        Event::Received {
            key,
            result,
            more: done.more_data,
        }
    }

    fn accepted(&mut self, done: &Completion) -> Event {
        let listener = done.token as u32;
        match done.result {
            fd @ 0.. => Event::Accepted {
                listener,
                result: Ok(fd),
                last: !done.more,
            },
            code if code == -libc::ECANCELED => Event::Unlistened { listener },
            code => {
                let error = io::Error::from_raw_os_error(-code);
                Event::Accepted {
                    listener,
                    result: Err(error),
                    last: !done.more,
                }
            }
        }
    }
}

fn outcome(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

impl Io for UringIo {
    fn pool(&self) -> &Pool {
        self.ring.pool()
    }

    fn pool_mut(&mut self) -> &mut Pool {
        self.ring.pool_mut()
    }

    fn put(&mut self, chunk: Chunk) {
        self.ring.put(chunk);
    }

    fn listen(&mut self, listener: u32, fd: RawFd) -> io::Result<()> {
        self.ring
            .accept(fd, u64::from(listener) | ACCEPT << KIND_SHIFT);
        Ok(())
    }

    fn unlisten(&mut self, listener: u32, _fd: RawFd) {
        let target = u64::from(listener) | ACCEPT << KIND_SHIFT;
        self.ring.cancel_token(target, SILENT << KIND_SHIFT);
    }

    fn adopt(&mut self, _key: Key, _fd: RawFd) -> io::Result<()> {
        Ok(())
    }

    fn recv(&mut self, key: Key, fd: RawFd, class: usize, likely: bool) {
        let token = key.pack() | RECV << KIND_SHIFT | (class as u64) << CLASS_SHIFT;
        self.ring.recv(fd, class, !likely, token);
    }

    fn send<'a>(&mut self, key: Key, fd: RawFd, chunks: impl Iterator<Item = &'a Chunk>) {
        let mut chunks = chunks.peekable();
        if self.few {
            // One piece, as small messages are; whatever does not fit goes through the ring.
            if let Some(first) = chunks.peek().filter(|first| first.len() <= SMALL) {
                let piece = [IoSlice::new(self.ring.pool().data(first))];
                if let Ok(count) = socket::send(fd, &piece) {
                    return self.sent.push_back((key, count));
                }
            }
        }
        self.ring.send(fd, chunks, key.pack() | SEND << KIND_SHIFT);
    }

    fn connect(&mut self, key: Key, fd: RawFd, address: &SockAddr) {
        self.ring
            .connect(fd, address, key.pack() | CONNECT << KIND_SHIFT);
    }

    fn close(&mut self, _key: Key, fd: RawFd, running: bool) {
        // Both are carried out at submission, in this order: what runs is cancelled before the
        // number can belong to somebody else.
        if running {
            self.ring.cancel(fd, SILENT << KIND_SHIFT);
        }
        self.ring.close(fd, SILENT << KIND_SHIFT);
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // A timer's work may have left some.
        let timeout = if self.sent.is_empty() {
            timeout
        } else {
            Some(Duration::ZERO)
        };
        self.ring.submit_and_wait(timeout)?;
        self.few = self.ring.ready() <= FEW;
        Ok(())
    }

    fn next(&mut self) -> Option<Event> {
        if let Some((key, count)) = self.sent.pop_front() {
            return Some(Event::Sent {
                key,
                result: Ok(count),
            });
        }
        loop {
            let done = self.ring.take()?;
            let key = Key::unpack(done.token);
            return Some(match done.token >> KIND_SHIFT & 15 {
                RECV => self.received(done),
                SEND => Event::Sent {
                    key,
                    result: outcome(done.result),
                },
                CONNECT => Event::Connected {
                    key,
                    result: outcome(done.result).map(drop),
                },
                ACCEPT => self.accepted(&done),
                WAKE => {
                    self.ring.poll(self.wake, WAKE << KIND_SHIFT);
                    Event::Wake
                }
                _ => continue,
            });
        }
    }
}
