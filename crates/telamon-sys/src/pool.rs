//! The buffers of one thread, in three sizes.
//!
//! Address space for all of them is reserved once; memory comes with the first touch and goes
//! back with [`Pool::trim`]. An idle connection holds no buffer. A [`Chunk`] is the right to use
//! one buffer: it cannot be copied, so two holders cannot exist.

use std::io;
use std::os::raw::c_void;

/// How many sizes there are.
pub const CLASSES: usize = 3;
/// Bytes of one buffer, by class.
pub const SIZES: [usize; CLASSES] = [16 << 10, 64 << 10, 256 << 10];
/// How many buffers of each class one thread may have at most. Powers of two (buffer rings ask
/// for it). The first is large, since each client that does not read may hold one.
pub const LIMITS: [usize; CLASSES] = [16_384, 1024, 256];

/// A held buffer with the part of it that has data.
#[derive(Debug)]
pub struct Chunk {
    pub(crate) id: u16,
    pub(crate) class: u8,
    start: u32,
    len: u32,
}

impl Chunk {
    pub(crate) fn new(class: usize, id: u16, len: usize) -> Self {
        debug_assert!(len <= SIZES[class]);
        Chunk {
            id,
            class: class as u8,
            start: 0,
            len: len as u32,
        }
    }

    /// Bytes of data in it.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn class(&self) -> usize {
        usize::from(self.class)
    }

    /// Forgets the first `count` bytes: they were sent or read.
    pub fn advance(&mut self, count: usize) {
        let count = count.min(self.len()) as u32;
        self.start += count;
        self.len -= count;
    }

    /// Bytes of the buffer before its data.
    pub fn room_before(&self) -> usize {
        self.start as usize
    }

    /// Forgets all data but the first `count` bytes.
    pub fn truncate(&mut self, count: usize) {
        self.len = self.len.min(count as u32);
    }

    /// Says that the buffer's first `len` bytes are data now (after writing to `Pool::space`).
    pub fn fill(&mut self, len: usize) {
        assert!(len <= SIZES[self.class()]);
        self.start = 0;
        self.len = len as u32;
    }
}

struct Region {
    base: *mut u8,
    /// Buffers that nobody holds; the last one given back is the warmest.
    free: Vec<u16>,
    /// Buffers from here on were never used.
    fresh: usize,
    held: usize,
}

/// All buffers of one thread.
pub struct Pool {
    regions: [Region; CLASSES],
}

// SAFETY: the regions are plain memory owned by this value alone.
unsafe impl Send for Pool {}

impl Pool {
    pub fn new() -> io::Result<Self> {
        let mut bases = [std::ptr::null_mut(); CLASSES];
        for class in 0..CLASSES {
            match reserve(SIZES[class] * LIMITS[class]) {
                Ok(base) => bases[class] = base,
                Err(error) => {
                    release_all(&bases);
                    return Err(error);
                }
            }
        }
        let region = |class: usize| Region {
            base: bases[class],
            free: Vec::new(),
            fresh: 0,
            held: 0,
        };
        Ok(Pool {
            regions: [region(0), region(1), region(2)],
        })
    }

    /// A buffer of `class`, or None if the limit is reached.
    pub fn take(&mut self, class: usize) -> Option<Chunk> {
        let id = self.take_id(class)?;
        self.regions[class].held += 1;
        Some(Chunk::new(class, id, 0))
    }

    /// A buffer of `class` or, where there is none, of a smaller one.
    pub fn take_at_most(&mut self, class: usize) -> Option<Chunk> {
        (0..=class).rev().find_map(|class| self.take(class))
    }

    pub fn put(&mut self, chunk: Chunk) {
        let region = &mut self.regions[chunk.class()];
        region.held -= 1;
        region.free.push(chunk.id);
    }

    pub(crate) fn take_id(&mut self, class: usize) -> Option<u16> {
        let region = &mut self.regions[class];
        region.free.pop().or_else(|| {
            (region.fresh < LIMITS[class]).then(|| {
                region.fresh += 1;
                (region.fresh - 1) as u16
            })
        })
    }

    /// The data in a chunk.
    pub fn data(&self, chunk: &Chunk) -> &[u8] {
        // SAFETY: a chunk's start and length lie inside its buffer (`advance` and `fill` see to
        // it), the region lives as long as `self`, and mapped memory is initialised. Nobody
        // writes while `self` is lent: `space` takes `&mut self`, and the kernel writes only
        // inside `Ring`'s methods that take `&mut self` and own the pool.
        unsafe {
            let start = self
                .address(chunk.class(), chunk.id)
                .add(chunk.start as usize);
            std::slice::from_raw_parts(start, chunk.len())
        }
    }

    /// The whole buffer, to be written to.
    pub fn space(&mut self, chunk: &Chunk) -> &mut [u8] {
        // SAFETY: as in `data`; `&mut self` makes this the only slice into the pool.
        unsafe {
            let start = self.address(chunk.class(), chunk.id);
            std::slice::from_raw_parts_mut(start, SIZES[chunk.class()])
        }
    }

    /// Puts `bytes` before the chunk's data; there must be room (`Chunk::room_before`).
    pub fn prepend(&mut self, chunk: &mut Chunk, bytes: &[u8]) {
        let start = chunk.room_before() - bytes.len();
        self.space(chunk)[start..start + bytes.len()].copy_from_slice(bytes);
        chunk.start = start as u32;
        chunk.len += bytes.len() as u32;
    }

    /// How many buffers are held by chunks, by class.
    pub fn held(&self) -> [usize; CLASSES] {
        [
            self.regions[0].held,
            self.regions[1].held,
            self.regions[2].held,
        ]
    }

    /// How many buffers have ever been in use, by class: at most so much memory is held.
    pub fn touched(&self) -> [usize; CLASSES] {
        [
            self.regions[0].fresh,
            self.regions[1].fresh,
            self.regions[2].fresh,
        ]
    }

    /// Gives the memory of unused buffers back to the kernel; the buffers stay usable.
    pub fn trim(&mut self) {
        for class in 0..CLASSES {
            for index in 0..self.regions[class].free.len() {
                let id = self.regions[class].free[index];
                self.forget(class, id);
            }
        }
    }

    pub(crate) fn forget(&mut self, class: usize, id: u16) {
        // SAFETY: the range is one whole buffer of ours; its content is not needed.
        unsafe {
            let start = self.address(class, id).cast::<c_void>();
            libc::madvise(start, SIZES[class], libc::MADV_DONTNEED);
        }
    }

    /// The chunk for a buffer that the kernel has taken from a buffer ring and filled.
    pub(crate) fn provided(&mut self, class: usize, id: u16, len: usize) -> Chunk {
        self.regions[class].held += 1;
        Chunk::new(class, id, len)
    }

    pub(crate) fn address(&self, class: usize, id: u16) -> *mut u8 {
        assert!(usize::from(id) < LIMITS[class]);
        // SAFETY: the id was just checked against the region's size.
        unsafe { self.regions[class].base.add(usize::from(id) * SIZES[class]) }
    }

    pub(crate) fn data_address(&self, chunk: &Chunk) -> *const u8 {
        self.data(chunk).as_ptr()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        release_all(&[
            self.regions[0].base,
            self.regions[1].base,
            self.regions[2].base,
        ]);
    }
}

fn reserve(size: usize) -> io::Result<*mut u8> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new anonymous mapping touches no memory of ours.
    let base = unsafe { libc::mmap(std::ptr::null_mut(), size, protection, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(base.cast())
}

fn release_all(bases: &[*mut u8; CLASSES]) {
    for (class, base) in bases.iter().enumerate().filter(|(_, base)| !base.is_null()) {
        // SAFETY: made by `reserve` with this size; no slice into it outlives the pool.
        unsafe { libc::munmap(base.cast(), SIZES[class] * LIMITS[class]) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_keeps_what_was_written() {
        let mut pool = Pool::new().unwrap();
        let mut chunk = pool.take(1).unwrap();
        pool.space(&chunk)[..5].copy_from_slice(b"hello");
        chunk.fill(5);
        chunk.advance(2);
        assert_eq!(pool.data(&chunk), b"llo");
        chunk.advance(99);
        assert!(chunk.is_empty());
        pool.put(chunk);
        assert_eq!(pool.held(), [0, 0, 0]);
    }

    #[test]
    fn what_was_read_makes_room_before() {
        let mut pool = Pool::new().unwrap();
        let mut chunk = pool.take(0).unwrap();
        pool.space(&chunk)[..8].copy_from_slice(b"headbody");
        chunk.fill(8);
        chunk.advance(4);
        assert_eq!(chunk.room_before(), 4);
        pool.prepend(&mut chunk, b"HED");
        assert_eq!(pool.data(&chunk), b"HEDbody");
        assert_eq!(chunk.room_before(), 1);
        pool.put(chunk);
    }

    #[test]
    fn the_limit_holds_and_smaller_ones_stand_in() {
        let mut pool = Pool::new().unwrap();
        let all: Vec<Chunk> = (0..LIMITS[2]).map(|_| pool.take(2).unwrap()).collect();
        assert!(pool.take(2).is_none());
        assert_eq!(pool.take_at_most(2).unwrap().class(), 1);
        all.into_iter().for_each(|chunk| pool.put(chunk));
        pool.trim();
        assert!(pool.take(2).is_some());
    }
}
