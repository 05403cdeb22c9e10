//! The servers of one backend as all threads see them.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};

/// What a server is when the backend begins. Its place in the slice is its index from then on.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    /// 0 to 256; 0 takes no new streams.
    pub weight: u16,
    pub backup: bool,
    /// Up and not in maintenance.
    pub usable: bool,
    /// The most streams at once; 0: no limit.
    pub maxconn: u32,
    /// With `maxconn`, the limit while the backend is idle (manual 5.2, `minconn`); 0: none.
    pub minconn: u32,
}

impl Default for ServerSpec {
    fn default() -> Self {
        ServerSpec {
            weight: 1,
            backup: false,
            usable: true,
            maxconn: 0,
            minconn: 0,
        }
    }
}

/// The servers that a choice is made among (manual 5.2 `backup`, 4.2 `option allbackups`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Active,
    Backups,
}

const NONE: usize = usize::MAX;

pub(crate) struct Slot {
    pub(crate) backup: bool,
    weight: AtomicU32,
    usable: AtomicBool,
    current: AtomicU32,
    queued: AtomicU32,
    maxconn: AtomicU32,
    minconn: u32,
}

impl Slot {
    /// The weight that counts: 0 while the server may not be used.
    pub(crate) fn weight(&self) -> u32 {
        if self.usable.load(Relaxed) {
            self.weight.load(Relaxed)
        } else {
            0
        }
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

pub(crate) struct Pool {
    pub(crate) slots: Box<[Slot]>,
    all_backups: bool,
    fullconn: u32,
    /// Usable servers that are not backups.
    active: AtomicUsize,
    /// The backup that serves alone (`NONE` with `option allbackups`, or if there is none).
    first_backup: AtomicUsize,
    backups: AtomicUsize,
    /// Streams of the backend, those that wait for a server too: what `minconn` grows with.
    pub(crate) arrived: AtomicU32,
    /// Streams on all servers.
    current: AtomicU32,
}

impl Pool {
    pub(crate) fn new(servers: &[ServerSpec], all_backups: bool, fullconn: u32) -> Pool {
        let slots = servers.iter().map(|server| Slot {
            backup: server.backup,
            weight: AtomicU32::new(u32::from(server.weight.min(256))),
            usable: AtomicBool::new(server.usable),
            current: AtomicU32::new(0),
            queued: AtomicU32::new(0),
            maxconn: AtomicU32::new(server.maxconn),
            minconn: server.minconn,
        });
        let pool = Pool {
            slots: slots.collect(),
            all_backups,
            fullconn,
            active: AtomicUsize::new(0),
            first_backup: AtomicUsize::new(NONE),
            backups: AtomicUsize::new(0),
            arrived: AtomicU32::new(0),
            current: AtomicU32::new(0),
        };
        pool.recount();
        pool
    }

    /// After a server's state or weight changed.
    pub(crate) fn recount(&self) {
        let usable = |group| {
            self.slots
                .iter()
                .enumerate()
                .filter(move |(_, slot)| slot.group() == group && slot.weight() > 0)
        };
        let first = usable(Group::Backups).next().map(|(index, _)| index);
        let alone = first.filter(|_| !self.all_backups).unwrap_or(NONE);
        self.backups.store(usable(Group::Backups).count(), Relaxed);
        self.first_backup.store(alone, Relaxed);
        self.active.store(usable(Group::Active).count(), Relaxed);
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
    /// from it to `maxconn` as the backend's streams grow to `fullconn`.
    pub(crate) fn limit(&self, server: usize) -> Option<u32> {
        let slot = &self.slots[server];
        let maxconn = slot.maxconn.load(Relaxed);
        if maxconn == 0 {
            return None;
        }
        let current = self.current.load(Relaxed).max(self.arrived.load(Relaxed));
        if slot.minconn == 0 || slot.minconn >= maxconn || current >= self.fullconn {
            return Some(maxconn);
        }
        let share = u64::from(maxconn) * u64::from(current) / u64::from(self.fullconn);
        Some(slot.minconn.max(share as u32))
    }

    /// At its limit, or others wait for it already.
    pub(crate) fn saturated(&self, server: usize) -> bool {
        let slot = &self.slots[server];
        self.limit(server).is_some_and(|limit| {
            slot.queued.load(Relaxed) > 0 || slot.current.load(Relaxed) >= limit
        })
    }

    pub(crate) fn set_weight(&self, server: usize, weight: u16) {
        self.slots[server]
            .weight
            .store(u32::from(weight.min(256)), Relaxed);
        self.recount();
    }

    pub(crate) fn set_usable(&self, server: usize, usable: bool) {
        self.slots[server].usable.store(usable, Relaxed);
        self.recount();
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
