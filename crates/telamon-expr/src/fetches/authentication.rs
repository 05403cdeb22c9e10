//! What `Authorization` says (RFC 9110, 11.6.2): the scheme and its credentials.

use telamon_http::Message;

use super::{by, Fetch, Row};
use crate::converters::decode_base64;
use crate::env::Env;
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    by("http_auth", |args, compiler| {
        let users = compiler.users(&args.needed(0, "the userlist")?)?;
        Fetch::new(move |env| {
            let (user, password) = basic(env)?;
            Some(Sample::Bool(users.member(&user, &password).is_some()))
        })
    }),
    by("http_auth_bearer", |args, _| {
        let name = args.text(0).filter(|name| !name.is_empty());
        let name = name.map(|name| name.to_ascii_lowercase());
        Fetch::new(move |env| {
            let name = name.as_deref().unwrap_or(field(env));
            let (scheme, token) = credentials(env.asked()?, name)?;
            let bearer = scheme.eq_ignore_ascii_case(b"bearer");
            bearer.then(|| Sample::owned(token.to_vec()))
        })
    }),
    by("http_auth_group", |args, compiler| {
        let users = compiler.users(&args.needed(0, "the userlist")?)?;
        if args.len() > 1 {
            // In an ACL: each of the user's groups.
            return Fetch::each_of(false, move |env, test| {
                let member = basic(env);
                let member = member.and_then(|(user, password)| users.member(&user, &password));
                let mut groups = member.into_iter().flatten();
                groups.any(|group| test(Sample::owned(group.clone())))
            });
        }
        Fetch::new(move |env| {
            let (user, password) = basic(env)?;
            users.member(&user, &password)?;
            Some(Sample::owned(user))
        })
    }),
    by("http_auth_pass", |_, _| {
        Fetch::new(|env| Some(Sample::owned(basic(env)?.1)))
    }),
    by("http_auth_type", |_, _| {
        Fetch::new(|env| {
            let (scheme, _) = credentials(env.asked()?, field(env))?;
            let known = [&b"basic"[..], b"bearer"];
            let known = known.iter().any(|one| scheme.eq_ignore_ascii_case(one));
            known.then(|| Sample::owned(scheme.to_vec()))
        })
    }),
    by("http_auth_user", |_, _| {
        Fetch::new(|env| Some(Sample::owned(basic(env)?.0)))
    }),
];

/// Where credentials stand (RFC 9110, 11.6.2 and 11.7.2).
fn field(env: &Env<'_>) -> &'static [u8] {
    if env.facts.is_proxied() {
        b"proxy-authorization"
    } else {
        b"authorization"
    }
}

/// The scheme, and what follows it.
fn credentials<'h>(head: &'h Message, name: &[u8]) -> Option<(&'h [u8], &'h [u8])> {
    let line = head.fields().find(|field| field.name == name)?.value;
    let end = memchr::memchr(b' ', line).filter(|end| *end > 0)?;
    Some((&line[..end], line[end..].trim_ascii_start()))
}

/// User and password (RFC 7617).
fn basic(env: &Env<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, token) = credentials(env.asked()?, field(env))?;
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let mut user = decode_base64(token)?;
    let colon = memchr::memchr(b':', &user)?;
    let password = user.split_off(colon + 1);
    user.pop();
    Some((user, password))
}
