//! Addresses and names of the connection (manual 7.3.3).

use std::net::{IpAddr, SocketAddr};

use super::{Fetch, Row};
use crate::env::{Env, Names};
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "be_id",
        make: |_, _| id(|names| Some(names.backend?.1)),
    },
    Row {
        name: "be_name",
        make: |_, _| name(|names| Some(names.backend?.0)),
    },
    Row {
        name: "dst",
        make: |_, _| address(|env| env.facts.destination()),
    },
    Row {
        name: "dst_is_local",
        make: |_, _| local(|env| env.facts.destination()),
    },
    Row {
        name: "dst_port",
        make: |_, _| port(|env| env.facts.destination()),
    },
    Row {
        name: "fc_dst",
        make: |_, _| address(|env| env.facts.destination()),
    },
    Row {
        name: "fc_dst_port",
        make: |_, _| port(|env| env.facts.destination()),
    },
    Row {
        name: "fc_src",
        make: |_, _| address(|env| env.facts.source()),
    },
    Row {
        name: "fc_src_port",
        make: |_, _| port(|env| env.facts.source()),
    },
    Row {
        name: "fe_id",
        make: |_, _| id(|names| Some(names.frontend.1)),
    },
    Row {
        name: "fe_name",
        make: |_, _| name(|names| Some(names.frontend.0)),
    },
    Row {
        name: "so_id",
        make: |_, _| id(|names| Some(names.listener.1)),
    },
    Row {
        name: "so_name",
        make: |_, _| name(|names| Some(names.listener.0)),
    },
    Row {
        name: "src",
        make: |_, _| address(|env| env.facts.source()),
    },
    Row {
        name: "src_is_local",
        make: |_, _| local(|env| env.facts.source()),
    },
    Row {
        name: "src_port",
        make: |_, _| port(|env| env.facts.source()),
    },
    Row {
        name: "srv_id",
        make: |_, _| id(|names| Some(names.server?.1)),
    },
    Row {
        name: "srv_name",
        make: |_, _| name(|names| Some(names.server?.0)),
    },
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
