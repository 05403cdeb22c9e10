//! The index of algorithms.

mod first;
mod leastconn;
mod map;
mod random;
mod roundrobin;
mod source;
mod static_rr;
mod turns;

use crate::balancer::Ask;
use crate::pool::{Group, Pool};

/// The `balance` line of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    RoundRobin,
    StaticRr,
    LeastConn,
    First,
    Source,
    Random { draws: u32 },
}

pub(crate) fn picker(algorithm: Algorithm, pool: &Pool) -> Box<dyn Picker> {
    match algorithm {
        Algorithm::RoundRobin => Box::new(roundrobin::RoundRobin::new(pool)),
        Algorithm::StaticRr => Box::new(static_rr::StaticRr::new(pool)),
        Algorithm::LeastConn => Box::new(leastconn::LeastConn::new(pool)),
        Algorithm::First => Box::new(first::First),
        Algorithm::Source => Box::new(source::Source::new(pool)),
        Algorithm::Random { draws } => Box::new(random::Random::new(draws)),
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
