//! Converters that look up or note something beside the sample.

use super::{boxed, by, Made, Row};
use crate::args::Args;
use crate::env::{Env, Number};
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    by("capture-req", |args, _| capture(args, false)),
    by("capture-res", |args, _| capture(args, true)),
    by("nbsrv", |_, _| {
        boxed(|env, sample| {
            let (backend, _) = env.facts.find(Some(&sample.into_text()), None)?;
            let count = env
                .facts
                .number(Number::UsableServers, Some(backend), None)?;
            Some(Sample::Int(count))
        })
    }),
    by("srv_queue", |_, _| {
        boxed(|env, sample| queue(env, &sample.into_text()))
    }),
];

/// Into a slot that is not declared nothing is put.
fn capture(args: Args<'_>, response: bool) -> Made {
    let slot = args.number(0)?.ok_or("a slot is missing")?;
    let slot = usize::try_from(slot).map_err(|_| "slots count from 0")?;
    boxed(move |env, sample| {
        env.facts
            .keep_capture(response, slot, &sample.clone().into_text());
        Some(sample)
    })
}

/// `server`, of the stream's own backend, or `backend/server`.
fn queue(env: &Env<'_>, text: &[u8]) -> Option<Sample<'static>> {
    let (backend, server) = match memchr::memchr(b'/', text) {
        Some(at) => (Some(&text[..at]), &text[at + 1..]),
        None => (None, text),
    };
    let (backend, server) = env.facts.find(backend, Some(server))?;
    let count = env
        .facts
        .number(Number::ServerQueue, Some(backend), server)?;
    Some(Sample::Int(count))
}
