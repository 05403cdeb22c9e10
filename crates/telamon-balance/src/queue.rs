//! Who waits for a place at a server, and who is next.
//!
//! A backend has one queue for streams that any server may serve, and one for each server whose
//! streams belong to it alone. They wait in the order of their priority class, then of the time at
//! which they are due: when they came, moved by their offset (manual, `set-priority-class` and
//! `set-priority-offset`); then in the order of arrival.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// What rules say of a stream's place in the queue; the plain one is 0, 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Priority {
    /// A lower class goes first, whoever came first.
    pub class: i16,
    /// Milliseconds that the stream counts as later (or, below 0, as earlier).
    pub offset: i32,
}

/// Class, due time, number of arrival.
type Place = (i16, i64, u64);

/// `W` names a waiting stream; each waits once.
pub struct Queue<W> {
    any: BTreeMap<Place, W>,
    bound: HashMap<usize, BTreeMap<Place, W>>,
    places: HashMap<W, (Option<usize>, Place)>,
    arrivals: u64,
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        Queue {
            any: BTreeMap::new(),
            bound: HashMap::new(),
            places: HashMap::new(),
            arrivals: 0,
        }
    }
}

impl<W: Copy + Eq + Hash> Queue<W> {
    /// The stream waits, from `now` on, for this server alone or for any; says how many are
    /// before it in the same queue.
    pub fn push(&mut self, server: Option<usize>, waiter: W, priority: Priority, now: u64) -> u32 {
        self.arrivals += 1;
        let due = now as i64 + i64::from(priority.offset);
        let place = (priority.class, due, self.arrivals);
        let lane = match server {
            Some(server) => self.bound.entry(server).or_default(),
            None => &mut self.any,
        };
        let is_last = lane.last_key_value().is_none_or(|last| *last.0 < place);
        let ahead = match is_last {
            true => lane.len(),
            false => lane.range(..place).count(),
        };
        lane.insert(place, waiter);
        self.places.insert(waiter, (server, place));
        ahead as u32
    }

    /// The next of those whom this server may serve, and whether it waited for this one alone.
    pub fn pop(&mut self, server: usize) -> Option<(bool, W)> {
        let own = self
            .bound
            .get(&server)
            .and_then(|lane| lane.first_key_value());
        let any = self.any.first_key_value();
        let (_, waiter) = match (own, any) {
            (Some(own), Some(any)) => own.min_by_place(any),
            (own, any) => own.or(any)?,
        };
        let waiter = *waiter;
        let bound = self.remove(waiter)?;
        Some((bound.is_some(), waiter))
    }

    /// The next of those who wait for this server alone: all that one may serve which takes no new
    /// streams but those that belong to it.
    pub fn pop_own(&mut self, server: usize) -> Option<W> {
        let waiter = *self.bound.get(&server)?.first_key_value()?.1;
        self.remove(waiter)?;
        Some(waiter)
    }

    /// Takes a stream out; None if it does not wait, else which server it waited for alone.
    pub fn remove(&mut self, waiter: W) -> Option<Option<usize>> {
        let (server, place) = self.places.remove(&waiter)?;
        match server {
            None => self.any.remove(&place),
            Some(server) => self.bound.get_mut(&server)?.remove(&place),
        };
        Some(server)
    }

    /// Takes out all that wait for this server alone, in their order.
    pub fn scatter(&mut self, server: usize) -> Vec<W> {
        let lane = self.bound.remove(&server).unwrap_or_default();
        let waiters: Vec<W> = lane.into_values().collect();
        for waiter in &waiters {
            self.places.remove(waiter);
        }
        waiters
    }
}

trait ByPlace: Sized {
    fn min_by_place(self, other: Self) -> Self;
}

impl<W> ByPlace for (&Place, W) {
    fn min_by_place(self, other: Self) -> Self {
        if self.0 < other.0 {
            self
        } else {
            other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(queue: &mut Queue<u32>, server: usize) -> Vec<(bool, u32)> {
        std::iter::from_fn(|| queue.pop(server)).collect()
    }

    fn class(class: i16) -> Priority {
        Priority { class, offset: 0 }
    }

    fn offset(offset: i32) -> Priority {
        Priority { class: 0, offset }
    }

    #[test]
    fn first_come_first_served() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(None, 1, Priority::default(), 5), 0);
        assert_eq!(queue.push(Some(0), 2, Priority::default(), 5), 0);
        assert_eq!(queue.push(None, 3, Priority::default(), 6), 1);
        queue.push(Some(1), 4, Priority::default(), 6);
        assert_eq!(order(&mut queue, 0), [(false, 1), (true, 2), (false, 3)]);
        assert_eq!(order(&mut queue, 1), [(true, 4)]);
    }

    #[test]
    fn a_class_goes_before_time() {
        let mut queue = Queue::default();
        queue.push(None, 1, class(0), 0);
        queue.push(Some(0), 2, class(7), 0);
        assert_eq!(queue.push(None, 3, class(-7), 1000), 0);
        assert_eq!(queue.push(None, 4, class(0), 900), 2);
        let served: Vec<u32> = order(&mut queue, 0).iter().map(|one| one.1).collect();
        assert_eq!(served, [3, 1, 4, 2]);
    }

    #[test]
    fn an_offset_moves_the_time() {
        let mut queue = Queue::default();
        queue.push(None, 1, offset(100), 0);
        queue.push(None, 2, offset(0), 50);
        queue.push(Some(0), 3, offset(-100), 149);
        let served: Vec<u32> = order(&mut queue, 0).iter().map(|one| one.1).collect();
        assert_eq!(served, [3, 2, 1]);
    }

    #[test]
    fn a_draining_server_serves_its_own() {
        let mut queue = Queue::default();
        queue.push(None, 1, class(-1), 0);
        queue.push(Some(0), 2, class(0), 0);
        assert_eq!(queue.pop_own(1), None);
        assert_eq!(queue.pop_own(0), Some(2));
        assert_eq!(queue.pop_own(0), None);
        assert_eq!(queue.pop(0), Some((false, 1)));
    }

    #[test]
    fn those_who_leave_are_gone() {
        let mut queue = Queue::default();
        queue.push(None, 1, Priority::default(), 0);
        queue.push(Some(3), 2, Priority::default(), 0);
        queue.push(Some(3), 4, Priority::default(), 0);
        assert_eq!(queue.remove(1), Some(None));
        assert_eq!(queue.remove(1), None);
        assert_eq!(queue.scatter(3), [2, 4]);
        assert_eq!(queue.remove(2), None);
        assert_eq!(queue.pop(3), None);
    }
}
