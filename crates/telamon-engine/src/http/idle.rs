//! A server's idle connections: how many there are, and those that any thread may take.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::Mutex;

use telamon_session::Millis;
use telamon_sys::socket;

use super::pool::Pool;
use crate::conn::NO_FD;
use crate::shared::lock;

/// A connection that has served so many exchanges has shown that its server allows it: it is
/// safe, as HAProxy calls it (manual, `http-reuse aggressive`).
pub(crate) const PROVEN: u32 = 2;

/// A connection without a thread. Nothing runs on its descriptor, which is closed with it.
pub(crate) struct Lent {
    fd: RawFd,
    /// How many exchanges it has had.
    pub(crate) uses: u32,
}

impl Lent {
    pub(crate) fn new(fd: RawFd, uses: u32) -> Self {
        Lent { fd, uses }
    }

    /// The descriptor is the caller's from here on.
    pub(crate) fn into_fd(mut self) -> RawFd {
        std::mem::replace(&mut self.fd, NO_FD)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.fd != NO_FD {
            let _ = socket::close(self.fd);
        }
    }
}

pub(crate) struct IdleConnections {
    /// By thread, which alone writes it: its own, and of these, in the upper half, the safe ones.
    own: Box<[AtomicU64]>,
    /// How many `shared` has: who finds none takes no lock.
    lent: AtomicU32,
    shared: Mutex<Pool<Lent>>,
}

fn weight(uses: u32) -> u64 {
    1 | u64::from(uses >= PROVEN) << 32
}

impl IdleConnections {
    pub(crate) fn new(threads: usize) -> Self {
        IdleConnections {
            own: (0..threads).map(|_| AtomicU64::new(0)).collect(),
            lent: AtomicU32::new(0),
            shared: Mutex::default(),
        }
    }

    /// One begins to idle at this thread.
    pub(crate) fn begin(&self, thread: usize, uses: u32) {
        let place = &self.own[thread];
        place.store(place.load(Relaxed) + weight(uses), Relaxed);
    }

    /// It is closed, serves again, or is lent.
    pub(crate) fn end(&self, thread: usize, uses: u32) {
        let place = &self.own[thread];
        place.store(place.load(Relaxed) - weight(uses), Relaxed);
    }

    /// Each thread's own.
    pub(crate) fn by_thread(&self) -> impl Iterator<Item = u32> + '_ {
        self.own.iter().map(|one| one.load(Relaxed) as u32)
    }

    pub(crate) fn lent(&self) -> u32 {
        self.lent.load(Relaxed)
    }

    pub(crate) fn total(&self) -> u32 {
        self.by_thread().sum::<u32>() + self.lent()
    }

    pub(crate) fn safe(&self) -> u32 {
        let own = self.own.iter().map(|one| (one.load(Relaxed) >> 32) as u32);
        let mut safe = own.sum();
        if self.lent() > 0 {
            let shared = lock(&self.shared);
            safe += shared.iter().filter(|one| one.uses >= PROVEN).count() as u32;
        }
        safe
    }

    /// From now on any thread may take it.
    pub(crate) fn lend(&self, one: Lent) {
        let mut shared = lock(&self.shared);
        shared.put(one);
        self.lent.store(shared.len() as u32, Relaxed);
    }

    /// One that has had as many exchanges as this, and that the server has not closed.
    pub(crate) fn borrow(&self, least_uses: u32) -> Option<Lent> {
        while self.lent() > 0 {
            let mut shared = lock(&self.shared);
            let one = shared.take_fitting(|one| one.uses >= least_uses);
            self.lent.store(shared.len() as u32, Relaxed);
            drop(shared);
            let one = one?;
            // A server that says something, or has ended, is not what it was lent as.
            if socket::are_silent(&[one.fd]) == [true] {
                return Some(one);
            }
        }
        None
    }

    /// Closes those that their server has closed and those that nobody needs. How many stay?
    pub(crate) fn sweep(&self, now: Millis, delay: Millis) -> u32 {
        if self.lent() == 0 {
            return 0;
        }
        let mut shared = lock(&self.shared);
        let fds: Vec<_> = shared.iter().map(|one| one.fd).collect();
        let mut silent = socket::are_silent(&fds).into_iter();
        shared.drop_unless(|_| silent.next().unwrap_or(false));
        drop(shared.purge(now, delay, 0));
        let left = shared.len() as u32;
        self.lent.store(left, Relaxed);
        left
    }

    /// Closes all that any thread could take.
    pub(crate) fn clear(&self) {
        let mut shared = lock(&self.shared);
        *shared = Pool::default();
        self.lent.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::IntoRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn lent(uses: u32) -> (UnixStream, Lent) {
        let (here, there) = UnixStream::pair().unwrap();
        (there, Lent::new(here.into_raw_fd(), uses))
    }

    #[test]
    fn a_broken_one_is_not_borrowed() {
        let idle = IdleConnections::new(2);
        let (quiet, one) = lent(1);
        idle.lend(one);
        let (gone, one) = lent(2);
        idle.lend(one);
        let (mut talks, one) = lent(3);
        idle.lend(one);
        drop(gone);
        talks.write_all(b"x").unwrap();
        assert_eq!((idle.total(), idle.safe()), (3, 2));
        assert!(idle.borrow(PROVEN).is_none());
        assert_eq!(idle.borrow(0).unwrap().uses, 1);
        assert_eq!((idle.total(), idle.safe()), (0, 0));
        drop(quiet);
    }

    #[test]
    fn a_sweep_closes_what_ended_and_half_of_what_nobody_needs() {
        let idle = IdleConnections::new(1);
        let ends: Vec<_> = (0..5)
            .map(|uses| {
                let (there, one) = lent(uses);
                idle.lend(one);
                there
            })
            .collect();
        let mut ends = ends.into_iter();
        drop(ends.next());
        assert_eq!(idle.sweep(5000, 5000), 4, "one had ended");
        assert_eq!(idle.sweep(9000, 5000), 4);
        assert_eq!(idle.sweep(10_000, 5000), 2);
        idle.clear();
        assert_eq!((idle.total(), idle.sweep(20_000, 5000)), (0, 0));
    }

    #[test]
    fn threads_count_their_own() {
        let idle = IdleConnections::new(2);
        idle.begin(0, 1);
        idle.begin(1, 2);
        idle.begin(1, 5);
        assert_eq!(idle.by_thread().collect::<Vec<_>>(), [1, 2]);
        assert_eq!((idle.total(), idle.safe()), (3, 2));
        idle.end(1, 5);
        idle.end(0, 1);
        assert_eq!((idle.total(), idle.safe()), (1, 1));
    }
}
