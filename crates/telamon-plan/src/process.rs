//! What belongs to the whole process: HAProxy's `global` section, resolved.

use serde::{Deserialize, Serialize};

use crate::rules::Format;
use crate::{Millis, SocketAddress};

/// An enum that is a small number in the document (Python's `IntEnum`).
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $value:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u8", into = "u8")]
        #[repr(u8)]
        pub enum $name { $($variant = $value),+ }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> u8 {
                value as u8
            }
        }

        impl TryFrom<u8> for $name {
            type Error = String;

            fn try_from(value: u8) -> Result<Self, String> {
                match value {
                    $($value => Ok($name::$variant),)+
                    _ => Err(format!("{value} is no {}", stringify!($name))),
                }
            }
        }
    };
}

numbered! {
    /// Syslog facilities (RFC 5424 6.2.1), named as haproxy.cfg names them.
    Facility {
        Kern = 0, User = 1, Mail = 2, Daemon = 3, Auth = 4, Syslog = 5, Lpr = 6, News = 7,
        Uucp = 8, Cron = 9, Auth2 = 10, Ftp = 11, Ntp = 12, Audit = 13, Alert = 14, Cron2 = 15,
        Local0 = 16, Local1 = 17, Local2 = 18, Local3 = 19, Local4 = 20, Local5 = 21,
        Local6 = 22, Local7 = 23,
    }
}

numbered! {
    /// Syslog severities (RFC 5424 6.2.1); a smaller number is more urgent.
    Level {
        Emerg = 0, Alert = 1, Crit = 2, Err = 3, Warning = 4, Notice = 5, Info = 6, Debug = 7,
    }
}

/// The framing of a log message (manual, `log ... format`). `Rfc3164` names a host, `localhost`
/// where no other is said; `Local` is the same without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogHeader {
    Rfc3164,
    Rfc5424,
    Raw,
    Short,
    Timed,
    Iso,
    Local,
    Priority,
}

/// Numbers of messages, from 1, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRange {
    pub first: u32,
    pub last: u32,
}

/// `log ... sample`: of each `size` messages those in `ranges` are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSample {
    pub ranges: Vec<LogRange>,
    pub size: u32,
}

/// One `log` line. `max_level` drops what is less urgent, `min_level` caps the urgency said;
/// `length` is the longest message in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogTarget {
    /// None: the lines go into a ring, whose own header and length count.
    pub address: Option<SocketAddress>,
    pub facility: Facility,
    pub max_level: Level,
    pub min_level: Level,
    pub length: usize,
    pub header: LogHeader,
    #[serde(default)]
    pub sample: Option<LogSample>,
    /// Its place in `ProcessPlan::rings`.
    #[serde(default)]
    pub ring: Option<usize>,
    /// Its place in `ProcessPlan::log_profiles`.
    #[serde(default)]
    pub profile: Option<usize>,
}

/// Where a ring's messages are sent: each with a line feed behind it, or with its length before
/// it (RFC 6587).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingServer {
    pub name: String,
    pub address: SocketAddress,
    pub octet_count: bool,
}

/// Messages kept in memory, the oldest leaving first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    pub name: String,
    pub description: String,
    pub size: usize,
    pub max_length: usize,
    pub header: LogHeader,
    pub servers: Vec<RingServer>,
    pub connect_timeout: Option<Millis>,
    pub server_timeout: Option<Millis>,
}

/// What a stats socket's users may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatsLevel {
    User,
    Operator,
    Admin,
}

/// A moment in a stream's life at which a line can be written. `Error`: a connection that ended
/// before there was a stream; `Any`: in a profile, every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStep {
    Accept,
    Request,
    Connect,
    Response,
    Close,
    Error,
    Any,
}

/// What a profile makes of a step's line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRule {
    pub step: LogStep,
    pub drop: bool,
    pub line: Option<Format>,
    pub structured: Option<Format>,
}

/// A `log-profile`: how lines differ for one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogProfile {
    pub name: String,
    pub tag: Option<String>,
    pub rules: Vec<LogRule>,
}

/// A `stats socket`; served by Python, carried here because the plan is mirrored whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatsSocket {
    pub address: SocketAddress,
    pub level: StatsLevel,
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub expose_fd_listeners: bool,
}

/// `h1-case-adjust`: how a header's (lower-case) `name` is written for peers that care.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderCase {
    pub name: String,
    pub written: String,
}

fn default_bufsize() -> usize {
    16384
}

fn default_maxrewrite() -> usize {
    1024
}

fn default_max_headers() -> u32 {
    101
}

fn default_log_uri_length() -> usize {
    1023
}

fn default_python_timeout() -> Millis {
    1000
}

fn yes() -> bool {
    true
}

/// `global`. None means that the file did not say and the engine's own choice holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessPlan {
    pub maxconn: Option<u32>,
    pub nbthread: Option<u32>,
    pub chroot: Option<String>,
    pub user: Option<String>,
    pub group: Option<String>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub pidfile: Option<String>,
    pub daemon: bool,
    pub node: Option<String>,
    pub description: Option<String>,
    pub log_tag: String,
    pub log_send_hostname: Option<String>,
    pub logs: Vec<LogTarget>,
    #[serde(default)]
    pub log_profiles: Vec<LogProfile>,
    pub stats_sockets: Vec<StatsSocket>,
    pub stats_timeout: Millis,
    pub stats_maxconn: u32,
    pub hard_stop_after: Option<Millis>,
    pub ulimit_n: Option<u64>,
    pub spread_checks: u32,
    #[serde(default = "default_bufsize")]
    pub bufsize: usize,
    #[serde(default = "default_maxrewrite")]
    pub maxrewrite: usize,
    #[serde(default = "default_max_headers")]
    pub max_headers: u32,
    #[serde(default = "default_log_uri_length")]
    pub log_uri_length: usize,
    #[serde(default = "yes")]
    pub idle_pool_shared: bool,
    #[serde(default)]
    pub header_cases: Vec<HeaderCase>,
    #[serde(default)]
    pub payload_with_any_method: bool,
    /// Most connections and sessions per second.
    #[serde(default)]
    pub connection_rate: Option<u32>,
    #[serde(default)]
    pub session_rate: Option<u32>,
    /// How many long bodies may pass through pipes at once.
    #[serde(default)]
    pub max_pipes: Option<u32>,
    #[serde(default)]
    pub strict_limits: bool,
    #[serde(default)]
    pub dumpable: bool,
    #[serde(default)]
    pub fd_hard_limit: Option<u64>,
    #[serde(default)]
    pub rings: Vec<Ring>,
    /// For the stand-in of HAProxy's program; the engine does not care.
    #[serde(default)]
    pub master_worker: bool,
    #[serde(default = "yes")]
    pub exit_on_failure: bool,
    /// For the control process, which calls their functions.
    #[serde(default)]
    pub python_files: Vec<String>,
    #[serde(default = "default_python_timeout")]
    pub python_timeout: Millis,
}
