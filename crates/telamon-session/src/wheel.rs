//! A hierarchical timer wheel: thousands of timers, constant work for each.
//!
//! Five levels of 64 places; a place of level n spans 64^n ms, so the wheel reaches 12 days
//! (later timers wait in the last place and are put in again). A timer is a small number given by
//! its owner (a slot's index); each owner has at most one place. Timers may fire early by
//! contract: the owner looks at its own deadline and sets the timer again. That makes activity
//! free: a stream that moves its deadline forward does not touch the wheel.

use crate::Millis;

/// The owner of a timer.
pub type Timer = u32;

const BITS: u32 = 6;
const PLACES: usize = 1 << BITS;
const LEVELS: usize = 5;
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Node {
    next: u32,
    prev: u32,
    /// Level and place, or NONE when it is not set.
    place: u32,
    at: Millis,
}

pub struct Wheel {
    /// All moments before this one have been turned past.
    now: Millis,
    heads: [[u32; PLACES]; LEVELS],
    /// Bit n: place n of the level has timers.
    busy: [u64; LEVELS],
    nodes: Vec<Node>,
}

impl Wheel {
    pub fn new(now: Millis) -> Self {
        Wheel {
            now,
            heads: [[NONE; PLACES]; LEVELS],
            busy: [0; LEVELS],
            nodes: Vec::new(),
        }
    }

    /// Sets (or moves) a timer.
    pub fn set(&mut self, timer: Timer, at: Millis) {
        self.clear(timer);
        let index = timer as usize;
        if index >= self.nodes.len() {
            let empty = Node {
                next: NONE,
                prev: NONE,
                place: NONE,
                at: 0,
            };
            self.nodes.resize(index + 1, empty);
        }
        self.insert(timer, at.max(self.now));
    }

    fn insert(&mut self, timer: Timer, at: Millis) {
        let ahead = at - self.now;
        let reach = (PLACES as u64 - 1) << (BITS * (LEVELS as u32 - 1));
        let due = self.now + ahead.min(reach);
        let level = (0..LEVELS - 1)
            .find(|level| {
                (due >> (BITS * *level as u32)) - (self.now >> (BITS * *level as u32))
                    < PLACES as u64
            })
            .unwrap_or(LEVELS - 1);
        let slot = (due >> (BITS * level as u32)) as usize & (PLACES - 1);
        let head = self.heads[level][slot];
        self.nodes[timer as usize] = Node {
            next: head,
            prev: NONE,
            place: (level * PLACES + slot) as u32,
            at,
        };
        if head != NONE {
            self.nodes[head as usize].prev = timer;
        }
        self.heads[level][slot] = timer;
        self.busy[level] |= 1 << slot;
    }

    /// Takes a timer out; nothing if it is not set.
    pub fn clear(&mut self, timer: Timer) {
        let Some(node) = self.nodes.get(timer as usize).copied() else {
            return;
        };
        if node.place == NONE {
            return;
        }
        let (level, slot) = (node.place as usize / PLACES, node.place as usize % PLACES);
        if node.prev == NONE {
            self.heads[level][slot] = node.next;
            if node.next == NONE {
                self.busy[level] &= !(1 << slot);
            }
        } else {
            self.nodes[node.prev as usize].next = node.next;
        }
        if node.next != NONE {
            self.nodes[node.next as usize].prev = node.prev;
        }
        self.nodes[timer as usize].place = NONE;
    }

    /// When this timer fires; None if it is not set.
    pub fn at(&self, timer: Timer) -> Option<Millis> {
        self.nodes
            .get(timer as usize)
            .filter(|node| node.place != NONE)
            .map(|node| node.at)
    }

    /// A moment not later than the first timer's: when to look again.
    pub fn next(&self) -> Option<Millis> {
        let mut first: Option<Millis> = None;
        for level in 0..LEVELS {
            if self.busy[level] == 0 {
                continue;
            }
            let shift = BITS * level as u32;
            let here = self.now >> shift;
            let ahead = self.busy[level].rotate_right(here as u32 & (PLACES as u32 - 1));
            let begins = (here + u64::from(ahead.trailing_zeros())) << shift;
            first = Some(first.map_or(begins, |other| other.min(begins)));
        }
        first.map(|at| at.max(self.now))
    }

    /// Turns the wheel to `now`; the timers that are due come out into `fired`.
    pub fn turn(&mut self, now: Millis, fired: &mut Vec<Timer>) {
        while let Some(at) = self.next().filter(|at| *at <= now) {
            self.now = at;
            for level in (0..LEVELS).rev() {
                let shift = BITS * level as u32;
                let slot = (self.now >> shift) as usize & (PLACES - 1);
                self.spill(level, slot, fired);
            }
        }
        self.now = self.now.max(now);
    }

    /// Empties one place: due timers fire, others move to a finer level.
    fn spill(&mut self, level: usize, slot: usize, fired: &mut Vec<Timer>) {
        let mut timer = std::mem::replace(&mut self.heads[level][slot], NONE);
        self.busy[level] &= !(1 << slot);
        while timer != NONE {
            let node = self.nodes[timer as usize];
            self.nodes[timer as usize].place = NONE;
            if node.at <= self.now {
                fired.push(timer);
            } else {
                self.insert(timer, node.at);
            }
            timer = node.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator, so that the crate has no dependency; the seed is in each failure.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }
    }

    #[test]
    fn each_timer_fires_once_at_its_time_and_never_before() {
        for seed in 1..40u64 {
            let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let mut wheel = Wheel::new(random.below(1 << 40));
            let mut now = wheel.now;
            let mut set: std::collections::BTreeMap<Timer, Millis> = Default::default();
            for _ in 0..3000 {
                match random.below(3) {
                    0 => {
                        let (timer, shift) = (random.below(200) as Timer, random.below(32));
                        let at = now + random.below(1 << shift);
                        wheel.set(timer, at);
                        set.insert(timer, at);
                    }
                    1 => {
                        let timer = random.below(200) as Timer;
                        wheel.clear(timer);
                        set.remove(&timer);
                    }
                    _ => {
                        let shift = random.below(24);
                        now += random.below(1 << shift);
                        let mut fired = Vec::new();
                        wheel.turn(now, &mut fired);
                        for timer in fired {
                            let at = set.remove(&timer).expect("fires only what is set");
                            assert!(at <= now, "seed {seed}: early");
                        }
                        assert!(set.values().all(|at| *at > now), "seed {seed}: late");
                    }
                }
                let first = set.values().min();
                assert!(wheel.next().is_none() == first.is_none(), "seed {seed}");
                assert!(
                    wheel.next() <= first.copied(),
                    "seed {seed}: next is too late"
                );
            }
        }
    }
}
