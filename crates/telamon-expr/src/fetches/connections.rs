//! States of the two connections (manual 7.3.3): what the kernel, a PROXY header and HTTP tell.

use std::net::SocketAddr;

use super::states::Shape::{Flag, Span};
use super::{by, number, shaped, text, Fetch, Row};
use crate::args::Args;
use crate::env::Side::{Client, Server};
use crate::env::{Env, Kernel, Number, Text, Timer};
use crate::sample::Sample;

/// Kinds of the PROXY header's fields (HAProxy's doc/proxy-protocol.txt, 2.2).
const AUTHORITY: u8 = 0x02;
const UNIQUE_ID: u8 = 0x05;
const KINDS: [(&str, u8); 7] = [
    ("ALPN", 0x01),
    ("AUTHORITY", AUTHORITY),
    ("CRC32C", 0x03),
    ("NOOP", 0x04),
    ("UNIQUE_ID", UNIQUE_ID),
    ("SSL", 0x20),
    ("NETNS", 0x30),
];

pub(super) const ROWS: &[Row] = &[
    number("bc_be_queue", Number::BackendQueuePlace),
    by("bc_dst", |_, _| {
        address(|env| Some(env.facts.server_ends()?.1))
    }),
    by("bc_dst_port", |_, _| {
        port(|env| Some(env.facts.server_ends()?.1))
    }),
    number("bc_err", Number::Error(Server)),
    text("bc_err_str", Text::ErrorText(Server)),
    by("bc_glitches", |_, _| constant(0, Server)),
    number("bc_http_major", Number::HttpMajor(Server)),
    number("bc_nb_streams", Number::Streams(Server)),
    shaped("bc_reused", Number::Reused, Flag),
    shaped("bc_rtt", Number::Kernel(Server, Kernel::Rtt), Span),
    shaped("bc_rttvar", Number::Kernel(Server, Kernel::RttVar), Span),
    by("bc_setting_streams_limit", |_, _| constant(1, Server)),
    by("bc_src", |_, _| {
        address(|env| Some(env.facts.server_ends()?.0))
    }),
    by("bc_src_port", |_, _| {
        port(|env| Some(env.facts.server_ends()?.0))
    }),
    number("bc_srv_queue", Number::ServerQueuePlace),
    number("bc_timer_connect", Number::Timer(Timer::Connect)),
    number("dst_conn", Number::ListenerConnections),
    number("fc_err", Number::Error(Client)),
    text("fc_err_str", Text::ErrorText(Client)),
    number("fc_fackets", Number::Kernel(Client, Kernel::Fackets)),
    by("fc_glitches", |_, _| constant(0, Client)),
    number("fc_http_major", Number::HttpMajor(Client)),
    number("fc_lost", Number::Kernel(Client, Kernel::Lost)),
    number("fc_nb_streams", Number::Streams(Client)),
    by("fc_pp_authority", |_, _| field(AUTHORITY)),
    by("fc_pp_tlv", |args, _| field(kind(args)?)),
    by("fc_pp_unique_id", |_, _| field(UNIQUE_ID)),
    shaped("fc_rcvd_proxy", Number::ReceivedProxy, Flag),
    number("fc_reordering", Number::Kernel(Client, Kernel::Reordering)),
    number("fc_retrans", Number::Kernel(Client, Kernel::Retrans)),
    shaped("fc_rtt", Number::Kernel(Client, Kernel::Rtt), Span),
    shaped("fc_rttvar", Number::Kernel(Client, Kernel::RttVar), Span),
    number("fc_sacked", Number::Kernel(Client, Kernel::Sacked)),
    by("fc_settings_streams_limit", |_, _| constant(1, Client)),
    number("fc_timer_handshake", Number::Timer(Timer::Handshake)),
    number("fc_timer_total", Number::Timer(Timer::Total)),
    number("fc_unacked", Number::Kernel(Client, Kernel::Unacked)),
];

type End = fn(&Env<'_>) -> Option<SocketAddr>;

fn address(of: End) -> Result<Fetch, String> {
    Fetch::new(move |env| Some(Sample::Ip(of(env)?.ip().to_canonical())))
}

fn port(of: End) -> Result<Fetch, String> {
    Fetch::new(move |env| Some(Sample::Int(i64::from(of(env)?.port()))))
}

/// What is the same of each connection of HTTP/1, if there is one.
fn constant(value: i64, side: crate::env::Side) -> Result<Fetch, String> {
    Fetch::new(move |env| {
        env.facts.number(Number::HttpMajor(side), None, None)?;
        Some(Sample::Int(value))
    })
}

fn field(kind: u8) -> Result<Fetch, String> {
    Fetch::new(move |env| Some(Sample::owned(env.facts.proxy_field(kind)?.to_vec())))
}

/// A number, or one of the names.
fn kind(args: Args<'_>) -> Result<u8, String> {
    let text = args.string(0).unwrap_or_default();
    let named = KINDS.iter().find(|one| one.0.eq_ignore_ascii_case(&text));
    let digits = text
        .strip_prefix("0x")
        .map(|hex| u8::from_str_radix(hex, 16));
    let number = digits.unwrap_or_else(|| text.parse()).ok();
    named.map(|one| one.1).or(number).ok_or_else(|| {
        let names: Vec<&str> = KINDS.iter().map(|one| one.0).collect();
        format!(
            "'{text}' is no kind of field: write 0 to 255, or {}",
            names.join(", ")
        )
    })
}
