//! The ring of consistent hashing (manual, `hash-type consistent`).
//!
//! Each server stands at many points of a ring of 2^32 places, 16 for each unit of its weight.
//! Where the points are follows from the server alone, so that a server that comes or goes moves
//! only its own keys. A number belongs to the point that is nearest, on whichever side. From there
//! the walk goes on to the right past servers that may not have it (see `next_right_of`).

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Mutex, PoisonError, RwLock};

use super::first_with_room;
use crate::hash::avalanche;
use crate::pool::{Group, Pool};

/// Where a point is; the second number keeps points at one place in the order of their arrival.
type Place = (u32, u64);

pub(super) struct Ring {
    groups: RwLock<[Points; 2]>,
    /// The last point that was taken in turn, by group.
    turn: Mutex<[Option<Place>; 2]>,
}

#[derive(Default)]
struct Points {
    servers: BTreeMap<Place, u32>,
    /// Each server's points by number.
    owned: Vec<Vec<Place>>,
    arrivals: u64,
}

impl Ring {
    pub(super) fn new(pool: &Pool) -> Ring {
        let ring = Ring {
            groups: RwLock::default(),
            turn: Mutex::default(),
        };
        for server in 0..pool.slots.len() {
            ring.weight_changed(pool, server);
        }
        ring
    }

    /// The server that a number belongs to, past those for which `keep` does not hold. When no
    /// server may have it, it is where the walk ends.
    pub(super) fn find(
        &self,
        group: Group,
        number: u32,
        keep: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let servers = &groups[group as usize].servers;
        let start = nearest(servers, number)?;
        let onward = servers
            .range(start..)
            .chain(servers.range(..start))
            .map(|(_, server)| *server as usize);
        let mut last = None;
        for server in onward {
            if Some(server) == last {
                continue;
            }
            if keep(server) {
                return Some(server);
            }
            last = Some(server);
        }
        servers.get(&start).map(|server| *server as usize)
    }

    /// Servers in the order of the ring, for requests without a key.
    pub(super) fn next(&self, pool: &Pool, group: Group, avoid: Option<usize>) -> Option<usize> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let servers = &groups[group as usize].servers;
        let mut turns = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = &mut turns[group as usize];
        let (after, before) = match *turn {
            Some(last) => (servers.range((Excluded(last), Unbounded)), Some(..=last)),
            None => (servers.range(..), None),
        };
        let round = after.chain(before.into_iter().flat_map(|range| servers.range(range)));
        let mut seen = (None, None);
        let candidates = round.map(|(place, server)| {
            let server = *server as usize;
            if Some(server) == avoid && !pool.saturated(server) {
                seen.1 = Some(*place);
            }
            seen.0 = Some(*place);
            server
        });
        let chosen = first_with_room(pool, candidates, avoid)?;
        *turn = if Some(chosen) == avoid {
            seen.1
        } else {
            seen.0
        };
        Some(chosen)
    }

    pub(super) fn weight_changed(&self, pool: &Pool, server: usize) {
        let slot = &pool.slots[server];
        let group = slot.group() as usize;
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        let mut turns = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let points = &mut groups[group];
        points.resize(
            server,
            slot.origin,
            slot.effective_weight() as usize,
            &mut turns[group],
        );
    }
}

impl Points {
    /// Gives the server so many points. The turn steps back from a point that goes.
    fn resize(&mut self, server: usize, origin: u32, count: usize, turn: &mut Option<Place>) {
        if self.owned.len() <= server {
            self.owned.resize(server + 1, Vec::new());
        }
        while self.owned[server].len() > count {
            let Some(place) = self.owned[server].pop() else {
                break;
            };
            if *turn == Some(place) {
                *turn = self.servers.range(..place).next_back().map(|at| *at.0);
            }
            self.servers.remove(&place);
        }
        while self.owned[server].len() < count {
            let number = self.owned[server].len() as u32;
            self.arrivals += 1;
            let place = (avalanche(origin.wrapping_add(number)), self.arrivals);
            self.servers.insert(place, server as u32);
            self.owned[server].push(place);
        }
    }
}

/// The point nearest to a number: of two at the same distance the one before it.
fn nearest(servers: &BTreeMap<Place, u32>, number: u32) -> Option<Place> {
    let first = || servers.first_key_value();
    let next = *servers.range((number, 0)..).next().or_else(first)?.0;
    let last = || servers.last_key_value();
    let before = *servers.range(..next).next_back().or_else(last)?.0;
    let back = number.wrapping_sub(before.0);
    let forth = next.0.wrapping_sub(number);
    Some(if back <= forth { before } else { next })
}
