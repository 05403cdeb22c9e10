//! The header of the PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): who the
//! client is and where it wanted to go, told by one proxy to the next before the first byte.
//!
//! Version 1 is a line of text ([`text`]), version 2 binary ([`binary`]) and may carry further
//! fields ([`tlv`]). [`parse`] looks at a growing buffer; whole or byte by byte gives the same.
#![forbid(unsafe_code)]

mod binary;
mod checksum;
mod text;
mod tlv;
mod write;

use std::fmt;
use std::net::SocketAddr;

pub use tlv::{kind, Extensions, Ssl};
pub use write::{write, Fields, TooLong};

/// A unix address has this many bytes, padded with NUL (section 2.2).
const UNIX: usize = 108;

/// Source and destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ends {
    /// The sender speaks for itself (LOCAL), or does not know: the connection's own count.
    #[default]
    Unknown,
    Inet(SocketAddr, SocketAddr),
    /// Paths, without their padding.
    Unix(Vec<u8>, Vec<u8>),
}

impl Ends {
    pub fn inet(&self) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Ends::Inet(source, destination) => Some((*source, *destination)),
            Ends::Unknown | Ends::Unix(..) => None,
        }
    }
}

impl From<Option<(SocketAddr, SocketAddr)>> for Ends {
    fn from(ends: Option<(SocketAddr, SocketAddr)>) -> Ends {
        ends.map_or(Ends::Unknown, |(source, destination)| {
            Ends::Inet(source, destination)
        })
    }
}

/// A whole header of `length` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub length: usize,
    pub ends: Ends,
    pub extensions: Extensions,
}

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// So far a header's beginning.
    More,
    Done(Header),
    Bad(Fault),
}

/// Why they are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Neither version's first bytes.
    Signature,
    /// A line without its end where one must be.
    Line,
    Protocol,
    Address,
    Version,
    Length,
    Extension,
    Checksum,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Signature => "these bytes begin no PROXY protocol header",
            Fault::Line => "the PROXY line has no end within 107 bytes",
            Fault::Protocol => "the PROXY line's protocol is not TCP4, TCP6 or UNKNOWN",
            Fault::Address => "an address or a port of the PROXY line is wrong",
            Fault::Version => "the PROXY header's version or command is unknown",
            Fault::Length => "the PROXY header's length is wrong",
            Fault::Extension => "a field of the PROXY header is too long",
            Fault::Checksum => "the PROXY header's checksum is wrong",
        })
    }
}

impl std::error::Error for Fault {}

/// Looks at the first bytes of a connection.
pub fn parse(data: &[u8]) -> Parsed {
    let parsed = match data.first() {
        None => return Parsed::More,
        Some(b'P') => text::parse(data),
        Some(_) => binary::parse(data),
    };
    match parsed {
        Ok(None) => Parsed::More,
        Ok(Some(header)) => Parsed::Done(header),
        Err(fault) => Parsed::Bad(fault),
    }
}
