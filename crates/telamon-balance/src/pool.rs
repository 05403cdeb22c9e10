//! The servers of one backend as all threads see them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::hash::{avalanche, source_hash};

/// What a server is when the backend begins. Its place in the slice is its index from then on.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    /// HAProxy's number of the server (`id`), which orders `first` and places it on a ring.
    pub id: u32,
    /// 0 to 256; 0 takes no new streams.
    pub weight: u16,
    pub backup: bool,
    /// Up and not in maintenance.
    pub usable: bool,
    /// The most streams at once; 0: no limit.
    pub maxconn: u32,
    /// With `maxconn`, the limit while the backend is idle (manual 5.2, `minconn`); 0: none.
    pub minconn: u32,
    /// The most streams that wait for this very server; 0: no limit.
    pub maxqueue: u32,
    /// How long it takes to grow to its weight and `maxconn` once it came up; 0: no time.
    pub slowstart: u64,
    pub hash_key: HashKey,
}

impl Default for ServerSpec {
    fn default() -> Self {
        ServerSpec {
            id: 1,
            weight: 1,
            backup: false,
            usable: true,
            maxconn: 0,
            minconn: 0,
            maxqueue: 0,
            slowstart: 0,
            hash_key: HashKey::Id,
        }
    }
}

/// What places a server on the ring (manual 3.x, `hash-key`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashKey {
    Id,
    /// Its address; the port counts if it is not 0.
    Address(SocketAddr),
}

/// The servers that a choice is made among (manual 5.2 `backup`, 4.2 `option allbackups`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Active,
    Backups,
}

const NONE: usize = usize::MAX;
/// Weights that count are sixteenths: what a server that starts slowly grows by.
pub(crate) const FULL_SHARE: u32 = 16;
/// More points than a server can have on the ring: keeps those of two ids apart.
const POINTS: u32 = 256 * FULL_SHARE;

pub(crate) struct Slot {
    pub(crate) id: u32,
    /// Where its points on the ring begin to be counted.
    pub(crate) origin: u32,
    pub(crate) backup: bool,
    weight: AtomicU32,
    /// Of its weight, in sixteenths.
    share: AtomicU32,
    /// Of its `maxconn`, in percent.
    room: AtomicU32,
    usable: AtomicBool,
    current: AtomicU32,
    queued: AtomicU32,
    maxconn: AtomicU32,
    minconn: u32,
    maxqueue: u32,
    /// In whole seconds, as HAProxy counts it.
    slowstart: u64,
    /// When it began to start slowly, plus one; 0: it does not.
    since: AtomicU64,
    /// The weights of those of its group that stand before it.
    before: AtomicU32,
}

impl Slot {
    fn new(spec: &ServerSpec) -> Slot {
        Slot {
            id: spec.id,
            origin: origin(spec),
            backup: spec.backup,
            weight: AtomicU32::new(u32::from(spec.weight.min(256))),
            share: AtomicU32::new(FULL_SHARE),
            room: AtomicU32::new(100),
            usable: AtomicBool::new(spec.usable),
            current: AtomicU32::new(0),
            queued: AtomicU32::new(0),
            maxconn: AtomicU32::new(spec.maxconn),
            minconn: spec.minconn,
            maxqueue: spec.maxqueue,
            slowstart: spec.slowstart.div_ceil(1000),
            since: AtomicU64::new(0),
            before: AtomicU32::new(0),
        }
    }

    /// The weight that counts: 0 while the server may not be used.
    pub(crate) fn weight(&self) -> u32 {
        if self.usable.load(Relaxed) {
            self.weight.load(Relaxed)
        } else {
            0
        }
    }

    /// The same in sixteenths, less while the server starts slowly.
    pub(crate) fn effective_weight(&self) -> u32 {
        self.weight() * self.share.load(Relaxed)
    }

    /// The weight as the file or an operator set it, whatever the state.
    pub(crate) fn configured_weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    pub(crate) fn group(&self) -> Group {
        if self.backup {
            Group::Backups
        } else {
            Group::Active
        }
    }

    /// Streams that it serves and streams that wait for it alone.
    pub(crate) fn load(&self) -> u32 {
        self.current.load(Relaxed) + self.queued.load(Relaxed)
    }
}

/// The points of a server with the default `hash-key` follow from its id, as in HAProxy. Those
/// of an address follow from it alone, whatever the file around it.
fn origin(spec: &ServerSpec) -> u32 {
    match spec.hash_key {
        HashKey::Id => spec.id.wrapping_mul(POINTS),
        HashKey::Address(address) => {
            let port = avalanche(u32::from(address.port()));
            avalanche(port.wrapping_add(source_hash(address.ip())))
        }
    }
}

pub(crate) struct Pool {
    pub(crate) slots: Box<[Slot]>,
    all_backups: bool,
    fullconn: u32,
    /// Usable servers that are not backups.
    active: AtomicUsize,
    /// The backup that serves alone (`NONE` with `option allbackups`, or if there is none).
    first_backup: AtomicUsize,
    backups: AtomicUsize,
    /// Effective weights of all usable servers, by group.
    totals: [AtomicU32; 2],
    /// Streams of the backend, those that wait for a server too: what `minconn` grows with.
    pub(crate) arrived: AtomicU32,
    /// Streams on all servers.
    current: AtomicU32,
}

impl Pool {
    pub(crate) fn new(servers: &[ServerSpec], all_backups: bool, fullconn: u32) -> Pool {
        let pool = Pool {
            slots: servers.iter().map(Slot::new).collect(),
            all_backups,
            fullconn,
            active: AtomicUsize::new(0),
            first_backup: AtomicUsize::new(NONE),
            backups: AtomicUsize::new(0),
            totals: Default::default(),
            arrived: AtomicU32::new(0),
            current: AtomicU32::new(0),
        };
        pool.recount();
        pool
    }

    /// After a server's state or weight changed.
    pub(crate) fn recount(&self) {
        let first = self.usable(Group::Backups).next().map(|(index, _)| index);
        let alone = first.filter(|_| !self.all_backups).unwrap_or(NONE);
        self.backups
            .store(self.usable(Group::Backups).count(), Relaxed);
        self.first_backup.store(alone, Relaxed);
        for group in [Group::Active, Group::Backups] {
            let mut total = 0;
            for (_, slot) in self.usable(group) {
                slot.before.store(total, Relaxed);
                total += slot.effective_weight();
            }
            self.totals[group as usize].store(total, Relaxed);
        }
        self.active
            .store(self.usable(Group::Active).count(), Relaxed);
    }

    pub(crate) fn active(&self) -> usize {
        self.active.load(Relaxed)
    }

    pub(crate) fn backups(&self) -> usize {
        self.backups.load(Relaxed)
    }

    /// The backup that takes everything while no active server can be used.
    pub(crate) fn lone_backup(&self) -> Option<usize> {
        Some(self.first_backup.load(Relaxed)).filter(|index| *index != NONE)
    }

    /// The servers of a group that may be used, by index.
    pub(crate) fn usable(&self, group: Group) -> impl Iterator<Item = (usize, &Slot)> {
        self.slots
            .iter()
            .enumerate()
            .filter(move |(_, slot)| slot.group() == group && slot.weight() > 0)
    }

    /// How many streams the server may have now; None: no limit. With `minconn` the limit grows
    /// from it to `maxconn` as the backend's streams grow to `fullconn`; while the server starts
    /// slowly it is a part of that, and never 0.
    pub(crate) fn limit(&self, server: usize) -> Option<u32> {
        let slot = &self.slots[server];
        let maxconn = slot.maxconn.load(Relaxed);
        if maxconn == 0 {
            return None;
        }
        let room = slot.room.load(Relaxed);
        let limit = self.dynamic_limit(slot, maxconn);
        if room == 100 {
            return Some(limit);
        }
        let part = u64::from(limit) * u64::from(room) / 100;
        Some((part as u32).max(1))
    }

    fn dynamic_limit(&self, slot: &Slot, maxconn: u32) -> u32 {
        if slot.minconn == 0 || slot.minconn >= maxconn {
            return maxconn;
        }
        let current = self.current.load(Relaxed).max(self.arrived.load(Relaxed));
        if current >= self.fullconn {
            return maxconn;
        }
        let share = u64::from(maxconn) * u64::from(current) / u64::from(self.fullconn);
        slot.minconn.max(share as u32)
    }

    /// At its limit, or others wait for it already.
    pub(crate) fn saturated(&self, server: usize) -> bool {
        let slot = &self.slots[server];
        self.limit(server).is_some_and(|limit| {
            slot.queued.load(Relaxed) > 0 || slot.current.load(Relaxed) >= limit
        })
    }

    /// No more may wait for this very server.
    pub(crate) fn queue_is_full(&self, server: usize) -> bool {
        let slot = &self.slots[server];
        slot.maxqueue > 0 && slot.queued.load(Relaxed) >= slot.maxqueue
    }

    /// Whether one more stream leaves the server within `factor` percent of the average load
    /// (manual, `hash-balance-factor`); 0: any load will do.
    ///
    /// All streams and this one, raised by the factor, are that many slots. Each server has as
    /// many as its part of the weights, cut from the row of all slots so that none is lost by
    /// rounding, and at least one.
    pub(crate) fn within_factor(&self, server: usize, factor: u32) -> bool {
        if factor == 0 {
            return true;
        }
        let slot = &self.slots[server];
        let total = u64::from(self.totals[slot.group() as usize].load(Relaxed)).max(1);
        let streams = u64::from(self.current.load(Relaxed)) + 1;
        let all = (streams * u64::from(factor)).div_ceil(100);
        let (whole, rest) = (all / total, all % total);
        let (before, weight) = (
            u64::from(slot.before.load(Relaxed)),
            u64::from(slot.effective_weight()),
        );
        let cut = (before + weight) * rest / total - before * rest / total;
        u64::from(slot.current.load(Relaxed)) < (weight * whole + cut).max(1)
    }

    pub(crate) fn set_weight(&self, server: usize, weight: u16) {
        self.slots[server]
            .weight
            .store(u32::from(weight.min(256)), Relaxed);
        self.recount();
    }

    /// A server that is set usable so has its full weight at once.
    pub(crate) fn set_usable(&self, server: usize, usable: bool) {
        self.slots[server].usable.store(usable, Relaxed);
        self.finish_start(server);
        self.recount();
    }

    /// The server came up, and takes its time if it has a `slowstart`.
    pub(crate) fn begin_start(&self, server: usize, now: u64) {
        let slot = &self.slots[server];
        slot.usable.store(true, Relaxed);
        if slot.slowstart > 0 {
            slot.since.store(now + 1, Relaxed);
        }
    }

    fn finish_start(&self, server: usize) {
        let slot = &self.slots[server];
        slot.since.store(0, Relaxed);
        slot.share.store(FULL_SHARE, Relaxed);
        slot.room.store(100, Relaxed);
    }

    /// Whether the server is still starting slowly.
    pub(crate) fn is_starting(&self, server: usize) -> bool {
        self.slots[server].since.load(Relaxed) > 0
    }

    /// Lets a server that starts grow to what it is due at `now`; `weights` says whether its
    /// weight grows too. HAProxy counts whole seconds.
    pub(crate) fn grow(&self, server: usize, now: u64, weights: bool) {
        let slot = &self.slots[server];
        let since = slot.since.load(Relaxed);
        if since == 0 {
            return;
        }
        let elapsed = now.saturating_sub(since - 1) / 1000;
        if elapsed >= slot.slowstart {
            self.finish_start(server);
        } else {
            let full = u64::from(FULL_SHARE);
            let share = (full * elapsed + slot.slowstart) / slot.slowstart;
            let share = if weights { share.min(full) } else { full };
            slot.share.store(share as u32, Relaxed);
            let room = 100 * elapsed / slot.slowstart;
            slot.room.store(room as u32, Relaxed);
        }
        self.recount();
    }

    /// How far a starting server has got, in percent of its weight (statistics, `throttle`).
    pub(crate) fn throttle(&self, server: usize) -> Option<u32> {
        let slot = &self.slots[server];
        let weight = slot.weight();
        (self.is_starting(server) && weight > 0).then(|| {
            let full = FULL_SHARE * weight;
            (100 * slot.effective_weight()).div_ceil(full)
        })
    }

    pub(crate) fn set_maxconn(&self, server: usize, maxconn: u32) {
        self.slots[server].maxconn.store(maxconn, Relaxed);
    }

    pub(crate) fn current(&self, server: usize) -> u32 {
        self.slots[server].current.load(Relaxed)
    }

    pub(crate) fn queued(&self, server: usize) -> u32 {
        self.slots[server].queued.load(Relaxed)
    }

    pub(crate) fn take(&self, server: usize) {
        self.slots[server].current.fetch_add(1, Relaxed);
        self.current.fetch_add(1, Relaxed);
    }

    pub(crate) fn release(&self, server: usize) {
        let before = self.slots[server].current.fetch_sub(1, Relaxed);
        self.current.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "a stream was released twice");
    }

    pub(crate) fn enqueue(&self, server: usize) {
        self.slots[server].queued.fetch_add(1, Relaxed);
    }

    pub(crate) fn dequeue(&self, server: usize) {
        let before = self.slots[server].queued.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "a stream left the queue twice");
    }
}
