//! What a proxy does with HTTP beyond its rules; the twin of `telamon.plan.http`.

use serde::{Deserialize, Serialize};

use crate::rules::{Condition, Expression, Format, Reply};
use crate::Millis;

/// What becomes of the two connections after a response; the later one is the stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionMode {
    KeepAlive,
    ServerClose,
    Close,
}

/// Who may use an idle connection to a server (manual, `http-reuse`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reuse {
    Never,
    #[default]
    Safe,
    Aggressive,
    Always,
}

/// `option http-restrict-req-hdr-names`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamePolicy {
    Preserve,
    Delete,
    Reject,
}

/// `option forwardfor` and `originalto`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressHeader {
    pub header: String,
    pub exception: Option<String>,
    pub if_none: bool,
}

/// A parameter of RFC 7239: the connection's own value, or an expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardedPart {
    pub expression: Option<Expression>,
}

/// `option forwarded` (RFC 7239).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forwarded {
    pub proto: bool,
    pub host: Option<ForwardedPart>,
    pub by: Option<ForwardedPart>,
    pub by_port: Option<ForwardedPart>,
    pub for_: Option<ForwardedPart>,
    pub for_port: Option<ForwardedPart>,
}

/// How a persistence cookie gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CookieMode {
    Passive,
    Rewrite,
    Insert,
    Prefix,
}

/// The `cookie` line of a backend. `maxidle` and `maxlife` are seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cookie {
    pub name: String,
    pub mode: CookieMode,
    pub indirect: bool,
    pub nocache: bool,
    pub postonly: bool,
    pub preserve: bool,
    pub httponly: bool,
    pub secure: bool,
    pub domains: Vec<String>,
    pub maxidle: Option<u64>,
    pub maxlife: Option<u64>,
    pub dynamic: bool,
    pub dynamic_key: Option<String>,
    pub attributes: Vec<String>,
}

/// A slot whose value logs may show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    pub header: Option<String>,
    pub length: usize,
}

/// `capture cookie`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CookieCapture {
    pub name: String,
    pub prefix: bool,
    pub length: usize,
}

/// What is answered in place of the ready-made text of a status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorReply {
    pub status: u16,
    pub reply: Reply,
}

/// The HTTP options of one proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    pub connection: Option<ConnectionMode>,
    pub reuse: Reuse,
    pub buffer_request: bool,
    pub no_delay: bool,
    pub pretend_keepalive: bool,
    pub prefer_last_server: bool,
    pub abort_on_close: bool,
    pub ignore_probes: bool,
    pub name_policy: Option<NamePolicy>,
    pub unsafe_requests: bool,
    pub unsafe_responses: bool,
    pub use_proxy_header: bool,
    pub adjust_client_case: bool,
    pub adjust_server_case: bool,
    pub drop_request_trailers: bool,
    pub drop_response_trailers: bool,
    pub forward_for: Option<AddressHeader>,
    pub original_to: Option<AddressHeader>,
    pub forwarded: Option<Forwarded>,
    pub monitor_uri: Option<String>,
    pub monitor_fail: Vec<Condition>,
    pub retry_on: Vec<String>,
    pub errors: Vec<ErrorReply>,
    pub unique_id: Option<Format>,
    pub unique_id_header: Option<String>,
    pub server_name_header: Option<String>,
    pub request_captures: Vec<Capture>,
    pub response_captures: Vec<Capture>,
    pub cookie_capture: Option<CookieCapture>,
    pub cookie: Option<Cookie>,
    pub persist: bool,
    pub max_keep_alive_queue: Option<u32>,
    pub session_rate_limit: Option<u32>,
    #[serde(default)]
    pub idle_close_on_response: bool,
    /// `option checkcache`
    #[serde(default)]
    pub check_cache: bool,
}

/// A server's idle connections; None: no limit of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolLimits {
    pub max_connections: Option<u32>,
    pub low_connections: u32,
    pub purge_delay: Millis,
    pub max_reuse: Option<u32>,
}

impl Default for PoolLimits {
    fn default() -> Self {
        PoolLimits {
            max_connections: None,
            low_connections: 0,
            purge_delay: 5000,
            max_reuse: None,
        }
    }
}
