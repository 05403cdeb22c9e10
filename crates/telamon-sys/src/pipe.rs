//! A pipe that bytes pass through on their way from one socket to another without being copied
//! (splice(2)): the kernel moves the pages that hold them.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::check;

/// What a pipe is asked to hold at most: 128 slots of a page or of what a network card merged.
const SIZE: libc::c_int = 512 << 10;

/// Both ends of a pipe, and how much lies in it.
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    inside: usize,
}

impl Pipe {
    /// An empty one. It may be smaller than asked for (pipe(7), pipe-user-pages-soft).
    pub fn new() -> io::Result<Self> {
        let mut ends = [-1; 2];
        let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
        // SAFETY: room for two descriptors.
        check(unsafe { libc::pipe2(ends.as_mut_ptr(), flags) })?;
        // SAFETY: both are new and owned by nobody else.
        let [read, write] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        // SAFETY: plain system call; refused, the pipe keeps its size.
        unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETPIPE_SZ, SIZE) };
        Ok(Pipe {
            read,
            write,
            inside: 0,
        })
    }

    /// Bytes that lie in it.
    pub fn inside(&self) -> usize {
        self.inside
    }

    /// Takes at most `most` bytes from a socket; 0 is the end of the stream. `WouldBlock`: the socket
    /// has none, or the pipe has no room.
    pub fn fill(&mut self, socket: RawFd, most: usize) -> io::Result<usize> {
        let count = splice(socket, self.write.as_raw_fd(), most)?;
        self.inside += count;
        Ok(count)
    }

    /// Gives a socket as much as it takes.
    pub fn drain(&mut self, socket: RawFd) -> io::Result<usize> {
        let count = splice(self.read.as_raw_fd(), socket, self.inside)?;
        self.inside -= count;
        Ok(count)
    }
}

fn splice(from: RawFd, to: RawFd, most: usize) -> io::Result<usize> {
    let flags = libc::SPLICE_F_NONBLOCK | libc::SPLICE_F_MOVE;
    let none = std::ptr::null_mut();
    // SAFETY: no memory of ours is named. (A peer that is gone is told by EPIPE: the process
    // ignores SIGPIPE.)
    let count = unsafe { libc::splice(from, none, to, none, most, flags) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn bytes_go_through_in_their_order() {
        let (mut sender, source) = UnixStream::pair().unwrap();
        let (sink, mut receiver) = UnixStream::pair().unwrap();
        source.set_nonblocking(true).unwrap();
        let mut pipe = Pipe::new().unwrap();
        let none = pipe.fill(source.as_raw_fd(), 100).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
        sender.write_all(b"hello").unwrap();
        assert_eq!(pipe.fill(source.as_raw_fd(), 4).unwrap(), 4);
        assert_eq!(pipe.inside(), 4);
        assert_eq!(pipe.drain(sink.as_raw_fd()).unwrap(), 4);
        drop(sender);
        assert_eq!(pipe.fill(source.as_raw_fd(), 4).unwrap(), 1);
        assert_eq!(pipe.drain(sink.as_raw_fd()).unwrap(), 1);
        assert_eq!(pipe.fill(source.as_raw_fd(), 4).unwrap(), 0);
        drop(sink);
        let mut all = String::new();
        receiver.read_to_string(&mut all).unwrap();
        assert_eq!(all, "hello");
    }
}
