//! Which server takes the next stream.
//!
//! A [`Balancer`] belongs to one backend and is shared by all data threads. It keeps what the
//! threads must agree on (who may be used, weights, how many streams each server has) in
//! atomics; an algorithm that needs an order of turns keeps it behind a short lock of its own.
//!
//! Where HAProxy's choice is deterministic (`roundrobin`, `static-rr`, `leastconn`, `first`,
//! `source`) the same servers with the same history give the same choice here; the tests compare
//! with the real program.
//!
//! A new algorithm is one file in `algorithms/` and one line in its index.
#![forbid(unsafe_code)]

mod algorithms;
mod balancer;
mod hash;
mod pool;

pub use algorithms::Algorithm;
pub use balancer::{Ask, Balancer, Pick};
pub use hash::source_hash;
pub use pool::ServerSpec;
