//! How a backend chooses a server; the twin of `telamon.plan.balance`.

use serde::{Deserialize, Serialize};

use crate::rules::Expression;

/// Balancing algorithms (manual, `balance`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    #[serde(rename = "roundrobin")]
    RoundRobin,
    StaticRr,
    #[serde(rename = "leastconn")]
    LeastConn,
    First,
    Source,
    Random,
    Uri,
    #[serde(rename = "url_param")]
    UrlParam,
    Hdr,
    RdpCookie,
    Hash,
}

/// What a hashing algorithm takes of a request; each algorithm reads its own fields.
///
/// `name` is a header's, a parameter's or a cookie's. Of a URI at most `length` bytes and `depth`
/// slashes count (0: all), `whole` with its query, `path_only` without its authority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalanceKey {
    pub name: String,
    pub length: u32,
    pub depth: u32,
    pub whole: bool,
    pub path_only: bool,
    pub check_post: bool,
    pub domain_only: bool,
    #[serde(default)]
    pub expression: Option<Expression>,
}

/// How a number leads to a server (manual, `hash-type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HashMethod {
    #[default]
    MapBased,
    Consistent,
}

/// How a key becomes a number (manual, `hash-type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashFunction {
    #[default]
    Sdbm,
    Djb2,
    Wt6,
    Crc32,
    None,
}

/// `hash-preserve-affinity`: until when a key keeps to its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashAffinity {
    #[default]
    Always,
    Maxconn,
    Maxqueue,
}

/// `hash-key`: what places a server on the ring of the consistent method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HashKey {
    #[default]
    Id,
    Addr,
    AddrPort,
}

/// `hash-type` and its companions. `balance_factor` is a percentage above 100, or 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashing {
    pub method: HashMethod,
    pub function: HashFunction,
    pub avalanche: bool,
    pub balance_factor: u32,
    pub affinity: HashAffinity,
}
