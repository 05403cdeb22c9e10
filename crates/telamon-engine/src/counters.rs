//! Counters: totals per thread, gauges and rates shared.
//!
//! A total has one writer, its thread, and is summed when somebody looks. Gauges (`scur`, queue
//! lengths) decide about limits that hold for the whole process, so they are shared; they move
//! when connections come and go, not with each byte.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

/// What is summed, with the stats page's names (management guide 9.1).
macro_rules! totals {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        // The page has a column for each; what nothing can cause yet stays 0.
        #[allow(dead_code)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(usize)]
        pub(crate) enum Total { $($variant),+ }

        impl Total {
            pub(crate) const NAMES: &'static [&'static str] = &[$($name),+];
            pub(crate) const COUNT: usize = Self::NAMES.len();
        }
    };
}

totals! {
    Stot = "stot", Bin = "bin", Bout = "bout",
    Dreq = "dreq", Dresp = "dresp", Ereq = "ereq", Econ = "econ", Eresp = "eresp",
    Wretr = "wretr", Wredis = "wredis", Lbtot = "lbtot",
    ConnTot = "conn_tot", ReqTot = "req_tot", Intercepted = "intercepted",
    Hrsp1xx = "hrsp_1xx", Hrsp2xx = "hrsp_2xx", Hrsp3xx = "hrsp_3xx",
    Hrsp4xx = "hrsp_4xx", Hrsp5xx = "hrsp_5xx", HrspOther = "hrsp_other",
    CliAbrt = "cli_abrt", SrvAbrt = "srv_abrt",
    Dcon = "dcon", Dses = "dses", Connect = "connect", Reuse = "reuse",
}

/// One thread's totals of one object.
pub(crate) struct Totals([AtomicU64; Total::COUNT]);

impl Totals {
    fn new() -> Self {
        Totals([const { AtomicU64::new(0) }; Total::COUNT])
    }

    /// By the owning thread only: a plain load and store, no locked instruction.
    #[inline]
    pub(crate) fn add(&self, what: Total, count: u64) {
        let place = &self.0[what as usize];
        place.store(place.load(Relaxed).wrapping_add(count), Relaxed);
    }

    pub(crate) fn get(&self, what: usize) -> u64 {
        self.0[what].load(Relaxed)
    }
}

/// Totals of the whole process.
macro_rules! process_totals {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        #[derive(Clone, Copy, Debug)]
        #[repr(usize)]
        pub(crate) enum ProcessTotal { $($variant),+ }

        impl ProcessTotal {
            pub(crate) const NAMES: &'static [&'static str] = &[$($name),+];
            pub(crate) const COUNT: usize = Self::NAMES.len();
        }
    };
}

process_totals! {
    CumConns = "CumConns", CumReq = "CumReq", BytesOut = "TotalBytesOut",
    DroppedLogs = "DroppedLogs", SentLogs = "SentLogs", Turns = "Turns", BusyNs = "BusyNs",
    Panics = "Panics", Calls = "PythonCalls", SplicedBytesOut = "TotalSplicedBytesOut",
    Events = "Events", Timers = "Timers",
}

/// All that one thread counts.
pub(crate) struct ThreadCounters {
    objects: Vec<Totals>,
    process: [AtomicU64; ProcessTotal::COUNT],
    pub(crate) streams: AtomicU32,
    /// Kernel pipes in use, and empty ones that are kept.
    pub(crate) pipes: [AtomicU32; 2],
}

impl ThreadCounters {
    pub(crate) fn new(objects: usize) -> Self {
        ThreadCounters {
            objects: (0..objects).map(|_| Totals::new()).collect(),
            process: [const { AtomicU64::new(0) }; ProcessTotal::COUNT],
            streams: AtomicU32::new(0),
            pipes: [const { AtomicU32::new(0) }; 2],
        }
    }

    #[inline]
    pub(crate) fn of(&self, object: usize) -> &Totals {
        &self.objects[object]
    }

    #[inline]
    pub(crate) fn add(&self, what: ProcessTotal, count: u64) {
        let place = &self.process[what as usize];
        place.store(place.load(Relaxed).wrapping_add(count), Relaxed);
    }

    pub(crate) fn process(&self, what: usize) -> u64 {
        self.process[what].load(Relaxed)
    }
}

/// Events per second over a sliding second: the full last second weighted by what of it still
/// lies inside the window, plus the current one (HAProxy's frequency counter).
#[derive(Default)]
pub(crate) struct Rate {
    /// Second in the upper half, its events in the lower.
    current: AtomicU64,
    previous: AtomicU32,
    max: AtomicU32,
    /// 0: any rate will do.
    limit: AtomicU32,
}

impl Rate {
    pub(crate) fn limited(limit: Option<u32>) -> Self {
        Rate {
            limit: AtomicU32::new(limit.unwrap_or(0)),
            ..Rate::default()
        }
    }

    /// May one more come now?
    pub(crate) fn has_room(&self, now_ms: u64) -> bool {
        let limit = self.limit();
        limit == 0 || self.read(now_ms) < limit
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    pub(crate) fn set_limit(&self, limit: u32) {
        self.limit.store(limit, Relaxed);
    }

    pub(crate) fn hit(&self, now_ms: u64) {
        let second = now_ms / 1000;
        let mut seen = self.current.load(Relaxed);
        loop {
            let next = if seen >> 32 == second {
                seen + 1
            } else {
                second << 32 | 1
            };
            match self
                .current
                .compare_exchange_weak(seen, next, Relaxed, Relaxed)
            {
                Ok(_) => break,
                Err(other) => seen = other,
            }
        }
        if seen >> 32 != second {
            let last = if (seen >> 32) + 1 == second {
                seen as u32
            } else {
                0
            };
            self.previous.store(last, Relaxed);
        }
        self.max.fetch_max(self.read(now_ms), Relaxed);
    }

    pub(crate) fn read(&self, now_ms: u64) -> u32 {
        let second = now_ms / 1000;
        let current = self.current.load(Relaxed);
        let left = 1000 - now_ms % 1000;
        let (last, this) = match second.checked_sub(current >> 32) {
            Some(0) => (
                u64::from(self.previous.load(Relaxed)),
                current & 0xffff_ffff,
            ),
            Some(1) => (current & 0xffff_ffff, 0),
            _ => (0, 0),
        };
        // With no more than one event in the last second its remainder says nothing.
        let share = if last <= 1 && this == 0 {
            last * left / 1000
        } else {
            (last * left).div_ceil(1000)
        };
        (share + this) as u32
    }

    pub(crate) fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }

    pub(crate) fn reset_max(&self) {
        self.max.store(0, Relaxed);
    }
}

/// An average over the last 1024 values, and the largest one.
#[derive(Default)]
pub(crate) struct Average {
    sum: AtomicU64,
    max: AtomicU64,
}

const SAMPLES: u64 = 1024;

impl Average {
    pub(crate) fn add(&self, value: u64) {
        let sum = self.sum.load(Relaxed);
        self.sum.store(sum - sum.div_ceil(SAMPLES) + value, Relaxed);
        self.max.fetch_max(value, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.sum.load(Relaxed).div_ceil(SAMPLES)
    }

    pub(crate) fn max(&self) -> u64 {
        self.max.load(Relaxed)
    }

    pub(crate) fn reset_max(&self) {
        self.max.store(0, Relaxed);
    }
}

/// What is shared of a frontend, listener, backend or server.
pub(crate) struct Gauges {
    pub(crate) current: AtomicU32,
    pub(crate) max: AtomicU32,
    pub(crate) queued: AtomicU32,
    pub(crate) queued_max: AtomicU32,
    pub(crate) sessions: Rate,
    pub(crate) connections: Rate,
    pub(crate) requests: Rate,
    /// Engine clock of the last session, -1 before the first.
    pub(crate) last: AtomicI64,
    pub(crate) queue_time: Average,
    pub(crate) connect_time: Average,
    pub(crate) response_time: Average,
    pub(crate) total_time: Average,
}

impl Gauges {
    pub(crate) fn new() -> Self {
        Gauges {
            current: AtomicU32::new(0),
            max: AtomicU32::new(0),
            queued: AtomicU32::new(0),
            queued_max: AtomicU32::new(0),
            sessions: Rate::default(),
            connections: Rate::default(),
            requests: Rate::default(),
            last: AtomicI64::new(-1),
            queue_time: Average::default(),
            connect_time: Average::default(),
            response_time: Average::default(),
            total_time: Average::default(),
        }
    }

    pub(crate) fn enter(&self) {
        let now = self.current.fetch_add(1, Relaxed) + 1;
        if now > self.max.load(Relaxed) {
            self.max.fetch_max(now, Relaxed);
        }
    }

    /// Enters only below `limit`.
    pub(crate) fn try_enter(&self, limit: u32) -> bool {
        let entered = self
            .current
            .fetch_update(Relaxed, Relaxed, |now| (now < limit).then_some(now + 1));
        if let Ok(before) = entered {
            self.max.fetch_max(before + 1, Relaxed);
        }
        entered.is_ok()
    }

    pub(crate) fn leave(&self) {
        self.current.fetch_sub(1, Relaxed);
    }

    pub(crate) fn enqueue(&self) {
        let now = self.queued.fetch_add(1, Relaxed) + 1;
        self.queued_max.fetch_max(now, Relaxed);
    }

    pub(crate) fn dequeue(&self) {
        self.queued.fetch_sub(1, Relaxed);
    }

    pub(crate) fn reset_maxima(&self) {
        self.max.store(self.current.load(Relaxed), Relaxed);
        self.queued_max.store(self.queued.load(Relaxed), Relaxed);
        for rate in [&self.sessions, &self.connections, &self.requests] {
            rate.reset_max();
        }
        for average in [
            &self.queue_time,
            &self.connect_time,
            &self.response_time,
            &self.total_time,
        ] {
            average.reset_max();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_slides_over_one_second() {
        let rate = Rate::default();
        for _ in 0..100 {
            rate.hit(5_000);
        }
        assert_eq!(rate.read(5_999), 100);
        assert_eq!(rate.read(6_000), 100);
        assert_eq!(rate.read(6_500), 50);
        assert_eq!(rate.read(7_000), 0);
        assert_eq!(rate.max(), 100);
    }

    #[test]
    fn an_average_follows_its_values() {
        let average = Average::default();
        for _ in 0..20_000 {
            average.add(40);
        }
        assert!((39..=40).contains(&average.get()));
        assert_eq!(average.max(), 40);
    }

    #[test]
    fn a_limit_is_never_passed() {
        let gauges = Gauges::new();
        assert!(gauges.try_enter(1));
        assert!(!gauges.try_enter(1));
        gauges.leave();
        assert!(gauges.try_enter(1));
    }
}
