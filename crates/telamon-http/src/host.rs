//! A request must name one host (RFC 9112 3.2): several `Host` fields must agree, and with the
//! URI's authority if it has one. A proxy that routes by one of two names and forwards the other
//! can be led past its own rules.

use crate::error::Reason;
use crate::head::Request;

pub(crate) fn check(request: &Request<'_>) -> Result<(), Reason> {
    let mut hosts = request.fields().filter(|field| field.is("host"));
    let first = hosts.next();
    if let Some(first) = first {
        if hosts.any(|other| !other.value.eq_ignore_ascii_case(first.value)) {
            return Err(Reason::Host);
        }
    }
    let host = first.map(|field| field.value);
    if request.method == b"CONNECT" {
        return check_connect(request.uri, host);
    }
    let Some((default_port, authority)) = authority(request.uri) else {
        return Ok(());
    };
    match host {
        Some(host) if !authority.is_empty() && !same(authority, host, default_port) => {
            Err(Reason::Host)
        }
        _ => Ok(()),
    }
}

/// `CONNECT host:port`: the port must be said, and `Host` may leave it out if it is 80 or 443.
fn check_connect(uri: &[u8], host: Option<&[u8]>) -> Result<(), Reason> {
    let (name, port) = split_port(uri);
    let Some(port) = port.filter(|port| !port.is_empty()) else {
        return Err(Reason::Host);
    };
    let Some(host) = host else {
        return Ok(());
    };
    let (host_name, host_port) = split_port(host);
    let agree = match host_port {
        Some(other) => other == port,
        None => port == b"80" || port == b"443",
    };
    match agree && name.eq_ignore_ascii_case(host_name) {
        true => Ok(()),
        false => Err(Reason::Host),
    }
}

/// A request whose authority says its scheme's own port goes on without it, and `Host` too, as
/// HAProxy writes them (RFC 9110 4.2.3). A `CONNECT` keeps the port in its URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normal {
    pub uri: Vec<u8>,
    pub host: Vec<u8>,
}

impl Normal {
    /// None for the requests that stay as they are: nearly all.
    pub fn of(request: &Request<'_>) -> Option<Normal> {
        let uri = request.uri;
        if request.method == b"CONNECT" {
            let (name, port) = split_port(uri);
            return matches!(port, Some(b"80" | b"443")).then(|| Normal {
                uri: uri.to_vec(),
                host: name.to_vec(),
            });
        }
        let (default_port, whole) = authority(uri)?;
        let (name, port) = split_port(whole);
        if port != Some(default_port) {
            return None;
        }
        // It follows the scheme, with or without user information.
        let begin = memchr::memmem::find(uri, b"://")? + 3;
        let at = begin + memchr::memmem::find(&uri[begin..], whole)?;
        Some(Normal {
            uri: [&uri[..at + name.len()], &uri[at + whole.len()..]].concat(),
            host: name.to_vec(),
        })
    }
}

/// The authority of an absolute URI, without user information, and its scheme's port.
fn authority(uri: &[u8]) -> Option<(&'static [u8], &[u8])> {
    let scheme_end = memchr::memmem::find(uri, b"://")?;
    if !uri[0].is_ascii_alphabetic() || uri[..scheme_end].contains(&b'/') {
        return None;
    }
    let rest = &uri[scheme_end + 3..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    let authority = &rest[..end];
    let begin = memchr::memrchr(b'@', authority).map_or(0, |at| at + 1);
    let default: &'static [u8] = match uri[..scheme_end].eq_ignore_ascii_case(b"https") {
        true => b"443",
        false => b"80",
    };
    Some((default, &authority[begin..]))
}

fn same(a: &[u8], b: &[u8], default_port: &[u8]) -> bool {
    let (a_name, a_port) = split_port(a);
    let (b_name, b_port) = split_port(b);
    let said = |port: Option<&[u8]>| {
        port.filter(|port| *port != default_port)
            .map(<[u8]>::to_vec)
    };
    a_name.eq_ignore_ascii_case(b_name) && said(a_port) == said(b_port)
}

fn split_port(host: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memrchr(b':', host) {
        Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => {
            (&host[..colon], Some(&host[colon + 1..]))
        }
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HeadParser;

    #[test]
    fn default_ports_go() {
        let cases = [
            ("CONNECT a:443", Some(("a:443", "a"))),
            ("CONNECT a:8443", None),
            ("GET http://a:80/x", Some(("http://a/x", "a"))),
            ("GET https://a:443?x", Some(("https://a?x", "a"))),
            ("GET http://a:443/", None),
            ("GET http://a/", None),
            ("GET /", None),
        ];
        for (line, normal) in cases {
            let head = format!("{line} HTTP/1.1\r\n\r\n");
            let mut parser = HeadParser::new(8192);
            let request = parser.parse(head.as_bytes()).unwrap().unwrap();
            let got = Normal::of(&request).map(|one| (one.uri, one.host));
            let normal = normal.map(|(uri, host)| (uri.into(), host.into()));
            assert_eq!(got, normal, "{line}");
        }
    }
}
