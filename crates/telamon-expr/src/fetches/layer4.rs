//! Addresses and names of the connection (manual 7.3.3).

use std::net::{IpAddr, SocketAddr};

use super::{by, Fetch, Row};
use crate::env::{Env, Names};
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    by("be_id", |_, _| id(|names| Some(names.backend?.1))),
    by("be_name", |_, _| name(|names| Some(names.backend?.0))),
    by("dst", |_, _| address(|env| env.facts.destination())),
    by("dst_is_local", |_, _| local(|env| env.facts.destination())),
    by("dst_port", |_, _| port(|env| env.facts.destination())),
    by("fc_dst", |_, _| address(|env| env.facts.own_destination())),
    by("fc_dst_is_local", |_, _| {
        local(|env| env.facts.own_destination())
    }),
    by("fc_dst_port", |_, _| {
        port(|env| env.facts.own_destination())
    }),
    by("fc_src", |_, _| address(|env| env.facts.own_source())),
    by("fc_src_is_local", |_, _| {
        local(|env| env.facts.own_source())
    }),
    by("fc_src_port", |_, _| port(|env| env.facts.own_source())),
    by("fe_id", |_, _| id(|names| Some(names.frontend.1))),
    by("fe_name", |_, _| name(|names| Some(names.frontend.0))),
    by("so_id", |_, _| id(|names| Some(names.listener.1))),
    by("so_name", |_, _| name(|names| Some(names.listener.0))),
    by("src", |_, _| address(|env| env.facts.source())),
    by("src_is_local", |_, _| local(|env| env.facts.source())),
    by("src_port", |_, _| port(|env| env.facts.source())),
    by("srv_id", |_, _| id(|names| Some(names.server?.1))),
    by("srv_name", |_, _| name(|names| Some(names.server?.0))),
];

type Ends = fn(&Env<'_>) -> Option<SocketAddr>;

fn address(of: Ends) -> Result<Fetch, String> {
    Fetch::new(move |env| Some(Sample::Ip(of(env)?.ip().to_canonical())))
}

fn port(of: Ends) -> Result<Fetch, String> {
    Fetch::new(move |env| Some(Sample::Int(i64::from(of(env)?.port()))))
}

/// As near as can be told without asking the system: loopback, or both ends alike.
fn local(of: Ends) -> Result<Fetch, String> {
    Fetch::new(move |env| {
        let ip: IpAddr = of(env)?.ip().to_canonical();
        let other = [env.facts.source(), env.facts.destination()];
        let both = other
            .iter()
            .flatten()
            .all(|end| end.ip().to_canonical() == ip);
        Some(Sample::Bool(ip.is_loopback() || both))
    })
}

fn name(of: for<'n> fn(&Names<'n>) -> Option<&'n str>) -> Result<Fetch, String> {
    Fetch::new(move |env| {
        let names = env.facts.names();
        Some(Sample::owned(of(&names)?.into()))
    })
}

fn id(of: fn(&Names<'_>) -> Option<u32>) -> Result<Fetch, String> {
    Fetch::new(move |env| Some(Sample::Int(i64::from(of(&env.facts.names())?))))
}
