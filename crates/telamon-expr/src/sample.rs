//! Values with HAProxy's sample types and the casts between them (manual 7.3).

use std::borrow::Cow;
use std::net::IpAddr;

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

    /// As text: numbers in decimal, booleans as 1 and 0, binary as upper-case hex digits.
    pub fn into_text(self) -> Cow<'s, [u8]> {
        match self {
            Sample::Str(text) => text,
            Sample::Bool(value) => Cow::Borrowed(if value { b"1" } else { b"0" }),
            Sample::Int(value) => Cow::Owned(value.to_string().into_bytes()),
            Sample::Ip(ip) => Cow::Owned(ip.to_string().into_bytes()),
            Sample::Bin(bytes) => Cow::Owned(hex(&bytes)),
        }
    }

    /// As bytes: text and binary as they are.
    pub fn into_bytes(self) -> Cow<'s, [u8]> {
        match self {
            Sample::Str(bytes) | Sample::Bin(bytes) => bytes,
            Sample::Int(value) => Cow::Owned(value.to_be_bytes().to_vec()),
            Sample::Ip(IpAddr::V4(ip)) => Cow::Owned(ip.octets().to_vec()),
            Sample::Ip(IpAddr::V6(ip)) => Cow::Owned(ip.octets().to_vec()),
            other => other.into_text(),
        }
    }

    /// As a number: text counts as far as it has digits.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Sample::Bool(value) => Some(i64::from(*value)),
            Sample::Int(value) => Some(*value),
            Sample::Ip(IpAddr::V4(ip)) => Some(i64::from(u32::from(*ip))),
            Sample::Ip(IpAddr::V6(_)) | Sample::Bin(_) => None,
            Sample::Str(text) => leading_number(text),
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Sample::Bool(value) => Some(*value),
            other => other.as_int().map(|value| value != 0),
        }
    }

    pub fn as_ip(&self) -> Option<IpAddr> {
        match self {
            Sample::Ip(ip) => Some(*ip),
            Sample::Str(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
            Sample::Int(value) => u32::try_from(*value).ok().map(|ip| IpAddr::V4(ip.into())),
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

/// The number that a text begins with; None without a digit.
pub(crate) fn leading_number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let count = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if count == 0 {
        return None;
    }
    let value = digits[..count].iter().fold(0i64, |sum, byte| {
        sum.saturating_mul(10)
            .saturating_add(i64::from(byte - b'0'))
    });
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts() {
        assert_eq!(Sample::text(b"12ab").as_int(), Some(12));
        assert_eq!(Sample::text(b"ab").as_int(), None);
        assert_eq!(Sample::text(b"-5").as_bool(), Some(true));
        assert_eq!(Sample::Bool(true).into_text(), &b"1"[..]);
        assert_eq!(
            Sample::Bin(Cow::Borrowed(b"\x01\xff")).into_text(),
            &b"01FF"[..]
        );
        let ip: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(Sample::text(b"10.0.0.1").as_ip(), Some(ip));
        assert_eq!(Sample::Ip(ip).as_int(), Some(0x0a00_0001));
    }
}
