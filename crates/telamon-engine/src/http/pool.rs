//! Idle connections to servers. The last one given back is the first one taken: its buffers are warm,
//! and the ones that are not needed stay at the bottom until they are lent (`lend.rs`) or purged.

use telamon_session::Millis;

/// Idle connections to one server: a thread's own (slots), or those that all threads share.
pub(crate) struct Pool<T> {
    /// The one given back last at the end.
    idle: Vec<T>,
    /// The fewest that idled since the last look: so many were not needed.
    lowest: usize,
    purged: Millis,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Pool {
            idle: Vec::new(),
            lowest: 0,
            purged: 0,
        }
    }
}

impl<T> Pool<T> {
    pub(crate) fn put(&mut self, one: T) {
        self.idle.push(one);
    }

    pub(crate) fn len(&self) -> usize {
        self.idle.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.idle.iter()
    }

    fn take(&mut self) -> Option<T> {
        let one = self.idle.pop()?;
        self.lowest = self.lowest.min(self.idle.len());
        Some(one)
    }

    /// The last one of those that fit.
    pub(crate) fn take_fitting(&mut self, fits: impl FnMut(&T) -> bool) -> Option<T> {
        let place = self.idle.iter().rposition(fits)?;
        let one = self.idle.remove(place);
        self.lowest = self.lowest.min(self.idle.len());
        Some(one)
    }

    /// All that do not stay.
    pub(crate) fn drop_unless(&mut self, stays: impl FnMut(&T) -> bool) {
        self.idle.retain(stays);
        self.lowest = self.lowest.min(self.idle.len());
    }

    /// Of those that were not needed since the last look so many, the oldest first, as long as
    /// `low` stay.
    fn unneeded(&mut self, low: usize, share: impl FnOnce(usize) -> usize) -> Vec<T> {
        let spare = self.idle.len().saturating_sub(low);
        let count = share(self.lowest).min(spare);
        let gone = self.idle.drain(..count).collect();
        self.lowest = self.idle.len();
        gone
    }

    /// The ones to close now: every `delay`, half of those that were not needed (manual,
    /// `pool-purge-delay`).
    pub(crate) fn purge(&mut self, now: Millis, delay: Millis, low: usize) -> Vec<T> {
        if now < self.purged + delay {
            return Vec::new();
        }
        self.purged = now;
        self.unneeded(low, |lowest| lowest.div_ceil(2))
    }
}

/// A thread's own, by the server's number among all objects.
#[derive(Default)]
pub(crate) struct Pools {
    pools: Vec<Pool<u32>>,
    idle: usize,
}

impl Pools {
    fn pool(&mut self, server: usize) -> &mut Pool<u32> {
        if self.pools.len() <= server {
            self.pools.resize_with(server + 1, Pool::default);
        }
        &mut self.pools[server]
    }

    pub(crate) fn put(&mut self, server: usize, slot: u32) {
        self.pool(server).put(slot);
        self.idle += 1;
    }

    pub(crate) fn take(&mut self, server: usize) -> Option<u32> {
        let slot = self.pools.get_mut(server)?.take()?;
        self.idle -= 1;
        Some(slot)
    }

    /// Does anything idle?
    pub(crate) fn any(&self) -> bool {
        self.idle > 0
    }

    pub(crate) fn len(&self, server: usize) -> usize {
        self.pools.get(server).map_or(0, Pool::len)
    }

    /// It is no longer idle: closed, or broken.
    pub(crate) fn remove(&mut self, server: usize, slot: u32) {
        let found = self.pool(server).take_fitting(|one| *one == slot);
        self.idle -= usize::from(found.is_some());
    }

    pub(crate) fn purge(
        &mut self,
        server: usize,
        now: Millis,
        delay: Millis,
        low: usize,
    ) -> Vec<u32> {
        let gone = self.pool(server).purge(now, delay, low);
        self.idle -= gone.len();
        gone
    }

    /// All that were not needed since the last look; `low` says of a slot how many connections to
    /// its server stay in any case.
    pub(crate) fn unneeded(&mut self, mut low: impl FnMut(u32) -> usize) -> Vec<u32> {
        let mut gone = Vec::new();
        for pool in &mut self.pools {
            if let Some(first) = pool.idle.first() {
                let low = low(*first);
                gone.append(&mut pool.unneeded(low, |lowest| lowest));
            }
        }
        self.idle -= gone.len();
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

    #[test]
    fn what_a_thread_did_not_need_since_the_last_look_is_lent() {
        let mut pools = Pools::default();
        for slot in 0..4 {
            pools.put(2, slot);
        }
        assert!(pools.unneeded(|_| 0).is_empty(), "all just came");
        assert_eq!(pools.take(2), Some(3));
        pools.put(2, 3);
        assert_eq!(pools.unneeded(|_| 2), [0, 1]);
        assert_eq!(pools.unneeded(|_| 0), [2, 3]);
        assert!(!pools.any());
    }
}
