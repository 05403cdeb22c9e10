//! `balance leastconn`: the server with the fewest streams in proportion to its weight; among
//! equals the one that came to this number first, which makes idle servers take turns.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::{first_with_room, Picker};
use crate::balancer::Ask;
use crate::pool::{Group, Pool};

/// Load keys are comparable between servers of any weights: the streams that a server of the
/// largest weight (256, in sixteenths) would have. An idle server is 0; the first stream already counts as two, so
/// that an idle server of little weight goes before a busy one of much.
const LARGEST_WEIGHT: u64 = 256 * 16;

pub(super) struct LeastConn {
    order: Mutex<Order>,
}

struct Order {
    /// Usable servers by key, then by arrival at this key.
    queues: [BTreeSet<(u64, u64, usize)>; 2],
    /// Each server's present entry (key, arrival), None while it may not be used.
    entries: Vec<Option<(u64, u64)>>,
    arrivals: u64,
}

impl LeastConn {
    pub(super) fn new(pool: &Pool) -> LeastConn {
        let mut order = Order {
            queues: [BTreeSet::new(), BTreeSet::new()],
            entries: vec![None; pool.slots.len()],
            arrivals: 0,
        };
        for server in 0..pool.slots.len() {
            order.place(pool, server, true);
        }
        LeastConn {
            order: Mutex::new(order),
        }
    }

    fn place(&self, pool: &Pool, server: usize, anew: bool) {
        let mut order = self.order.lock().unwrap_or_else(|e| e.into_inner());
        order.place(pool, server, anew);
    }
}

impl Order {
    /// Put the server where its load belongs. One whose key stays keeps its place, unless `anew`.
    fn place(&mut self, pool: &Pool, server: usize, anew: bool) {
        let slot = &pool.slots[server];
        let queue = &mut self.queues[slot.group() as usize];
        let key = match (slot.effective_weight(), u64::from(slot.load())) {
            (0, _) => None,
            (_, 0) => Some(0),
            (weight, load) => Some((load + 1) * LARGEST_WEIGHT / u64::from(weight)),
        };
        if let Some((old, arrival)) = self.entries[server] {
            if Some(old) == key && !anew {
                return;
            }
            queue.remove(&(old, arrival, server));
        }
        self.entries[server] = key.map(|key| {
            self.arrivals += 1;
            queue.insert((key, self.arrivals, server));
            (key, self.arrivals)
        });
    }
}

impl Picker for LeastConn {
    fn pick(&self, pool: &Pool, group: Group, ask: &Ask) -> Option<usize> {
        let order = self.order.lock().unwrap_or_else(|e| e.into_inner());
        let queue = &order.queues[group as usize];
        first_with_room(pool, queue.iter().map(|(_, _, server)| *server), ask.avoid)
    }

    fn weight_changed(&self, pool: &Pool, server: usize) {
        self.place(pool, server, true);
    }

    fn load_changed(&self, pool: &Pool, server: usize) {
        self.place(pool, server, false);
    }

    fn is_dynamic(&self) -> bool {
        true
    }
}
