//! Answers that rules give (`return`, `deny`, `redirect`), as bytes for the client.

use telamon_http::{forward, Message, Version};
use telamon_plan::rules;

use crate::args::Args;
use crate::compile::Compiler;
use crate::env::Env;
use crate::format::Format;
use crate::matching::unhex;

/// A reply, compiled.
pub struct Reply {
    pub status: u16,
    content_type: Option<String>,
    headers: Vec<(Vec<u8>, Format)>,
    content: Content,
}

enum Content {
    /// The proxy's own page of the status, or what an `errorfile` put in its place.
    Default,
    /// A whole response from a file.
    Message(Vec<u8>),
    Body(Vec<u8>),
    Format(Format),
    Nothing,
}

impl Reply {
    pub fn new(plan: &rules::Reply, compiler: &mut Compiler) -> Result<Reply, String> {
        let bytes = |text: &str| unhex(text.as_bytes()).ok_or("a reply's bytes are no hex digits");
        let content = match (&plan.message, &plan.format, &plan.body) {
            (Some(message), _, _) => Content::Message(bytes(message)?),
            (_, Some(format), _) => Content::Format(Format::new(format, compiler)?),
            (_, _, Some(body)) => Content::Body(bytes(body)?),
            _ if plan.default => Content::Default,
            _ => Content::Nothing,
        };
        let headers = plan.headers.iter().map(|header| {
            let name = header.name.to_ascii_lowercase().into_bytes();
            Ok((name, Format::new(&header.value, compiler)?))
        });
        Ok(Reply {
            status: plan.status,
            content_type: plan.content_type.clone(),
            headers: headers.collect::<Result<_, String>>()?,
            content,
        })
    }

    /// The proxy's own page of a status.
    pub fn of(status: u16) -> Reply {
        Reply {
            status,
            content_type: None,
            headers: Vec::new(),
            content: Content::Default,
        }
    }

    /// The response as a head and a body. None: the proxy's own page of `status` is meant.
    pub fn make(&self, env: &Env<'_>) -> Option<(Message, Vec<u8>)> {
        let body = match &self.content {
            Content::Default => return None,
            Content::Message(message) => return whole(message),
            Content::Body(body) => body.clone(),
            Content::Format(format) => format.bytes(env),
            Content::Nothing => Vec::new(),
        };
        let mut head = Message::default();
        head.begin_response(self.status, reason(self.status));
        for (name, value) in &self.headers {
            let value = value.bytes(env);
            if !value.is_empty() {
                head.add_field(name, &value);
            }
        }
        // A status without a body has no length either (RFC 9110 8.6).
        if self.status != 204 {
            head.add_field(b"content-length", body.len().to_string().as_bytes());
        }
        if let Some(kind) = self.content_type.as_ref().filter(|_| !body.is_empty()) {
            head.add_field(b"content-type", kind.as_bytes());
        }
        Some((head, body))
    }
}

/// A response from a file: its head may be changed by rules, its length is told anew.
pub(crate) fn whole(message: &[u8]) -> Option<(Message, Vec<u8>)> {
    let mut parser = telamon_http::ResponseParser::new(message.len() + 1);
    let response = parser.parse(message).ok()??;
    let mut head = Message::default();
    head.take_response(&response);
    head.remove_fields(|field| {
        field.name == b"connection"
            || field.name == b"transfer-encoding"
            || field.name == b"content-length"
    });
    let body = message[response.end..].to_vec();
    head.add_field(b"content-length", body.len().to_string().as_bytes());
    Some((head, body))
}

/// `redirect`, compiled (manual, `http-request redirect`).
pub struct Redirect {
    kind: Kind,
    pub code: u16,
    to: Format,
    drop_query: bool,
    append_slash: bool,
    keep_query: bool,
    set_cookie: Option<Format>,
    ignore_empty: bool,
}

enum Kind {
    Location,
    Prefix,
    Scheme,
}

impl Redirect {
    /// `words`: the kind, the code, then options, each with its value behind a blank. `cookie` is
    /// the format of `set-cookie-fmt`.
    pub(crate) fn new(
        words: Args<'_>,
        to: Format,
        cookie: Option<Format>,
    ) -> Result<Redirect, String> {
        let kind = match words.string(0).as_deref() {
            Some("location") => Kind::Location,
            Some("prefix") => Kind::Prefix,
            Some("scheme") => Kind::Scheme,
            _ => return Err("a redirect goes to a location, prefix or scheme".to_owned()),
        };
        let code = words.number(1)?.unwrap_or(302) as u16;
        let mut redirect = Redirect {
            kind,
            code,
            to,
            drop_query: false,
            append_slash: false,
            keep_query: false,
            ignore_empty: false,
            set_cookie: cookie,
        };
        let mut at = 2;
        while let Some(word) = words.string(at) {
            at += 1;
            let (word, value) = word.split_once(' ').unwrap_or((&word, ""));
            match word {
                "drop-query" => redirect.drop_query = true,
                "append-slash" => redirect.append_slash = true,
                "keep-query" => redirect.keep_query = true,
                "ignore-empty" => redirect.ignore_empty = true,
                "set-cookie" => {
                    let cookie = format!("{value}; path=/;");
                    redirect.set_cookie = Some(Format::fixed(cookie.as_bytes()));
                }
                "clear-cookie" => {
                    let cookie = format!("{value}; path=/; Max-Age=0;");
                    redirect.set_cookie = Some(Format::fixed(cookie.as_bytes()));
                }
                "set-cookie-fmt" => {}
                other => return Err(format!("'{other}' is no option of a redirect")),
            }
        }
        Ok(redirect)
    }

    /// With `ignore-empty`, a redirect to nowhere is none.
    pub(crate) fn counts(&self, env: &Env<'_>) -> bool {
        !self.ignore_empty || !self.to.bytes(env).is_empty()
    }

    /// The response's head.
    pub fn make(&self, env: &Env<'_>) -> Message {
        let mut location = Vec::new();
        let empty = Message::default();
        let request = env.request.unwrap_or(&empty);
        let pathq = if self.drop_query {
            request.path()
        } else {
            request.pathq()
        };
        match self.kind {
            Kind::Location => {
                self.to.write(env, &mut location);
                if self.keep_query && !request.query().is_empty() {
                    location.push(if location.contains(&b'?') { b'&' } else { b'?' });
                    location.extend_from_slice(request.query());
                }
            }
            Kind::Prefix => {
                self.to.write(env, &mut location);
                if location != b"/" || pathq.first() != Some(&b'/') {
                    location.extend_from_slice(pathq);
                } else {
                    location.clear();
                    location.extend_from_slice(pathq);
                }
            }
            Kind::Scheme => {
                self.to.write(env, &mut location);
                location.extend_from_slice(b"://");
                location.extend_from_slice(request.lines(b"host").next().unwrap_or_default());
                location.extend_from_slice(pathq);
            }
        }
        let whole = matches!(self.kind, Kind::Location);
        if self.append_slash && self.drop_query && !whole && location.last() != Some(&b'/') {
            location.push(b'/');
        }
        let mut head = Message::default();
        head.begin_response(self.code, reason(self.code));
        head.add_field(b"content-length", b"0");
        head.add_field(b"location", &location);
        if matches!(self.code, 302 | 303 | 307) {
            head.add_field(b"cache-control", b"no-cache");
        }
        if let Some(cookie) = &self.set_cookie {
            head.add_field(b"set-cookie", &cookie.bytes(env));
        }
        head
    }
}

/// The reason phrases that HAProxy writes.
pub(crate) fn reason(status: u16) -> &'static [u8] {
    match status {
        100 => b"Continue",
        103 => b"Early Hints",
        200 => b"OK",
        201 => b"Created",
        202 => b"Accepted",
        203 => b"Non-Authoritative Information",
        204 => b"No Content",
        205 => b"Reset Content",
        206 => b"Partial Content",
        300 => b"Multiple Choices",
        301 => b"Moved Permanently",
        302 => b"Found",
        303 => b"See Other",
        304 => b"Not Modified",
        307 => b"Temporary Redirect",
        308 => b"Permanent Redirect",
        400 => b"Bad Request",
        401 => b"Unauthorized",
        403 => b"Forbidden",
        404 => b"Not Found",
        405 => b"Method Not Allowed",
        406 => b"Not Acceptable",
        407 => b"Proxy Authentication Required",
        408 => b"Request Timeout",
        409 => b"Conflict",
        410 => b"Gone",
        413 => b"Payload Too Large",
        414 => b"URI Too Long",
        415 => b"Unsupported Media Type",
        418 => b"I'm a teapot",
        421 => b"Misdirected Request",
        422 => b"Unprocessable Content",
        425 => b"Too Early",
        429 => b"Too Many Requests",
        431 => b"Request Header Fields Too Large",
        500 => b"Internal Server Error",
        501 => b"Not Implemented",
        502 => b"Bad Gateway",
        503 => b"Service Unavailable",
        504 => b"Gateway Timeout",
        511 => b"Network Authentication Required",
        _ => b"Other",
    }
}

/// The version of the answers.
pub(crate) const VERSION: Version = Version { major: 1, minor: 1 };

/// An interim response (103) of headers alone.
pub(crate) fn early_hint(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    forward::write_status_line(&mut out, VERSION, 103, reason(103));
    forward::write_field(&mut out, &name.to_ascii_lowercase(), value);
    out.extend_from_slice(b"\r\n");
    out
}
