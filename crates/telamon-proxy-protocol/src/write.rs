//! The header for a server.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use crate::binary::{FIXED, LOCAL, PROXY, SIGNATURE, TCP4, TCP6, UNIX_STREAM};
use crate::checksum::crc32c;
use crate::tlv::kind;
use crate::{Ends, UNIX};

/// What version 2 says besides the addresses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'f> {
    /// `set-proxy-v2-tlv-fmt`: kinds and values.
    pub own: &'f [(u8, &'f [u8])],
    /// `proxy-v2-options crc32c`.
    pub checksum: bool,
    /// `proxy-v2-options authority`, where the client said one.
    pub authority: Option<&'f [u8]>,
    /// `proxy-v2-options unique-id`.
    pub unique_id: Option<&'f [u8]>,
}

/// The fields do not fit into a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Adds a header of this version to `out`.
pub fn write(
    version: u32,
    ends: &Ends,
    fields: &Fields<'_>,
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let mapped;
    let ends = match ends {
        // Both ends of one family: an IPv4 client may have an IPv6 destination here.
        Ends::Inet(source, destination) if source.is_ipv4() != destination.is_ipv4() => {
            mapped = Ends::Inet(as_v6(*source), as_v6(*destination));
            &mapped
        }
        ends => ends,
    };
    if version == 1 {
        write_line(ends, out);
        return Ok(());
    }
    write_binary(ends, fields, out)
}

fn as_v6(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    SocketAddr::new(IpAddr::V6(ip), address.port())
}

fn write_line(ends: &Ends, out: &mut Vec<u8>) {
    let Some((source, destination)) = ends.inet() else {
        return out.extend_from_slice(b"PROXY UNKNOWN\r\n");
    };
    let family = if source.is_ipv4() { 4 } else { 6 };
    // Writing into a vector cannot fail.
    let _ = write!(
        out,
        "PROXY TCP{family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    );
}

fn write_binary(ends: &Ends, fields: &Fields<'_>, out: &mut Vec<u8>) -> Result<(), TooLong> {
    let start = out.len();
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&match ends {
        Ends::Unknown => [LOCAL, 0, 0, 0],
        Ends::Inet(source, _) if source.is_ipv4() => [PROXY, TCP4, 0, 0],
        Ends::Inet(..) => [PROXY, TCP6, 0, 0],
        Ends::Unix(..) => [PROXY, UNIX_STREAM, 0, 0],
    });
    write_addresses(ends, out);
    let sum = write_fields(fields, out)?;
    let Ok(length) = u16::try_from(out.len() - start - FIXED) else {
        return Err(TooLong);
    };
    out[start + FIXED - 2..start + FIXED].copy_from_slice(&length.to_be_bytes());
    if let Some(at) = sum {
        let value = crc32c(&[&out[start..]]);
        out[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
    Ok(())
}

fn write_addresses(ends: &Ends, out: &mut Vec<u8>) {
    match ends {
        Ends::Unknown => {}
        Ends::Inet(source, destination) => {
            for address in [source, destination] {
                match address.ip() {
                    IpAddr::V4(ip) => out.extend(ip.octets()),
                    IpAddr::V6(ip) => out.extend(ip.octets()),
                }
            }
            out.extend(source.port().to_be_bytes());
            out.extend(destination.port().to_be_bytes());
        }
        Ends::Unix(source, destination) => {
            for path in [source, destination] {
                let length = path.len().min(UNIX);
                out.extend_from_slice(&path[..length]);
                out.resize(out.len() + UNIX - length, 0);
            }
        }
    }
}

/// In HAProxy's order. Gives where the checksum is to stand.
fn write_fields(fields: &Fields<'_>, out: &mut Vec<u8>) -> Result<Option<usize>, TooLong> {
    for (kind, value) in fields.own {
        write_field(*kind, value, out)?;
    }
    let sum = fields.checksum.then_some(out.len() + 3);
    if fields.checksum {
        write_field(kind::CRC32C, &[0; 4], out)?;
    }
    if let Some(authority) = fields.authority {
        write_field(kind::AUTHORITY, authority, out)?;
    }
    if let Some(id) = fields.unique_id {
        write_field(kind::UNIQUE_ID, id, out)?;
    }
    Ok(sum)
}

fn write_field(kind: u8, value: &[u8], out: &mut Vec<u8>) -> Result<(), TooLong> {
    let length = u16::try_from(value.len()).map_err(|_| TooLong)?;
    out.push(kind);
    out.extend(length.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}
