//! Weighted turns on a line of positions.
//!
//! Time is a position that grows by one with each turn. A round is as many positions as the
//! weights sum up to, and a server of weight w is due every `sum / w` positions; what the
//! division leaves is carried along from turn to turn and round to round, so that in the long
//! run each server has exactly its share, and in one round at most one turn more or less.
//! The server whose position is reached goes next. A hole (nobody is due yet) is filled from the
//! servers that have not had a turn in this round, the heaviest first.
//!
//! Servers stand in one of three queues: `fresh` (no turn yet in this round, by weight), `due`
//! (in this round again, by position) and `later` (all places of this round consumed, by
//! weight). When `fresh` and `due` are empty a new round begins and `later` becomes `fresh`.
//!
//! New weights count from the next round on for the sum, but at once for the server's own pace.
//! Weights are sixteenths, which is part of the order that HAProxy produces: a round of 1:2 is 48
//! positions long.

use std::collections::VecDeque;

const SCALE: u32 = 16;
const LARGEST: u32 = 256 * SCALE;
/// One more than the largest weight: the factor that keeps positions apart in a sort key.
const STRIDE: u64 = 257;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queue {
    Fresh,
    Due,
    Later,
}

struct Server {
    weight: u32,
    /// Where its next turn is due; 0 before its first.
    position: u64,
    /// Where its last turn was due.
    last: u64,
    /// What divisions left over, below `weight`.
    rest: u32,
    /// Where it stands, with its key; None while it may not be used.
    place: Option<(Queue, (u64, u64))>,
}

/// Servers by key. New keys are mostly the largest and the smallest is mostly taken, so that both
/// cost next to nothing at the ends of a deque, which allocates only while it grows.
type Line = VecDeque<((u64, u64), usize)>;

pub(super) struct Turns {
    servers: Vec<Server>,
    queues: [Line; 3],
    /// Keeps servers with equal keys in the order of their arrival.
    arrivals: u64,
    /// The length of this round, and of the next with the weights of now.
    length: u64,
    next_length: u64,
    now: u64,
}

impl Turns {
    /// `weights` in sixteenths, 0 to 4096; 0 stands aside.
    pub(super) fn new(weights: impl Iterator<Item = u32>) -> Turns {
        let servers: Vec<Server> = weights
            .map(|weight| Server {
                weight,
                position: 0,
                last: 0,
                rest: 0,
                place: None,
            })
            .collect();
        let mut turns = Turns {
            next_length: servers.iter().map(|server| u64::from(server.weight)).sum(),
            servers,
            queues: Default::default(),
            arrivals: 0,
            length: 0,
            now: 0,
        };
        for server in 0..turns.servers.len() {
            if turns.servers[server].weight > 0 {
                turns.enter_by_weight(Queue::Fresh, server);
            }
        }
        turns
    }

    /// The next server for which `has_room`. Those passed over keep their claim to a turn.
    pub(super) fn next(
        &mut self,
        avoid: Option<usize>,
        has_room: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        if self.length == 0 {
            self.length = self.next_length;
            self.now = self.length;
        }
        let mut passed = Vec::new();
        let mut avoided = None;
        let mut new_round = false;
        let chosen = loop {
            let Some(server) = self.candidate() else {
                if new_round {
                    break avoided;
                }
                new_round = true;
                self.begin_round();
                continue;
            };
            self.advance(server);
            self.leave(server);
            self.now += 1;
            if has_room(server) {
                if Some(server) != avoid {
                    break Some(server);
                }
                avoided = Some(server);
            }
            passed.push(server);
        };
        if let Some(server) = chosen {
            self.enter(server);
        }
        for server in passed.into_iter().rev() {
            if Some(server) == chosen {
                continue;
            }
            if new_round {
                self.enter_by_weight(Queue::Fresh, server);
            } else {
                self.enter(server);
            }
        }
        chosen
    }

    /// A server's weight changed; 0 takes it out.
    pub(super) fn set_weight(&mut self, server: usize, weight: u32) {
        let old = self.servers[server].weight;
        if weight == old {
            return;
        }
        self.next_length = self.next_length + u64::from(weight) - u64::from(old);
        let queue = self.servers[server].place.map(|(queue, _)| queue);
        self.settle(server, queue);
        self.leave(server);
        self.servers[server].weight = weight;
        match queue {
            _ if weight == 0 => self.servers[server].place = None,
            None => self.join(server),
            Some(Queue::Fresh) => self.enter_by_weight(Queue::Fresh, server),
            Some(_) => self.change_pace(server),
        }
    }

    fn queue(&mut self, queue: Queue) -> &mut Line {
        &mut self.queues[queue as usize]
    }

    fn candidate(&mut self) -> Option<usize> {
        let due = self.queue(Queue::Due).front().map(|(_, server)| *server);
        if let Some(server) = due.filter(|server| self.servers[*server].position <= self.now) {
            return Some(server);
        }
        let fresh = self.queue(Queue::Fresh).front().map(|(_, server)| *server);
        if let Some(server) = fresh {
            self.servers[server].position = 0;
            self.servers[server].rest = 0;
        }
        fresh.or(due)
    }

    fn begin_round(&mut self) {
        self.queues
            .swap(Queue::Fresh as usize, Queue::Later as usize);
        for server in &mut self.servers {
            if let Some((queue, _)) = &mut server.place {
                *queue = match *queue {
                    Queue::Later => Queue::Fresh,
                    Queue::Fresh => Queue::Later,
                    Queue::Due => Queue::Due,
                };
            }
        }
        self.length = self.next_length;
        self.now = self.length;
    }

    /// Move a server's position to the turn after the one it takes now.
    fn advance(&mut self, index: usize) {
        let server = &mut self.servers[index];
        if server.position == 0 {
            server.position = self.now;
        }
        let weight = u64::from(server.weight);
        server.last = server.position;
        server.position += self.next_length / weight;
        server.rest += (self.next_length % weight) as u32;
        if server.rest >= server.weight {
            server.rest -= server.weight;
            server.position += 1;
        }
    }

    /// Into `due`, or into `later` if its turn lies beyond this round (and the one after it, as
    /// it will be with the weights of now).
    fn enter(&mut self, index: usize) {
        let end = self.length + self.length.min(self.next_length);
        let server = &mut self.servers[index];
        if server.position >= end {
            server.position -= self.length;
            self.enter_by_weight(Queue::Later, index);
            return;
        }
        let tie = (LARGEST + server.rest - server.weight) / SCALE;
        let key = STRIDE * server.position + u64::from(tie);
        self.insert(Queue::Due, key, index);
    }

    fn enter_by_weight(&mut self, queue: Queue, index: usize) {
        let key = u64::from(LARGEST - self.servers[index].weight);
        self.insert(queue, key, index);
    }

    fn insert(&mut self, queue: Queue, key: u64, index: usize) {
        self.arrivals += 1;
        let key = (key, self.arrivals);
        let line = self.queue(queue);
        let at = line.partition_point(|entry| entry.0 < key);
        line.insert(at, (key, index));
        self.servers[index].place = Some((queue, key));
    }

    fn leave(&mut self, index: usize) {
        if let Some((queue, key)) = self.servers[index].place.take() {
            let line = self.queue(queue);
            let at = line.partition_point(|entry| entry.0 < key);
            line.remove(at);
        }
    }

    /// Bring the position of a server in `queue` to what it means in this round.
    fn settle(&mut self, index: usize, queue: Option<Queue>) {
        let (length, now) = (self.length, self.now);
        let server = &mut self.servers[index];
        match queue {
            Some(Queue::Due) => {}
            Some(Queue::Later) => server.position += length,
            Some(Queue::Fresh) => (server.position, server.rest) = (0, 0),
            None => server.position = now,
        }
    }

    /// A server that stood aside takes part from its first regular place on.
    fn join(&mut self, index: usize) {
        let ahead = (self.next_length + self.length).saturating_sub(self.now);
        let server = &mut self.servers[index];
        server.position = self.now + ahead / u64::from(server.weight);
        self.enter(index);
    }

    /// A server with another weight comes no later than it would have, and not at once.
    fn change_pace(&mut self, index: usize) {
        let server = &mut self.servers[index];
        let step = self.next_length / u64::from(server.weight);
        server.position = server.position.min(server.last + step);
        server.rest = 0;
        if server.position < self.now + 2 {
            server.position = self.now + step;
        }
        self.enter(index);
    }
}
