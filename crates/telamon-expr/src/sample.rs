//! Values with HAProxy's sample types and the casts between them (manual 7.3).

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A value on its way through an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sample<'s> {
    Bool(bool),
    Int(i64),
    Ip(IpAddr),
    Str(Cow<'s, [u8]>),
    Bin(Cow<'s, [u8]>),
}

impl<'s> Sample<'s> {
    pub fn text(text: &'s [u8]) -> Sample<'s> {
        Sample::Str(Cow::Borrowed(text))
    }

    pub fn owned(text: Vec<u8>) -> Sample<'static> {
        Sample::Str(Cow::Owned(text))
    }

    /// As text: numbers in decimal, booleans as 1 and 0, binary as it is.
    pub fn into_text(self) -> Cow<'s, [u8]> {
        match self {
            Sample::Str(text) | Sample::Bin(text) => text,
            Sample::Bool(value) => Cow::Borrowed(if value { b"1" } else { b"0" }),
            Sample::Int(value) => Cow::Owned(value.to_string().into_bytes()),
            Sample::Ip(ip) => Cow::Owned(ip_text(ip).into_bytes()),
        }
    }

    /// The text without taking the sample.
    pub(crate) fn as_text(&self) -> Cow<'_, [u8]> {
        match self {
            Sample::Str(text) | Sample::Bin(text) => Cow::Borrowed(text),
            other => other.clone().into_text(),
        }
    }

    /// As bytes: numbers and booleans as eight in network order.
    pub fn into_bytes(self) -> Cow<'s, [u8]> {
        match self {
            Sample::Str(bytes) | Sample::Bin(bytes) => bytes,
            Sample::Bool(value) => Cow::Owned(i64::from(value).to_be_bytes().to_vec()),
            Sample::Int(value) => Cow::Owned(value.to_be_bytes().to_vec()),
            Sample::Ip(IpAddr::V4(ip)) => Cow::Owned(ip.octets().to_vec()),
            Sample::Ip(IpAddr::V6(ip)) => Cow::Owned(ip.octets().to_vec()),
        }
    }

    /// As a number: text counts as far as it has digits, as 0 without any; an empty one has no
    /// value.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Sample::Bool(value) => Some(i64::from(*value)),
            Sample::Int(value) => Some(*value),
            Sample::Ip(IpAddr::V4(ip)) => Some(i64::from(u32::from(*ip))),
            Sample::Ip(IpAddr::V6(_)) | Sample::Bin(_) => None,
            Sample::Str(text) if text.is_empty() => None,
            Sample::Str(text) => Some(leading_number(text).unwrap_or(0)),
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Sample::Bool(value) => Some(*value),
            Sample::Ip(_) => None,
            other => other.as_int().map(|value| value != 0),
        }
    }

    pub fn as_ip(&self) -> Option<IpAddr> {
        match self {
            Sample::Ip(ip) => Some(*ip),
            Sample::Str(text) => read_ip(text),
            Sample::Int(value) => Some(IpAddr::V4((*value as u32).into())),
            _ => None,
        }
    }

    /// Without ties to what it was taken from.
    pub fn into_owned(self) -> Sample<'static> {
        match self {
            Sample::Bool(value) => Sample::Bool(value),
            Sample::Int(value) => Sample::Int(value),
            Sample::Ip(ip) => Sample::Ip(ip),
            Sample::Str(text) => Sample::Str(Cow::Owned(text.into_owned())),
            Sample::Bin(bytes) => Sample::Bin(Cow::Owned(bytes.into_owned())),
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    bytes
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]
        })
        .collect()
}

/// The number that a text begins with, no further than 64 bits; None without a digit.
pub(crate) fn leading_number(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0i64, |sum, byte| {
        sum.saturating_mul(10)
            .saturating_add(sign * i64::from(byte - b'0'))
    }))
}

/// The address that a text is, or, of IPv4, begins with: a port or a mask may follow.
pub(crate) fn read_ip(text: &[u8]) -> Option<IpAddr> {
    if let Some(ip) = leading_ipv4(text) {
        return Some(IpAddr::V4(ip));
    }
    let ip: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(IpAddr::V6(ip))
}

fn leading_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit() && *byte != b'.')
        .unwrap_or(text.len());
    let mut octets = [0u8; 4];
    let mut parts = text[..end].split(|byte| *byte == b'.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| !part.is_empty())?;
        *octet = u8::try_from(leading_number(part)?).ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// As inet_ntop(3) writes it: an address that only embeds an IPv4 one ends in that.
fn ip_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V6(six) => match six.segments() {
            [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
                let four = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
                format!("::{four}")
            }
            _ => six.to_string(),
        },
        IpAddr::V4(four) => four.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What HAProxy 2.6 makes of `str(TEXT),add(0)` and `str(TEXT),ipmask(32,128)`.
    #[test]
    fn text_as_a_number() {
        let cases: [(&[u8], Option<i64>); 8] = [
            (b"12ab", Some(12)),
            (b"ab", Some(0)),
            (b" 1", Some(0)),
            (b"+3", Some(3)),
            (b"-", Some(0)),
            (b"", None),
            (b"99999999999999999999", Some(i64::MAX)),
            (b"-9223372036854775808", Some(i64::MIN)),
        ];
        for (text, number) in cases {
            assert_eq!(Sample::text(text).as_int(), number, "{text:?}");
        }
        assert_eq!(Sample::Bin(Cow::Borrowed(b"1")).as_int(), None);
    }

    #[test]
    fn text_as_an_address() {
        let cases: [(&str, Option<&str>); 12] = [
            ("10.1.2.3", Some("10.1.2.3")),
            ("10.1.2.3:80", Some("10.1.2.3")),
            ("10.1.2.3x", Some("10.1.2.3")),
            ("010.1.2.3/8", Some("10.1.2.3")),
            ("10.1.2.3.4", None),
            ("10.1.2", None),
            ("256.1.1.1", None),
            (" 10.1.2.3", None),
            ("::1", Some("::1")),
            ("::1:80", Some("::0.1.0.128")),
            ("[::1]", None),
            ("::1 ", None),
        ];
        for (text, address) in cases {
            let ip = Sample::text(text.as_bytes()).as_ip();
            assert_eq!(ip.map(ip_text).as_deref(), address, "{text}");
        }
        let whole = Sample::Int(-1).as_ip().map(ip_text);
        assert_eq!(whole.as_deref(), Some("255.255.255.255"));
    }

    #[test]
    fn other_casts() {
        assert_eq!(Sample::text(b"-5").as_bool(), Some(true));
        assert_eq!(Sample::Bool(true).into_text(), &b"1"[..]);
        assert_eq!(Sample::Bool(true).into_bytes(), 1i64.to_be_bytes().to_vec());
        let binary = Sample::Bin(Cow::Borrowed(b"\x01\xff"));
        assert_eq!(binary.into_text(), &b"\x01\xff"[..]);
        let ip = Sample::text(b"10.0.0.1").as_ip().unwrap();
        assert_eq!(Sample::Ip(ip).as_int(), Some(0x0a00_0001));
    }
}
