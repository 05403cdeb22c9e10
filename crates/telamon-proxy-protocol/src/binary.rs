//! Version 2 (section 2.2): a signature, version and command, family, a length, and what that
//! length has: the two addresses, then further fields.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{Ends, Extensions, Fault, Header, UNIX};

pub(crate) const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// What precedes the addresses.
pub(crate) const FIXED: usize = 16;
/// Longest header that is taken: HAProxy's is a buffer (`tune.bufsize`).
const LONGEST: usize = 16_384;

pub(crate) const LOCAL: u8 = 0x20;
pub(crate) const PROXY: u8 = 0x21;
pub(crate) const TCP4: u8 = 0x11;
pub(crate) const TCP6: u8 = 0x21;
pub(crate) const UNIX_STREAM: u8 = 0x31;

pub(crate) fn parse(data: &[u8]) -> Result<Option<Header>, Fault> {
    let common = data.len().min(SIGNATURE.len());
    if data[..common] != SIGNATURE[..common] {
        return Err(Fault::Signature);
    }
    let &[command, family, high, low] = &data[common..data.len().min(FIXED)] else {
        return Ok(None);
    };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if !matches!(command, LOCAL | PROXY) {
        return Err(Fault::Version);
    }
    if length > LONGEST {
        return Err(Fault::Length);
    }
    let Some(header) = data.get(..length) else {
        return Ok(None);
    };
    if command == LOCAL {
        // The sender's own connection, a check of its own for instance: nothing in it counts.
        return Ok(Some(bare(length)));
    }
    proxied(header, family).map(Some)
}

fn bare(length: usize) -> Header {
    Header {
        length,
        ends: Ends::Unknown,
        extensions: Extensions::default(),
    }
}

fn proxied(header: &[u8], family: u8) -> Result<Header, Fault> {
    let body = &header[FIXED..];
    let (ends, used) = match family {
        TCP4 => (inet::<4>(body), 12),
        TCP6 => (inet::<16>(body), 36),
        UNIX_STREAM => (unix(body), 2 * UNIX),
        // Section 2.2 wants UNSPEC and families of later versions taken and skipped, since the
        // sender's length tells how; HAProxy 2.6 refuses them.
        _ => return Ok(bare(header.len())),
    };
    Ok(Header {
        length: header.len(),
        ends: ends.ok_or(Fault::Length)?,
        extensions: Extensions::check(header, FIXED + used)?,
    })
}

/// Two addresses of `N` bytes, two ports.
fn inet<const N: usize>(body: &[u8]) -> Option<Ends>
where
    IpAddr: FromBytes<N>,
{
    let ip = |at: usize| -> Option<IpAddr> {
        let bytes: [u8; N] = body.get(at..at + N)?.try_into().ok()?;
        Some(IpAddr::from_bytes(bytes))
    };
    let port = |at: usize| Some(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
    Some(Ends::Inet(
        SocketAddr::new(ip(0)?, port(2 * N)?),
        SocketAddr::new(ip(N)?, port(2 * N + 2)?),
    ))
}

trait FromBytes<const N: usize> {
    fn from_bytes(bytes: [u8; N]) -> Self;
}

impl FromBytes<4> for IpAddr {
    fn from_bytes(bytes: [u8; 4]) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(bytes))
    }
}

impl FromBytes<16> for IpAddr {
    fn from_bytes(bytes: [u8; 16]) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(bytes))
    }
}

fn unix(body: &[u8]) -> Option<Ends> {
    let path = |at: usize| {
        let padded = body.get(at..at + UNIX)?;
        // An abstract name begins with the NUL that ends others.
        let end = padded.iter().skip(1).position(|byte| *byte == 0);
        let path = &padded[..end.map_or(UNIX, |end| end + 1)];
        Some(if path == [0] {
            Vec::new()
        } else {
            path.to_vec()
        })
    };
    Some(Ends::Unix(path(0)?, path(UNIX)?))
}
