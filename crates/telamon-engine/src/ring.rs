//! Rings: log lines kept in memory, and sent on over connections (manual 3.9, `log tcp@`).
//!
//! A data thread only copies its line into the ring. Each server of a ring has a thread of its own
//! that connects, follows the ring and writes, so that a receiver that is slow or gone is waited
//! for there alone:
//!
//! ```text
//!  data threads ──write──► │ oldest … newest │ ──next──► forwarder ──► TCP or unix stream
//!                          │  the first leaves│ ──next──► forwarder ──► …
//! ```
//!
//! A full ring lets its oldest line go, unless a connected server has yet to read it: then the new
//! one is dropped and counted, as in HAProxy.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use telamon_plan::{RingServer, SocketAddress};

use crate::shared::lock;

/// What a line costs besides its bytes.
const OVERHEAD: usize = 2;
/// How long a server is left alone after it could not be reached.
const RETRY: Duration = Duration::from_secs(1);
/// What bounds a connect and a write where the file says nothing.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most lines that are sent at once.
const BATCH: usize = 64;
/// How long the last lines may take at the end.
const FAREWELL: Duration = Duration::from_millis(300);

pub(crate) struct Ring {
    pub(crate) plan: telamon_plan::Ring,
    store: Mutex<Store>,
    /// Something changed: a line came, one was sent, the end is near.
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Store {
    lines: VecDeque<Box<[u8]>>,
    /// The number of the first line that is still there.
    first: u64,
    bytes: usize,
    /// By server: the next line to send, while there is a connection.
    readers: Vec<Option<u64>>,
    closing: bool,
}

impl Store {
    fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// False: a connected server has yet to read the oldest line.
    fn forget_oldest(&mut self) -> bool {
        if self.readers.iter().flatten().any(|at| *at <= self.first) {
            return false;
        }
        if let Some(line) = self.lines.pop_front() {
            self.bytes -= line.len() + OVERHEAD;
            self.first += 1;
        }
        true
    }
}

impl Ring {
    pub(crate) fn new(plan: &telamon_plan::Ring) -> Arc<Ring> {
        let store = Store {
            readers: vec![None; plan.servers.len()],
            ..Store::default()
        };
        Arc::new(Ring {
            plan: plan.clone(),
            store: Mutex::new(store),
            changed: Condvar::new(),
            dropped: AtomicU64::new(0),
        })
    }

    /// Adds a line (without its end). False: there was no room, which is counted.
    pub(crate) fn write(&self, line: &[u8]) -> bool {
        let line = &line[..line.len().min(self.plan.max_length)];
        let need = line.len() + OVERHEAD;
        let mut store = lock(&self.store);
        while store.bytes + need > self.plan.size {
            if store.lines.is_empty() || !store.forget_oldest() {
                self.dropped.fetch_add(1, Relaxed);
                return false;
            }
        }
        store.bytes += need;
        store.lines.push_back(line.into());
        drop(store);
        if !self.plan.servers.is_empty() {
            self.changed.notify_all();
        }
        true
    }

    /// The lines from a number on, the oldest first, and the number of the next one to come.
    pub(crate) fn lines(&self, from: u64) -> (u64, Vec<Vec<u8>>) {
        let store = lock(&self.store);
        let skip = from.saturating_sub(store.first) as usize;
        let lines = store.lines.iter().skip(skip);
        (store.end(), lines.map(|line| line.to_vec()).collect())
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Starts a thread for each server.
    pub(crate) fn start(self: &Arc<Self>) -> io::Result<()> {
        for which in 0..self.plan.servers.len() {
            let ring = self.clone();
            std::thread::Builder::new()
                .name("telamon-ring".into())
                .spawn(move || ring.forward(which))?;
        }
        Ok(())
    }

    /// Lets connected servers have the last lines, for a moment; their threads end by themselves.
    pub(crate) fn close(&self) {
        let until = Instant::now() + FAREWELL;
        let mut store = lock(&self.store);
        store.closing = true;
        self.changed.notify_all();
        while store.readers.iter().flatten().any(|at| *at < store.end()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            store = match self.changed.wait_timeout(store, left) {
                Ok((store, _)) => store,
                Err(_) => return,
            };
        }
    }

    /// A server's thread: connect, follow, and anew when the connection breaks.
    fn forward(&self, which: usize) {
        let server = &self.plan.servers[which];
        let mut at = 0;
        while self.wait_for_line(at) {
            let Ok(mut stream) = self.connect(server) else {
                self.pause();
                continue;
            };
            at = self.attach(which, at);
            while let Some((count, bytes)) = self.next(which, at, server.octet_count) {
                if stream.is_gone() || stream.write_all(&bytes).is_err() {
                    break;
                }
                at += count;
            }
            lock(&self.store).readers[which] = None;
            self.changed.notify_all();
        }
    }

    /// False: the end has come.
    fn wait_for_line(&self, at: u64) -> bool {
        let mut store = lock(&self.store);
        while !store.closing && store.end() <= at {
            store = match self.changed.wait(store) {
                Ok(store) => store,
                Err(_) => return false,
            };
        }
        !store.closing
    }

    fn pause(&self) {
        let until = Instant::now() + RETRY;
        let mut store = lock(&self.store);
        while !store.closing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            store = match self.changed.wait_timeout(store, left) {
                Ok((store, _)) => store,
                Err(_) => return,
            };
        }
    }

    /// From now on nothing that is unread leaves; what left before is lost to this server.
    fn attach(&self, which: usize, at: u64) -> u64 {
        let mut store = lock(&self.store);
        let at = at.max(store.first);
        store.readers[which] = Some(at);
        at
    }

    /// The next lines as they go out, once there are some; all before `at` was sent.
    fn next(&self, which: usize, at: u64, octet_count: bool) -> Option<(u64, Vec<u8>)> {
        let mut store = lock(&self.store);
        store.readers[which] = Some(at);
        self.changed.notify_all();
        while store.end() <= at {
            if store.closing {
                return None;
            }
            store = self.changed.wait(store).ok()?;
        }
        let skip = at.saturating_sub(store.first) as usize;
        let (mut count, mut bytes) = (0, Vec::new());
        for line in store.lines.iter().skip(skip).take(BATCH) {
            frame(&mut bytes, line, octet_count);
            count += 1;
        }
        Some((count, bytes))
    }

    fn connect(&self, server: &RingServer) -> io::Result<Stream> {
        let bound = |millis: Option<u64>| millis.map_or(PATIENCE, Duration::from_millis);
        let patience = Some(bound(self.plan.server_timeout));
        match &server.address {
            SocketAddress::Inet { host, port } => {
                let connect = bound(self.plan.connect_timeout);
                let stream = TcpStream::connect_timeout(&(*host, *port).into(), connect)?;
                stream.set_write_timeout(patience)?;
                Ok(Stream::Tcp(stream))
            }
            SocketAddress::Unix { path, is_abstract } => {
                let address = if *is_abstract {
                    UnixAddr::from_abstract_name(path.as_bytes())?
                } else {
                    UnixAddr::from_pathname(path)?
                };
                let stream = UnixStream::connect_addr(&address)?;
                stream.set_write_timeout(patience)?;
                Ok(Stream::Unix(stream))
            }
            SocketAddress::Fd { .. } => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

/// RFC 6587: the length before the line (3.4.1), or a line feed behind it (3.4.2).
fn frame(out: &mut Vec<u8>, line: &[u8], octet_count: bool) {
    if octet_count {
        out.extend_from_slice(format!("{} ", line.len()).as_bytes());
        out.extend_from_slice(line);
    } else {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Has the server closed? Receivers of logs say nothing, so that this alone can be read.
    fn is_gone(&self) -> bool {
        use std::os::fd::AsRawFd;
        let fd = match self {
            Stream::Tcp(stream) => stream.as_raw_fd(),
            Stream::Unix(stream) => stream.as_raw_fd(),
        };
        matches!(telamon_sys::socket::peek(fd), Ok(0))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telamon_plan::LogHeader;

    fn ring(size: usize, servers: usize) -> Arc<Ring> {
        let server = RingServer {
            name: "s".into(),
            address: SocketAddress::Fd { fd: -1 },
            octet_count: false,
        };
        Ring::new(&telamon_plan::Ring {
            name: "r".into(),
            description: "r".into(),
            size,
            max_length: 8,
            header: LogHeader::Raw,
            servers: vec![server; servers],
            connect_timeout: None,
            server_timeout: None,
        })
    }

    #[test]
    fn a_full_ring_forgets_its_oldest_line() {
        let ring = ring(12, 0);
        for line in ["one", "two", "three"] {
            assert!(ring.write(line.as_bytes()));
        }
        assert_eq!(ring.lines(0).1, [b"two".to_vec(), b"three".to_vec()]);
        assert_eq!(ring.dropped(), 0);
    }

    #[test]
    fn a_connected_server_keeps_what_it_has_not_read() {
        let ring = ring(12, 1);
        let at = ring.attach(0, 0);
        assert!(ring.write(b"one") && ring.write(b"two"));
        assert!(!ring.write(b"three"));
        assert_eq!(ring.dropped(), 1);
        let (count, bytes) = ring.next(0, at, false).unwrap();
        assert_eq!((count, bytes.as_slice()), (2, b"one\ntwo\n".as_slice()));
        lock(&ring.store).readers[0] = Some(at + count);
        assert!(ring.write(b"three"));
        let (_, bytes) = ring.next(0, at + count, true).unwrap();
        assert_eq!(bytes, b"5 three");
    }

    #[test]
    fn lines_are_cut_and_a_closed_ring_ends_its_readers() {
        let ring = ring(100, 1);
        assert!(ring.write(b"0123456789"));
        assert_eq!(ring.lines(0).1, [b"01234567".to_vec()]);
        let at = ring.attach(0, 7);
        lock(&ring.store).closing = true;
        assert_eq!(ring.next(0, at, false), None);
        assert!(!ring.wait_for_line(0));
    }
}
