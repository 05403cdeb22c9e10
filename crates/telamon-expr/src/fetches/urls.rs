//! Hashes of URLs, and what stands in absolute ones (manual 7.3.6).

use std::net::{IpAddr, Ipv4Addr};

use telamon_balance::{avalanche, Function};

use super::{by, Fetch, Row};
use crate::env::Env;
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    by("base", |_, _| {
        Fetch::new(|env| Some(Sample::owned(host_and(env, |head| head.path())?)))
    }),
    by("base32", |_, _| {
        Fetch::new(|env| Some(Sample::Int(i64::from(base32(env)?))))
    }),
    by("base32+src", |_, _| {
        Fetch::new(|env| with_source(env, base32(env)?))
    }),
    by("baseq", |_, _| {
        Fetch::new(|env| Some(Sample::owned(host_and(env, |head| head.pathq())?)))
    }),
    by("url32", |_, _| {
        Fetch::new(|env| Some(Sample::Int(i64::from(url32(env)?))))
    }),
    by("url32+src", |_, _| {
        Fetch::new(|env| with_source(env, url32(env)?))
    }),
    by("url_ip", |_, _| {
        Fetch::new(|env| Some(Sample::Ip(IpAddr::V4(authority(env.asked()?.uri())?.0))))
    }),
    by("url_port", |_, _| {
        Fetch::new(|env| Some(Sample::Int(i64::from(authority(env.asked()?.uri())?.1))))
    }),
];

/// The first Host, and a part of the URI.
fn host_and(env: &Env<'_>, part: fn(&telamon_http::Message) -> &[u8]) -> Option<Vec<u8>> {
    let head = env.asked()?;
    let mut base = head.lines(b"host").next().unwrap_or_default().to_vec();
    let part = part(head);
    if part.starts_with(b"/") {
        base.extend_from_slice(part);
    }
    Some(base)
}

fn base32(env: &Env<'_>) -> Option<u32> {
    let base = host_and(env, |head| head.path())?;
    Some(avalanche(Function::Sdbm.hash(&base)))
}

fn url32(env: &Env<'_>) -> Option<u32> {
    let url = host_and(env, |head| head.pathq())?;
    Some(avalanche(Function::Sdbm.hash(&url)))
}

/// The hash in network order, then the client's address: 8 or 20 bytes.
fn with_source(env: &Env<'_>, hash: u32) -> Option<Sample<'static>> {
    let mut bytes = hash.to_be_bytes().to_vec();
    match env.facts.source()?.ip() {
        IpAddr::V4(ip) => bytes.extend(ip.octets()),
        IpAddr::V6(ip) => bytes.extend(ip.octets()),
    }
    Some(Sample::Bin(bytes.into()))
}

/// The address and the port of `scheme://address[:port]/`. Names are not looked up: a server that
/// waits for DNS in the middle of a request would be at the client's mercy.
fn authority(uri: &[u8]) -> Option<(Ipv4Addr, u16)> {
    let text = std::str::from_utf8(uri).ok()?;
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, port) = match rest[..end].split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None if scheme.eq_ignore_ascii_case("https") => (&rest[..end], 443),
        None => (&rest[..end], 80),
    };
    Some((host.parse().ok()?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_urls_have_an_address() {
        let ip = Ipv4Addr::new(10, 0, 0, 1);
        assert_eq!(authority(b"http://10.0.0.1:81/x:9"), Some((ip, 81)));
        assert_eq!(authority(b"https://10.0.0.1"), Some((ip, 443)));
        assert_eq!(authority(b"http://10.0.0.1?a"), Some((ip, 80)));
        assert_eq!(authority(b"/10.0.0.1:81"), None);
        assert_eq!(authority(b"http://a.example/"), None);
    }
}
