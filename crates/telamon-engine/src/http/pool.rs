//! Idle connections to servers, by thread. The last one given back is the first one taken: its
//! buffers are warm, and the ones that are not needed stay at the bottom until they are purged.

use telamon_session::Millis;

/// One thread's idle connections to one server.
#[derive(Default)]
struct Pool {
    /// Slots, the one given back last at the end.
    idle: Vec<u32>,
    /// The fewest that idled since the last purge: so many were not needed.
    lowest: usize,
    purged: Millis,
}

/// By the server's number among all objects.
#[derive(Default)]
pub(crate) struct Pools {
    pools: Vec<Pool>,
    idle: usize,
}

impl Pools {
    fn pool(&mut self, server: usize) -> &mut Pool {
        if self.pools.len() <= server {
            self.pools.resize_with(server + 1, Pool::default);
        }
        &mut self.pools[server]
    }

    pub(crate) fn put(&mut self, server: usize, slot: u32) {
        self.pool(server).idle.push(slot);
        self.idle += 1;
    }

    pub(crate) fn take(&mut self, server: usize) -> Option<u32> {
        let pool = self.pools.get_mut(server)?;
        let slot = pool.idle.pop()?;
        pool.lowest = pool.lowest.min(pool.idle.len());
        self.idle -= 1;
        Some(slot)
    }

    /// Does anything idle?
    pub(crate) fn any(&self) -> bool {
        self.idle > 0
    }

    pub(crate) fn len(&self, server: usize) -> usize {
        self.pools.get(server).map_or(0, |pool| pool.idle.len())
    }

    /// It is no longer idle: closed, or broken.
    pub(crate) fn remove(&mut self, server: usize, slot: u32) {
        let pool = self.pool(server);
        if let Some(place) = pool.idle.iter().rposition(|one| *one == slot) {
            pool.idle.remove(place);
            pool.lowest = pool.lowest.min(pool.idle.len());
            self.idle -= 1;
        }
    }

    /// The ones to close now: every `delay`, half of those that were not needed since the last
    /// time, the oldest first, as long as `low` stay (manual, `pool-purge-delay`).
    pub(crate) fn purge(
        &mut self,
        server: usize,
        now: Millis,
        delay: Millis,
        low: usize,
    ) -> Vec<u32> {
        let pool = self.pool(server);
        if now < pool.purged + delay {
            return Vec::new();
        }
        pool.purged = now;
        let spare = pool.idle.len().saturating_sub(low);
        let count = pool.lowest.div_ceil(2).min(spare);
        let gone = pool.idle.drain(..count).collect();
        pool.lowest = pool.idle.len();
        self.idle -= count;
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_is_taken_first_and_the_unneeded_go() {
        let mut pools = Pools::default();
        for slot in 0..10 {
            pools.put(3, slot);
        }
        assert!(pools.purge(3, 5000, 5000, 0).is_empty(), "all just came");
        assert_eq!(pools.take(3), Some(9));
        pools.put(3, 9);
        assert_eq!(pools.purge(3, 10_000, 5000, 0), [0, 1, 2, 3, 4]);
        assert!(pools.purge(3, 10_001, 5000, 0).is_empty());
        pools.remove(3, 7);
        assert_eq!(pools.purge(3, 15_000, 5000, 3), [5]);
        assert_eq!(pools.len(3), 3);
    }
}
