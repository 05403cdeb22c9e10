//! Socket addresses in the kernel's own form.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// An address ready for `connect(2)` and `sendto(2)`: IPv4, IPv6, unix path or abstract name.
#[derive(Clone, Copy)]
pub struct SockAddr {
    pub(crate) storage: libc::sockaddr_storage,
    pub(crate) len: libc::socklen_t,
}

impl SockAddr {
    pub(crate) fn empty() -> Self {
        // SAFETY: all zeroes is a valid sockaddr_storage (family AF_UNSPEC).
        let storage = unsafe { mem::zeroed() };
        SockAddr {
            storage,
            len: mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t,
        }
    }

    /// An internet address.
    pub fn inet(address: SocketAddr) -> Self {
        let mut made = SockAddr::empty();
        match address {
            SocketAddr::V4(v4) => {
                let raw = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr {
                        s_addr: u32::from_ne_bytes(v4.ip().octets()),
                    },
                    sin_zero: [0; 8],
                };
                made.write(raw);
            }
            SocketAddr::V6(v6) => {
                let raw = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr {
                        s6_addr: v6.ip().octets(),
                    },
                    sin6_scope_id: v6.scope_id(),
                };
                made.write(raw);
            }
        }
        made
    }

    /// A unix address: a path, or a name of the abstract space (unix(7)).
    /// InvalidInput if it does not fit into `sun_path` or is empty.
    pub fn unix(name: &[u8], is_abstract: bool) -> io::Result<Self> {
        // SAFETY: all zeroes is a valid sockaddr_un.
        let mut raw: libc::sockaddr_un = unsafe { mem::zeroed() };
        let offset = usize::from(is_abstract);
        if name.is_empty() || name.len() + 1 > raw.sun_path.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "bad length of a unix address",
            ));
        }
        raw.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (slot, byte) in raw.sun_path[offset..].iter_mut().zip(name) {
            *slot = *byte as libc::c_char;
        }
        let mut made = SockAddr::empty();
        made.write(raw);
        // A path counts its closing zero, an abstract name its leading one.
        made.len = (mem::size_of::<libc::sa_family_t>() + name.len() + 1) as libc::socklen_t;
        Ok(made)
    }

    /// The address family, for `socket(2)`.
    pub fn family(&self) -> i32 {
        i32::from(self.storage.ss_family)
    }

    /// The internet address; None for the other families.
    pub fn as_inet(&self) -> Option<SocketAddr> {
        match self.family() {
            libc::AF_INET => {
                let raw: libc::sockaddr_in = self.read();
                let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddr::V4(SocketAddrV4::new(
                    ip,
                    u16::from_be(raw.sin_port),
                )))
            }
            libc::AF_INET6 => {
                let raw: libc::sockaddr_in6 = self.read();
                let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
                let port = u16::from_be(raw.sin6_port);
                Some(match ip.to_ipv4_mapped() {
                    // A client of a dual-stack listener is an IPv4 client, in logs and hashes.
                    Some(v4) => SocketAddr::new(IpAddr::V4(v4), port),
                    None => SocketAddr::V6(SocketAddrV6::new(
                        ip,
                        port,
                        raw.sin6_flowinfo,
                        raw.sin6_scope_id,
                    )),
                })
            }
            _ => None,
        }
    }

    fn write<T: Copy>(&mut self, raw: T) {
        assert!(mem::size_of::<T>() <= mem::size_of::<libc::sockaddr_storage>());
        // SAFETY: the size was checked, and sockaddr_storage is aligned for every sockaddr type.
        unsafe { std::ptr::write((&raw mut self.storage).cast::<T>(), raw) };
        self.len = mem::size_of::<T>() as libc::socklen_t;
    }

    fn read<T: Copy>(&self) -> T {
        assert!(mem::size_of::<T>() <= mem::size_of::<libc::sockaddr_storage>());
        // SAFETY: the size was checked; the storage is aligned and fully initialised.
        unsafe { std::ptr::read((&raw const self.storage).cast::<T>()) }
    }

    pub(crate) fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inet_addresses_come_back() {
        for text in ["127.0.0.1:80", "[2001:db8::1]:65535", "0.0.0.0:0"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(SockAddr::inet(address).as_inet(), Some(address));
        }
    }

    #[test]
    fn mapped_addresses_read_as_ipv4() {
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:5".parse().unwrap();
        assert_eq!(
            SockAddr::inet(mapped).as_inet(),
            Some("10.0.0.1:5".parse().unwrap())
        );
    }

    #[test]
    fn unix_names_are_bounded() {
        assert!(SockAddr::unix(&[b'a'; 107], false).is_ok());
        assert!(SockAddr::unix(&[b'a'; 108], false).is_err());
        assert!(SockAddr::unix(b"", true).is_err());
        assert_eq!(SockAddr::unix(b"x", true).unwrap().as_inet(), None);
    }
}
