//! `option forwarded`: RFC 7239's field, made of the connection's own values or of expressions.
//!
//! ```text
//!  forwarded: proto=http;host="a.example";by=10.0.0.1;for="[2001:db8::1]:4711"
//!                                            └ a node: an address, `unknown`, or `_` and a name
//! ```

use std::net::{IpAddr, SocketAddr};

use telamon_expr::{Compiler, Env, Expression, Sample};
use telamon_plan::http::{self as plan, ForwardedPart};

use crate::io::Io;
use crate::worker::Worker;

/// The words of the option, compiled.
pub(crate) struct Forwarded {
    proto: bool,
    host: Option<Part>,
    by: Option<Part>,
    by_port: Option<Part>,
    for_: Option<Part>,
    for_port: Option<Part>,
}

/// A value of the connection, or of an expression.
enum Part {
    Own,
    Value(Expression),
}

fn part(plan: &Option<ForwardedPart>, compiler: &mut Compiler) -> Result<Option<Part>, String> {
    let Some(plan) = plan else { return Ok(None) };
    Ok(Some(match &plan.expression {
        None => Part::Own,
        Some(plan) => Part::Value(Expression::new(plan, compiler)?),
    }))
}

impl Forwarded {
    pub(crate) fn new(plan: &plan::Forwarded, compiler: &mut Compiler) -> Result<Self, String> {
        Ok(Forwarded {
            proto: plan.proto,
            host: part(&plan.host, compiler)?,
            by: part(&plan.by, compiler)?,
            by_port: part(&plan.by_port, compiler)?,
            for_: part(&plan.for_, compiler)?,
            for_port: part(&plan.for_port, compiler)?,
        })
    }

    /// The field's value.
    fn text(&self, env: &Env<'_>) -> String {
        let mut pairs = Vec::new();
        if self.proto {
            pairs.push("proto=http".to_owned());
        }
        if let Some(host) = self.host.as_ref().and_then(|part| host(part, env)) {
            pairs.push(format!("host=\"{host}\""));
        }
        let ends = (env.facts.destination(), env.facts.source());
        for (name, node, port, own) in [
            ("by", &self.by, &self.by_port, ends.0),
            ("for", &self.for_, &self.for_port, ends.1),
        ] {
            if let Some(node) = node {
                pairs.push(format!(
                    "{name}={}",
                    write_node(node, port.as_ref(), own, env)
                ));
            }
        }
        pairs.join(";")
    }
}

/// Only what cannot end the quoted string, or the line.
fn host(part: &Part, env: &Env<'_>) -> Option<String> {
    let value = match part {
        Part::Own => env.request?.lines(b"host").next()?.to_vec(),
        Part::Value(expression) => expression.value(env)?.into_text().into_owned(),
    };
    let text = String::from_utf8(value).ok()?;
    let plain = |byte: u8| matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'\\');
    text.bytes().all(plain).then_some(text)
}

fn write_node(node: &Part, port: Option<&Part>, own: Option<SocketAddr>, env: &Env<'_>) -> String {
    let (name, mut quoted) = match node {
        Part::Own => own.map_or_else(unknown, |own| address(own.ip())),
        Part::Value(expression) => match expression.value(env) {
            Some(Sample::Ip(ip)) => address(ip),
            Some(sample) => hidden(&sample.into_text()).map_or_else(unknown, |text| (text, false)),
            None => unknown(),
        },
    };
    let mut text = name;
    let port = port.and_then(|port| match port {
        Part::Own => Some(own?.port().to_string()),
        Part::Value(expression) => match expression.value(env)? {
            Sample::Int(number) => u16::try_from(number).ok().map(|port| port.to_string()),
            sample => hidden(&sample.into_text()),
        },
    });
    if let Some(port) = port {
        text = format!("{text}:{port}");
        quoted = true;
    }
    if quoted {
        format!("\"{text}\"")
    } else {
        text
    }
}

fn unknown() -> (String, bool) {
    ("unknown".to_owned(), false)
}

/// An address as a node's name, and whether it must be quoted (RFC 7239 6).
fn address(ip: IpAddr) -> (String, bool) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => (ip.to_string(), false),
        IpAddr::V6(ip) => (format!("[{ip}]"), true),
    }
}

/// A name that hides an address begins with `_` (RFC 7239 6.3).
fn hidden(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if text.is_empty() || !text.bytes().all(plain) {
        return None;
    }
    Some(match text.strip_prefix('_') {
        Some(_) => text.to_owned(),
        None => format!("_{text}"),
    })
}

impl<I: Io> Worker<I> {
    /// Adds the field; the backend's words win over the frontend's.
    pub(super) fn tell_forwarded(&mut self, index: u32) {
        let shared = self.shared.clone();
        let (front, back) = self.sections(index);
        let of = |place: u32| shared.programs.of.get(place as usize)?.forwarded.as_ref();
        let Some(forwarded) = of(back).or_else(|| of(front)) else {
            return;
        };
        let text = self.evaluate(index, |env| forwarded.text(env));
        if let Some(exchange) = self.exchange(index) {
            exchange.head.add_field(b"forwarded", text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_named_as_the_rfc_says() {
        let ip = |text: &str| address(text.parse().unwrap());
        assert_eq!(ip("10.0.0.1"), ("10.0.0.1".to_owned(), false));
        assert_eq!(ip("::ffff:10.0.0.1"), ("10.0.0.1".to_owned(), false));
        assert_eq!(ip("2001:db8::1"), ("[2001:db8::1]".to_owned(), true));
        assert_eq!(hidden(b"abc").as_deref(), Some("_abc"));
        assert_eq!(hidden(b"_abc").as_deref(), Some("_abc"));
        assert_eq!(hidden(b"a\"b"), None);
    }
}
