//! Text: cutting, joining, replacing, comparing.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{boxed, on_text, Made, Row};
use crate::args::Args;
use crate::matching::Regex;
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "bytes",
        make: |args, _| bytes(args),
    },
    Row {
        name: "concat",
        make: |args, compiler| {
            let start = args.text(0).unwrap_or_default();
            let variable = args.string(1).filter(|name| !name.is_empty());
            let slot = variable.map(|name| compiler.slot(&name));
            let end = args.text(2).unwrap_or_default();
            boxed(move |env, sample| {
                let mut out = sample.into_text().into_owned();
                out.extend_from_slice(&start);
                if let Some(value) = slot.and_then(|slot| env.vars.get(slot)) {
                    out.extend_from_slice(&value.into_text());
                }
                out.extend_from_slice(&end);
                Some(Sample::owned(out))
            })
        },
    },
    Row {
        name: "field",
        make: |args, _| field(args),
    },
    Row {
        name: "host_only",
        make: |_, _| on_text(|text| Some(host_only(text).to_vec())),
    },
    Row {
        name: "iif",
        make: |args, _| {
            let (yes, no) = (
                args.text(0).unwrap_or_default(),
                args.text(1).unwrap_or_default(),
            );
            boxed(move |_, sample| {
                let chosen = if sample.as_bool()? { &yes } else { &no };
                Some(Sample::owned(chosen.clone()))
            })
        },
    },
    Row {
        name: "ipmask",
        make: |args, _| {
            let address = |text: String| text.parse().map_err(|_| format!("'{text}' is no mask"));
            let four: IpAddr = address(args.string(0).ok_or("a mask is missing")?)?;
            let six: Option<IpAddr> = args.string(1).map(address).transpose()?;
            boxed(move |_, sample| Some(Sample::Ip(masked(sample.as_ip()?, four, six)?)))
        },
    },
    Row {
        name: "length",
        make: |_, _| boxed(|_, sample| Some(Sample::Int(sample.into_bytes().len() as i64))),
    },
    Row {
        name: "lower",
        make: |_, _| on_text(|text| Some(text.to_ascii_lowercase())),
    },
    Row {
        name: "ltrim",
        make: |args, _| {
            let marks = args.needed(0, "the bytes to cut")?;
            on_text(move |text| {
                let cut = text.iter().take_while(|byte| marks.contains(byte)).count();
                Some(text[cut..].to_vec())
            })
        },
    },
    Row {
        name: "param",
        make: |args, _| param(args),
    },
    Row {
        name: "port_only",
        make: |_, _| boxed(|_, sample| port_only(&sample.into_text()).map(Sample::Int)),
    },
    Row {
        name: "regsub",
        make: |args, _| {
            let pattern = args.needed(0, "a regular expression")?;
            let by = args.text(1).unwrap_or_default();
            let flags = args.text(2).unwrap_or_default();
            let regex = Regex::new(&pattern, flags.contains(&b'i'))?;
            let all = flags.contains(&b'g');
            on_text(move |text| {
                let changed = regex.replace(text, &by, all);
                Some(changed.unwrap_or_else(|| text.to_vec()))
            })
        },
    },
    Row {
        name: "reverse",
        make: |_, _| on_text(|text| Some(text.iter().rev().copied().collect())),
    },
    Row {
        name: "rtrim",
        make: |args, _| {
            let marks = args.needed(0, "the bytes to cut")?;
            on_text(move |text| {
                let cut = text
                    .iter()
                    .rev()
                    .take_while(|byte| marks.contains(byte))
                    .count();
                Some(text[..text.len() - cut].to_vec())
            })
        },
    },
    Row {
        name: "secure_memcmp",
        make: |args, compiler| {
            let name = args.string(0).ok_or("a variable is missing")?;
            let slot = compiler.slot(&name);
            boxed(move |env, sample| {
                let other = env.vars.get(slot)?.into_bytes();
                let own = sample.into_bytes();
                let differ = own
                    .iter()
                    .zip(other.iter())
                    .fold(0, |seen, (one, other)| seen | (one ^ other));
                Some(Sample::Bool(own.len() == other.len() && differ == 0))
            })
        },
    },
    Row {
        name: "set-var",
        make: |args, compiler| {
            let name = args.string(0).ok_or("a variable is missing")?;
            let slot = compiler.slot(&name);
            boxed(move |env, sample| {
                env.vars.set(slot, sample.clone().into_owned());
                Some(sample)
            })
        },
    },
    Row {
        name: "strcmp",
        make: |args, compiler| {
            let name = args.string(0).ok_or("a variable is missing")?;
            let slot = compiler.slot(&name);
            boxed(move |env, sample| {
                let other = env.vars.get(slot)?.into_text();
                let order = sample.into_text().as_ref().cmp(other.as_ref());
                Some(Sample::Int(order as i64))
            })
        },
    },
    Row {
        name: "unset-var",
        make: |args, compiler| {
            let name = args.string(0).ok_or("a variable is missing")?;
            let slot = compiler.slot(&name);
            boxed(move |env, sample| {
                env.vars.unset(slot);
                Some(sample)
            })
        },
    },
    Row {
        name: "upper",
        make: |_, _| on_text(|text| Some(text.to_ascii_uppercase())),
    },
    Row {
        name: "word",
        make: |args, _| word(args),
    },
];

fn bytes(args: Args<'_>) -> Made {
    let from = args.number(0)?.unwrap_or(0);
    let count = args.number(1)?;
    let start = usize::try_from(from).map_err(|_| "the first byte is 0 or more")?;
    boxed(move |_, sample| {
        let is_text = matches!(sample, Sample::Str(_));
        let data = sample.into_bytes();
        let rest = data.get(start..)?;
        let part = match count.and_then(|count| usize::try_from(count).ok()) {
            Some(count) => &rest[..count.min(rest.len())],
            None => rest,
        };
        let part = Cow::Owned(part.to_vec());
        Some(if is_text {
            Sample::Str(part)
        } else {
            Sample::Bin(part)
        })
    })
}

/// `field(index,delimiters[,count])`: empty fields count.
fn field(args: Args<'_>) -> Made {
    parts(args, false)
}

/// `word(index,delimiters[,count])`: empty words do not.
fn word(args: Args<'_>) -> Made {
    parts(args, true)
}

fn parts(args: Args<'_>, skips_empty: bool) -> Made {
    let which = args.number(0)?.ok_or("an index is missing")?;
    let marks = args.needed(1, "delimiters")?;
    let count = args.number(2)?.unwrap_or(1);
    on_text(move |text| {
        let mut spans = Vec::new();
        let mut start = 0;
        for at in 0..=text.len() {
            if at == text.len() || marks.contains(&text[at]) {
                if !(skips_empty && at == start) {
                    spans.push((start, at));
                }
                start = at + 1;
            }
        }
        let from = if which > 0 {
            usize::try_from(which - 1).ok()?
        } else {
            spans.len().checked_sub(usize::try_from(-which).ok()?)?
        };
        let (first, last) = if which > 0 {
            let to = if count == 0 {
                spans.len().checked_sub(1)?
            } else {
                (from + usize::try_from(count).ok()? - 1).min(spans.len().checked_sub(1)?)
            };
            (from, to)
        } else {
            let first = if count == 0 {
                0
            } else {
                (from + 1).saturating_sub(usize::try_from(count).ok()?)
            };
            (first, from)
        };
        Some(text[spans.get(first)?.0..spans.get(last)?.1].to_vec())
    })
}

fn param(args: Args<'_>) -> Made {
    let name = args.needed(0, "a name")?;
    let mark = args
        .text(1)
        .and_then(|text| text.first().copied())
        .unwrap_or(b'&');
    on_text(move |text| {
        text.split(|byte| *byte == mark).find_map(|part| {
            let end = memchr::memchr(b'=', part).unwrap_or(part.len());
            (part[..end] == name[..]).then(|| part.get(end + 1..).unwrap_or_default().to_vec())
        })
    })
}

/// A host without its port; brackets of an IPv6 address stay.
fn host_only(text: &[u8]) -> &[u8] {
    let end = match memchr::memrchr(b':', text) {
        Some(at) if !text[at..].contains(&b']') => at,
        _ => text.len(),
    };
    &text[..end]
}

fn port_only(text: &[u8]) -> Option<i64> {
    let host = host_only(text);
    match text.get(host.len() + 1..) {
        Some(port) => std::str::from_utf8(port).ok()?.parse().ok(),
        None => Some(0),
    }
}

fn masked(ip: IpAddr, four: IpAddr, six: Option<IpAddr>) -> Option<IpAddr> {
    match (ip.to_canonical(), four, six) {
        (IpAddr::V4(ip), IpAddr::V4(mask), _) => Some(IpAddr::V4(ip & mask)),
        (IpAddr::V6(ip), _, Some(IpAddr::V6(mask))) => Some(IpAddr::V6(ip & mask)),
        _ => None,
    }
}
