//! io_uring, with the operations that the engine needs and memory that it cannot lose.
//!
//! One ring belongs to one thread: it is made there, submitted to and reaped there
//! (`SINGLE_ISSUER`, `DEFER_TASKRUN`), one `io_uring_enter` per turn of the loop. Receives name no
//! buffer: the kernel takes one from the buffer ring of the asked size at the moment when data
//! is there, so that a silent connection holds none. Buffer rings start small and grow when
//! the kernel finds one empty (ENOBUFS).
//!
//! What an operation names must live until the kernel is done with it: data is in the [`Pool`],
//! which lives as long as the ring; headers, vectors and addresses are read by the kernel at
//! submission (`IORING_FEAT_SUBMIT_STABLE`) and kept in arenas until then.

use std::collections::VecDeque;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::types::{BufRingEntry, CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{cqueue, opcode, squeue, IoUring, Probe};

use crate::addr::SockAddr;
use crate::pool::{Chunk, Pool, CLASSES, LIMITS, SIZES};

const ENTRIES: u32 = 1024;
const COMPLETIONS: u32 = 8192;
/// Most pieces of one gathered send.
pub const GATHER: usize = 16;
/// Buffers that each class begins with.
const FIRST: [usize; CLASSES] = [64, 8, 4];
/// `IORING_RECVSEND_POLL_FIRST`: wait for data before the first try.
const POLL_FIRST: u16 = 1;

/// What a completion says: whose it is, the result (negative: -errno), and the rest.
pub struct Completion {
    pub token: u64,
    pub result: i32,
    /// More completions of this operation will come.
    pub more: bool,
    /// The received data, where there is any.
    pub chunk: Option<Chunk>,
    /// The socket had more data than was taken.
    pub more_data: bool,
}

struct BufferRing {
    entries: *mut BufRingEntry,
    bytes: usize,
    tail: u16,
    /// Buffers that lie there for the kernel to take.
    level: usize,
    /// How many should: what was given back last is supplied next, while it is warm, and the
    /// rest waits in the pool.
    wanted: usize,
    /// It was made larger in this turn.
    grown: bool,
}

// Boxed one by one: growing must not move what a queued entry points to.
#[allow(clippy::vec_box)]
struct Arenas {
    /// One header and its vectors per gathered send of this batch.
    messages: Vec<Box<(libc::msghdr, [libc::iovec; GATHER])>>,
    used_messages: usize,
    addresses: Vec<Box<SockAddr>>,
    used_addresses: usize,
}

/// One thread's io_uring with its buffers.
pub struct Ring {
    // Dropped by hand: first the ring (no operation can touch memory after), then the memory.
    ring: ManuallyDrop<IoUring>,
    pool: ManuallyDrop<Pool>,
    /// Operations that have not had their last completion.
    in_flight: usize,
    buffers: [BufferRing; CLASSES],
    arenas: Arenas,
    reaped: VecDeque<(u64, i32, u32)>,
}

impl Ring {
    /// A ring for the calling thread. The error says which step was refused.
    pub fn new() -> io::Result<Self> {
        let step = |what: &'static str| {
            move |error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"))
        };
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(COMPLETIONS)
            .dontfork()
            .build(ENTRIES)
            .map_err(step("io_uring_setup"))?;
        probe_operations(&ring)?;
        let pool = Pool::new().map_err(step("buffer memory"))?;
        let unset = || BufferRing {
            entries: std::ptr::null_mut(),
            bytes: 0,
            tail: 0,
            level: 0,
            wanted: 0,
            grown: false,
        };
        let mut made = Ring {
            ring: ManuallyDrop::new(ring),
            pool: ManuallyDrop::new(pool),
            in_flight: 0,
            buffers: [unset(), unset(), unset()],
            arenas: Arenas {
                messages: Vec::new(),
                used_messages: 0,
                addresses: Vec::new(),
                used_addresses: 0,
            },
            reaped: VecDeque::new(),
        };
        for (class, first) in FIRST.into_iter().enumerate() {
            made.register(class).map_err(step("buffer ring"))?;
            made.buffers[class].wanted = first;
            made.supply(class);
        }
        Ok(made)
    }

    fn register(&mut self, class: usize) -> io::Result<()> {
        let bytes = LIMITS[class] * mem::size_of::<BufRingEntry>();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping, page-aligned as buffer rings must be.
        let place = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if place == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        self.buffers[class].entries = place.cast();
        self.buffers[class].bytes = bytes;
        // SAFETY: the memory has room for LIMITS[class] entries and is unmapped only after the
        // ring is gone (`drop`).
        unsafe {
            self.ring.submitter().register_buf_ring_with_flags(
                place as u64,
                LIMITS[class] as u16,
                class as u16,
                0,
            )
        }
    }

    /// Hands the kernel as many buffers of a class as it should have. False if there were none
    /// to give.
    fn supply(&mut self, class: usize) -> bool {
        let before = self.buffers[class].level;
        while self.buffers[class].level < self.buffers[class].wanted {
            let Some(id) = self.pool.take_id(class) else {
                break;
            };
            self.provide(class, id);
            self.buffers[class].level += 1;
        }
        self.buffers[class].level > before
    }

    fn provide(&mut self, class: usize, id: u16) {
        let address = self.pool.address(class, id) as u64;
        let ring = &mut self.buffers[class];
        let index = usize::from(ring.tail) & (LIMITS[class] - 1);
        // SAFETY: the index is inside the mapped ring; an id is provided at most once at a time
        // and there are as many places as ids, so the place is not one that the kernel reads.
        unsafe {
            let entry = &mut *ring.entries.add(index);
            entry.set_addr(address);
            entry.set_len(SIZES[class] as u32);
            entry.set_bid(id);
        }
        ring.tail = ring.tail.wrapping_add(1);
        // SAFETY: the tail is a u16 inside the first entry, shared with the kernel, so atomic.
        unsafe {
            let tail = BufRingEntry::tail(ring.entries).cast_mut();
            AtomicU16::from_ptr(tail).store(ring.tail, Ordering::Release);
        }
    }

    /// After a receive ended with ENOBUFS: makes the class larger, once a turn however many
    /// receives met the same want. False if it is at its limit.
    pub fn grow(&mut self, class: usize) -> bool {
        let buffers = &mut self.buffers[class];
        if buffers.grown {
            return buffers.level > 0;
        }
        buffers.grown = true;
        buffers.wanted = (buffers.wanted * 2).min(LIMITS[class]);
        self.supply(class)
    }

    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    pub fn pool_mut(&mut self) -> &mut Pool {
        &mut self.pool
    }

    /// Takes a buffer back.
    pub fn put(&mut self, chunk: Chunk) {
        let class = chunk.class();
        self.pool.put(chunk);
        if self.buffers[class].level < self.buffers[class].wanted {
            self.supply(class);
        }
    }

    fn push(&mut self, entry: squeue::Entry) {
        loop {
            // SAFETY: what the entry names is a descriptor (a wrong one fails with EBADF) and
            // memory in `pool` or the arenas, which outlive the operation (see the top).
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                self.in_flight += 1;
                return;
            }
            // The queue is full: hand it over now. EBUSY (completion queue full) is met by
            // reaping, which frees its places.
            let _ = self.ring.submit();
            self.reap();
            self.reset_arenas();
        }
    }

    /// Accepts until cancelled; each completion is a new non-blocking descriptor.
    pub fn accept(&mut self, listener: RawFd, token: u64) {
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        self.push(
            opcode::AcceptMulti::new(Fd(listener))
                .flags(flags)
                .build()
                .user_data(token),
        );
    }

    /// Receives once, into a buffer of `class`. `wait_first`: nothing is there yet, as far as
    /// the caller knows, so that a first try would be in vain.
    pub fn recv(&mut self, fd: RawFd, class: usize, wait_first: bool, token: u64) {
        let entry = opcode::Recv::new(Fd(fd), std::ptr::null_mut(), SIZES[class] as u32)
            .buf_group(class as u16)
            .ioprio(if wait_first { POLL_FIRST } else { 0 })
            .build()
            .flags(squeue::Flags::BUFFER_SELECT)
            .user_data(token);
        self.push(entry);
    }

    /// Receives into buffers of `class` until it is cancelled, the stream ends or buffers run
    /// out; the last completion has no `more`. The socket stays watched in between, which saves
    /// a submission and a poll for each message. It has no brake but `cancel_token`.
    pub fn recv_all(&mut self, fd: RawFd, class: usize, token: u64) {
        let entry = opcode::RecvMulti::new(Fd(fd), class as u16)
            .build()
            .user_data(token);
        self.push(entry);
    }

    /// Sends the chunks' data in one go; the completion says how much of it went.
    ///
    /// The caller keeps the chunks until then (a chunk given back early costs wrong bytes on the
    /// wire, never memory safety, since the pool's memory stays).
    pub fn send<'a>(&mut self, fd: RawFd, chunks: impl Iterator<Item = &'a Chunk>, token: u64) {
        let mut pieces = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; GATHER];
        let mut count = 0;
        for (piece, chunk) in pieces.iter_mut().zip(chunks) {
            piece.iov_base = self.pool.data_address(chunk).cast_mut().cast();
            piece.iov_len = chunk.len();
            count += 1;
        }
        if count == 1 {
            let entry =
                opcode::Send::new(Fd(fd), pieces[0].iov_base.cast(), pieces[0].iov_len as u32)
                    .flags(libc::MSG_NOSIGNAL)
                    .build()
                    .user_data(token);
            return self.push(entry);
        }
        let message = self.message(&pieces, count);
        let entry = opcode::SendMsg::new(Fd(fd), message)
            .flags(libc::MSG_NOSIGNAL as u32)
            .build()
            .user_data(token);
        self.push(entry);
    }

    fn message(&mut self, pieces: &[libc::iovec; GATHER], count: usize) -> *const libc::msghdr {
        let arenas = &mut self.arenas;
        if arenas.used_messages == arenas.messages.len() {
            // SAFETY: all zeroes is a valid msghdr.
            let header: libc::msghdr = unsafe { mem::zeroed() };
            arenas.messages.push(Box::new((header, *pieces)));
        }
        let slot = &mut *arenas.messages[arenas.used_messages];
        arenas.used_messages += 1;
        slot.1 = *pieces;
        slot.0.msg_iov = slot.1.as_mut_ptr();
        slot.0.msg_iovlen = count as _;
        &raw const slot.0
    }

    pub fn connect(&mut self, fd: RawFd, address: &SockAddr, token: u64) {
        let arenas = &mut self.arenas;
        if arenas.used_addresses == arenas.addresses.len() {
            arenas.addresses.push(Box::new(*address));
        } else {
            *arenas.addresses[arenas.used_addresses] = *address;
        }
        let kept = &*arenas.addresses[arenas.used_addresses];
        arenas.used_addresses += 1;
        let (place, len) = (kept.as_ptr(), kept.len);
        self.push(
            opcode::Connect::new(Fd(fd), place, len)
                .build()
                .user_data(token),
        );
    }

    /// Waits once for readability, or for the end of the stream.
    pub fn poll(&mut self, fd: RawFd, token: u64) {
        self.poll_for(fd, libc::POLLIN | libc::POLLRDHUP, token);
    }

    /// Waits once until the socket takes more.
    pub fn poll_writable(&mut self, fd: RawFd, token: u64) {
        self.poll_for(fd, libc::POLLOUT, token);
    }

    fn poll_for(&mut self, fd: RawFd, events: libc::c_short, token: u64) {
        let entry = opcode::PollAdd::new(Fd(fd), events as u32)
            .build()
            .user_data(token);
        self.push(entry);
    }

    /// Asks for the end of everything that runs on a descriptor. Each operation still completes
    /// (ECANCELED, or with its own result if it was quicker).
    pub fn cancel(&mut self, fd: RawFd, token: u64) {
        let builder = CancelBuilder::fd(Fd(fd)).all();
        self.push(opcode::AsyncCancel2::new(builder).build().user_data(token));
    }

    /// Asks for the end of the operation with this token.
    pub fn cancel_token(&mut self, target: u64, token: u64) {
        let builder = CancelBuilder::user_data(target);
        self.push(opcode::AsyncCancel2::new(builder).build().user_data(token));
    }

    /// Closes a descriptor, after all that was queued before.
    pub fn close(&mut self, fd: RawFd, token: u64) {
        self.push(opcode::Close::new(Fd(fd)).build().user_data(token));
    }

    /// Submits what is queued and waits for at least one completion, at most `timeout`
    /// (None: for ever). Read completions with `take`.
    pub fn submit_and_wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        for buffers in &mut self.buffers {
            buffers.grown = false;
        }
        let want = usize::from(self.reaped.is_empty());
        let outcome = match timeout {
            Some(time) => {
                let spec = Timespec::from(time);
                let args = SubmitArgs::new().timespec(&spec);
                self.ring.submitter().submit_with_args(want, &args)
            }
            None => self.ring.submitter().submit_and_wait(want),
        };
        self.reset_arenas();
        match outcome.map_err(|error| (error.raw_os_error(), error)) {
            // EBUSY, EAGAIN: the kernel wants completions taken first.
            Ok(_) | Err((Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN), _)) => {
                Ok(())
            }
            Err((_, error)) => Err(error),
        }
    }

    /// How many completions wait to be read.
    pub fn ready(&mut self) -> usize {
        self.reaped.len() + self.ring.completion().len()
    }

    fn reset_arenas(&mut self) {
        // Entries that were queued but not submitted (EBUSY) still point into the arenas.
        if self.ring.submission().is_empty() {
            self.arenas.used_messages = 0;
            self.arenas.used_addresses = 0;
        }
    }

    fn reap(&mut self) {
        let reaped = &mut self.reaped;
        let entries = self.ring.completion();
        reaped.extend(entries.map(|entry| (entry.user_data(), entry.result(), entry.flags())));
    }

    /// The next completion of this turn.
    pub fn take(&mut self) -> Option<Completion> {
        let (token, result, flags) = match self.reaped.pop_front() {
            Some(kept) => kept,
            None => {
                let entry = self.ring.completion().next()?;
                (entry.user_data(), entry.result(), entry.flags())
            }
        };
        let more = cqueue::more(flags);
        self.in_flight -= usize::from(!more);
        let chunk = cqueue::buffer_select(flags).map(|id| {
            let class = ((token >> CLASS_SHIFT & 3) as usize).min(CLASSES - 1);
            self.buffers[class].level -= 1;
            let chunk = self.pool.provided(class, id, result.max(0) as usize);
            self.supply(class);
            chunk
        });
        Some(Completion {
            token,
            result,
            more,
            chunk,
            more_data: cqueue::sock_nonempty(flags),
        })
    }
}

/// Where a receive's token carries its buffer class (two bits).
pub const CLASS_SHIFT: u32 = 62;

impl Drop for Ring {
    fn drop(&mut self) {
        let quiet = self.quiesce();
        // SAFETY: dropped once, here.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        if !quiet {
            // The kernel may still hold addresses of ours: better to lose the memory.
            return;
        }
        for ring in self.buffers.iter().filter(|ring| !ring.entries.is_null()) {
            // SAFETY: mapped by `register` with this size; the ring that read it is gone.
            unsafe { libc::munmap(ring.entries.cast(), ring.bytes) };
        }
        // SAFETY: dropped once, here; no operation is in flight that could name its memory.
        unsafe { ManuallyDrop::drop(&mut self.pool) };
    }
}

impl Ring {
    /// Cancels all that runs and waits for the last completions; false if some did not come.
    fn quiesce(&mut self) -> bool {
        self.push(
            opcode::AsyncCancel2::new(CancelBuilder::any())
                .build()
                .user_data(0),
        );
        for _ in 0..100 {
            while self.take().is_some() {}
            if self.in_flight == 0 {
                return true;
            }
            if self
                .submit_and_wait(Some(Duration::from_millis(10)))
                .is_err()
            {
                break;
            }
        }
        while self.take().is_some() {}
        self.in_flight == 0
    }
}

/// The operations that the engine uses; a kernel without one of them runs epoll.
fn probe_operations(ring: &IoUring) -> io::Result<()> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    let needed = [
        (opcode::AcceptMulti::CODE, "ACCEPT"),
        (opcode::Recv::CODE, "RECV"),
        (opcode::Send::CODE, "SEND"),
        (opcode::SendMsg::CODE, "SENDMSG"),
        (opcode::Connect::CODE, "CONNECT"),
        (opcode::PollAdd::CODE, "POLL_ADD"),
        (opcode::AsyncCancel2::CODE, "ASYNC_CANCEL"),
        (opcode::Close::CODE, "CLOSE"),
    ];
    for (code, name) in needed {
        if !probe.is_supported(code) {
            let text = format!("the kernel has no IORING_OP_{name}");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
    }
    Ok(())
}
