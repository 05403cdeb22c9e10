//! Text: cutting, joining, replacing, comparing.

use std::borrow::Cow;
use std::net::IpAddr;

use super::numbers::Operand;
use super::{boxed, on_text, Made, Row};
use crate::args::Args;
use crate::compile::Compiler;
use crate::regex::Regex;
use crate::sample::Sample;
use crate::vars::Setting;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "bytes",
        make: bytes,
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
        make: |_, _| on_text(|text| Some(host_only(text).to_ascii_lowercase())),
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
        make: |_, _| boxed(|_, sample| Some(Sample::Int(sample.as_text().len() as i64))),
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
        make: |_, _| boxed(|_, sample| Some(Sample::Int(port_only(&sample.into_text())))),
    },
    Row {
        name: "regsub",
        make: |args, _| {
            let pattern = args.needed(0, "a regular expression")?;
            let by = args.text(1).unwrap_or_default();
            let flags = args.text(2).unwrap_or_default();
            let regex = Regex::new(&pattern, flags.contains(&b'i'))?;
            let all = flags.contains(&b'g');
            boxed(move |env, sample| {
                let text = sample.into_text();
                let changed = regex.replace(&text, &by, all, env.vars);
                Some(Sample::owned(changed.unwrap_or_else(|| text.into_owned())))
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
            let settings = Setting::read(args, 1)?;
            boxed(move |env, sample| {
                let value = sample.clone().into_owned();
                env.vars.set_if(slot, value, &settings).then_some(sample)
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
                Some(Sample::Int(compared(&sample.into_text(), &other)))
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

fn bytes(args: Args<'_>, compiler: &mut Compiler) -> Made {
    let from = Operand::new(&args.needed(0, "an offset")?, compiler);
    let count = args.text(1).map(|text| Operand::new(&text, compiler));
    boxed(move |env, sample| {
        let data = sample.into_bytes();
        let start = usize::try_from(from.value(env)?).unwrap_or(usize::MAX);
        let rest = data.get(start..).unwrap_or_default();
        let count = match &count {
            Some(count) => count.value(env)?,
            None => -1,
        };
        // What is no count means the rest.
        let count = usize::try_from(count).map_or(rest.len(), |count| count.min(rest.len()));
        Some(Sample::Bin(Cow::Owned(rest[..count].to_vec())))
    })
}

/// As strncmp(3) tells: how far the first bytes that differ are apart, else which is longer.
fn compared(one: &[u8], other: &[u8]) -> i64 {
    let mut pairs = one.iter().zip(other);
    match pairs.find(|(one, other)| one != other) {
        Some((one, other)) => i64::from(*one) - i64::from(*other),
        None => one.len().cmp(&other.len()) as i64,
    }
}

/// `field(index,delimiters[,count])`: empty fields count. A count of 0, or one that goes beyond the
/// fields, means all of the text on that side.
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
            usize::try_from(which - 1).ok()
        } else {
            let back = usize::try_from(-which).ok();
            back.and_then(|back| spans.len().checked_sub(back))
        };
        let Some((from, (start, end))) = from.and_then(|at| Some((at, *spans.get(at)?))) else {
            // Beyond the last: a field is not there, a word is empty.
            return skips_empty.then(Vec::new);
        };
        let count = usize::try_from(count).unwrap_or(0);
        let part = match (which > 0, count) {
            (true, 0) => start..text.len(),
            (true, count) => {
                start
                    ..spans
                        .get(from + (count - 1))
                        .map_or(text.len(), |span| span.1)
            }
            (false, 0) => 0..end,
            (false, count) => {
                let first = (from + 1).checked_sub(count);
                first.map_or(0, |first| spans[first].0)..end
            }
        };
        Some(text[part].to_vec())
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

/// Behind the host's colon; HAProxy reads on over what is no digit, so that `h:x` has port 72.
fn port_only(text: &[u8]) -> i64 {
    let host = host_only(text);
    let port = text.get(host.len() + 1..).unwrap_or_default();
    let read = |sum: u32, byte: &u8| {
        sum.wrapping_mul(10)
            .wrapping_add(u32::from(*byte).wrapping_sub(u32::from(b'0')))
    };
    i64::from(port.iter().fold(0, read))
}

/// An IPv6 address needs a mask of its own, unless it stands for an IPv4 one.
fn masked(ip: IpAddr, four: IpAddr, six: Option<IpAddr>) -> Option<IpAddr> {
    match (ip.to_canonical(), four, six) {
        (IpAddr::V4(ip), IpAddr::V4(mask), _) => Some(IpAddr::V4(ip & mask)),
        (IpAddr::V6(ip), _, Some(IpAddr::V6(mask))) => Some(IpAddr::V6(ip & mask)),
        _ => None,
    }
}
