//! The plan of a proxy process, as `src/telamon/plan/{process,proxy}.py` define it and
//! `src/telamon/plan/codec.py` writes it as JSON.
//!
//! The types mirror the Python ones field by field; unknown and missing fields are errors, and
//! `tests/plan/test_mirror.py` holds the two sides together. [`ProxyPlan::from_json`] also checks
//! what types alone cannot say (unique ids, a default backend that exists), so that the engine
//! may trust a plan it has been given.

mod address;
mod balance;
mod check;
mod error;
pub mod http;
mod process;
mod proxy;
pub mod rules;
pub mod users;

pub use address::SocketAddress;
pub use balance::{
    Algorithm, BalanceKey, HashAffinity, HashFunction, HashKey, HashMethod, Hashing,
};
pub use check::rules_from_json;
pub use error::PlanError;
pub use process::{
    Facility, HeaderCase, Level, LogHeader, LogProfile, LogRange, LogRule, LogSample, LogStep,
    LogTarget, ProcessPlan, Ring, RingServer, StatsLevel, StatsSocket,
};
pub use proxy::{
    AdminRule, Backend, Check, Frontend, KeepAlive, Layer, Listener, LogFormat, Mode, Observation,
    OnError, Presented, Proxy, ProxyPlan, Server, StatsPage, StatsUser, Timeouts, UseSource,
    Weight,
};

/// A duration in whole milliseconds.
pub type Millis = u64;
