//! A request must name one host (RFC 9112 3.2): several `Host` fields must agree, and with the
//! URI's authority if it has one. A proxy that routes by one of two names and forwards the other
//! can be led past its own rules.

use crate::error::Reason;
use crate::head::Request;

/// `lax` lets a host that is not the URI's pass, but never two of them.
pub(crate) fn check(request: &Request<'_>, lax: bool) -> Result<(), Reason> {
    let mut hosts = request.fields().filter(|field| field.is("host"));
    let first = hosts.next();
    if let Some(first) = first {
        if hosts.any(|other| !other.value.eq_ignore_ascii_case(first.value)) {
            return Err(Reason::Host);
        }
    }
    if lax {
        return Ok(());
    }
    let host = first.map(|field| field.value);
    if request.method == b"CONNECT" {
        return check_connect(request.uri, host);
    }
    let Some(host) = host else {
        return Ok(());
    };
    let agree = match Target::of(request.uri) {
        Target::Path => true,
        Target::Absolute(authority, port) => authority.is_empty() || same(authority, host, port),
        // Without a scheme no port goes without saying.
        Target::Authority(authority) => authority.eq_ignore_ascii_case(host),
    };
    match agree {
        true => Ok(()),
        false => Err(Reason::Host),
    }
}

/// `CONNECT host:port`: the port must be said, and `Host` may leave it out if it is 80 or 443.
/// Anything around the two has no place here (RFC 9112 3.2.3).
fn check_connect(uri: &[u8], host: Option<&[u8]>) -> Result<(), Reason> {
    let (name, port) = split_port(uri);
    let Some(port) = port.filter(|port| !port.is_empty()) else {
        return Err(Reason::Host);
    };
    if memchr::memchr2(b'@', b'/', name).is_some() {
        return Err(Reason::Host);
    }
    let Some(host) = host else {
        return Ok(());
    };
    let (host_name, host_port) = split_port(host);
    let agree = match host_port.filter(|port| !port.is_empty()) {
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
            // A `Host` that says it otherwise stays as it is.
            let agree = request
                .field("host")
                .is_none_or(|host| host.value.eq_ignore_ascii_case(uri));
            return (agree && matches!(port, Some(b"80" | b"443"))).then(|| Normal {
                uri: uri.to_vec(),
                host: name.to_vec(),
            });
        }
        let Target::Absolute(whole, default_port) = Target::of(uri) else {
            return None;
        };
        let (name, port) = split_port(whole);
        if !matches!(port, Some(port) if port.is_empty() || port == default_port) {
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

/// What a request's target says of the host (RFC 9112 3.2).
enum Target<'u> {
    /// Nothing: a path, or `*`.
    Path,
    /// The authority of an absolute URI, without user information, and its scheme's own port.
    Absolute(&'u [u8], &'static [u8]),
    /// All up to the first slash, without user information.
    Authority(&'u [u8]),
}

impl<'u> Target<'u> {
    fn of(uri: &'u [u8]) -> Target<'u> {
        if matches!(uri, [b'/' | b'*', ..]) {
            return Target::Path;
        }
        let Some((scheme, rest)) = scheme(uri) else {
            return Target::Authority(authority(uri));
        };
        let port: &[u8] = match scheme {
            _ if scheme.eq_ignore_ascii_case(b"http") => b"80",
            _ if scheme.eq_ignore_ascii_case(b"https") => b"443",
            _ => b"",
        };
        Target::Absolute(authority(rest), port)
    }
}

/// The scheme (RFC 3986 3.1) of an absolute URI, and what follows its `://`.
fn scheme(uri: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memmem::find(uri, b"://")?;
    let scheme = &uri[..end];
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let is_scheme =
        scheme.first().is_some_and(u8::is_ascii_alphabetic) && scheme.iter().all(letter);
    is_scheme.then_some((scheme, &uri[end + 3..]))
}

/// Up to the slash, without user information. As in HAProxy a question mark alone does not end it:
/// such a host agrees with none.
fn authority(text: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'/', text).unwrap_or(text.len());
    let begin = memchr::memrchr(b'@', &text[..end]).map_or(0, |at| at + 1);
    &text[begin..end]
}

/// An empty port is the scheme's own.
fn same(a: &[u8], b: &[u8], default_port: &[u8]) -> bool {
    let (a_name, a_port) = split_port(a);
    let (b_name, b_port) = split_port(b);
    let said = |port: Option<&[u8]>| {
        port.filter(|port| !port.is_empty() && *port != default_port)
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
    fn hosts_that_haproxy_takes_and_refuses() {
        let taken = [
            ("GET *", "b"),
            ("GET x/y", "x"),
            ("GET x?y", "x?y"),
            ("GET u@a:81", "A:81"),
            ("GET a:", "a:"),
            ("GET http:/a", "http:"),
            ("GET http:///x", "b"),
            ("GET http://a:80/", "a:"),
            ("GET https://a:/", "a:443"),
            ("GET ftp://a/", "a:"),
            ("CONNECT a:80", "a:"),
        ];
        let refused = [
            ("GET x/y", "x/y"),
            ("GET a:80", "a"),
            ("GET a:", ""),
            ("GET 1a://a/", "a"),
            ("GET ws://a:80/", "a"),
            ("GET http://a?q", "a"),
            ("GET http://a:81/", "a:"),
            ("CONNECT a", "a"),
        ];
        let takes = |(line, host): (&str, &str)| {
            let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            HeadParser::new(8192).parse(head.as_bytes()).is_ok()
        };
        for case in taken {
            assert!(takes(case), "{case:?}");
        }
        for case in refused.into_iter().chain([("CONNECT u@a:80", "a")]) {
            assert!(!takes(case), "{case:?}");
        }
    }

    #[test]
    fn two_hosts_are_refused_whatever_may_pass() {
        let mut parser = HeadParser::new(8192);
        parser.set_lax(true);
        let head = b"GET http://c/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
        assert!(parser.parse(head).is_err());
        parser.reset();
        let head = b"GET http://c/ HTTP/1.1\r\nHost: a\r\nHost: A\r\n\r\n";
        assert!(parser.parse(head).is_ok());
    }

    #[test]
    fn default_ports_go() {
        let cases = [
            ("CONNECT a:443", Some(("a:443", "a"))),
            ("CONNECT a:8443", None),
            ("GET http://a:80/x", Some(("http://a/x", "a"))),
            ("GET https://a:443?x", None),
            ("GET http://a:443/", None),
            ("GET http://a:/x", Some(("http://a/x", "a"))),
            ("GET ftp://a:80/", None),
            ("GET a:80", None),
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
