//! What a hashing algorithm hashes: a part of the request, found as HAProxy finds it.
//!
//! Each function takes bytes and gives the key, or None where the request has none; then servers
//! are taken in turn. The request is asked only for what the algorithm needs (see [`Request`]).
//! The odd corners (what counts as a domain, when a body is given up) are HAProxy's own, as
//! `tests/peer_keys.rs` finds them in the real one.

/// A request, as far as an algorithm may ask about it. Each answer may be made on demand.
pub trait Request {
    /// The request target as it goes to the server.
    fn uri(&self) -> Option<&[u8]> {
        None
    }

    /// The value of the first header field of this name (in any case).
    fn header(&self, _name: &str) -> Option<&[u8]> {
        None
    }

    /// What has come of the body of a POST, for `url_param`; None for other methods.
    fn posted(&self) -> Option<&[u8]> {
        None
    }

    /// The first bytes that a TCP client sent.
    fn first_bytes(&self) -> Option<&[u8]> {
        None
    }

    /// Hands over the value of `balance hash <expr>`, cast to bytes, if it has one.
    fn sample(&self, _key: &mut dyn FnMut(&[u8])) {}
}

/// A stream of which only the client's address is known.
pub struct Unknown;

impl Request for Unknown {}

/// Which part of a URI counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UriPart {
    /// The most bytes; 0: all.
    pub length: usize,
    /// The most directory levels; 0: all.
    pub depth: usize,
    /// With the query.
    pub whole: bool,
    /// Without scheme and authority.
    pub path_only: bool,
}

/// Where the key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The client's address.
    Source,
    Uri(UriPart),
    /// A parameter of the query, or else of a posted form.
    UrlParam(String),
    /// A header's first value; of a host name only what names the domain.
    Header {
        name: String,
        domain_only: bool,
    },
    RdpCookie(String),
    /// The value of an expression, which the request evaluates.
    Sample,
}

impl KeySource {
    /// Calls `use_key` with the key, if the request has one.
    pub(crate) fn find(&self, request: &dyn Request, use_key: &mut dyn FnMut(&[u8])) {
        let key = match self {
            KeySource::Source => None,
            KeySource::Sample => return request.sample(use_key),
            KeySource::Uri(part) => request.uri().map(|uri| uri_key(uri, part)),
            KeySource::UrlParam(name) => request
                .uri()
                .and_then(|uri| query_parameter(uri, name.as_bytes()))
                .or_else(|| posted_parameter(request.posted()?, name.as_bytes())),
            KeySource::Header { name, domain_only } => request
                .header(name)
                .map(first_value)
                // Not the second one instead, as HAProxy shows.
                .filter(|value| !value.is_empty())
                .map(|value| if *domain_only { domain(value) } else { value }),
            KeySource::RdpCookie(name) => request
                .first_bytes()
                .and_then(|bytes| rdp_cookie(bytes, name.as_bytes()))
                .filter(|cookie| !cookie.is_empty()),
        };
        if let Some(key) = key {
            use_key(key);
        }
    }
}

/// The part of a request target that counts (manual, `balance uri`).
pub fn uri_key<'a>(uri: &'a [u8], part: &UriPart) -> &'a [u8] {
    let uri = if part.path_only { path(uri) } else { uri };
    let uri = match part.length {
        0 => uri,
        length => &uri[..uri.len().min(length)],
    };
    let mut slashes = 0;
    let end = uri.iter().position(|byte| match byte {
        b'/' => {
            slashes += 1;
            part.depth > 0 && slashes == part.depth + 1
        }
        b'?' => !part.whole,
        _ => false,
    });
    &uri[..end.unwrap_or(uri.len())]
}

/// The path of a request target with all that follows it; a target without one is empty.
fn path(uri: &[u8]) -> &[u8] {
    if uri.first() == Some(&b'/') {
        return uri;
    }
    let Some(at) = uri.windows(3).position(|three| three == b"://") else {
        return &[];
    };
    let authority = &uri[at + 3..];
    let slash = authority.iter().position(|byte| *byte == b'/');
    slash.map_or(&[], |slash| &authority[slash..])
}

/// The value of a parameter in the query (manual, `balance url_param`).
pub fn query_parameter<'a>(uri: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let query = uri.iter().position(|byte| *byte == b'?')? + 1;
    Some(until_ampersand(parameter(&uri[query..], name)?))
}

/// The value of a parameter in a posted form. A value that does not begin like a token tells
/// that this is no form: then there is no key, unless white space says that the form ends here.
pub fn posted_parameter<'a>(body: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = parameter(body, name)?;
    match value.first() {
        Some(b' ' | b'\t' | b'\r' | b'\n') => Some(&[]),
        Some(byte) if *byte != b'&' && !is_token(*byte) => None,
        _ => Some(until_ampersand(value)),
    }
}

/// All that follows `name=`, where that begins a parameter and something may follow.
fn parameter<'a>(mut parameters: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    while parameters.len() > name.len() {
        if parameters[name.len()] == b'=' && parameters.starts_with(name) {
            return Some(&parameters[name.len() + 1..]);
        }
        let next = parameters.iter().position(|byte| *byte == b'&')?;
        parameters = &parameters[next + 1..];
    }
    None
}

fn until_ampersand(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|byte| *byte == b'&');
    &value[..end.unwrap_or(value.len())]
}

/// RFC 9110 5.6.2, `tchar`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The first of the values that commas separate, without the white space around it. A comma in a
/// quoted string separates nothing.
pub fn first_value(value: &[u8]) -> &[u8] {
    let (mut quoted, mut escaped) = (false, false);
    let end = value.iter().position(|byte| {
        if escaped {
            escaped = false;
            return false;
        }
        match byte {
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b',' => return !quoted,
            _ => {}
        }
        false
    });
    trim(&value[..end.unwrap_or(value.len())])
}

fn trim(value: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let Some(start) = value.iter().position(is_text) else {
        return &[];
    };
    let end = value
        .iter()
        .rposition(is_text)
        .map_or(start, |last| last + 1);
    &value[start..end]
}

/// Of a host name the label before the last one (manual, `use_domain_only`): `1wt` of
/// `haproxy.1wt.eu`. A name without a dot is taken whole. A dot that begins it is not seen.
pub fn domain(host: &[u8]) -> &[u8] {
    let last = host.iter().rposition(|byte| *byte == b'.');
    let Some(end) = last.filter(|at| *at > 0) else {
        return host;
    };
    // The byte just before the last dot belongs to the domain, whatever it is.
    let start = host[..end - 1].iter().rposition(|byte| *byte == b'.');
    &host[start.map_or(0, |dot| dot + 1)..end]
}

/// The value of the cookie in a first RDP message (manual, `req.rdp_cookie`): after the 11 bytes
/// of TPKT and X.224 `Cookie: NAME=VALUE`, ended by CR LF.
pub fn rdp_cookie<'a>(bytes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let text = strip_prefix_ignore_case(bytes.get(11..)?, b"Cookie:")?;
    let blanks = text.iter().take_while(|byte| **byte == b' ').count();
    let value = strip_prefix_ignore_case(&text[blanks..], name)?.strip_prefix(b"=")?;
    let end = value.iter().position(|byte| *byte == b'\r')?;
    value[end..].starts_with(b"\r\n").then_some(&value[..end])
}

fn strip_prefix_ignore_case<'a>(bytes: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        let key = |uri: &str, length, depth, whole, path_only| {
            let part = UriPart {
                length,
                depth,
                whole,
                path_only,
            };
            String::from_utf8(uri_key(uri.as_bytes(), &part).to_vec()).unwrap()
        };
        assert_eq!(key("/a/b?c/d", 0, 0, false, false), "/a/b");
        assert_eq!(key("/a/b?c/d", 0, 0, true, false), "/a/b?c/d");
        assert_eq!(key("/a/b?c/d", 3, 0, true, false), "/a/");
        assert_eq!(key("/a/b/c", 0, 1, false, false), "/a");
        assert_eq!(key("/a/b/c", 0, 2, false, false), "/a/b");
        assert_eq!(key("http://h/a?b", 0, 0, false, true), "/a");
        assert_eq!(key("http://h/a?b", 0, 0, false, false), "http://h/a");
        assert_eq!(key("*", 0, 0, false, true), "");
    }

    #[test]
    fn parameters() {
        let of = |uri: &'static [u8]| query_parameter(uri, b"id");
        assert_eq!(of(b"/?id=7&x=1"), Some(&b"7"[..]));
        assert_eq!(of(b"/?x=1&id=7"), Some(&b"7"[..]));
        assert_eq!(of(b"/?xid=7"), None);
        assert_eq!(of(b"/?id=&x"), Some(&b""[..]));
        assert_eq!(of(b"/id=7"), None);
        let of = |body: &'static [u8]| posted_parameter(body, b"id");
        assert_eq!(of(b"x=1&id=7&y"), Some(&b"7"[..]));
        assert_eq!(of(b"id=\x017"), None);
        assert_eq!(of(b"id=\r\n"), Some(&b""[..]));
    }

    #[test]
    fn domains() {
        for (host, wanted) in [
            ("haproxy.1wt.eu", "1wt"),
            ("example.com", "example"),
            ("localhost:80", "localhost:80"),
            (".com", ".com"),
            ("a..b", "a."),
            ("www.example.org:8080", "example"),
        ] {
            assert_eq!(domain(host.as_bytes()), wanted.as_bytes(), "{host}");
        }
    }

    #[test]
    fn rdp_cookies() {
        let pdu = b"\x03\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: mstshash=alice\r\n\x01";
        assert_eq!(rdp_cookie(pdu, b"MSTShash"), Some(&b"alice"[..]));
        assert_eq!(rdp_cookie(pdu, b"msts"), None);
        assert_eq!(rdp_cookie(&pdu[..20], b"mstshash"), None);
    }
}
