//! The header of the PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): who the
//! client is and where it wanted to go, told by one proxy to the next before the first byte.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest line of version 1, its end included (section 2.1).
const LINE: usize = 107;
/// Longest rest of a version 2 header that is taken: addresses and a few extensions.
const LONGEST: usize = 4096;

/// Source and destination; None: the sender speaks for itself or does not know.
pub(crate) type Ends = Option<(SocketAddr, SocketAddr)>;

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// So far a header's beginning.
    More,
    /// A header of so many bytes.
    Done(usize, Ends),
    Bad,
}

pub(crate) fn parse(data: &[u8]) -> Parsed {
    let common = data.len().min(SIGNATURE.len());
    if data[..common] == SIGNATURE[..common] {
        return if data.len() < 16 {
            Parsed::More
        } else {
            parse_binary(data)
        };
    }
    let common = data.len().min(6);
    if data[..common] != b"PROXY "[..common] {
        return Parsed::Bad;
    }
    let end = data
        .windows(2)
        .take(LINE - 1)
        .position(|two| two == b"\r\n");
    match end {
        None if data.len() < LINE => Parsed::More,
        None => Parsed::Bad,
        Some(end) => match parse_line(&data[6..end]) {
            Some(ends) => Parsed::Done(end + 2, ends),
            None => Parsed::Bad,
        },
    }
}

/// `TCP4 source destination port port`, or `UNKNOWN` and anything.
fn parse_line(line: &[u8]) -> Option<Ends> {
    let line = std::str::from_utf8(line).ok()?;
    let words: Vec<&str> = line.split(' ').collect();
    match *words.as_slice() {
        ["UNKNOWN", ..] => Some(None),
        [family @ ("TCP4" | "TCP6"), source, destination, from, to] => {
            let one = |host: &str, port: &str| {
                let ip: IpAddr = host.parse().ok()?;
                (ip.is_ipv4() == (family == "TCP4"))
                    .then_some(SocketAddr::new(ip, port.parse().ok()?))
            };
            Some(Some((one(source, from)?, one(destination, to)?)))
        }
        _ => None,
    }
}

fn parse_binary(data: &[u8]) -> Parsed {
    let (command, family) = (data[12], data[13]);
    let length = usize::from(u16::from_be_bytes([data[14], data[15]]));
    if command >> 4 != 2 || command & 15 > 1 || length > LONGEST {
        return Parsed::Bad;
    }
    let Some(body) = data.get(16..16 + length) else {
        return Parsed::More;
    };
    if command & 15 == 0 {
        return Parsed::Done(16 + length, None);
    }
    let ends = match family {
        0x11 if length >= 12 => {
            let ip = |at: usize| {
                let bytes: [u8; 4] = std::array::from_fn(|byte| body[at + byte]);
                IpAddr::V4(Ipv4Addr::from(bytes))
            };
            Some((ip(0), ip(4), 8))
        }
        0x21 if length >= 36 => {
            let ip = |at: usize| {
                let bytes: [u8; 16] = std::array::from_fn(|byte| body[at + byte]);
                IpAddr::V6(Ipv6Addr::from(bytes))
            };
            Some((ip(0), ip(16), 32))
        }
        0x11 | 0x21 => return Parsed::Bad,
        // Unix sockets, datagrams, and what later versions may bring.
        _ => None,
    };
    let ends = ends.map(|(source, destination, at)| {
        let port = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
        (
            SocketAddr::new(source, port(at)),
            SocketAddr::new(destination, port(at + 2)),
        )
    });
    Parsed::Done(16 + length, ends)
}

/// The header for a server.
pub(crate) fn write(version: u32, ends: Ends) -> Vec<u8> {
    // Both ends of one family: an IPv4 client of a dual-stack listener has an IPv6 one here.
    let ends = ends.map(
        |(source, destination)| match (source.ip(), destination.ip()) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                (source, destination)
            }
            _ => (mapped(source), mapped(destination)),
        },
    );
    if version == 1 {
        write_line(ends)
    } else {
        write_binary(ends)
    }
}

fn mapped(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    SocketAddr::new(IpAddr::V6(ip), address.port())
}

fn write_line(ends: Ends) -> Vec<u8> {
    let Some((source, destination)) = ends else {
        return b"PROXY UNKNOWN\r\n".to_vec();
    };
    let family = if source.is_ipv4() { 4 } else { 6 };
    format!(
        "PROXY TCP{family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    )
    .into_bytes()
}

fn write_binary(ends: Ends) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    match ends {
        None => header.extend([0x20, 0, 0, 0]),
        Some((source, destination)) => {
            let (family, length) = if source.is_ipv4() {
                (0x11, 12)
            } else {
                (0x21, 36)
            };
            header.extend([0x21, family, 0, length]);
            for address in [source, destination] {
                match address.ip() {
                    IpAddr::V4(ip) => header.extend(ip.octets()),
                    IpAddr::V6(ip) => header.extend(ip.octets()),
                }
            }
            header.extend(source.port().to_be_bytes());
            header.extend(destination.port().to_be_bytes());
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(source: &str, destination: &str) -> Ends {
        Some((source.parse().unwrap(), destination.parse().unwrap()))
    }

    #[test]
    fn what_is_written_is_read_at_every_cut() {
        let pairs = [
            None,
            ends("192.0.2.1:40000", "198.51.100.7:443"),
            ends("[2001:db8::1]:1", "[2001:db8::2]:65535"),
        ];
        for version in [1, 2] {
            for pair in pairs {
                let header = write(version, pair);
                for cut in 0..header.len() {
                    assert_eq!(parse(&header[..cut]), Parsed::More, "cut at {cut}");
                }
                let mut more = header.clone();
                more.extend(b"first bytes");
                assert_eq!(parse(&more), Parsed::Done(header.len(), pair));
            }
        }
    }

    #[test]
    fn families_that_differ_are_told_as_ipv6() {
        let header = write(1, ends("192.0.2.1:1", "[2001:db8::2]:2"));
        assert!(header.starts_with(b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2"));
    }

    #[test]
    fn what_is_no_header_is_told() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        let cases: [&[u8]; 6] = [
            b"GET / HTTP/1.1",
            b"PROXY TCP4 1.2.3.4 ::1 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n",
            b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n",
            &long,
            b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c____________",
        ];
        for case in cases {
            assert_eq!(parse(case), Parsed::Bad);
        }
    }
}
