//! What is fuzzed: one file a parser.

mod chunks;
mod heads;
mod proxy_protocol;

use crate::random::Random;

pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) seeds: &'static [&'static [u8]],
    /// Put in here and there.
    pub(crate) words: &'static [&'static [u8]],
    /// Panics at a fault; says whether the input is worth further changes.
    pub(crate) run: fn(&[u8], &mut Random) -> bool,
}

pub(crate) static TARGETS: [Target; 4] = [
    heads::REQUESTS,
    heads::RESPONSES,
    chunks::CHUNKS,
    proxy_protocol::HEADERS,
];
