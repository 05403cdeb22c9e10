//! The index of algorithms.

mod first;
mod hashed;
mod leastconn;
mod map;
mod random;
mod ring;
mod roundrobin;
mod static_rr;
mod turns;

pub use hashed::{Affinity, Hashing, Method};

use crate::balancer::Ask;
use crate::pool::{Group, Pool};

/// The `balance` line of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Algorithm {
    RoundRobin,
    StaticRr,
    LeastConn,
    First,
    /// `balance_factor` as in [`Method::Consistent`].
    Random {
        draws: u32,
        balance_factor: u32,
    },
    Hash(Hashing),
}

pub(crate) fn picker(algorithm: Algorithm, pool: &Pool) -> Box<dyn Picker> {
    match algorithm {
        Algorithm::RoundRobin => Box::new(roundrobin::RoundRobin::new(pool)),
        Algorithm::StaticRr => Box::new(static_rr::StaticRr::new(pool)),
        Algorithm::LeastConn => Box::new(leastconn::LeastConn::new(pool)),
        Algorithm::First => Box::new(first::First::new(pool)),
        Algorithm::Random {
            draws,
            balance_factor,
        } => Box::new(random::Random::new(draws, balance_factor)),
        Algorithm::Hash(hashing) => match hashing.method {
            Method::MapBased => Box::new(hashed::MapHash::new(hashing, pool)),
            Method::Consistent { balance_factor } => {
                Box::new(hashed::RingHash::new(hashing, balance_factor, pool))
            }
        },
    }
}

/// What an algorithm is. The group it chooses from has at least one usable server.
pub(crate) trait Picker: Send + Sync {
    /// A server of the group, or None if all are full.
    fn pick(&self, pool: &Pool, group: Group, ask: &Ask) -> Option<usize>;

    /// The server's usability or weight changed; the pool has the new values.
    fn weight_changed(&self, _pool: &Pool, _server: usize) {}

    /// A stream came to the server or left it.
    fn load_changed(&self, _pool: &Pool, _server: usize) {}

    /// Whether weights may change while it runs, so that a server can start slowly. The others
    /// lay out tables of whole weights (manual, `balance`, "static").
    fn is_dynamic(&self) -> bool {
        false
    }
}

/// Take the first candidate with room, the one to avoid only if no other has room.
fn first_with_room(
    pool: &Pool,
    candidates: impl Iterator<Item = usize>,
    avoid: Option<usize>,
) -> Option<usize> {
    let mut avoided = None;
    for server in candidates {
        if pool.saturated(server) {
            continue;
        }
        if Some(server) != avoid {
            return Some(server);
        }
        avoided = Some(server);
    }
    avoided
}
