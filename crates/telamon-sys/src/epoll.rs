//! epoll(7), edge-triggered.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::check;

pub const READABLE: u32 = libc::EPOLLIN as u32;
pub const WRITABLE: u32 = libc::EPOLLOUT as u32;
pub const PEER_SHUT: u32 = libc::EPOLLRDHUP as u32;
pub const HANG_UP: u32 = libc::EPOLLHUP as u32;
pub const ERROR: u32 = libc::EPOLLERR as u32;
const EDGE: u32 = libc::EPOLLET as u32;
const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;

/// One epoll instance with room for the events of one turn.
pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
    ready: usize,
}

impl Epoll {
    /// `capacity` is how many events one wait takes at most.
    pub fn new(capacity: usize) -> io::Result<Self> {
        // SAFETY: plain system call; the result is new or an error.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: `fd` is new and owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Epoll {
            fd,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; capacity],
            ready: 0,
        })
    }

    /// Watches a connection for everything, once and for all.
    pub fn add(&self, fd: RawFd, token: u64) -> io::Result<()> {
        self.control(
            libc::EPOLL_CTL_ADD,
            fd,
            READABLE | WRITABLE | PEER_SHUT | EDGE,
            token,
        )
    }

    /// Watches a listener that other threads watch too; level-triggered, one thread is woken.
    pub fn add_listener(&self, fd: RawFd, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, READABLE | EXCLUSIVE, token)
    }

    /// Watches an eventfd, level-triggered.
    pub fn add_signal(&self, fd: RawFd, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, READABLE, token)
    }

    pub fn remove(&self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, operation: i32, fd: RawFd, events: u32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: the pointer describes `event`.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd, &raw mut event) })?;
        Ok(())
    }

    /// Waits at most `timeout` (None: for ever). Read the events with `event`.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let millis = timeout.map_or(-1, |time| {
            // Rounded up: a timer must not find that its moment has not come yet.
            i32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
        });
        let room = self.events.len() as i32;
        // SAFETY: `events` has room for `room` events.
        let count = unsafe {
            libc::epoll_wait(self.fd.as_raw_fd(), self.events.as_mut_ptr(), room, millis)
        };
        self.ready = match check(count) {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        Ok(self.ready)
    }

    /// The event with this index of the last wait: its token and its bits.
    pub fn event(&self, index: usize) -> (u64, u32) {
        let event = self.events[..self.ready][index];
        (event.u64, event.events)
    }
}
