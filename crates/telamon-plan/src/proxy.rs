//! Frontends, backends and servers, all names resolved; the twin of `telamon.plan.proxy`.

use serde::{Deserialize, Serialize};

use crate::balance::{Algorithm, BalanceKey, HashKey, Hashing};
use crate::http::{HttpSettings, PoolLimits};
use crate::rules::{Format, PatternSet, Rule, RuleSets};
use crate::users::UserList;
use crate::{LogStep, LogTarget, Millis, ProcessPlan, SocketAddress};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Tcp,
    Http,
}

/// HAProxy's ready-made log lines (manual 8.2.1 to 8.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LogFormat {
    #[serde(rename = "default")]
    Default,
    #[serde(rename = "tcplog")]
    Tcp,
    #[serde(rename = "httplog")]
    Http,
    #[serde(rename = "httplog clf")]
    Clf,
    #[serde(rename = "httpslog")]
    Https,
}

/// All `timeout` lines of one proxy; None: wait for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    pub client: Option<Millis>,
    pub server: Option<Millis>,
    pub connect: Option<Millis>,
    pub queue: Option<Millis>,
    pub check: Option<Millis>,
    pub tunnel: Option<Millis>,
    pub client_fin: Option<Millis>,
    pub server_fin: Option<Millis>,
    pub http_request: Option<Millis>,
    pub http_keep_alive: Option<Millis>,
    pub tarpit: Option<Millis>,
}

/// One bound address; `id` counts from 1 within its proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    pub id: u32,
    pub name: String,
    pub address: SocketAddress,
    pub interface: Option<String>,
    pub maxconn: Option<u32>,
    pub backlog: Option<u32>,
    pub nice: i32,
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub v6only: bool,
    pub v4v6: bool,
    #[serde(default)]
    pub accept_proxy: bool,
    #[serde(default)]
    pub defer_accept: bool,
    /// Socket options that Python sets: the largest segment (below 0 the engine makes ours smaller),
    /// TCP Fast Open, foreign addresses.
    #[serde(default)]
    pub mss: Option<i32>,
    /// A bit for each thread that takes connections; None: all.
    #[serde(default)]
    pub threads: Option<u64>,
    #[serde(default)]
    pub fast_open: bool,
    #[serde(default)]
    pub transparent: bool,
    #[serde(default)]
    pub tcp_ut: Option<Millis>,
    pub source_line: String,
}

/// TCP's own keep-alive probes (tcp(7)); None leaves what the system says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepAlive {
    pub count: Option<u32>,
    pub idle: Option<Millis>,
    pub interval: Option<Millis>,
}

/// What of the traffic `observe` looks at: connects alone, or HTTP responses too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    Layer4,
    Layer7,
}

/// What errors in a row lead to (`on-error`); carried out by Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    Fastinter,
    FailCheck,
    SuddenDeath,
    MarkDown,
}

/// `observe`: the traffic counts for the health too. `limit` is how many errors in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    pub layer: Layer,
    pub limit: u32,
    pub action: OnError,
}

/// A server's health check; carried out by Python.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub interval: Millis,
    pub fast_interval: Option<Millis>,
    pub down_interval: Option<Millis>,
    pub rise: u32,
    pub fall: u32,
    pub address: Option<SocketAddress>,
    pub observe: Option<Observation>,
    /// Version of the PROXY protocol's header, 0: none.
    #[serde(default)]
    pub send_proxy: u32,
}

/// A server's weight, 0 to 256 (manual 5.2, `weight`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Weight(u16);

impl Weight {
    pub const MAX: u16 = 256;

    /// None above 256.
    pub fn new(value: u16) -> Option<Weight> {
        (value <= Self::MAX).then_some(Weight(value))
    }

    pub fn get(self) -> u16 {
        self.0
    }
}

impl From<Weight> for u16 {
    fn from(weight: Weight) -> u16 {
        weight.0
    }
}

impl TryFrom<u16> for Weight {
    type Error = String;

    fn try_from(value: u16) -> Result<Self, String> {
        Weight::new(value).ok_or_else(|| format!("weight {value} is outside 0 to 256"))
    }
}

/// Whose address a server sees in place of ours (`usesrc`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presented {
    Address,
    Client,
    ClientIp,
    Header,
}

/// `usesrc`; occurrences count from 1, or from -1 backwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseSource {
    pub whose: Presented,
    pub address: Option<SocketAddress>,
    pub header: String,
    pub occurrence: i32,
}

/// One `server` line; `id` counts from 1 within its backend, names need not be unique.
/// `maxconn` and `maxqueue` 0 mean no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub id: u32,
    pub name: String,
    pub address: SocketAddress,
    pub weight: Weight,
    pub maxconn: u32,
    pub minconn: u32,
    pub maxqueue: u32,
    pub backup: bool,
    pub disabled: bool,
    pub check: Option<Check>,
    /// The client's own port plus this; None: the port stands in `address`.
    #[serde(default)]
    pub port_offset: Option<i32>,
    #[serde(default)]
    pub source: Option<SocketAddress>,
    /// Version of the PROXY protocol's header, 0: none.
    #[serde(default)]
    pub send_proxy: u32,
    #[serde(default)]
    pub tcp_ut: Option<Millis>,
    #[serde(default)]
    pub end_streams_on_down: bool,
    #[serde(default)]
    pub end_backups_on_up: bool,
    /// Its value in the persistence cookie.
    #[serde(default)]
    pub cookie: Option<String>,
    #[serde(default)]
    pub hash_key: HashKey,
    pub pool: PoolLimits,
    #[serde(default)]
    pub slowstart: Option<Millis>,
    /// GET and HEAD requests are sent to this address instead (`redir`).
    #[serde(default)]
    pub redirect: Option<String>,
    /// `source ... interface`
    #[serde(default)]
    pub source_interface: Option<String>,
    #[serde(default)]
    pub usesrc: Option<UseSource>,
    /// The first request goes with the first packet (`tfo`).
    #[serde(default)]
    pub fast_open: bool,
    /// Fields that a PROXY header of version 2 has besides the addresses.
    #[serde(default)]
    pub proxy_options: Vec<String>,
    pub source_line: String,
}

/// `default_backend` is the id of a proxy that has a backend, or None: answer 503 or close.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frontend {
    pub listeners: Vec<Listener>,
    pub maxconn: Option<u32>,
    pub backlog: Option<u32>,
    pub default_backend: Option<u32>,
}

/// `redispatch` is HAProxy's interval: 0 never, 1 on each retry, -1 on the last one only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    pub algorithm: Algorithm,
    pub random_draws: u32,
    #[serde(default)]
    pub key: BalanceKey,
    #[serde(default)]
    pub hashing: Hashing,
    pub servers: Vec<Server>,
    pub retries: u32,
    pub redispatch: i32,
    pub fullconn: Option<u32>,
    pub all_backups: bool,
}

/// When the stats page offers its admin form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdminRule {
    Never,
    Always,
    Localhost,
}

/// `stats auth`: who may see the page.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatsUser {
    pub name: String,
    pub password: String,
}

impl std::fmt::Debug for StatsUser {
    /// Without the password, which must never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatsUser")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The `stats` words of one proxy; `uri` is the prefix that a request's URI must begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatsPage {
    pub uri: String,
    pub refresh: Millis,
    pub realm: String,
    pub users: Vec<StatsUser>,
    pub hide_version: bool,
    pub show_legends: bool,
    pub show_modules: bool,
    pub show_node: Option<String>,
    pub show_description: Option<String>,
    pub scopes: Vec<String>,
    pub admin: AdminRule,
}

/// One section; `id` counts from 1 in file order (HAProxy's iid). A `listen` has both a frontend
/// and a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    pub id: u32,
    pub name: String,
    pub mode: Mode,
    pub frontend: Option<Frontend>,
    pub backend: Option<Backend>,
    pub timeouts: Timeouts,
    pub logs: Vec<LogTarget>,
    pub log_format: LogFormat,
    pub log_tag: Option<String>,
    pub dontlognull: bool,
    pub dontlog_normal: bool,
    pub logasap: bool,
    pub log_health_checks: bool,
    pub stats: Option<StatsPage>,
    pub disabled: bool,
    pub description: Option<String>,
    #[serde(default)]
    pub client_keepalive: Option<KeepAlive>,
    #[serde(default)]
    pub server_keepalive: Option<KeepAlive>,
    #[serde(default)]
    pub nolinger: bool,
    #[serde(default)]
    pub http: HttpSettings,
    #[serde(default)]
    pub rules: RuleSets,
    #[serde(default)]
    pub log_line: Option<Format>,
    #[serde(default)]
    pub error_log_line: Option<Format>,
    #[serde(default)]
    pub log_structured: Option<Format>,
    #[serde(default)]
    pub log_separate_errors: bool,
    #[serde(default)]
    pub log_steps: Vec<LogStep>,
    pub source_line: String,
}

/// All of it. `digest` names the files' content, so that two nodes can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyPlan {
    pub process: ProcessPlan,
    pub proxies: Vec<Proxy>,
    #[serde(default)]
    pub pattern_sets: Vec<PatternSet>,
    /// The `set-var` rules of the start.
    #[serde(default)]
    pub variables: Vec<Rule>,
    #[serde(default)]
    pub userlists: Vec<UserList>,
    pub digest: String,
}

impl ProxyPlan {
    /// The proxy with this id.
    pub fn proxy(&self, id: u32) -> Option<&Proxy> {
        self.proxies.iter().find(|proxy| proxy.id == id)
    }
}
