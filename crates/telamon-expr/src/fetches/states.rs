//! Counters and states of proxies and servers (manual 7.3.2).

use super::{Fetch, Row};
use crate::args::Args;
use crate::env::Number;
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "act_conn",
        make: |_, _| plain(Number::ActiveConnections),
    },
    Row {
        name: "avg_queue",
        make: |args, _| of_proxy(args, Number::AverageQueue),
    },
    Row {
        name: "be_conn",
        make: |args, _| of_proxy(args, Number::BackendConnections),
    },
    Row {
        name: "be_conn_free",
        make: |args, _| of_proxy(args, Number::BackendFreeConnections),
    },
    Row {
        name: "be_sess_rate",
        make: |args, _| of_proxy(args, Number::BackendSessionRate),
    },
    Row {
        name: "connslots",
        make: |args, _| of_proxy(args, Number::ConnectionSlots),
    },
    Row {
        name: "fe_conn",
        make: |args, _| of_proxy(args, Number::FrontendConnections),
    },
    Row {
        name: "fe_req_rate",
        make: |args, _| of_proxy(args, Number::FrontendRequestRate),
    },
    Row {
        name: "fe_sess_rate",
        make: |args, _| of_proxy(args, Number::FrontendSessionRate),
    },
    Row {
        name: "http_first_req",
        make: |_, _| yes_or_no(Number::FirstRequest),
    },
    Row {
        name: "nbsrv",
        make: |args, _| of_proxy(args, Number::UsableServers),
    },
    Row {
        name: "nbthread",
        make: |_, _| plain(Number::Threads),
    },
    Row {
        name: "queue",
        make: |args, _| of_proxy(args, Number::Queue),
    },
    Row {
        name: "srv_conn",
        make: |args, _| of_server(args, Number::ServerConnections),
    },
    Row {
        name: "srv_conn_free",
        make: |args, _| of_server(args, Number::ServerFreeConnections),
    },
    Row {
        name: "srv_is_up",
        make: |args, _| {
            let (proxy, server) = ids(args)?;
            Fetch::new(move |env| {
                let value = env.facts.number(Number::ServerIsUp, proxy, server)?;
                Some(Sample::Bool(value != 0))
            })
        },
    },
    Row {
        name: "srv_queue",
        make: |args, _| of_server(args, Number::ServerQueue),
    },
    Row {
        name: "srv_sess_rate",
        make: |args, _| of_server(args, Number::ServerSessionRate),
    },
    Row {
        name: "srv_weight",
        make: |args, _| of_server(args, Number::ServerWeight),
    },
    Row {
        name: "stopping",
        make: |_, _| yes_or_no(Number::Stopping),
    },
    Row {
        name: "thread",
        make: |_, _| plain(Number::Thread),
    },
];

fn plain(what: Number) -> Result<Fetch, String> {
    Fetch::new(move |env| env.facts.number(what, None, None).map(Sample::Int))
}

fn yes_or_no(what: Number) -> Result<Fetch, String> {
    Fetch::new(move |env| {
        let value = env.facts.number(what, None, None)?;
        Some(Sample::Bool(value != 0))
    })
}

fn ids(args: Args<'_>) -> Result<(Option<u32>, Option<u32>), String> {
    let id = |at: usize| -> Result<Option<u32>, String> {
        Ok(args.number(at)?.and_then(|id| u32::try_from(id).ok()))
    };
    Ok((id(0)?, id(1)?))
}

fn of_proxy(args: Args<'_>, what: Number) -> Result<Fetch, String> {
    let (proxy, _) = ids(args)?;
    Fetch::new(move |env| env.facts.number(what, proxy, None).map(Sample::Int))
}

fn of_server(args: Args<'_>, what: Number) -> Result<Fetch, String> {
    let (proxy, server) = ids(args)?;
    Fetch::new(move |env| env.facts.number(what, proxy, server).map(Sample::Int))
}
