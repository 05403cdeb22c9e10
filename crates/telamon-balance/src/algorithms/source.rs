//! `balance source` (map-based): the client's address picks a place of the table, so that a
//! client comes back to the same server for as long as the set of usable servers stays.

use std::sync::RwLock;

use super::map::Map;
use super::static_rr::StaticRr;
use super::Picker;
use crate::balancer::Ask;
use crate::hash::source_hash;
use crate::pool::{Group, Pool};

pub(super) struct Source {
    map: Map,
    places: RwLock<[Vec<u32>; 2]>,
    /// For clients without an address (unix sockets).
    turns: StaticRr,
}

impl Source {
    pub(super) fn new(pool: &Pool) -> Source {
        let map = Map::new(pool);
        let places = [Group::Active, Group::Backups].map(|group| map.places(pool, group));
        Source {
            map,
            places: RwLock::new(places),
            turns: StaticRr::new(pool),
        }
    }
}

impl Picker for Source {
    /// A full server is given too: the client belongs to it.
    fn pick(&self, pool: &Pool, group: Group, ask: &Ask) -> Option<usize> {
        let Some(source) = ask.source else {
            return self.turns.pick(pool, group, ask);
        };
        let all = self.places.read().unwrap_or_else(|e| e.into_inner());
        let places = &all[group as usize];
        let place = source_hash(source) as usize % places.len().max(1);
        places.get(place).map(|server| *server as usize)
    }

    fn weight_changed(&self, pool: &Pool, server: usize) {
        let group = pool.slots[server].group();
        let places = self.map.places(pool, group);
        self.places.write().unwrap_or_else(|e| e.into_inner())[group as usize] = places;
        self.turns.weight_changed(pool, server);
    }
}
