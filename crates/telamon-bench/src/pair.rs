//! Both ends of a measurement of small messages, on one io_uring: clients and servers in one
//! thread, so that they cost less than any balancer between them and the balancer is what is
//! saturated.
//!
//! ```text
//! telamon-bench pair N      prints the ports of N servers, then carries out jobs from stdin:
//!                           ADDRESS keep|new PATH CONNECTIONS SECONDS     one result line each
//! ```
//!
//! Every connection, of a client or a server, is a [`Peer`] with a receive that stays. A client's
//! peer has a request to send; a server's answers each request with the same 50 bytes.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::time::{Duration, Instant};

use telamon_sys::ring::{Completion, Ring, CLASS_SHIFT};
use telamon_sys::{socket, Chunk, SockAddr};

use crate::load::{content_length, Job, Mode, Tally};

const RECV: u64 = 1;
const SEND: u64 = 2;
const CONNECT: u64 = 3;
const ACCEPT: u64 = 4;
const SILENT: u64 = 5;
const ORDER: u64 = 6;
const STDIN: RawFd = 0;
const KIND_SHIFT: u32 = 56;
const GENERATION_SHIFT: u32 = 24;
const SLOT: u64 = (1 << GENERATION_SHIFT) - 1;
/// ENOBUFS: the ring of buffers was empty.
const NO_BUFFERS: i32 = 105;
/// A read of the clock for each message would cost more than the message.
const LOOK_EVERY: u32 = 64;

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Client,
    Server,
}

struct Peer {
    role: Role,
    fd: RawFd,
    generation: u32,
    since: Instant,
}

struct Pair {
    ring: Ring,
    peers: Vec<Option<Peer>>,
    free: Vec<u32>,
    generation: u32,
    answer: Chunk,
    listeners: HashMap<RawFd, TcpListener>,
    /// The head of an answer that came in pieces, by slot.
    partial: HashMap<u32, Vec<u8>>,
}

/// Serves on `count` free ports of 127.0.0.1 and runs jobs until stdin ends.
pub(crate) fn run(count: usize) -> io::Result<()> {
    let mut ring = Ring::new()?;
    let body = [b'x'; 50];
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n";
    let answer = filled(&mut ring, &[head.as_slice(), body.as_slice()].concat())?;
    let mut pair = Pair {
        ring,
        peers: Vec::new(),
        free: Vec::new(),
        generation: 0,
        answer,
        listeners: HashMap::new(),
        partial: HashMap::new(),
    };
    let mut ports = Vec::new();
    for _ in 0..count {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        ports.push(listener.local_addr()?.port().to_string());
        let fd = listener.as_raw_fd();
        socket::set_nodelay(fd)?;
        pair.ring.accept(fd, fd as u64 | ACCEPT << KIND_SHIFT);
        pair.listeners.insert(fd, listener);
    }
    println!("{}", ports.join(" "));
    pair.ring.poll(STDIN, ORDER << KIND_SHIFT);
    loop {
        pair.ring.submit_and_wait(None)?;
        while let Some(done) = pair.ring.take() {
            if done.token >> KIND_SHIFT & 63 != ORDER {
                pair.handle(done, None, &mut Tally::default())?;
                continue;
            }
            let mut line = String::new();
            if io::stdin().read_line(&mut line)? == 0 {
                return Ok(());
            }
            let job = order(&line)?;
            let tally = pair.measure(&job)?;
            tally.print(job.length.as_secs_f64());
            io::stdout().flush()?;
            pair.ring.poll(STDIN, ORDER << KIND_SHIFT);
        }
    }
}

fn order(line: &str) -> io::Result<Job> {
    match line.split_whitespace().collect::<Vec<_>>()[..] {
        [address, mode, path, connections, seconds] => {
            let mode = if mode == "new" { Mode::New } else { Mode::Keep };
            crate::job(address, mode, path, connections, seconds)
        }
        _ => Err(ErrorKind::InvalidInput.into()),
    }
}

/// What the clients of a job are to do.
struct Order<'j> {
    mode: Mode,
    address: &'j SockAddr,
    request: &'j Chunk,
}

fn filled(ring: &mut Ring, bytes: &[u8]) -> io::Result<Chunk> {
    let mut chunk = ring.pool_mut().take(0).ok_or(ErrorKind::OutOfMemory)?;
    ring.pool_mut().space(&chunk)[..bytes.len()].copy_from_slice(bytes);
    chunk.fill(bytes.len());
    Ok(chunk)
}

impl Pair {
    fn measure(&mut self, job: &Job) -> io::Result<Tally> {
        let text = format!("GET {} HTTP/1.1\r\nHost: bench\r\n\r\n", job.path);
        let request = filled(&mut self.ring, text.as_bytes())?;
        let order = Order {
            mode: job.mode,
            address: &SockAddr::inet(job.address),
            request: &request,
        };
        for _ in 0..job.connections {
            self.connect(order.address)?;
        }
        let mut tally = Tally::default();
        let end = Instant::now() + job.length;
        let mut turns = 0;
        loop {
            turns += 1;
            let idle = self.ring.ready() == 0;
            if (idle || turns % LOOK_EVERY == 0) && Instant::now() >= end {
                break;
            }
            self.ring.submit_and_wait(Some(Duration::from_millis(20)))?;
            while let Some(done) = self.ring.take() {
                self.handle(done, Some(&order), &mut tally)?;
            }
        }
        self.close_clients();
        self.ring.put(request);
        Ok(tally)
    }

    fn handle(
        &mut self,
        done: Completion,
        order: Option<&Order<'_>>,
        tally: &mut Tally,
    ) -> io::Result<()> {
        let (kind, slot) = (done.token >> KIND_SHIFT & 63, (done.token & SLOT) as u32);
        if kind == ACCEPT {
            if done.result >= 0 {
                self.admit(done.result);
            }
            if !done.more {
                let fd = slot as RawFd;
                self.ring.accept(fd, fd as u64 | ACCEPT << KIND_SHIFT);
            }
            return Ok(());
        }
        let generation = (done.token >> GENERATION_SHIFT) as u32;
        let live = self.peers.get(slot as usize).and_then(Option::as_ref);
        let Some(peer) = live.filter(|peer| peer.generation == generation) else {
            if let Some(chunk) = done.chunk {
                self.ring.put(chunk);
            }
            return Ok(());
        };
        let (role, fd) = (peer.role, peer.fd);
        match (kind, done.result) {
            (CONNECT, 0) => {
                self.ring.recv_all(fd, 0, self.token(slot, RECV));
                self.ask(slot, order);
            }
            (RECV, result) if result == -NO_BUFFERS => {
                self.ring.grow(0);
                self.ring.recv_all(fd, 0, self.token(slot, RECV));
            }
            (CONNECT, _) | (SEND, ..0) | (RECV, ..=0) => {
                if let Some(chunk) = done.chunk {
                    self.ring.put(chunk);
                }
                self.ended(slot, role, order, tally)?;
            }
            (RECV, _) => self.received(slot, role, done, order, tally)?,
            _ => {}
        }
        Ok(())
    }

    fn received(
        &mut self,
        slot: u32,
        role: Role,
        done: Completion,
        order: Option<&Order<'_>>,
        tally: &mut Tally,
    ) -> io::Result<()> {
        let Some(chunk) = done.chunk else {
            return Ok(());
        };
        let whole = self.take(slot, role, &chunk);
        self.ring.put(chunk);
        if !done.more {
            if let Some(fd) = self.peers[slot as usize].as_ref().map(|peer| peer.fd) {
                self.ring.recv_all(fd, 0, self.token(slot, RECV));
            }
        }
        match (whole, role) {
            (None, _) => Ok(()),
            (Some(_), Role::Server) => {
                if let Some(peer) = &self.peers[slot as usize] {
                    let token = self.token(slot, SEND);
                    self.ring
                        .send(peer.fd, std::iter::once(&self.answer), token);
                }
                Ok(())
            }
            (Some(bytes), Role::Client) => self.answered(slot, bytes, order, tally),
        }
    }

    /// The size of the message that these bytes complete. A small message nearly always comes
    /// whole.
    fn take(&mut self, slot: u32, role: Role, chunk: &Chunk) -> Option<u64> {
        let data = self.ring.pool().data(chunk);
        let held = self.partial.remove(&slot);
        let joined = held.map(|mut held| {
            held.extend_from_slice(data);
            held
        });
        let bytes = joined.as_deref().unwrap_or(data);
        let end = memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4);
        let whole = end.is_some_and(|end| {
            let body = match role {
                Role::Server => 0,
                Role::Client => content_length(&bytes[..end]).unwrap_or(0),
            };
            bytes.len() >= end + body
        });
        let length = bytes.len() as u64;
        if whole {
            return Some(length);
        }
        let kept = bytes.to_vec();
        self.partial.insert(slot, kept);
        None
    }

    fn answered(
        &mut self,
        slot: u32,
        bytes: u64,
        order: Option<&Order<'_>>,
        tally: &mut Tally,
    ) -> io::Result<()> {
        let Some(peer) = self.peers[slot as usize].as_mut() else {
            return Ok(());
        };
        let now = Instant::now();
        tally.hit(bytes, now - peer.since);
        peer.since = now;
        match order {
            Some(order) if order.mode == Mode::New => {
                self.close(slot);
                self.connect(order.address)
            }
            _ => {
                self.ask(slot, order);
                Ok(())
            }
        }
    }

    fn ask(&mut self, slot: u32, order: Option<&Order<'_>>) {
        let token = self.token(slot, SEND);
        if let (Some(peer), Some(order)) = (&self.peers[slot as usize], order) {
            let request = std::iter::once(order.request);
            self.ring.send(peer.fd, request, token);
        }
    }

    fn ended(
        &mut self,
        slot: u32,
        role: Role,
        order: Option<&Order<'_>>,
        tally: &mut Tally,
    ) -> io::Result<()> {
        self.close(slot);
        match (role, order) {
            (Role::Client, Some(order)) => {
                tally.errors += 1;
                self.connect(order.address)
            }
            _ => Ok(()),
        }
    }

    fn connect(&mut self, address: &SockAddr) -> io::Result<()> {
        let fd = socket::stream_for(address)?.into_raw_fd();
        socket::set_nodelay(fd)?;
        let slot = self.place(Role::Client, fd);
        let token = self.token(slot, CONNECT);
        self.ring.connect(fd, address, token);
        Ok(())
    }

    fn admit(&mut self, fd: RawFd) {
        let slot = self.place(Role::Server, fd);
        let token = self.token(slot, RECV);
        self.ring.recv_all(fd, 0, token);
    }

    fn place(&mut self, role: Role, fd: RawFd) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.peers.push(None);
            (self.peers.len() - 1) as u32
        });
        self.peers[slot as usize] = Some(Peer {
            role,
            fd,
            generation: self.generation,
            since: Instant::now(),
        });
        slot
    }

    fn token(&self, slot: u32, kind: u64) -> u64 {
        let peer = self.peers[slot as usize].as_ref();
        let generation = u64::from(peer.map_or(0, |peer| peer.generation));
        // Receives are all of class 0, so that the class's bits stay clear.
        debug_assert!(kind << KIND_SHIFT < 1 << CLASS_SHIFT);
        u64::from(slot) | generation << GENERATION_SHIFT | kind << KIND_SHIFT
    }

    fn close(&mut self, slot: u32) {
        self.partial.remove(&slot);
        if let Some(peer) = self.peers[slot as usize].take() {
            self.ring.cancel(peer.fd, SILENT << KIND_SHIFT);
            self.ring.close(peer.fd, SILENT << KIND_SHIFT);
            self.free.push(slot);
        }
    }

    fn close_clients(&mut self) {
        for slot in 0..self.peers.len() {
            if matches!(&self.peers[slot], Some(peer) if peer.role == Role::Client) {
                self.close(slot as u32);
            }
        }
    }
}
