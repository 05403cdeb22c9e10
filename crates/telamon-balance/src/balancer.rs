//! One backend's choice of servers.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Mutex;

use crate::algorithms::{picker, Algorithm, Picker};
use crate::keys::{Request, Unknown};
use crate::pool::{Group, Pool, ServerSpec};

/// What is known of the stream that wants a server.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The client's address; None for a client on a unix socket.
    pub source: Option<IpAddr>,
    /// The server that just failed this stream; chosen again only if there is no other.
    pub avoid: Option<usize>,
    /// 64 random bits of this stream, for `random`.
    pub entropy: u64,
    /// What hashing algorithms take their key from.
    pub request: &'a dyn Request,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Ask {
            source: None,
            avoid: None,
            entropy: 0,
            request: &Unknown,
        }
    }
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The server with this index. Algorithms that bind a key to a server (`source`) and a lone
    /// backup may give one that is full: then the stream waits in that server's own queue.
    Server(usize),
    /// All that may be used are full: wait in the backend's queue.
    Full,
    /// No server may be used: 503.
    Nobody,
}

const NEVER: u64 = u64::MAX;
/// Milliseconds between two steps of a slow start.
const GROWTH_STEP: u64 = 1000;

/// Shared by all threads of the engine. A server is named by its place in the slice given to
/// [`Balancer::new`]; methods panic on a place that is not one.
pub struct Balancer {
    pool: Pool,
    picker: Box<dyn Picker>,
    /// When a server that starts slowly is due to grow; NEVER while none does.
    next_growth: AtomicU64,
    /// Held while state or weight change, so that the pool and the picker agree on the order.
    changing: Mutex<()>,
}

impl Balancer {
    /// `fullconn` is the number of streams at which `maxconn` holds in full for servers that
    /// have a `minconn`.
    pub fn new(
        algorithm: Algorithm,
        servers: &[ServerSpec],
        all_backups: bool,
        fullconn: u32,
    ) -> Balancer {
        let pool = Pool::new(servers, all_backups, fullconn);
        let picker = picker(algorithm, &pool);
        Balancer {
            pool,
            picker,
            next_growth: AtomicU64::new(NEVER),
            changing: Mutex::new(()),
        }
    }

    /// Choose a server. The choice counts as a turn; call [`Balancer::take`] when the stream
    /// goes there.
    pub fn pick(&self, ask: &Ask) -> Pick {
        let group = if self.pool.active() > 0 {
            Group::Active
        } else if let Some(server) = self.pool.lone_backup() {
            return Pick::Server(server);
        } else if self.pool.backups() > 0 {
            Group::Backups
        } else {
            return Pick::Nobody;
        };
        match self.picker.pick(&self.pool, group, ask) {
            Some(server) => Pick::Server(server),
            None => Pick::Full,
        }
    }

    /// A stream goes to the server.
    pub fn take(&self, server: usize) {
        self.pool.take(server);
        self.picker.load_changed(&self.pool, server);
    }

    /// A stream has left the server.
    pub fn release(&self, server: usize) {
        self.pool.release(server);
        self.picker.load_changed(&self.pool, server);
    }

    /// A stream has come to the backend, whether a server has room for it or not. The limits of
    /// servers with a `minconn` follow these streams; without the ones that wait a full backend
    /// would stay at its lowest limit for ever.
    pub fn arrive(&self) {
        self.pool.arrived.fetch_add(1, Relaxed);
    }

    /// It has left.
    pub fn depart(&self) {
        self.pool.arrived.fetch_sub(1, Relaxed);
    }

    /// A stream waits for this very server.
    pub fn enqueue(&self, server: usize) {
        self.pool.enqueue(server);
        self.picker.load_changed(&self.pool, server);
    }

    /// A stream no longer waits for this server.
    pub fn dequeue(&self, server: usize) {
        self.pool.dequeue(server);
        self.picker.load_changed(&self.pool, server);
    }

    /// May the server take new streams (up, not in maintenance, not draining)?
    pub fn set_usable(&self, server: usize, usable: bool) {
        self.change(server, || self.pool.set_usable(server, usable));
    }

    /// The server came up at `now`: it may take streams, few at first if it starts slowly.
    pub fn come_up(&self, server: usize, now: u64) {
        self.change(server, || {
            self.pool.begin_start(server, now);
            self.pool.grow(server, now, self.picker.is_dynamic());
            self.pool.recount();
        });
        if self.pool.is_starting(server) {
            self.next_growth.fetch_min(now + GROWTH_STEP, Relaxed);
        }
    }

    /// Lets servers that start slowly grow. Cheap: it may be called before each choice.
    pub fn advance(&self, now: u64) {
        if now >= self.next_growth.load(Relaxed) {
            self.grow(now);
        }
    }

    fn grow(&self, now: u64) {
        self.next_growth.store(NEVER, Relaxed);
        for server in 0..self.pool.slots.len() {
            if !self.pool.is_starting(server) {
                continue;
            }
            self.change(server, || {
                self.pool.grow(server, now, self.picker.is_dynamic())
            });
            if self.pool.is_starting(server) {
                self.next_growth.fetch_min(now + GROWTH_STEP, Relaxed);
            }
        }
    }

    /// How far a server that starts slowly has got, in percent; None: it does not.
    pub fn throttle(&self, server: usize) -> Option<u32> {
        self.pool.throttle(server)
    }

    /// `weight` 0 to 256; more is taken for 256.
    pub fn set_weight(&self, server: usize, weight: u16) {
        self.change(server, || self.pool.set_weight(server, weight));
    }

    /// 0: no limit.
    pub fn set_maxconn(&self, server: usize, maxconn: u32) {
        self.pool.set_maxconn(server, maxconn);
    }

    /// May this server be chosen at all (usable and of a weight above 0)?
    pub fn is_usable(&self, server: usize) -> bool {
        self.pool.slots[server].weight() > 0
    }

    /// At its limit, or others wait for it already.
    pub fn is_full(&self, server: usize) -> bool {
        self.pool.saturated(server)
    }

    /// No more may wait for this very server (`maxqueue`).
    pub fn queue_is_full(&self, server: usize) -> bool {
        self.pool.queue_is_full(server)
    }

    /// How many streams the server may have now; None: no limit.
    pub fn limit(&self, server: usize) -> Option<u32> {
        self.pool.limit(server)
    }

    /// Streams on the server.
    pub fn current(&self, server: usize) -> u32 {
        self.pool.current(server)
    }

    /// Streams that wait for this very server.
    pub fn queued(&self, server: usize) -> u32 {
        self.pool.queued(server)
    }

    /// How many active servers may be used.
    pub fn active(&self) -> usize {
        self.pool.active()
    }

    /// How many backup servers may be used.
    pub fn backups(&self) -> usize {
        self.pool.backups()
    }

    fn change(&self, server: usize, apply: impl FnOnce()) {
        // A thread that panicked holding the lock has left nothing half done.
        let _order = self.changing.lock().unwrap_or_else(|e| e.into_inner());
        apply();
        self.picker.weight_changed(&self.pool, server);
    }
}
