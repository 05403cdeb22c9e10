//! `balance static-rr`: walk round the table of places.

use std::sync::Mutex;

use super::map::Map;
use super::{first_with_room, Picker};
use crate::balancer::Ask;
use crate::pool::{Group, Pool};

pub(super) struct StaticRr {
    map: Map,
    walks: Mutex<[Walk; 2]>,
}

struct Walk {
    places: Vec<u32>,
    next: usize,
}

impl StaticRr {
    pub(super) fn new(pool: &Pool) -> StaticRr {
        let map = Map::new(pool);
        let walks = [Group::Active, Group::Backups].map(|group| Walk {
            places: map.places(pool, group),
            next: 0,
        });
        StaticRr {
            map,
            walks: Mutex::new(walks),
        }
    }
}

impl Walk {
    fn step(&mut self, pool: &Pool, avoid: Option<usize>) -> Option<usize> {
        let len = self.places.len();
        let mut steps = 0;
        let mut at_avoided = 0;
        let start = if self.next < len { self.next } else { 0 };
        let candidates = (0..len).map(|step| self.places[(start + step) % len] as usize);
        let counted = candidates.inspect(|server| {
            steps += 1;
            if Some(*server) == avoid {
                at_avoided = steps;
            }
        });
        let chosen = first_with_room(pool, counted, avoid)?;
        let taken = if Some(chosen) == avoid {
            at_avoided
        } else {
            steps
        };
        // Not wrapped round yet: the table may have grown by the next turn.
        let next = start + taken;
        self.next = if next > len { next - len } else { next };
        Some(chosen)
    }
}

impl Picker for StaticRr {
    fn pick(&self, pool: &Pool, group: Group, ask: &Ask) -> Option<usize> {
        let mut walks = self.walks.lock().unwrap_or_else(|e| e.into_inner());
        walks[group as usize].step(pool, ask.avoid)
    }

    fn weight_changed(&self, pool: &Pool, server: usize) {
        let group = pool.slots[server].group();
        let places = self.map.places(pool, group);
        let mut walks = self.walks.lock().unwrap_or_else(|e| e.into_inner());
        walks[group as usize].places = places;
    }
}
