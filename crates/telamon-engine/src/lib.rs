//! The data plane: one thread per core, nothing shared on the hot path.
//!
//! [`Engine`] is the control side. Each data thread runs a `worker::Worker` over one of two I/O
//! engines (`io/`), which share all other code. Threads meet in `shared.rs`: limits, queues,
//! server states, mailboxes.

mod accept;
mod backend;
mod calls;
mod compile;
mod conn;
mod counters;
mod engine;
mod http;
mod inspect;
mod inspect_calls;
mod io;
mod log;
mod logs;
mod mail;
mod mailbox;
mod observe;
mod pick;
mod program;
mod relay;
mod ring;
mod seen;
mod sessions;
mod shared;
mod sizes;
mod snapshot;
mod start;
mod threads;
mod usesrc;
mod worker;

pub use calls::{CallRequest, RequestView, ResponseView, View};
pub use engine::{probe_io, CallOutcome, Choice, Engine, EngineError};
pub use mailbox::Event;
pub use observe::ServerError;
pub use sessions::{ServerSide, Session};
pub use shared::ServerState;
pub use snapshot::{ProxySnapshot, Snapshot, Values};
pub use threads::{Descriptor, Holder, PoolState, ThreadState};
