//! The io_uring engine.
//!
//! A receive is asked for once (`Io::recv`) and answered once. Behind that, a side that keeps
//! sending small messages gets a receive that stays in the kernel (multishot), so that a message
//! costs no submission and no new poll. What such a receive brings unasked is held in the side's
//! [`Inlet`], and when more than a little is held it is cancelled: that is the brake. Bulk goes by
//! single receives into large buffers.

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
const READABLE: u64 = 7;
const WRITABLE: u64 = 8;

/// Up to so many completions in a turn, sends are made by system call: a send through the ring
/// completes while it is submitted, so the wait would return for it at once, and the turn would
/// cost a second `io_uring_enter`. With more of them the ring's batch is cheaper.
const FEW: usize = 3;
/// Only small messages go that way: bulk is gathered, and waits in the ring for room.
const SMALL: usize = 16 << 10;

/// So many small messages in a row make a receive stay.
const STEADY: u8 = 4;
/// Bytes of a message that counts as small.
const MESSAGE: usize = 4 << 10;
/// What a staying receive may bring unasked before it is cancelled.
const HELD: usize = 2;
/// No side has this generation.
const NOBODY: u32 = u32::MAX;

/// What runs in the kernel to receive from a side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Armed {
    Nothing,
    /// A receive that ends with its first completion.
    Once,
    /// One that stays.
    Staying,
    /// One that stays no longer: its last completion is to come.
    Ending,
    /// One of a descriptor that leaves.
    Leaving,
}

/// One side's receiving.
struct Inlet {
    generation: u32,
    fd: RawFd,
    armed: Armed,
    /// Small messages in a row.
    steady: u8,
    /// The worker waits, for a buffer of this class.
    wanted: Option<u8>,
    /// Came before it was asked for.
    held: VecDeque<io::Result<Option<Chunk>>>,
}

impl Inlet {
    const fn new(generation: u32, fd: RawFd) -> Self {
        Inlet {
            generation,
            fd,
            armed: Armed::Nothing,
            steady: 0,
            wanted: None,
            held: VecDeque::new(),
        }
    }
}

pub(crate) struct UringIo {
    ring: Ring,
    wake: RawFd,
    /// This turn has few completions.
    few: bool,
    /// By slot and side.
    inlets: Vec<[Inlet; 2]>,
    /// Completions that did not come from the ring.
    local: VecDeque<Event>,
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
            inlets: Vec::new(),
            local: VecDeque::new(),
        })
    }

    fn inlet(&mut self, key: Key) -> &mut Inlet {
        &mut self.inlets[key.slot as usize][key.side as usize]
    }

    /// Starts a receive of the kind that the side deserves.
    fn arm(&mut self, key: Key, class: usize, likely: bool) {
        let token = recv_token(key, class);
        let inlet = &mut self.inlets[key.slot as usize][key.side as usize];
        if class == 0 && inlet.steady >= STEADY {
            inlet.armed = Armed::Staying;
            self.ring.recv_all(inlet.fd, class, token);
        } else {
            inlet.armed = Armed::Once;
            self.ring.recv(inlet.fd, class, !likely, token);
        }
    }

    /// Ends a receive that stays (its buffers are of class 0); its last completion tells when.
    fn end_staying(&mut self, key: Key) {
        self.inlet(key).armed = Armed::Ending;
        self.ring
            .cancel_token(recv_token(key, 0), SILENT << KIND_SHIFT);
    }

    /// A receive's completion: an event, unless nobody has asked for it (yet).
    fn received(&mut self, done: Completion) -> Option<Event> {
        let key = Key::unpack(done.token);
        let inlet = &mut self.inlets[key.slot as usize][key.side as usize];
        if inlet.generation != key.generation {
            // Of an earlier owner, who was told when it closed.
            if let Some(chunk) = done.chunk {
                self.ring.put(chunk);
            }
            return None;
        }
        let (ending, leaving) = (inlet.armed == Armed::Ending, inlet.armed == Armed::Leaving);
        if !done.more {
            inlet.armed = Armed::Nothing;
        }
        if leaving && matches!(-done.result, libc::ECANCELED | libc::ENOBUFS) {
            inlet.wanted.take()?;
            let result = Err(io::Error::from_raw_os_error(libc::ECANCELED));
            return Some(Event::Received {
                key,
                result,
                more: false,
            });
        }
        if done.result == -libc::ENOBUFS {
            inlet.wanted.take()?;
            return Some(self.starved(key, (done.token >> CLASS_SHIFT) as usize));
        }
        if ending && done.result == -libc::ECANCELED {
            let class = inlet.wanted?;
            self.arm(key, usize::from(class), true);
            return None;
        }
        let small = (1..=MESSAGE as i32).contains(&done.result);
        inlet.steady = if small {
            inlet.steady.saturating_add(1)
        } else {
            0
        };
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
        let inlet = self.inlet(key);
        if inlet.wanted.take().is_none() {
            inlet.held.push_back(result);
            if inlet.held.len() >= HELD && inlet.armed == Armed::Staying {
                self.end_staying(key);
            }
            return None;
        }
        Some(Event::Received {
            key,
            result,
            more: done.more_data,
        })
    }

    /// No buffer of this size was left. Larger ones at their limit are stood in for by smaller
    /// ones; without any the receive waits until some come back.
    fn starved(&mut self, key: Key, class: usize) -> Event {
        let class = if self.ring.grow(class) {
            Some(class)
        } else {
            class.checked_sub(1)
        };
        Event::Starved { key, class }
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

fn recv_token(key: Key, class: usize) -> u64 {
    key.pack() | RECV << KIND_SHIFT | (class as u64) << CLASS_SHIFT
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

    fn take_waiting(&mut self, listener: u32, fd: RawFd) {
        // What waits is accepted while the first is submitted, before the second is looked at.
        let target = u64::from(listener) | ACCEPT << KIND_SHIFT;
        self.ring.accept(fd, target);
        self.ring.cancel_token(target, SILENT << KIND_SHIFT);
    }

    fn adopt(&mut self, key: Key, fd: RawFd) -> io::Result<()> {
        let index = key.slot as usize;
        if self.inlets.len() <= index {
            self.inlets.resize_with(index + 1, || {
                [Inlet::new(NOBODY, -1), Inlet::new(NOBODY, -1)]
            });
        }
        *self.inlet(key) = Inlet::new(key.generation, fd);
        Ok(())
    }

    fn adopt_connected(&mut self, key: Key, fd: RawFd) -> io::Result<()> {
        self.adopt(key, fd)
    }

    fn leave(&mut self, key: Key, fd: RawFd) {
        let inlet = self.inlet(key);
        if inlet.armed == Armed::Nothing {
            // It has brought something, which is told in a moment.
            return;
        }
        inlet.armed = Armed::Leaving;
        self.ring.cancel(fd, SILENT << KIND_SHIFT);
    }

    fn recv(&mut self, key: Key, _fd: RawFd, class: usize, likely: bool) {
        let inlet = self.inlet(key);
        if let Some(result) = inlet.held.pop_front() {
            let more = !inlet.held.is_empty();
            return self.local.push_back(Event::Received { key, result, more });
        }
        inlet.wanted = Some(class as u8);
        match inlet.armed {
            Armed::Nothing => self.arm(key, class, likely),
            // Bulk has begun.
            Armed::Staying if class > 0 => self.end_staying(key),
            Armed::Staying | Armed::Once | Armed::Ending | Armed::Leaving => {}
        }
    }

    fn send<'a>(&mut self, key: Key, fd: RawFd, chunks: impl Iterator<Item = &'a Chunk>) {
        let mut chunks = chunks.peekable();
        if self.few {
            // One piece, as small messages are; whatever does not fit goes through the ring.
            if let Some(first) = chunks.peek().filter(|first| first.len() <= SMALL) {
                let piece = [IoSlice::new(self.ring.pool().data(first))];
                if let Ok(count) = socket::send(fd, &piece) {
                    let result = Ok(count);
                    return self.local.push_back(Event::Sent { key, result });
                }
            }
        }
        self.ring.send(fd, chunks, key.pack() | SEND << KIND_SHIFT);
    }

    fn is_still(&self, key: Key) -> bool {
        let inlet = &self.inlets[key.slot as usize][key.side as usize];
        inlet.armed == Armed::Nothing && inlet.held.is_empty()
    }

    fn await_readable(&mut self, key: Key, fd: RawFd) {
        self.ring.poll(fd, key.pack() | READABLE << KIND_SHIFT);
    }

    fn await_writable(&mut self, key: Key, fd: RawFd) {
        (self.ring).poll_writable(fd, key.pack() | WRITABLE << KIND_SHIFT);
    }

    fn connect(&mut self, key: Key, fd: RawFd, address: &SockAddr) {
        self.ring
            .connect(fd, address, key.pack() | CONNECT << KIND_SHIFT);
    }

    fn close(&mut self, key: Key, fd: RawFd, running: bool) {
        let inlet = std::mem::replace(self.inlet(key), Inlet::new(NOBODY, -1));
        // Both are carried out at submission, in this order: what runs is cancelled before the
        // number can belong to somebody else.
        if running || inlet.armed != Armed::Nothing {
            self.ring.cancel(fd, SILENT << KIND_SHIFT);
        }
        self.ring.close(fd, SILENT << KIND_SHIFT);
        for chunk in inlet
            .held
            .into_iter()
            .filter_map(|held| held.ok().flatten())
        {
            self.ring.put(chunk);
        }
        if inlet.wanted.is_some() {
            let result = Err(io::Error::from_raw_os_error(libc::ECANCELED));
            self.local.push_back(Event::Received {
                key,
                result,
                more: false,
            });
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // A timer's work may have left some.
        let timeout = if self.local.is_empty() {
            timeout
        } else {
            Some(Duration::ZERO)
        };
        self.ring.submit_and_wait(timeout)?;
        self.few = self.ring.ready() <= FEW;
        Ok(())
    }

    fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.local.pop_front() {
            return Some(event);
        }
        loop {
            let done = self.ring.take()?;
            let key = Key::unpack(done.token);
            return Some(match done.token >> KIND_SHIFT & 15 {
                RECV => match self.received(done) {
                    Some(event) => event,
                    None => continue,
                },
                SEND => Event::Sent {
                    key,
                    result: outcome(done.result),
                },
                CONNECT => Event::Connected {
                    key,
                    result: outcome(done.result).map(drop),
                },
                READABLE => Event::Readable { key },
                WRITABLE => Event::Sent {
                    key,
                    result: outcome(done.result.min(0)),
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
