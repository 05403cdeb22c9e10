//! The table of places that `static-rr` and the map-based hashes share.
//!
//! Each usable server has as many places as its weight, weights being reduced by their greatest
//! common divisor, and a server's places are spread over the table: at each place every server
//! gains its weight, and the server furthest ahead, counted in whole tables, pays a whole table
//! for it. Among equals the one that stands first in the file wins.

use crate::pool::{Group, Pool};

pub(super) struct Map {
    divisor: u32,
}

impl Map {
    /// The divisor is that of the weights at the start; later weights are rounded up to it.
    pub(super) fn new(pool: &Pool) -> Map {
        let divisor = pool
            .slots
            .iter()
            .map(|slot| slot.configured_weight())
            .fold(0, greatest_common_divisor);
        Map {
            divisor: divisor.max(1),
        }
    }

    /// The places of one group's usable servers, by server index.
    pub(super) fn places(&self, pool: &Pool, group: Group) -> Vec<u32> {
        let mut servers: Vec<Gain> = pool
            .usable(group)
            .map(|(index, slot)| Gain {
                index: index as u32,
                weight: i64::from(slot.weight().div_ceil(self.divisor)),
                score: 0,
            })
            .collect();
        let total: i64 = servers.iter().map(|server| server.weight).sum();
        (0..total)
            .map(|_| next_place(&mut servers, total))
            .collect()
    }
}

struct Gain {
    index: u32,
    weight: i64,
    score: i64,
}

fn next_place(servers: &mut [Gain], total: i64) -> u32 {
    let mut best = 0;
    let mut most = i64::MIN;
    for (place, server) in servers.iter_mut().enumerate() {
        server.score += server.weight;
        let ahead = (server.score + total) / total;
        if ahead > most {
            most = ahead;
            best = place;
        }
    }
    servers[best].score -= total;
    servers[best].index
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}
