//! The kernel as the engine sees it: sockets, epoll, io_uring, buffers.
//!
//! All `unsafe` of the workspace lives here, behind functions that a safe caller cannot misuse:
//! memory that an io_uring operation names belongs to [`ring::Ring`] and is never unmapped while
//! the ring lives, and the kernel touches it only inside `Ring` methods that take `&mut self`
//! (`IORING_SETUP_DEFER_TASKRUN`), so that no `&[u8]` lent out can change under its holder.

pub mod addr;
pub mod epoll;
pub mod pipe;
pub mod pool;
pub mod process;
pub mod ring;
pub mod socket;

pub use addr::SockAddr;
pub use pool::{Chunk, Pool};

use std::io;

/// `-1` with `errno` as an error, anything else as it is.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
