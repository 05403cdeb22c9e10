//! The epoll engine: system calls first, waiting only when they would block.
//!
//! A connection is registered once, edge-triggered, for everything. What is known of its
//! readiness stands in a table by slot; a receive that came back short has emptied the socket,
//! so the next one waits for an edge instead of asking the kernel in vain.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::time::Duration;

use telamon_sys::epoll::{Epoll, ERROR, HANG_UP, PEER_SHUT, READABLE, WRITABLE};
use telamon_sys::{pool, socket, Chunk, Pool, SockAddr};

use super::{Event, Io, Key};

/// Tokens that are not keys have this bit (keys end below it).
const LISTENER: u64 = 1 << 60;
const WAKE: u64 = 1 << 61;
/// Connections taken from one listener in one turn, so that it cannot starve the streams.
const ACCEPT_BURST: usize = 64;
const GATHER: usize = 16;
/// Of a side that is watched by somebody who receives by himself.
const NO_CLASS: u8 = u8::MAX;

#[derive(Clone, Copy)]
struct State {
    fd: RawFd,
    generation: u32,
    readable: bool,
    writable: bool,
    /// The peer has ended or broken: a receive will not block any more.
    hung: bool,
    /// A receive waits, for a buffer of this class.
    receiving: Option<u8>,
    sending: bool,
    connecting: bool,
}

const UNUSED: State = State {
    fd: -1,
    generation: 0,
    readable: false,
    writable: false,
    hung: false,
    receiving: None,
    sending: false,
    connecting: false,
};

pub(crate) struct EpollIo {
    epoll: Epoll,
    pool: Pool,
    states: Vec<[State; 2]>,
    listeners: Vec<Option<RawFd>>,
    events: VecDeque<Event>,
    wake: RawFd,
}

impl EpollIo {
    pub(crate) fn new(wake: RawFd) -> io::Result<Self> {
        let epoll = Epoll::new(512)?;
        epoll.add_signal(wake, WAKE)?;
        Ok(EpollIo {
            epoll,
            pool: Pool::new()?,
            states: Vec::new(),
            listeners: Vec::new(),
            events: VecDeque::new(),
            wake,
        })
    }

    fn state(&mut self, key: Key) -> &mut State {
        &mut self.states[key.slot as usize][key.side as usize]
    }

    fn try_recv(&mut self, key: Key, class: usize) {
        let Some(mut chunk) = self.pool.take_at_most(class) else {
            self.state(key).receiving = None;
            self.events.push_back(Event::Starved { key, class: None });
            return;
        };
        let fd = self.state(key).fd;
        let size = pool::SIZES[chunk.class()];
        let outcome = socket::recv(fd, self.pool.space(&chunk));
        let state = self.state(key);
        state.receiving = None;
        let result = match outcome {
            Ok(0) => Ok(None),
            Ok(count) => {
                state.readable = count == size || state.hung;
                chunk.fill(count);
                let more = state.readable;
                self.events.push_back(Event::Received {
                    key,
                    result: Ok(Some(chunk)),
                    more,
                });
                return;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                state.readable = false;
                state.receiving = Some(class as u8);
                self.pool.put(chunk);
                return;
            }
            Err(error) => Err(error),
        };
        self.pool.put(chunk);
        self.events.push_back(Event::Received {
            key,
            result,
            more: false,
        });
    }

    fn accept(&mut self, listener: u32) {
        let Some(fd) = self.listeners.get(listener as usize).copied().flatten() else {
            return;
        };
        for _ in 0..ACCEPT_BURST {
            use std::os::fd::IntoRawFd;
            match socket::accept(fd) {
                Ok(client) => {
                    let result = Ok(client.into_raw_fd());
                    self.events.push_back(Event::Accepted {
                        listener,
                        result,
                        last: false,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    // Level-triggered: without this the same error would come back at once.
                    let _ = self.epoll.remove(fd);
                    self.listeners[listener as usize] = None;
                    self.events.push_back(Event::Accepted {
                        listener,
                        result: Err(error),
                        last: true,
                    });
                    return;
                }
            }
        }
    }

    fn ready(&mut self, key: Key, bits: u32) {
        let state = self.state(key);
        if state.fd < 0 || state.generation != key.generation {
            return;
        }
        let broken = bits & (ERROR | HANG_UP) != 0;
        state.hung |= broken || bits & PEER_SHUT != 0;
        state.readable |= state.hung || bits & READABLE != 0;
        state.writable |= broken || bits & WRITABLE != 0;
        if state.connecting && (broken || bits & WRITABLE != 0) {
            state.connecting = false;
            let fd = state.fd;
            let result = if broken {
                socket::take_error(fd)
            } else {
                Ok(())
            };
            self.events.push_back(Event::Connected { key, result });
        }
        let state = *self.state(key);
        if state.sending && state.writable {
            self.state(key).sending = false;
            self.events.push_back(Event::Sent { key, result: Ok(0) });
        }
        match (state.readable, state.receiving) {
            (true, Some(NO_CLASS)) => {
                self.state(key).receiving = None;
                self.events.push_back(Event::Readable { key });
            }
            (true, Some(class)) => self.try_recv(key, usize::from(class)),
            _ => {}
        }
    }
}

impl Io for EpollIo {
    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn pool_mut(&mut self) -> &mut Pool {
        &mut self.pool
    }

    fn put(&mut self, chunk: Chunk) {
        self.pool.put(chunk);
    }

    fn listen(&mut self, listener: u32, fd: RawFd) -> io::Result<()> {
        socket::set_nonblocking(fd)?;
        let index = listener as usize;
        if self.listeners.len() <= index {
            self.listeners.resize(index + 1, None);
        }
        self.epoll
            .add_listener(fd, LISTENER | u64::from(listener))?;
        self.listeners[index] = Some(fd);
        Ok(())
    }

    fn unlisten(&mut self, listener: u32, fd: RawFd) {
        if self
            .listeners
            .get_mut(listener as usize)
            .and_then(Option::take)
            .is_some()
        {
            let _ = self.epoll.remove(fd);
            self.events.push_back(Event::Unlistened { listener });
        }
    }

    fn take_waiting(&mut self, listener: u32, fd: RawFd) {
        self.listeners[listener as usize] = Some(fd);
        self.accept(listener);
        self.listeners[listener as usize] = None;
        self.events.push_back(Event::Unlistened { listener });
    }

    fn adopt(&mut self, key: Key, fd: RawFd) -> io::Result<()> {
        let index = key.slot as usize;
        if self.states.len() <= index {
            self.states.resize(index + 1, [UNUSED; 2]);
        }
        *self.state(key) = State {
            fd,
            generation: key.generation,
            ..UNUSED
        };
        // A socket that is to be connected says "hung up" until then: registered by `connect`.
        match key.side {
            telamon_session::Side::Client => self.epoll.add(fd, key.pack()),
            telamon_session::Side::Server => Ok(()),
        }
    }

    fn adopt_connected(&mut self, key: Key, fd: RawFd) -> io::Result<()> {
        self.adopt(key, fd)?;
        match key.side {
            telamon_session::Side::Client => Ok(()),
            telamon_session::Side::Server => self.epoll.add(fd, key.pack()),
        }
    }

    fn leave(&mut self, key: Key, fd: RawFd) {
        if self.state(key).receiving.is_none() {
            // It has brought something, which is told in a moment.
            return;
        }
        *self.state(key) = UNUSED;
        let _ = self.epoll.remove(fd);
        let result = Err(io::Error::from_raw_os_error(libc::ECANCELED));
        self.events.push_back(Event::Received {
            key,
            result,
            more: false,
        });
    }

    fn recv(&mut self, key: Key, _fd: RawFd, class: usize, _likely: bool) {
        if self.state(key).readable {
            self.try_recv(key, class);
        } else {
            self.state(key).receiving = Some(class as u8);
        }
    }

    fn send<'a>(&mut self, key: Key, fd: RawFd, chunks: impl Iterator<Item = &'a Chunk>) {
        let mut pieces = [IoSlice::new(&[]); GATHER];
        let mut count = 0;
        for (piece, chunk) in pieces.iter_mut().zip(chunks) {
            *piece = IoSlice::new(self.pool.data(chunk));
            count += 1;
        }
        let result = match socket::send(fd, &pieces[..count]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let state = self.state(key);
                state.sending = true;
                state.writable = false;
                return;
            }
            other => other,
        };
        self.events.push_back(Event::Sent { key, result });
    }

    fn is_still(&self, key: Key) -> bool {
        let state = &self.states[key.slot as usize][key.side as usize];
        state.receiving.is_none()
    }

    fn await_readable(&mut self, key: Key, _fd: RawFd) {
        let state = self.state(key);
        if state.hung {
            return self.events.push_back(Event::Readable { key });
        }
        state.readable = false;
        state.receiving = Some(NO_CLASS);
    }

    fn await_writable(&mut self, key: Key, _fd: RawFd) {
        let state = self.state(key);
        state.writable = false;
        state.sending = true;
    }

    fn connect(&mut self, key: Key, fd: RawFd, address: &SockAddr) {
        let outcome = socket::connect(fd, address);
        let registered = match &outcome {
            Ok(_) => self.epoll.add(fd, key.pack()),
            Err(_) => Ok(()),
        };
        match outcome.and_then(|done| registered.map(|()| done)) {
            Ok(false) => self.state(key).connecting = true,
            Ok(true) => self.events.push_back(Event::Connected {
                key,
                result: Ok(()),
            }),
            Err(error) => self.events.push_back(Event::Connected {
                key,
                result: Err(error),
            }),
        }
    }

    fn close(&mut self, key: Key, fd: RawFd, running: bool) {
        let state = std::mem::replace(self.state(key), UNUSED);
        let _ = socket::close(fd);
        if !running || state.fd != fd {
            return;
        }
        let cancelled = || io::Error::from_raw_os_error(libc::ECANCELED);
        if state.receiving.is_some() {
            let result = Err(cancelled());
            self.events.push_back(Event::Received {
                key,
                result,
                more: false,
            });
        }
        if state.sending {
            self.events.push_back(Event::Sent {
                key,
                result: Err(cancelled()),
            });
        }
        if state.connecting {
            self.events.push_back(Event::Connected {
                key,
                result: Err(cancelled()),
            });
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = if self.events.is_empty() {
            timeout
        } else {
            Some(Duration::ZERO)
        };
        let count = self.epoll.wait(timeout)?;
        for index in 0..count {
            let (token, bits) = self.epoll.event(index);
            if token & WAKE != 0 {
                let _ = self.wake;
                self.events.push_back(Event::Wake);
            } else if token & LISTENER != 0 {
                self.accept(token as u32);
            } else {
                self.ready(Key::unpack(token), bits);
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
