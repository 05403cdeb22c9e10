//! The `Forwarded` header (RFC 7239): one element of it, `for=192.0.2.1;proto=http`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{boxed, by, on_text, Row};
use crate::sample::Sample;

const NAMES: [&[u8]; 4] = [b"for", b"by", b"host", b"proto"];

pub(super) const ROWS: &[Row] = &[
    by("rfc7239_field", |args, _| {
        let wanted = args.needed(0, "a field's name")?;
        on_text(move |text| {
            let pairs = pairs(text)?;
            let found = pairs
                .into_iter()
                .find(|pair| pair.0.eq_ignore_ascii_case(&wanted))?;
            Some(found.1)
        })
    }),
    by("rfc7239_is_valid", |_, _| {
        boxed(|_, sample| Some(Sample::Bool(pairs(&sample.into_text()).is_some())))
    }),
    by("rfc7239_n2nn", |_, _| {
        boxed(|_, sample| Some(node(&sample.into_text())?.0.sample()))
    }),
    by("rfc7239_n2np", |_, _| {
        boxed(|_, sample| Some(node(&sample.into_text())?.1?.sample()))
    }),
];

/// Names and values of an element; None if it is none.
fn pairs(text: &[u8]) -> Option<Vec<(&[u8], Vec<u8>)>> {
    let mut found: Vec<(&[u8], Vec<u8>)> = Vec::new();
    let mut rest = text.trim_ascii();
    loop {
        let equals = memchr::memchr(b'=', rest)?;
        let name = &rest[..equals];
        let known = NAMES.iter().any(|one| name.eq_ignore_ascii_case(one));
        let again = found.iter().any(|pair| pair.0.eq_ignore_ascii_case(name));
        if !known || again {
            return None;
        }
        let (value, behind) = value(&rest[equals + 1..])?;
        if !fits(name, &value) {
            return None;
        }
        found.push((name, value));
        rest = behind.trim_ascii_start();
        if rest.is_empty() {
            return Some(found);
        }
        rest = rest.strip_prefix(b";")?.trim_ascii_start();
    }
}

/// A token, or a quoted string without its quotes (RFC 9110, 5.6.2 and 5.6.4).
fn value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let token = |byte: &&u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let end = text.iter().take_while(token).count();
        return (end > 0).then(|| (text[..end].to_vec(), &text[end..]));
    };
    let (mut out, mut at) = (Vec::new(), 0);
    loop {
        match quoted.get(at)? {
            b'"' => return Some((out, &quoted[at + 1..])),
            b'\\' => {
                out.push(*quoted.get(at + 1)?);
                at += 2;
            }
            byte => {
                out.push(*byte);
                at += 1;
            }
        }
    }
}

fn fits(name: &[u8], value: &[u8]) -> bool {
    if name.eq_ignore_ascii_case(b"proto") {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        value.first().is_some_and(u8::is_ascii_alphabetic) && value.iter().all(fits)
    } else if name.eq_ignore_ascii_case(b"host") {
        let fits = |byte: &u8| byte.is_ascii_graphic() && !b"/\\\"@?#<>".contains(byte);
        !value.is_empty() && value.iter().all(fits)
    } else {
        node(value).is_some()
    }
}

/// What stands for a node or its port (section 6).
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Address(IpAddr),
    Port(u16),
    Unknown,
    /// `_name`
    Obfuscated(Vec<u8>),
}

impl Part {
    fn sample(self) -> Sample<'static> {
        match self {
            Part::Address(ip) => Sample::Ip(ip),
            Part::Port(port) => Sample::Int(port.into()),
            Part::Unknown => Sample::text(b"unknown"),
            Part::Obfuscated(name) => Sample::owned(name),
        }
    }
}

fn node(text: &[u8]) -> Option<(Part, Option<Part>)> {
    let text = std::str::from_utf8(text).ok()?;
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, behind) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            let port = match behind {
                "" => None,
                _ => Some(behind.strip_prefix(':')?),
            };
            (Part::Address(address.into()), port)
        }
        None => {
            let (name, port) = match text.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            };
            let name = match (name, name.parse::<Ipv4Addr>()) {
                (_, Ok(address)) => Part::Address(address.into()),
                ("unknown", _) => Part::Unknown,
                _ => obfuscated(name)?,
            };
            (name, port)
        }
    };
    let port = port.map(|port| match port.parse() {
        Ok(number) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(Part::Port(number)),
        _ => obfuscated(port),
    });
    match port {
        None => Some((name, None)),
        Some(port) => Some((name, Some(port?))),
    }
}

fn obfuscated(text: &str) -> Option<Part> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let name = text.strip_prefix('_')?;
    let fine = !name.is_empty() && name.bytes().all(fits);
    fine.then(|| Part::Obfuscated(text.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements() {
        for good in [
            "for=192.0.2.1;proto=http",
            "For=\"[2001:db8::1]:4711\"",
            "by=_secret; for=unknown ;host=\"a.example:81\"",
            "for=\"_a:_b\"",
        ] {
            assert!(pairs(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "",
            "for",
            "for=",
            "for=a.example",
            "for=1.2.3.4;",
            "for=1.2.3.4;for=1.2.3.4",
            "x=1",
            "for=1.2.3.4, for=1.2.3.5",
            "for=[::1]",
            "proto=1",
            "for=\"1.2.3.4",
            "for=\"1.2.3.4:99999\"",
            "host=\"a/b\"",
            "for=_",
        ] {
            assert!(pairs(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn nodes() {
        let ip = |text: &str| Part::Address(text.parse().unwrap());
        assert_eq!(
            node(b"127.0.0.1:9"),
            Some((ip("127.0.0.1"), Some(Part::Port(9))))
        );
        assert_eq!(node(b"[::1]"), Some((ip("::1"), None)));
        let name = Part::Obfuscated(b"_a".to_vec());
        assert_eq!(node(b"unknown:_a"), Some((Part::Unknown, Some(name))));
    }
}
