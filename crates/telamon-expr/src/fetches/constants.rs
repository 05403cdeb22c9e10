//! Constants, variables, time and chance (manual 7.3.2).

use std::borrow::Cow;
use std::net::IpAddr;

use super::{by, Fetch, Row};
use crate::matching::unhex;
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    by("acl", |args, compiler| {
        let mut terms = Vec::new();
        for at in 0..args.len() {
            let text = args.string(at).unwrap_or_default();
            let digits = text.strip_prefix('!');
            let place = digits.unwrap_or(&text).parse::<usize>();
            let place = place.map_err(|_| format!("'{text}' is no ACL"))?;
            terms.push((digits.is_some(), compiler.acl(place)?));
        }
        Fetch::new(move |env| {
            let all = terms
                .iter()
                .all(|(negated, tests)| tests.iter().any(|test| test.passes(env)) != *negated);
            Some(Sample::Bool(all))
        })
    }),
    by("always_false", |_, _| {
        Fetch::new(|_| Some(Sample::Bool(false)))
    }),
    by("always_true", |_, _| {
        Fetch::new(|_| Some(Sample::Bool(true)))
    }),
    by("bin", |args, _| {
        let digits = args.needed(0, "the hex digits")?;
        let bytes = unhex(&digits).ok_or("an even number of hex digits is needed")?;
        Fetch::new(move |_| Some(Sample::Bin(Cow::Owned(bytes.clone()))))
    }),
    by("bool", |args, _| {
        let text = args.needed(0, "a value")?;
        let value = match text.as_slice() {
            b"true" | b"1" => true,
            b"false" | b"0" => false,
            _ => return Err("write true or false".to_owned()),
        };
        Fetch::new(move |_| Some(Sample::Bool(value)))
    }),
    by("date", |args, _| {
        let offset = args.number(0)?.unwrap_or(0);
        let unit = args.string(1).unwrap_or_else(|| "s".to_owned());
        let divisor: i64 = match unit.as_str() {
            "s" => 1_000_000,
            "ms" => 1000,
            "us" => 1,
            _ => return Err(format!("'{unit}' is no unit: write s, ms or us")),
        };
        Fetch::new(move |env| {
            Some(Sample::Int(
                env.facts.wall_micros().div_euclid(divisor) + offset,
            ))
        })
    }),
    by("date_us", |_, _| {
        Fetch::new(|env| Some(Sample::Int(env.facts.wall_micros().rem_euclid(1_000_000))))
    }),
    by("env", |args, _| {
        let name = args.string(0).ok_or("a name is missing")?;
        let value = std::env::var_os(name).map(std::os::unix::ffi::OsStringExt::into_vec);
        Fetch::new(move |_| value.clone().map(Sample::owned))
    }),
    by("hostname", |_, _| {
        Fetch::new(|env| Some(Sample::owned(env.facts.hostname().into())))
    }),
    by("int", |args, _| {
        let value = args.number(0)?.ok_or("a number is missing")?;
        Fetch::new(move |_| Some(Sample::Int(value)))
    }),
    by("ipv4", |args, _| address(args.string(0))),
    by("ipv6", |args, _| address(args.string(0))),
    by("meth", |args, _| {
        let text = args.text(0).unwrap_or_default();
        Fetch::new(move |_| Some(Sample::owned(text.clone())))
    }),
    by("rand", |args, _| {
        let range = args.number(0)?.unwrap_or(1 << 32).max(1);
        Fetch::new(move |env| {
            let spread = (u128::from(env.facts.random()) * range as u128) >> 64;
            Some(Sample::Int(spread as i64))
        })
    }),
    by("str", |args, _| {
        let text = args.text(0).unwrap_or_default();
        Fetch::new(move |_| Some(Sample::owned(text.clone())))
    }),
    by("uuid", |_, _| {
        Fetch::new(|env| Some(Sample::owned(uuid(env.facts.random(), env.facts.random()))))
    }),
    by("var", |args, compiler| {
        let name = args.string(0).ok_or("a variable's name is missing")?;
        let slot = compiler.slot(&name);
        let default = args.text(1);
        Fetch::new(move |env| {
            let value = env.vars.get(slot);
            value.or_else(|| default.clone().map(Sample::owned))
        })
    }),
];

fn address(text: Option<String>) -> Result<Fetch, String> {
    let text = text.ok_or("an address is missing")?;
    let ip: IpAddr = text
        .parse()
        .map_err(|_| format!("'{text}' is no address"))?;
    Fetch::new(move |_| Some(Sample::Ip(ip)))
}

/// A random UUID (RFC 9562 5.4).
fn uuid(high: u64, low: u64) -> Vec<u8> {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(3 << 62) | 1 << 63;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
    .into_bytes()
}
