//! Sockets without ceremony: thin, non-blocking, close-on-exec.

use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::addr::SockAddr;
use crate::check;

/// A new non-blocking stream socket for `address`'s family, with Nagle's algorithm off.
pub fn stream_for(address: &SockAddr) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: plain system call; a non-negative result is a new descriptor that nobody owns yet.
    let fd = unsafe { OwnedFd::from_raw_fd(check(libc::socket(address.family(), kind, 0))?) };
    if address.family() != libc::AF_UNIX {
        set_option(fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    }
    Ok(fd)
}

/// A new non-blocking datagram socket for `address`'s family.
pub fn datagram_for(address: &SockAddr) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: as in `stream_for`.
    Ok(unsafe { OwnedFd::from_raw_fd(check(libc::socket(address.family(), kind, 0))?) })
}

/// Turns Nagle's algorithm off; sockets accepted from a listener inherit it.
pub fn set_nodelay(fd: RawFd) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)
}

/// TCP's keep-alive probes on or off; None leaves the system's values (tcp(7)). Seconds.
/// Accepted sockets inherit all of it from their listener.
pub fn set_keepalive(
    fd: RawFd,
    on: bool,
    idle: Option<i32>,
    interval: Option<i32>,
    count: Option<i32>,
) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, on.into())?;
    let values = [
        (libc::TCP_KEEPIDLE, idle),
        (libc::TCP_KEEPINTVL, interval),
        (libc::TCP_KEEPCNT, count),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            set_option(fd, libc::IPPROTO_TCP, name, value)?;
        }
    }
    Ok(())
}

/// Ends a connection whose data stays unacknowledged for so many milliseconds; 0: the system's
/// own limit (`TCP_USER_TIMEOUT`, RFC 5482).
pub fn set_user_timeout(fd: RawFd, millis: i32) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, millis)
}

/// The type of service of what is sent from now on: IPv4's octet, or IPv6's traffic class.
pub fn set_tos(fd: RawFd, tos: u8) -> io::Result<()> {
    let four = set_option(fd, libc::IPPROTO_IP, libc::IP_TOS, tos.into());
    let six = set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, tos.into());
    four.or(six)
}

/// The mark that routing and filters see (`SO_MARK`, socket(7)); only for the privileged.
pub fn set_mark(fd: RawFd, mark: u32) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_MARK, mark as libc::c_int)
}

/// Lowers the largest segment of a connection by so many bytes (`TCP_MAXSEG`, tcp(7)).
pub fn make_segments_smaller(fd: RawFd, by: i32) -> io::Result<()> {
    let now = get_option(fd, libc::IPPROTO_TCP, libc::TCP_MAXSEG)?;
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_MAXSEG, now - by)
}

/// A listener gives a connection out only when it has data; 0 seconds: at once.
pub fn set_defer_accept(fd: RawFd, seconds: i32) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds)
}

/// Allows the socket an address that is not this machine's (`IP_TRANSPARENT`, ip(7)).
pub fn set_transparent(fd: RawFd, address: &SockAddr) -> io::Result<()> {
    match address.family() {
        libc::AF_INET6 => set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT, 1),
        _ => set_option(fd, libc::IPPROTO_IP, libc::IP_TRANSPARENT, 1),
    }
}

/// The first send connects, its data goes with the first packet if the peer has allowed it
/// before (`TCP_FASTOPEN_CONNECT`, RFC 7413).
pub fn set_fast_open_connect(fd: RawFd) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1)
}

/// Chooses the address from which `connect` will go out. Without a port of its own one is found
/// at the connect, when the whole pair is known (`IP_BIND_ADDRESS_NO_PORT`, ip(7)).
pub fn bind_source(fd: RawFd, address: &SockAddr) -> io::Result<()> {
    if address.as_inet().is_some_and(|inet| inet.port() == 0) {
        set_option(fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
    } else {
        set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    }
    // SAFETY: the pointer and length describe `address`.
    check(unsafe { libc::bind(fd, address.as_ptr(), address.len) })?;
    Ok(())
}

pub fn set_nonblocking(fd: RawFd) -> io::Result<()> {
    // SAFETY: fcntl on a number; a wrong one gives EBADF.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    // SAFETY: the same.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

/// A duplicate with close-on-exec set.
pub fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl gives a new descriptor or an error.
    let copy = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: `copy` is new and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

fn set_option(fd: RawFd, level: i32, name: i32, value: libc::c_int) -> io::Result<()> {
    let size = mem::size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointer and its size describe `value`, which outlives the call.
    check(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), size) })?;
    Ok(())
}

/// Starts or finishes a connect: Ok(true) connected, Ok(false) in progress.
pub fn connect(fd: RawFd, address: &SockAddr) -> io::Result<bool> {
    // SAFETY: the pointer and length describe `address`.
    match check(unsafe { libc::connect(fd, address.as_ptr(), address.len) }) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(false),
        Err(error) => Err(error),
    }
}

fn get_option(fd: RawFd, level: i32, name: i32) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut size = mem::size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointers describe `value` and `size`.
    let status = unsafe {
        let place = (&raw mut value).cast();
        libc::getsockopt(fd, level, name, place, &raw mut size)
    };
    check(status)?;
    Ok(value)
}

/// Takes the pending error of a socket (`SO_ERROR`).
pub fn take_error(fd: RawFd) -> io::Result<()> {
    match get_option(fd, libc::SOL_SOCKET, libc::SO_ERROR)? {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Takes one connection; WouldBlock if there is none.
pub fn accept(listener: RawFd) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no address is asked for; the result is new or an error.
    let fd = unsafe {
        check(libc::accept4(
            listener,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            flags,
        ))?
    };
    // SAFETY: `fd` is new and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Does a connection wait to be accepted?
pub fn has_waiting(listener: RawFd) -> bool {
    let mut wanted = libc::pollfd {
        fd: listener,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, which outlives the call; it does not wait.
    let ready = unsafe { libc::poll(&raw mut wanted, 1, 0) };
    ready == 1 && wanted.revents & libc::POLLIN != 0
}

/// Receives into `space`; 0 is the end of the stream.
pub fn recv(fd: RawFd, space: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length describe `space`.
    let count = unsafe { libc::recv(fd, space.as_mut_ptr().cast(), space.len(), 0) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// How much could be received now, at least: 1, or 0 at the end of the stream. Never blocks.
pub fn peek(fd: RawFd) -> io::Result<usize> {
    let mut byte = 0_u8;
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    // SAFETY: one byte of room.
    let count = unsafe { libc::recv(fd, (&raw mut byte).cast(), 1, flags) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Which of these have nothing to be read: neither data nor an end nor an error. Never blocks.
pub fn are_silent(fds: &[RawFd]) -> Vec<bool> {
    let entry = |fd: &RawFd| libc::pollfd {
        fd: *fd,
        events: libc::POLLIN | libc::POLLRDHUP,
        revents: 0,
    };
    let mut entries: Vec<_> = fds.iter().map(entry).collect();
    // SAFETY: the pointer and length describe `entries`; it does not wait.
    let ready = unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, 0) };
    // Of what could not be looked at nothing is known: such a one is not trusted.
    let known = ready >= 0;
    let silent = |entry: &libc::pollfd| known && entry.revents == 0;
    entries.iter().map(silent).collect()
}

/// Sends as much of `pieces` as fits, without SIGPIPE.
pub fn send(fd: RawFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    if let [only] = pieces {
        return send_one(fd, only);
    }
    // SAFETY: all zeroes is a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    // IoSlice is guaranteed to have iovec's layout.
    message.msg_iov = pieces.as_ptr().cast_mut().cast();
    message.msg_iovlen = pieces.len() as _;
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: `message` points to `pieces`, which the kernel only reads, during this call.
    let count = unsafe { libc::sendmsg(fd, &raw const message, flags) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// One piece needs no header that the kernel would have to fetch.
fn send_one(fd: RawFd, data: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: the pointer and length describe `data`.
    let count = unsafe { libc::send(fd, data.as_ptr().cast(), data.len(), flags) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Sends one datagram to a connected socket, never blocking.
pub fn send_datagram(fd: RawFd, data: &[u8]) -> io::Result<()> {
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: the pointer and length describe `data`.
    let count = unsafe { libc::send(fd, data.as_ptr().cast(), data.len(), flags) };
    usize::try_from(count)
        .map(drop)
        .map_err(|_| io::Error::last_os_error())
}

/// Writes to any descriptor (a log that is a file, a pipe or a terminal).
pub fn write(fd: RawFd, data: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length describe `data`.
    let count = unsafe { libc::write(fd, data.as_ptr().cast(), data.len()) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// True if a write would not block now.
pub fn writable_now(fd: RawFd) -> bool {
    let mut entry = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one valid pollfd, no waiting.
    let ready = unsafe { libc::poll(&raw mut entry, 1, 0) };
    ready == 1 && entry.revents & libc::POLLOUT != 0
}

/// Ends the sending half: the peer reads the end of the stream.
pub fn shutdown_write(fd: RawFd) -> io::Result<()> {
    // SAFETY: plain system call on a number.
    check(unsafe { libc::shutdown(fd, libc::SHUT_WR) })?;
    Ok(())
}

/// Ends listening for all that hold the socket: connections are refused from now on. (A close would
/// leave the port open where another process has a duplicate.) `listen` begins anew.
pub fn stop_listening(fd: RawFd) -> io::Result<()> {
    // SAFETY: plain system call on a number.
    check(unsafe { libc::shutdown(fd, libc::SHUT_RD) })?;
    Ok(())
}

/// Begins to listen, where it was ended; else only the length of the queue changes (listen(2)).
pub fn listen(fd: RawFd, backlog: i32) -> io::Result<()> {
    // SAFETY: plain system call on numbers.
    check(unsafe { libc::listen(fd, backlog) })?;
    Ok(())
}

/// Is it a socket that listens?
pub fn is_listening(fd: RawFd) -> bool {
    let mut value: libc::c_int = 0;
    let mut size = mem::size_of::<libc::c_int>() as libc::socklen_t;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_ACCEPTCONN);
    let place = (&raw mut value).cast();
    // SAFETY: the pointers describe `value` and its size.
    let asked = unsafe { libc::getsockopt(fd, level, option, place, &raw mut size) };
    asked == 0 && value != 0
}

/// Makes the close that follows a reset: pending data is thrown away and no TIME_WAIT is left.
/// Accepted sockets inherit it from their listener.
pub fn set_reset_on_close(fd: RawFd, on: bool) -> io::Result<()> {
    let value = libc::linger {
        l_onoff: on.into(),
        l_linger: 0,
    };
    let size = mem::size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: the pointer and its size describe `value`.
    check(unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const value).cast(),
            size,
        )
    })?;
    Ok(())
}

/// Makes the close that follows say nothing to the peer (`silent-drop`): the kernel forgets a
/// connection under repair. Who may not ask for that (CAP_NET_ADMIN) sends a reset that the next
/// router discards.
pub fn set_quiet(fd: RawFd) -> io::Result<()> {
    if set_option(fd, libc::IPPROTO_TCP, libc::TCP_REPAIR, 1).is_ok() {
        return Ok(());
    }
    set_reset_on_close(fd, true)?;
    let four = set_option(fd, libc::IPPROTO_IP, libc::IP_TTL, 1);
    let six = set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, 1);
    four.or(six)
}

/// Only what goes through this interface (socket(7)).
pub fn bind_interface(fd: RawFd, name: &str) -> io::Result<()> {
    let name = name.as_bytes();
    let size = name.len() as libc::socklen_t;
    // SAFETY: the pointer and its size describe `name`, which outlives the call.
    check(unsafe {
        let (level, option) = (libc::SOL_SOCKET, libc::SO_BINDTODEVICE);
        libc::setsockopt(fd, level, option, name.as_ptr().cast(), size)
    })?;
    Ok(())
}

/// Who is at the other end.
pub fn peer(fd: RawFd) -> io::Result<SockAddr> {
    let mut address = SockAddr::empty();
    let place = (&raw mut address.storage).cast();
    // SAFETY: the pointers describe `address`.
    check(unsafe { libc::getpeername(fd, place, &raw mut address.len) })?;
    Ok(address)
}

/// What the socket is bound to.
pub fn local(fd: RawFd) -> io::Result<SockAddr> {
    let mut address = SockAddr::empty();
    let place = (&raw mut address.storage).cast();
    // SAFETY: the pointers describe `address`.
    check(unsafe { libc::getsockname(fd, place, &raw mut address.len) })?;
    Ok(address)
}

/// An eventfd: `signal` makes it readable, `drain` silences it.
pub struct Signal(OwnedFd);

impl Signal {
    pub fn new() -> io::Result<Self> {
        // SAFETY: plain system call; the result is new or an error.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        // SAFETY: `fd` is new and owned by nobody else.
        Ok(Signal(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub fn signal(&self) {
        // A full counter (EAGAIN) is already readable: nothing is lost.
        let _ = write(self.fd(), &1u64.to_ne_bytes());
    }

    pub fn drain(&self) {
        let mut count = [0u8; 8];
        // SAFETY: eight bytes of our own.
        let _ = unsafe { libc::read(self.fd(), count.as_mut_ptr().cast(), count.len()) };
    }

    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Closes a descriptor that was taken out of its `OwnedFd` with `into_raw_fd`.
///
/// The engine keeps descriptors as numbers, since with io_uring the close is an operation of the
/// ring. A number that is not open is an error of the program, told as EBADF.
pub fn close(fd: RawFd) -> io::Result<()> {
    // SAFETY: closing a number cannot touch memory; who owns it is the caller's book-keeping.
    check(unsafe { libc::close(fd) })?;
    Ok(())
}

/// Connects a datagram socket (sets where it sends to).
pub fn connect_datagram(fd: RawFd, address: &SockAddr) -> io::Result<()> {
    connect(fd, address).map(drop)
}

/// What the kernel knows of a TCP connection (`TCP_INFO`, tcp(7)); times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    pub rtt: u32,
    pub rttvar: u32,
    pub unacked: u32,
    pub sacked: u32,
    pub lost: u32,
    pub retrans: u32,
    pub fackets: u32,
    pub reordering: u32,
}

pub fn tcp_info(fd: RawFd) -> io::Result<TcpInfo> {
    // SAFETY: all zeroes is a valid tcp_info.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut length = mem::size_of_val(&info) as libc::socklen_t;
    let (level, name) = (libc::IPPROTO_TCP, libc::TCP_INFO);
    // SAFETY: the pointers describe `info` and its length.
    check(unsafe { libc::getsockopt(fd, level, name, (&raw mut info).cast(), &raw mut length) })?;
    Ok(TcpInfo {
        rtt: info.tcpi_rtt,
        rttvar: info.tcpi_rttvar,
        unacked: info.tcpi_unacked,
        sacked: info.tcpi_sacked,
        lost: info.tcpi_lost,
        retrans: info.tcpi_retrans,
        fackets: info.tcpi_fackets,
        reordering: info.tcpi_reordering,
    })
}
