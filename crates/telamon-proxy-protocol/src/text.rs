//! Version 1 (section 2.1): `PROXY TCP4 source destination port port` and CR LF.

use std::net::{IpAddr, SocketAddr};

use crate::{Ends, Extensions, Fault, Header};

/// Longest line, its end included.
const LINE: usize = 107;
const BEGIN: &[u8] = b"PROXY ";

pub(crate) fn parse(data: &[u8]) -> Result<Option<Header>, Fault> {
    let common = data.len().min(BEGIN.len());
    if data[..common] != BEGIN[..common] {
        return Err(Fault::Signature);
    }
    let seen = &data[..data.len().min(LINE)];
    let line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let Some(end) = seen.iter().position(line_end) else {
        return match seen.len() {
            LINE => Err(Fault::Line),
            _ => Ok(None),
        };
    };
    // A bare LF would be a line end to some and none to others.
    if seen[end] == b'\n' {
        return Err(Fault::Line);
    }
    match seen.get(end + 1) {
        None if seen.len() == LINE => Err(Fault::Line),
        None => Ok(None),
        Some(b'\n') => Ok(Some(Header {
            length: end + 2,
            ends: ends(&data[BEGIN.len()..end])?,
            extensions: Extensions::default(),
        })),
        Some(_) => Err(Fault::Line),
    }
}

fn ends(line: &[u8]) -> Result<Ends, Fault> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    match *words.as_slice() {
        // What follows says nothing (section 2.1); HAProxy 2.6 takes only the bare word.
        [b"UNKNOWN", ..] => Ok(Ends::Unknown),
        [family @ (b"TCP4" | b"TCP6"), ref rest @ ..] => {
            let &[source, destination, from, to] = rest else {
                return Err(Fault::Address);
            };
            let one = |host, port| address(family == b"TCP4", host, port).ok_or(Fault::Address);
            Ok(Ends::Inet(one(source, from)?, one(destination, to)?))
        }
        _ => Err(Fault::Protocol),
    }
}

fn address(v4: bool, host: &[u8], port: &[u8]) -> Option<SocketAddr> {
    let ip: IpAddr = std::str::from_utf8(host).ok()?.parse().ok()?;
    if ip.is_ipv4() != v4 || !port.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(SocketAddr::new(
        ip,
        std::str::from_utf8(port).ok()?.parse().ok()?,
    ))
}
