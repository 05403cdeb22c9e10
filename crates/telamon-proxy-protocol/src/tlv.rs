//! Further fields of version 2 (section 2.2): a kind, a length in two bytes, a value.

use crate::checksum::crc32c;
use crate::Fault;

/// Kinds of fields.
pub mod kind {
    pub const ALPN: u8 = 0x01;
    pub const AUTHORITY: u8 = 0x02;
    pub const CRC32C: u8 = 0x03;
    pub const NOOP: u8 = 0x04;
    pub const UNIQUE_ID: u8 = 0x05;
    pub const SSL: u8 = 0x20;
    pub const SSL_VERSION: u8 = 0x21;
    pub const SSL_CN: u8 = 0x22;
    pub const SSL_CIPHER: u8 = 0x23;
    pub const SSL_SIG_ALG: u8 = 0x24;
    pub const SSL_KEY_ALG: u8 = 0x25;
    pub const NETNS: u8 = 0x30;
}

/// HAProxy's limits.
const MAX_AUTHORITY: usize = 255;
const MAX_UNIQUE_ID: usize = 128;

/// The fields that came, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions(Vec<u8>);

/// What is said of the client's TLS (section 2.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssl {
    /// Bits: 1 over TLS, 2 a certificate on this connection, 4 one on this session.
    pub client: u8,
    /// 0: the certificate was verified.
    pub verify: u32,
    pub fields: Extensions,
}

impl Extensions {
    /// The fields from `start` on, which must fill the header to its end.
    pub(crate) fn check(header: &[u8], start: usize) -> Result<Extensions, Fault> {
        let mut at = start;
        while at < header.len() {
            let (kind, value) = first(&header[at..]).ok_or(Fault::Extension)?;
            match kind {
                kind::AUTHORITY if value.len() > MAX_AUTHORITY => return Err(Fault::Extension),
                kind::UNIQUE_ID if value.len() > MAX_UNIQUE_ID => return Err(Fault::Extension),
                kind::CRC32C => check_sum(header, at + 3, value)?,
                _ => {}
            }
            at += 3 + value.len();
        }
        Ok(Extensions(header[start..].to_vec()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All fields, fillers (NOOP) left out.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (kind, value) = first(rest)?;
            rest = &rest[3 + value.len()..];
            Some((kind, value))
        })
        .filter(|(kind, _)| *kind != kind::NOOP)
    }

    /// A field's value; of several the last, as HAProxy 2.6 has it.
    pub fn get(&self, kind: u8) -> Option<&[u8]> {
        let found = self.iter().filter(|(other, _)| *other == kind).last();
        found.map(|(_, value)| value)
    }

    pub fn ssl(&self) -> Option<Ssl> {
        let value = self.get(kind::SSL)?;
        let verify = value.get(1..5)?.try_into().ok()?;
        let fields = &value[5..];
        let mut at = 0;
        while at < fields.len() {
            at += 3 + first(&fields[at..])?.1.len();
        }
        Some(Ssl {
            client: value[0],
            verify: u32::from_be_bytes(verify),
            fields: Extensions(fields.to_vec()),
        })
    }
}

/// The sum is over the whole header, with zeros where it stands itself (section 2.2.3).
fn check_sum(header: &[u8], at: usize, value: &[u8]) -> Result<(), Fault> {
    let sum = crc32c(&[
        &header[..at],
        &[0; 4],
        header.get(at + 4..).unwrap_or_default(),
    ]);
    match value == sum.to_be_bytes() {
        true => Ok(()),
        false => Err(Fault::Checksum),
    }
}

fn first(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let &[kind, high, low, ref rest @ ..] = bytes else {
        return None;
    };
    let value = rest.get(..usize::from(u16::from_be_bytes([high, low])))?;
    Some((kind, value))
}
