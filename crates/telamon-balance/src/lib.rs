//! Which server takes the next stream.
//!
//! A [`Balancer`] belongs to one backend and is shared by all data threads. It keeps what the
//! threads must agree on (who may be used, weights, how many streams each server has) in
//! atomics; an algorithm that needs an order of turns keeps it behind a short lock of its own.
//!
//! Where HAProxy's choice is deterministic (all but `random`) the same servers with the same history give the same choice here; the tests compare
//! with the real program.
//!
//! A new algorithm is one file in `algorithms/` and one line in its index.
#![forbid(unsafe_code)]

mod algorithms;
mod balancer;
pub mod hash;
pub mod keys;
mod pool;
mod queue;

pub use algorithms::{Affinity, Algorithm, Hashing, Method};
pub use balancer::{Ask, Balancer, Pick};
pub use hash::{avalanche, Function};
pub use keys::{KeySource, Request, UriPart};
pub use pool::{HashKey, ServerSpec};
pub use queue::{Priority, Queue};
