//! A TLS hello in the buffer (RFC 8446 4.1.2, RFC 6066): which name the client asks for, and what it
//! can do, told before any server is chosen and without taking part in the handshake.
//!
//! ```text
//! record    type 22, version, length │ handshake message ...
//! message   type 1, length (3) │ version, random (32), session id, ciphers, compressions,
//!                              │ extensions: kind (2), length (2), data
//! ```
//!
//! A hello may be cut over several records; they are put together first. Every length is checked
//! against what surrounds it: a hello that contradicts itself is none.

use std::borrow::Cow;

use super::{by, sided, Fetch, Row};
use crate::env::Env;
use crate::sample::Sample;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// A record's head, and a handshake message's.
const RECORD: usize = 5;
const MESSAGE: usize = 4;
/// SSL 3.0; what is older is told otherwise.
const OLDEST: u8 = 3;
/// The longest record (RFC 5246 6.2.3).
const LONGEST: usize = (1 << 14) + (1 << 12);

/// Kinds of extensions.
mod kind {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const GROUPS: u16 = 10;
    pub(super) const SIGNATURES: u16 = 13;
    pub(super) const ALPN: u16 = 16;
    pub(super) const TICKET: u16 = 35;
    pub(super) const KEY_SHARE: u16 = 51;
}

pub(super) const ROWS: &[Row] = &[
    by("req.ssl_alpn", |_, _| {
        Fetch::new(|env| Some(Sample::owned(hello(env)?.protocol()?.to_vec())))
    }),
    by("req.ssl_cipherlist", |_, _| {
        Fetch::new(|env| Some(Sample::Bin(hello(env)?.ciphers().to_vec().into())))
    }),
    by("req.ssl_ec_ext", |_, _| {
        Fetch::new(|env| Some(Sample::Bool(hello(env)?.extension(kind::GROUPS).is_some())))
    }),
    sided("req.ssl_hello_type", "res.ssl_hello_type", |_, _| {
        Fetch::new(|env| Some(Sample::Int(i64::from(decided(env, message_type)?))))
    }),
    by("req.ssl_keyshare_groups", |_, _| {
        Fetch::new(|env| Some(Sample::Bin(hello(env)?.key_shares()?.into())))
    }),
    by("req.ssl_sigalgs", |_, _| {
        Fetch::new(|env| Some(Sample::Bin(hello(env)?.list(kind::SIGNATURES)?.into())))
    }),
    by("req.ssl_sni", |_, _| {
        Fetch::new(|env| Some(Sample::owned(hello(env)?.server_name()?.to_vec())))
    }),
    by("req.ssl_st_ext", |_, _| {
        Fetch::new(|env| {
            Some(Sample::Int(match hello(env)?.extension(kind::TICKET) {
                None => 0,
                Some([]) => 1,
                Some(_) => 2,
            }))
        })
    }),
    by("req.ssl_supported_groups", |_, _| {
        Fetch::new(|env| Some(Sample::Bin(hello(env)?.list(kind::GROUPS)?.into())))
    }),
    by("req.ssl_ver", |_, _| {
        Fetch::new(|env| Some(Sample::Int(decided(env, version)?)))
    }),
];

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
enum No {
    /// More bytes are needed to tell.
    Short,
    /// It is no hello.
    Other,
}

/// What a parser says of the buffer.
fn decided<'e, T>(env: &Env<'e>, parse: impl FnOnce(&'e [u8]) -> Result<T, No>) -> Option<T> {
    parse(env.body)
        .map_err(|no| {
            if no == No::Short {
                env.undecided();
            }
        })
        .ok()
}

fn hello<'e>(env: &Env<'e>) -> Option<Hello<'e>> {
    decided(env, Hello::new)
}

/// The type of the handshake message that the buffer begins with, if all of it is there.
fn message_type(bytes: &[u8]) -> Result<u8, No> {
    match bytes.first().ok_or(No::Short)? {
        20..=23 | 255 => {}
        _ => return Err(No::Other),
    }
    let head: &[u8; RECORD + MESSAGE] = bytes.first_chunk().ok_or(No::Short)?;
    if head[1] < OLDEST || size(&head[3..5]) < MESSAGE {
        return Err(No::Other);
    }
    match bytes.len() < head.len() + size(&head[6..9]) {
        true => Err(No::Short),
        false => Ok(head[5]),
    }
}

/// The client's version: 65536 for each major one, and the minor one.
fn version(bytes: &[u8]) -> Result<i64, No> {
    match bytes.first().ok_or(No::Short)? {
        20..=23 | 255 => {}
        _ => return Err(No::Other),
    }
    let head: &[u8; 11] = bytes.first_chunk().ok_or(No::Short)?;
    let length = size(&head[3..5]);
    if head[1] < OLDEST || !(6..=LONGEST).contains(&length) {
        return Err(No::Other);
    }
    match bytes.len() - RECORD < length {
        true => Err(No::Short),
        false => Ok(i64::from(head[9]) << 16 | i64::from(head[10])),
    }
}

/// A whole client hello, from its version on.
struct Hello<'b> {
    body: Cow<'b, [u8]>,
}

impl<'b> Hello<'b> {
    fn new(bytes: &'b [u8]) -> Result<Hello<'b>, No> {
        let first = record(bytes)?;
        let head: &[u8; MESSAGE] = match first.first_chunk() {
            Some(head) => head,
            None if first.len() < size(&bytes[3..5]) => return Err(No::Short),
            None => return Err(No::Other),
        };
        if head[0] != CLIENT_HELLO {
            return Err(No::Other);
        }
        let end = MESSAGE + size(&head[1..]);
        let body = if first.len() >= end {
            Cow::Borrowed(&first[MESSAGE..end])
        } else if bytes.len() < RECORD + size(&bytes[3..5]) {
            return Err(No::Short);
        } else {
            Cow::Owned(joined(bytes, end)?)
        };
        let hello = Hello { body };
        // What the parts below trust.
        hello.parts().ok_or(No::Other)?;
        Ok(hello)
    }

    /// Ciphers, and extensions.
    fn parts(&self) -> Option<(&[u8], &[u8])> {
        let body = &self.body[..];
        let session = body
            .get(34..)
            .filter(|_| body[0] >= OLDEST && body[1] >= 1)?;
        let rest = counted(session, 1)?.1;
        let (ciphers, rest) = counted(rest, 2)?;
        let rest = counted(rest, 1)?.1;
        let extensions = if rest.is_empty() {
            rest
        } else {
            counted(rest, 2)?.0
        };
        Some((ciphers, extensions))
    }

    fn ciphers(&self) -> &[u8] {
        self.parts().map_or(&[], |parts| parts.0)
    }

    fn extension(&self, wanted: u16) -> Option<&[u8]> {
        let mut rest = self.parts()?.1;
        while let [high, low, behind @ ..] = rest {
            let (data, next) = counted(behind, 2)?;
            if u16::from_be_bytes([*high, *low]) == wanted {
                return Some(data);
            }
            rest = next;
        }
        None
    }

    /// A list that is an extension's only content, without its length.
    fn list(&self, wanted: u16) -> Option<Vec<u8>> {
        Some(counted(self.extension(wanted)?, 2)?.0.to_vec())
    }

    /// RFC 6066 3: the first entry, which is a host name.
    fn server_name(&self) -> Option<&[u8]> {
        let list = counted(self.extension(kind::SERVER_NAME)?, 2)?.0;
        let name = list.strip_prefix(&[0])?;
        Some(counted(name, 2)?.0)
    }

    /// RFC 7301 3.1: the one that the client likes best, which is what HAProxy shows.
    fn protocol(&self) -> Option<&[u8]> {
        let list = counted(self.extension(kind::ALPN)?, 2)?.0;
        Some(counted(list, 1)?.0)
    }

    /// RFC 8446 4.2.8: the groups alone.
    fn key_shares(&self) -> Option<Vec<u8>> {
        let mut rest = counted(self.extension(kind::KEY_SHARE)?, 2)?.0;
        let mut groups = Vec::new();
        while let [high, low, behind @ ..] = rest {
            groups.extend([*high, *low]);
            rest = counted(behind, 2)?.1;
        }
        Some(groups)
    }
}

/// What has come of the first record.
fn record(bytes: &[u8]) -> Result<&[u8], No> {
    match bytes {
        [] => Err(No::Short),
        [kind, ..] if *kind != HANDSHAKE => Err(No::Other),
        [_, major, ..] if *major < OLDEST => Err(No::Other),
        [_, _, _, high, low, rest @ ..] => {
            let length = size(&[*high, *low]);
            Ok(&rest[..rest.len().min(length)])
        }
        _ => Err(No::Short),
    }
}

/// A message of `end` bytes (its own head included) out of several records.
fn joined(mut bytes: &[u8], end: usize) -> Result<Vec<u8>, No> {
    let mut message = Vec::new();
    while message.len() < end {
        let part = record(bytes)?;
        let whole = RECORD + size(&bytes[3..5]);
        if part.is_empty() && whole == RECORD || message.len() > LONGEST {
            return Err(No::Other);
        }
        message.extend_from_slice(part);
        if message.len() < end {
            bytes = bytes.get(whole..).ok_or(No::Short)?;
        }
    }
    message.truncate(end);
    Ok(message.split_off(MESSAGE))
}

fn size(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// A length in `width` bytes, so many bytes, and the rest.
fn counted(bytes: &[u8], width: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(width)?;
    rest.split_at_checked(size(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_length(width: usize, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u32).to_be_bytes();
        [&length[4 - width..], data].concat()
    }

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &with_length(2, data)].concat()
    }

    fn message(extensions: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend(with_length(1, &[9; 32]));
        body.extend(with_length(2, &[0x13, 1, 0x13, 2]));
        body.extend(with_length(1, &[0]));
        body.extend(with_length(2, &extensions.concat()));
        [&[1], &with_length(3, &body)[..]].concat()
    }

    fn records(message: &[u8], each: usize) -> Vec<u8> {
        let parts = message.chunks(each);
        parts
            .flat_map(|part| [&[22, 3, 1], &with_length(2, part)[..]].concat())
            .collect()
    }

    fn example() -> Vec<u8> {
        let name = [&[0], &with_length(2, b"a.example")[..]].concat();
        let alpn = [with_length(1, b"h2"), with_length(1, b"http/1.1")].concat();
        let share = [&[0, 29], &with_length(2, &[1; 32])[..]].concat();
        message(&[
            extension(21, &[0; 20]),
            extension(kind::SERVER_NAME, &with_length(2, &name)),
            extension(kind::GROUPS, &with_length(2, &[0, 29, 0, 23])),
            extension(kind::ALPN, &with_length(2, &alpn)),
            extension(kind::TICKET, &[]),
            extension(kind::KEY_SHARE, &with_length(2, &share)),
        ])
    }

    #[test]
    fn a_hello_tells() {
        for each in [1 << 14, 100, 40] {
            let bytes = records(&example(), each);
            let hello = Hello::new(&bytes).unwrap_or_else(|no| panic!("{each}: {no:?}"));
            assert_eq!(hello.server_name(), Some(&b"a.example"[..]));
            assert_eq!(hello.protocol(), Some(&b"h2"[..]));
            assert_eq!(hello.list(kind::GROUPS), Some(vec![0, 29, 0, 23]));
            assert_eq!(hello.key_shares(), Some(vec![0, 29]));
            assert_eq!(hello.ciphers(), [0x13, 1, 0x13, 2]);
            assert_eq!(hello.extension(kind::TICKET), Some(&[][..]));
            assert_eq!(hello.list(kind::SIGNATURES), None);
            assert_eq!(message_type(&bytes), Ok(1));
        }
        assert_eq!(version(&records(&example(), 1 << 14)), Ok(0x0003_0003));
    }

    #[test]
    fn a_part_of_it_is_short() {
        for each in [1 << 14, 100, 40] {
            let bytes = records(&example(), each);
            for end in 0..bytes.len() {
                let no = Hello::new(&bytes[..end]).err();
                assert_eq!(no, Some(No::Short), "{end} bytes, records of {each}");
            }
        }
    }

    #[test]
    fn others_are_none() {
        assert_eq!(Hello::new(b"GET / HTTP/1.1\r\n\r\n").err(), Some(No::Other));
        assert_eq!(message_type(b"GET / HTTP/1.1\r\n\r\n"), Err(No::Other));
        assert_eq!(Hello::new(b"\x16\x02\x00\x00\x40").err(), Some(No::Other));
        let mut lies = example();
        let at = lies.len() - 40;
        lies[at..].fill(255);
        let bytes = records(&lies, 1 << 14);
        assert_eq!(Hello::new(&bytes).unwrap().key_shares(), None);
    }
}
