//! The algorithms that send equal requests to one server: `source`, `uri`, `url_param`, `hdr`,
//! `rdp-cookie` and `hash`. They differ in where the key stands; `hash-type` says how it becomes
//! a number, and how the number leads to a server.
//!
//! A request without a key goes round the servers, past those that are full. One with a key may
//! be given a full server: it belongs there, and waits in that server's own queue.

use std::sync::{PoisonError, RwLock};

use super::map::Map;
use super::ring::Ring;
use super::static_rr::StaticRr;
use super::Picker;
use crate::balancer::Ask;
use crate::hash::{avalanche, source_hash, Function};
use crate::keys::KeySource;
use crate::pool::{Group, Pool};

/// Where a number leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    MapBased,
    /// With `balance_factor` no server is given more than that percentage of the average load;
    /// 0: any load.
    Consistent {
        balance_factor: u32,
    },
}

/// Until when a key keeps to its server (manual, `hash-preserve-affinity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    Always,
    /// Until the server has no room.
    Maxconn,
    /// Until the server's own queue has none.
    Maxqueue,
}

/// A hashing algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashing {
    pub key: KeySource,
    pub function: Function,
    pub avalanche: bool,
    pub method: Method,
    pub affinity: Affinity,
}

impl Hashing {
    /// The number of a request, if it has a key.
    fn number(&self, ask: &Ask) -> Option<u32> {
        let mut number = None;
        if self.key == KeySource::Source {
            // No function: an address is a number (manual, `balance source`).
            number = ask.source.map(source_hash);
        } else {
            self.key.find(ask.request, &mut |key| {
                number = Some(self.function.hash(key));
            });
        }
        number.map(|number| {
            if self.avalanche {
                avalanche(number)
            } else {
                number
            }
        })
    }

    /// Whether a server may have a request that belongs to it.
    fn keeps(&self, pool: &Pool, server: usize) -> bool {
        match self.affinity {
            Affinity::Always => true,
            Affinity::Maxconn => !pool.saturated(server),
            Affinity::Maxqueue => !pool.saturated(server) || !pool.queue_is_full(server),
        }
    }
}

pub(super) struct MapHash {
    hashing: Hashing,
    map: Map,
    places: RwLock<[Vec<u32>; 2]>,
    /// For requests without a key.
    turns: StaticRr,
}

impl MapHash {
    pub(super) fn new(hashing: Hashing, pool: &Pool) -> MapHash {
        let map = Map::new(pool);
        let places = [Group::Active, Group::Backups].map(|group| map.places(pool, group));
        MapHash {
            hashing,
            map,
            places: RwLock::new(places),
            turns: StaticRr::new(pool),
        }
    }
}

impl Picker for MapHash {
    fn pick(&self, pool: &Pool, group: Group, ask: &Ask) -> Option<usize> {
        let Some(number) = self.hashing.number(ask) else {
            return self.turns.pick(pool, group, ask);
        };
        let all = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let places = &all[group as usize];
        let (before, from) = places.split_at(number as usize % places.len().max(1));
        let mut onward = from.iter().chain(before).map(|server| *server as usize);
        let own = from.first().map(|server| *server as usize);
        onward
            .find(|server| self.hashing.keeps(pool, *server))
            .or(own)
    }

    fn weight_changed(&self, pool: &Pool, server: usize) {
        let group = pool.slots[server].group();
        let places = self.map.places(pool, group);
        let mut all = self.places.write().unwrap_or_else(PoisonError::into_inner);
        all[group as usize] = places;
        drop(all);
        self.turns.weight_changed(pool, server);
    }
}

pub(super) struct RingHash {
    hashing: Hashing,
    balance_factor: u32,
    ring: Ring,
}

impl RingHash {
    pub(super) fn new(hashing: Hashing, balance_factor: u32, pool: &Pool) -> RingHash {
        RingHash {
            hashing,
            balance_factor,
            ring: Ring::new(pool),
        }
    }
}

impl Picker for RingHash {
    fn pick(&self, pool: &Pool, group: Group, ask: &Ask) -> Option<usize> {
        let Some(number) = self.hashing.number(ask) else {
            return self.ring.next(pool, group, ask.avoid);
        };
        self.ring.find(group, number, |server| {
            Some(server) != ask.avoid
                && pool.within_factor(server, self.balance_factor)
                && self.hashing.keeps(pool, server)
        })
    }

    fn weight_changed(&self, pool: &Pool, server: usize) {
        self.ring.weight_changed(pool, server);
    }

    fn is_dynamic(&self) -> bool {
        true
    }
}
