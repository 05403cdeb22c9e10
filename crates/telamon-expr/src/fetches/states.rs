//! Counters and states of the process, of proxies and servers (manual 7.3.2).

use super::{by, number, shaped, text, Fetch, Row};
use crate::args::Args;
use crate::env::{Limit, Number, Text, Whose};
use crate::sample::Sample;

/// What a row's arguments say, and what its number becomes.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Plain,
    Flag,
    /// The argument is a proxy.
    OfProxy,
    /// The arguments are a backend and a server.
    OfServer,
    FlagOfServer,
    /// Microseconds since 1970; the argument is the unit that is wanted, seconds without one.
    Date,
    /// Microseconds; the argument is the unit that is wanted, milliseconds without one.
    Span,
}

use Limit::{Client, Connect, Queue, Retries, Server, Tarpit, Tunnel};
use Shape::{Date, Flag, FlagOfServer, OfProxy, OfServer};
use Whose::{Backend, Current, Frontend};

pub(super) const ROWS: &[Row] = &[
    shaped("accept_date", Number::AcceptedMicros, Date),
    number("act_conn", Number::ActiveConnections),
    shaped("avg_queue", Number::AverageQueue, OfProxy),
    shaped("be_conn", Number::BackendConnections, OfProxy),
    shaped("be_conn_free", Number::BackendFreeConnections, OfProxy),
    number("be_connect_timeout", Number::Limit(Backend, Connect)),
    number("be_max_retries", Number::Limit(Backend, Retries)),
    number("be_queue_timeout", Number::Limit(Backend, Queue)),
    number("be_server_timeout", Number::Limit(Backend, Server)),
    shaped("be_sess_rate", Number::BackendSessionRate, OfProxy),
    number("be_tarpit_timeout", Number::Limit(Backend, Tarpit)),
    number("be_tunnel_timeout", Number::Limit(Backend, Tunnel)),
    number("bytes_in", Number::BytesFromClient),
    number("bytes_out", Number::BytesToClient),
    shaped("connslots", Number::ConnectionSlots, OfProxy),
    // Nobody measures tasks: as in HAProxy without `profiling.tasks`.
    by("cpu_ns_avg", |_, _| Fetch::new(|_| Some(Sample::Int(0)))),
    by("cpu_ns_tot", |_, _| Fetch::new(|_| Some(Sample::Int(0)))),
    number("cur_client_timeout", Number::Limit(Current, Client)),
    number("cur_connect_timeout", Number::Limit(Current, Connect)),
    number("cur_max_retries", Number::Limit(Current, Retries)),
    number("cur_queue_timeout", Number::Limit(Current, Queue)),
    number("cur_server_timeout", Number::Limit(Current, Server)),
    number("cur_tarpit_timeout", Number::Limit(Current, Tarpit)),
    number("cur_tunnel_timeout", Number::Limit(Current, Tunnel)),
    number("fe_client_timeout", Number::Limit(Frontend, Client)),
    shaped("fe_conn", Number::FrontendConnections, OfProxy),
    text("fe_defbe", Text::DefaultBackend),
    shaped("fe_req_rate", Number::FrontendRequestRate, OfProxy),
    shaped("fe_sess_rate", Number::FrontendSessionRate, OfProxy),
    number("fe_tarpit_timeout", Number::Limit(Frontend, Tarpit)),
    shaped("http_first_req", Number::FirstRequest, Flag),
    text("last_rule_file", Text::RuleFile),
    number("last_rule_line", Number::RuleLine),
    by("lat_ns_avg", |_, _| Fetch::new(|_| Some(Sample::Int(0)))),
    by("lat_ns_tot", |_, _| Fetch::new(|_| Some(Sample::Int(0)))),
    // There is one process.
    by("nbproc", |_, _| Fetch::new(|_| Some(Sample::Int(1)))),
    shaped("nbsrv", Number::UsableServers, OfProxy),
    number("nbthread", Number::Threads),
    number("pid", Number::Process),
    number("prio_class", Number::PriorityClass),
    number("prio_offset", Number::PriorityOffset),
    by("proc", |_, _| Fetch::new(|_| Some(Sample::Int(1)))),
    shaped("queue", Number::Queue, OfProxy),
    // There is no QUIC.
    by("quic_enabled", |_, _| {
        Fetch::new(|_| Some(Sample::Bool(false)))
    }),
    number("req.bytes_in", Number::BytesFromClient),
    shaped("request_date", Number::BeganMicros, Date),
    number("res.bytes_out", Number::BytesToClient),
    number("server_status", Number::ServerStatus),
    shaped("srv_conn", Number::ServerConnections, OfServer),
    shaped("srv_conn_free", Number::ServerFreeConnections, OfServer),
    shaped("srv_is_up", Number::ServerIsUp, FlagOfServer),
    shaped("srv_iweight", Number::ServerInitialWeight, OfServer),
    shaped("srv_queue", Number::ServerQueue, OfServer),
    shaped("srv_sess_rate", Number::ServerSessionRate, OfServer),
    shaped("srv_uweight", Number::ServerUserWeight, OfServer),
    shaped("srv_weight", Number::ServerWeight, OfServer),
    shaped("stopping", Number::Stopping, Flag),
    number("thread", Number::Thread),
    number("txn.conn_retries", Number::Retries),
    number("txn.id32", Number::Transaction),
    shaped("txn.redispatched", Number::Redispatched, Flag),
    text("txn.sess_term_state", Text::State),
    number("txn.status", Number::Status),
];

pub(super) fn fetch(args: Args<'_>, what: Number, shape: Shape) -> Result<Fetch, String> {
    let id = |at: usize| -> Result<Option<u32>, String> {
        Ok(args.number(at)?.and_then(|id| u32::try_from(id).ok()))
    };
    let (proxy, server) = match shape {
        Shape::OfProxy => (id(0)?, None),
        Shape::OfServer | Shape::FlagOfServer => (id(0)?, id(1)?),
        _ => (None, None),
    };
    let divisor = match shape {
        Shape::Date => unit(args, "s")?,
        Shape::Span => unit(args, "ms")?,
        _ => 1,
    };
    let flag = matches!(shape, Shape::Flag | Shape::FlagOfServer);
    // A span is rounded, a date is not.
    let half = if matches!(shape, Shape::Span) {
        divisor / 2
    } else {
        0
    };
    Fetch::new(move |env| {
        let value = env.facts.number(what, proxy, server)?;
        Some(match flag {
            true => Sample::Bool(value != 0),
            false => Sample::Int((value + half).div_euclid(divisor)),
        })
    })
}

/// How many microseconds the first argument's unit has.
fn unit(args: Args<'_>, default: &str) -> Result<i64, String> {
    let unit = args.string(0).unwrap_or_else(|| default.to_owned());
    Ok(match unit.as_str() {
        "s" => 1_000_000,
        "ms" => 1000,
        "us" => 1,
        _ => return Err(format!("'{unit}' is no unit: write s, ms or us")),
    })
}
