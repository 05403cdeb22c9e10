//! Requests and responses (manual 7.3.6).

use telamon_http::{cookies, Field, Message};

use super::{by, sided, Fetch, Of, Row};
use crate::args::Args;
use crate::env::{Env, Number};
use crate::sample::{leading_number, Sample};

/// Those that look at a body, by the request's names.
pub(super) const BODIES: [&str; 3] = ["req.body", "req.body_len", "req.body_param"];

pub(super) const ROWS: &[Row] = &[
    by("capture.req.hdr", |args, _| capture(args, false)),
    by("capture.req.method", |_, _| captured_word(0)),
    by("capture.req.uri", |_, _| captured_word(1)),
    by("capture.req.ver", |_, _| captured_word(2)),
    by("capture.res.hdr", |args, _| capture(args, true)),
    by("capture.res.ver", |_, _| {
        Fetch::new(|env| {
            // Answers of the proxy's own have none.
            env.facts.number(Number::ServerStatus, None, None)?;
            let version = env.response?.version();
            let text = format!("HTTP/{}.{}", version.major, version.minor);
            Some(Sample::owned(text.into_bytes()))
        })
    }),
    by("method", |_, _| text(|head| head.method())),
    by("path", |_, _| path(|head| head.path())),
    by("pathq", |_, _| path(|head| head.pathq())),
    by("query", |_, _| {
        Fetch::new(|env| {
            let head = env.asked()?;
            let asks = head.pathq().contains(&b'?');
            asks.then(|| Sample::text(head.query()))
        })
    }),
    sided("req.body", "res.body", |_, of| {
        Fetch::new(move |env| Some(Sample::Bin(body(of, env)?.into())))
    }),
    sided("req.body_len", "res.body_len", |_, of| {
        Fetch::new(move |env| Some(Sample::Int(body(of, env)?.len() as i64)))
    }),
    sided("req.body_size", "res.body_size", |_, of| body_size(of)),
    by("req.body_param", |args, _| body_param(args)),
    sided("req.cook", "res.cook", cookie),
    sided("req.cook_cnt", "res.cook_cnt", cookie_count),
    sided("req.cook_names", "res.cook_names", cookie_names),
    sided("req.cook_val", "res.cook_val", |args, of| {
        number_of(cookie(args, of)?)
    }),
    sided("req.fhdr", "res.fhdr", line),
    sided("req.fhdr_cnt", "res.fhdr_cnt", line_count),
    sided("req.hdr", "res.hdr", header),
    sided("req.hdr_cnt", "res.hdr_cnt", header_count),
    sided("req.hdr_ip", "res.hdr_ip", |args, of| {
        address_of(header(args, of)?)
    }),
    sided("req.hdr_names", "res.hdr_names", header_names),
    sided("req.hdr_val", "res.hdr_val", |args, of| {
        number_of(header(args, of)?)
    }),
    sided("req.hdrs", "res.hdrs", |_, of| all_headers(of)),
    sided("req.hdrs_bin", "res.hdrs_bin", |_, of| {
        all_headers_binary(of)
    }),
    sided("req.ver", "res.ver", |_, of| version(of)),
    by("status", |_, _| status()),
    by("unique-id", |_, _| unique_id()),
    by("url", |_, _| text(|head| head.uri())),
    by("url_param", |args, _| parameter(args)),
    by("urlp_val", |args, _| number_of(parameter(args)?)),
];

fn text(of: fn(&Message) -> &[u8]) -> Result<Fetch, String> {
    Fetch::new(move |env| Some(Sample::text(of(env.asked()?))))
}

/// `*` and an authority are no paths.
fn path(of: fn(&Message) -> &[u8]) -> Result<Fetch, String> {
    Fetch::new(move |env| {
        let path = of(env.asked()?);
        path.starts_with(b"/").then(|| Sample::text(path))
    })
}

fn status() -> Result<Fetch, String> {
    Fetch::new(|env| Some(Sample::Int(i64::from(env.response?.status()))))
}

fn unique_id() -> Result<Fetch, String> {
    Fetch::new(|env| {
        let mut id = Vec::new();
        (env.facts.alias("ID", "", &mut id) && !id.is_empty()).then(|| Sample::owned(id))
    })
}

fn version(of: Of) -> Result<Fetch, String> {
    Fetch::new(move |env| {
        let version = of.head(env)?.version();
        Some(Sample::owned(vec![
            b'0' + version.major,
            b'.',
            b'0' + version.minor,
        ]))
    })
}

fn capture(args: Args<'_>, response: bool) -> Result<Fetch, String> {
    let slot = args.number(0)?.unwrap_or(0) as usize;
    Fetch::new(move |env| env.facts.capture(response, slot).map(Sample::owned))
}

/// A word of the request line as it came.
fn captured_word(at: usize) -> Result<Fetch, String> {
    Fetch::new(move |env| {
        let line = env.facts.request_line()?;
        let word = line.split(|byte| *byte == b' ').nth(at)?;
        Some(Sample::owned(word.to_vec()))
    })
}

/// What has come of a side's body: where there is a response, bodies are its.
fn body<'e>(of: Of, env: &Env<'e>) -> Option<&'e [u8]> {
    let in_response = matches!(of, Of::Response);
    (in_response == env.response.is_some()).then_some(env.body)
}

fn body_size(of: Of) -> Result<Fetch, String> {
    Fetch::new(move |env| {
        let declared = of.head(env)?.lines(b"content-length").next();
        let size = declared.and_then(leading_number);
        Some(Sample::Int(size.unwrap_or(env.body.len() as i64)))
    })
}

// ---- headers ------------------------------------------------------------------------------------

/// A value of a comma-separated header; the second argument counts from the first (1) or, below
/// zero, from the last (-1).
fn header(args: Args<'_>, of: Of) -> Result<Fetch, String> {
    let name = args.text(0).map(|name| name.to_ascii_lowercase());
    match args.number(1)? {
        None | Some(0) => Fetch::each_of(true, move |env, test| {
            of.head(env).is_some_and(|head| {
                values(head, name.as_deref())
                    .into_iter()
                    .any(|value| test(Sample::text(value)))
            })
        }),
        Some(which) => Fetch::new(move |env| {
            let values = values(of.head(env)?, name.as_deref());
            occurrence(&values, which).map(Sample::text)
        }),
    }
}

/// Is it the one that is meant? An empty name means all; without an argument it is none.
fn is_named(field: &Field<'_>, name: Option<&[u8]>) -> bool {
    name.is_some_and(|name| name.is_empty() || field.name == name)
}

fn values<'e>(head: &'e Message, name: Option<&[u8]>) -> Vec<&'e [u8]> {
    let fields = shown(head).filter(|field| is_named(field, name));
    fields.flat_map(|field| list(field.value)).collect()
}

/// The fields that rules see: a `Connection` that only says what becomes of this connection is the
/// proxy's own business.
fn shown(head: &Message) -> impl DoubleEndedIterator<Item = Field<'_>> {
    let is_own = |option: &[u8]| {
        let options: [&[u8]; 2] = [b"close", b"keep-alive"];
        options.iter().any(|own| own.eq_ignore_ascii_case(option))
    };
    head.fields().filter(move |field| {
        field.name != b"connection" || !list(field.value).iter().all(|option| is_own(option))
    })
}

/// The parts of a comma-separated value, without the blanks around them. Commas at the end part
/// nothing from nothing.
fn list(value: &[u8]) -> Vec<&[u8]> {
    list_parts(value).map(<[u8]>::trim_ascii).collect()
}

/// The parts as they stand between the commas that are outside of quotes (RFC 9110 5.6.1).
pub(crate) fn list_parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' => return !quoted,
            _ => {}
        }
        false
    })
}

fn occurrence<'v>(values: &[&'v [u8]], which: i64) -> Option<&'v [u8]> {
    let at = if which > 0 {
        usize::try_from(which - 1).ok()?
    } else {
        values.len().checked_sub(usize::try_from(-which).ok()?)?
    };
    values.get(at).copied()
}

/// A whole line.
fn line(args: Args<'_>, of: Of) -> Result<Fetch, String> {
    let name = args.text(0).map(|name| name.to_ascii_lowercase());
    match args.number(1)? {
        None | Some(0) => Fetch::each_of(true, move |env, test| {
            of.head(env).is_some_and(|head| {
                let mut named = shown(head).filter(|field| is_named(field, name.as_deref()));
                named.any(|field| test(Sample::text(field.value)))
            })
        }),
        Some(which) => Fetch::new(move |env| {
            let head = of.head(env)?;
            let named = shown(head).filter(|field| is_named(field, name.as_deref()));
            let lines: Vec<&[u8]> = named.map(|field| field.value).collect();
            occurrence(&lines, which).map(Sample::text)
        }),
    }
}

fn header_count(args: Args<'_>, of: Of) -> Result<Fetch, String> {
    let name = args.text(0).map(|name| name.to_ascii_lowercase());
    Fetch::new(move |env| {
        let head = of.head(env)?;
        let count = match &name {
            Some(name) => values(head, Some(name)).len(),
            None => shown(head).map(|field| list(field.value).len()).sum(),
        };
        Some(Sample::Int(count as i64))
    })
}

fn line_count(args: Args<'_>, of: Of) -> Result<Fetch, String> {
    let name = args.text(0).map(|name| name.to_ascii_lowercase());
    Fetch::new(move |env| {
        let fields = shown(of.head(env)?);
        let counted = |field: &Field<'_>| {
            name.as_ref()
                .is_none_or(|name| field.name == name.as_slice())
        };
        Some(Sample::Int(fields.filter(counted).count() as i64))
    })
}

/// Of the argument the first byte counts.
fn separator(args: Args<'_>) -> Vec<u8> {
    let first = args.text(0).and_then(|text| text.first().copied());
    vec![first.unwrap_or(b',')]
}

fn header_names(args: Args<'_>, of: Of) -> Result<Fetch, String> {
    let separator = separator(args);
    Fetch::new(move |env| {
        let names: Vec<&[u8]> = shown(of.head(env)?).map(|field| field.name).collect();
        Some(Sample::owned(names.join(separator.as_slice())))
    })
}

fn all_headers(of: Of) -> Result<Fetch, String> {
    Fetch::new(move |env| {
        let mut out = Vec::new();
        for field in shown(of.head(env)?) {
            telamon_http::forward::write_field(&mut out, field.name, field.value);
        }
        out.extend_from_slice(b"\r\n");
        Some(Sample::owned(out))
    })
}

/// Names and values, each with its length in front; two empty texts end the list.
fn all_headers_binary(of: Of) -> Result<Fetch, String> {
    Fetch::new(move |env| {
        let mut out = Vec::new();
        for field in shown(of.head(env)?) {
            for text in [field.name, field.value] {
                write_length(&mut out, text.len());
                out.extend_from_slice(text);
            }
        }
        out.extend_from_slice(&[0, 0]);
        Some(Sample::Bin(out.into()))
    })
}

/// A number as SPOE writes it (HAProxy's doc/SPOE.txt, 3.1): one byte below 240, else four bits of
/// it and then seven bits a byte, the lowest first.
fn write_length(out: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(240) else {
        return out.push(length as u8);
    };
    out.push((rest & 15) as u8 | 240);
    rest >>= 4;
    while rest >= 128 {
        out.push((rest & 127) as u8 | 128);
        rest = (rest - 128) >> 7;
    }
    out.push(rest as u8);
}

fn number_of(fetch: Fetch) -> Result<Fetch, String> {
    Fetch::each_of(fetch.takes_last(), move |env, test| {
        fetch.each(env, &mut |sample| {
            // Here an empty text is 0 too.
            test(Sample::Int(sample.as_int().unwrap_or(0)))
        })
    })
}

fn address_of(fetch: Fetch) -> Result<Fetch, String> {
    Fetch::each_of(fetch.takes_last(), move |env, test| {
        fetch.each(env, &mut |sample| {
            sample.as_ip().is_some_and(|ip| test(Sample::Ip(ip)))
        })
    })
}

// ---- cookies and parameters -----------------------------------------------------------------------

/// `any`: no name is asked for. Then HAProxy takes the attributes of a `Set-Cookie` for cookies, too.
fn all_cookies(head: &Message, of: Of, any: bool) -> impl Iterator<Item = (&[u8], &[u8])> {
    let (name, response): (&[u8], bool) = match of {
        Of::Request => (b"cookie", false),
        Of::Response => (b"set-cookie", true),
    };
    let lines = head.fields().filter(move |field| field.name == name);
    lines.flat_map(move |field| {
        let sent = (!response).then(|| cookies(field.value, false));
        let set =
            response.then(|| list_parts(field.value).flat_map(move |one| set_cookie(one, any)));
        let sent = sent.into_iter().flatten();
        sent.chain(set.into_iter().flatten())
    })
}

/// The cookie that a part of a `Set-Cookie` sets, and with `any` its attributes that have a value.
fn set_cookie(part: &[u8], any: bool) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut quoted = false;
    let pieces = part.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b';' && !quoted
    });
    let pieces = pieces.take(if any { usize::MAX } else { 1 });
    pieces.filter_map(|piece| {
        let at = memchr::memchr(b'=', piece)?;
        Some((piece[..at].trim_ascii(), piece[at + 1..].trim_ascii()))
    })
}

fn cookie(args: Args<'_>, of: Of) -> Result<Fetch, String> {
    let name = args.text(0);
    // Without a name the first is meant, of one name the last.
    Fetch::each_of(name.is_some(), move |env, test| {
        of.head(env).is_some_and(|head| {
            let named = |one: &(&[u8], &[u8])| name.as_ref().is_none_or(|name| one.0 == &name[..]);
            all_cookies(head, of, name.is_none())
                .filter(named)
                .any(|one| test(Sample::text(one.1)))
        })
    })
}

fn cookie_count(args: Args<'_>, of: Of) -> Result<Fetch, String> {
    let name = args.text(0);
    Fetch::new(move |env| {
        let named = |one: &(&[u8], &[u8])| name.as_ref().is_none_or(|name| one.0 == &name[..]);
        let all = all_cookies(of.head(env)?, of, name.is_none());
        let count = all.filter(named).count();
        Some(Sample::Int(count as i64))
    })
}

fn cookie_names(args: Args<'_>, of: Of) -> Result<Fetch, String> {
    let separator = separator(args);
    Fetch::new(move |env| {
        let all = all_cookies(of.head(env)?, of, false);
        let names: Vec<&[u8]> = all.map(|one| one.0).collect();
        Some(Sample::owned(names.join(separator.as_slice())))
    })
}

/// A parameter of the query; the second argument is the byte that parts query and path.
fn parameter(args: Args<'_>) -> Result<Fetch, String> {
    let name = args.text(0);
    let ignore_case = args.text(2).is_some_and(|flag| flag == b"i");
    let delimiter = args.text(1).and_then(|text| text.first().copied());
    Fetch::each_of(false, move |env, test| {
        let Some(head) = env.asked() else {
            return false;
        };
        let query = match delimiter.filter(|byte| *byte != b'?') {
            None => head.query(),
            Some(byte) => {
                let uri = head.uri();
                memchr::memchr(byte, uri).map_or(&uri[..0], |at| &uri[at + 1..])
            }
        };
        each_parameter(query, b"&;", name.as_deref(), ignore_case, test)
    })
}

fn body_param(args: Args<'_>) -> Result<Fetch, String> {
    let name = args.text(0);
    let ignore_case = args.text(1).is_some_and(|flag| flag == b"i");
    Fetch::each_of(false, move |env, test| {
        each_parameter(env.body, b"&", name.as_deref(), ignore_case, test)
    })
}

fn each_parameter<'e>(
    query: &'e [u8],
    separators: &'static [u8],
    name: Option<&[u8]>,
    ignore_case: bool,
    test: &mut dyn FnMut(Sample<'e>) -> bool,
) -> bool {
    query
        .split(|byte| separators.contains(byte))
        .filter_map(|part| {
            let at = memchr::memchr(b'=', part)?;
            Some((&part[..at], &part[at + 1..]))
        })
        .filter(|(key, _)| {
            name.is_none_or(|name| *key == name || (ignore_case && key.eq_ignore_ascii_case(name)))
        })
        .any(|(_, value)| test(Sample::text(value)))
}
