//! All counters at one moment, with the stats page's names (management guide 9.1).

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use crate::counters::{Gauges, ProcessTotal, Total};
use crate::shared::Shared;

pub type Values = HashMap<&'static str, i64>;

#[derive(Debug)]
pub struct ProxySnapshot {
    pub id: u32,
    pub frontend: Option<Values>,
    pub backend: Option<Values>,
    pub servers: HashMap<u32, Values>,
    /// By server: each thread's idle connections.
    pub idle: HashMap<u32, Vec<u32>>,
    pub listeners: HashMap<u32, Values>,
}

#[derive(Debug)]
pub struct Snapshot {
    pub process: Values,
    pub proxies: Vec<ProxySnapshot>,
}

/// What `clear counters all` takes off the totals from then on.
#[derive(Default)]
pub(crate) struct Baseline {
    objects: Vec<[u64; Total::COUNT]>,
    process: [u64; ProcessTotal::COUNT],
}

fn sums(shared: &Shared, object: usize) -> [u64; Total::COUNT] {
    std::array::from_fn(|what| {
        shared
            .counters
            .iter()
            .map(|thread| thread.of(object).get(what))
            .sum()
    })
}

fn process_sums(shared: &Shared) -> [u64; ProcessTotal::COUNT] {
    std::array::from_fn(|what| {
        shared
            .counters
            .iter()
            .map(|thread| thread.process(what))
            .sum()
    })
}

pub(crate) fn baseline(shared: &Shared) -> Baseline {
    Baseline {
        objects: (0..shared.objects)
            .map(|object| sums(shared, object))
            .collect(),
        process: process_sums(shared),
    }
}

pub(crate) fn reset_maxima(shared: &Shared) {
    shared.connections.reset_maxima();
    shared.connection_rate.reset_max();
    shared.session_rate.reset_max();
    for listener in &shared.listeners {
        listener.gauges.reset_maxima();
    }
    for proxy in &shared.proxies {
        if let Some(frontend) = &proxy.frontend {
            frontend.gauges.reset_maxima();
        }
        if let Some(backend) = &proxy.backend {
            backend.gauges.reset_maxima();
            backend
                .servers
                .iter()
                .for_each(|server| server.gauges.reset_maxima());
        }
    }
}

struct Taker<'a> {
    shared: &'a Shared,
    base: &'a Baseline,
    now: u64,
}

impl Taker<'_> {
    /// What every object has.
    fn common(&self, object: usize, gauges: &Gauges) -> Values {
        let sums = sums(self.shared, object);
        let base = self.base.objects.get(object);
        let mut values: Values = Total::NAMES
            .iter()
            .enumerate()
            .map(|(what, name)| {
                (
                    *name,
                    sums[what].wrapping_sub(base.map_or(0, |base| base[what])) as i64,
                )
            })
            .collect();
        values.insert("scur", i64::from(gauges.current.load(Relaxed)));
        values.insert("smax", i64::from(gauges.max.load(Relaxed)));
        values.insert("rate", i64::from(gauges.sessions.read(self.now)));
        values.insert("rate_max", i64::from(gauges.sessions.max()));
        values
    }

    fn add_backend_words(&self, values: &mut Values, gauges: &Gauges) {
        values.insert("qcur", i64::from(gauges.queued.load(Relaxed)));
        values.insert("qmax", i64::from(gauges.queued_max.load(Relaxed)));
        let last = gauges.last.load(Relaxed);
        let ago = if last < 0 {
            -1
        } else {
            (self.now as i64 - last).max(0) / 1000
        };
        values.insert("lastsess", ago);
        for (name, max, average) in [
            ("qtime", "qtime_max", &gauges.queue_time),
            ("ctime", "ctime_max", &gauges.connect_time),
            ("rtime", "rtime_max", &gauges.response_time),
            ("ttime", "ttime_max", &gauges.total_time),
        ] {
            values.insert(name, average.get() as i64);
            values.insert(max, average.max() as i64);
        }
    }

    fn proxy(&self, proxy: &crate::shared::Proxy, at: usize) -> ProxySnapshot {
        let maxconn = i64::from(self.shared.maxconn.load(Relaxed));
        let limit = |value: u32| {
            if value == u32::MAX {
                maxconn
            } else {
                i64::from(value)
            }
        };
        let frontend = proxy.frontend.as_ref().map(|frontend| {
            let gauges = &frontend.gauges;
            let mut values = self.common(frontend.object, gauges);
            values.insert("slim", limit(frontend.maxconn.load(Relaxed)));
            values.insert("enabled", i64::from(frontend.enabled.load(Relaxed)));
            values.insert("closed", i64::from(frontend.is_closed()));
            values.insert("rate_lim", i64::from(gauges.sessions.limit()));
            values.insert("conn_rate", i64::from(gauges.connections.read(self.now)));
            values.insert("conn_rate_max", i64::from(gauges.connections.max()));
            values.insert("req_rate", i64::from(gauges.requests.read(self.now)));
            values.insert("req_rate_max", i64::from(gauges.requests.max()));
            values
        });
        let (mut servers, mut idle) = (HashMap::new(), HashMap::new());
        let backend = proxy.backend.as_ref().map(|backend| {
            let balancer = backend.balancer.inner();
            balancer.advance(self.shared.now());
            for (at, server) in backend.servers.iter().enumerate() {
                let mut values = self.common(server.object, &server.gauges);
                self.add_backend_words(&mut values, &server.gauges);
                values.insert("slim", i64::from(server.maxconn.load(Relaxed)));
                values.insert("qlimit", i64::from(server.maxqueue));
                values.insert("weight", i64::from(server.weight.load(Relaxed)));
                if let Some(percent) = balancer.throttle(at) {
                    values.insert("throttle", i64::from(percent));
                }
                self.add_idle_words(&mut values, proxy, server);
                idle.insert(server.id, server.idle.by_thread().collect());
                servers.insert(server.id, values);
            }
            let mut values = self.common(backend.object, &backend.gauges);
            self.add_backend_words(&mut values, &backend.gauges);
            values.insert("slim", i64::from(backend.fullconn));
            values.insert("act", backend.balancer.inner().active() as i64);
            values.insert("bck", backend.balancer.inner().backups() as i64);
            values
        });
        let listeners = self
            .shared
            .listeners
            .iter()
            .filter(|listener| listener.proxy == at);
        let listeners = listeners.map(|listener| {
            let mut values = self.common(listener.object, &listener.gauges);
            values.insert("slim", limit(listener.maxconn));
            (listener.id, values)
        });
        ProxySnapshot {
            id: proxy.plan.id,
            frontend,
            backend,
            servers,
            idle,
            listeners: listeners.collect(),
        }
    }

    /// Connections to a server that idle. Those in use are known of HTTP alone, as in HAProxy.
    fn add_idle_words(
        &self,
        values: &mut Values,
        proxy: &crate::shared::Proxy,
        server: &crate::shared::Server,
    ) {
        let (total, safe) = (server.idle.total(), server.idle.safe());
        values.insert("srv_icur", i64::from(total));
        values.insert("safe_conn_cur", i64::from(safe));
        values.insert("idle_conn_cur", i64::from(total.saturating_sub(safe)));
        values.insert("idle_shared", i64::from(server.idle.lent()));
        if proxy.plan.mode == telamon_plan::Mode::Http {
            let used = server.gauges.current.load(Relaxed);
            values.insert("used_conn_cur", i64::from(used));
        }
        let most = server.gauges.max.load(Relaxed);
        values.insert("need_conn_est", i64::from(most));
    }

    fn process(&self) -> Values {
        let shared = self.shared;
        let sums = process_sums(shared);
        let mut values: Values = ProcessTotal::NAMES
            .iter()
            .enumerate()
            .map(|(what, name)| {
                (
                    *name,
                    (sums[what] - self.base.process[what].min(sums[what])) as i64,
                )
            })
            .collect();
        let current = i64::from(shared.connections.current.load(Relaxed));
        let maxconn = i64::from(shared.maxconn.load(Relaxed));
        values.insert("CurrConns", current);
        values.insert("MaxConn", i64::from(shared.connections.max.load(Relaxed)));
        values.insert("Maxconn", maxconn);
        values.insert("Hard_maxconn", maxconn);
        values.insert("Maxsock", maxconn * 2 + 64);
        values.insert("ConnRate", i64::from(shared.connection_rate.read(self.now)));
        values.insert("ConnRateLimit", i64::from(shared.connection_rate.limit()));
        values.insert("SessRateLimit", i64::from(shared.session_rate.limit()));
        values.insert("MaxConnRate", i64::from(shared.connection_rate.max()));
        values.insert("SessRate", i64::from(shared.session_rate.read(self.now)));
        values.insert("MaxSessRate", i64::from(shared.session_rate.max()));
        for (at, name) in ["PipesUsed", "PipesFree"].into_iter().enumerate() {
            let threads = shared.counters.iter();
            let sum: u32 = threads.map(|thread| thread.pipes[at].load(Relaxed)).sum();
            values.insert(name, i64::from(sum));
        }
        let pipes = i64::from(shared.most_pipes) * shared.threads.len() as i64;
        values.insert("Maxpipes", pipes);
        values.insert("Nbthread", shared.threads.len() as i64);
        values.insert("Tasks", current);
        // Threads run what is ready before they wait: nothing is left over between turns.
        values.insert("Run_queue", 0);
        values.insert("Uptime_ms", self.now as i64);
        values
    }
}

pub(crate) fn take(shared: &Shared, base: &Baseline) -> Snapshot {
    let taker = Taker {
        shared,
        base,
        now: shared.now(),
    };
    let proxies = shared.proxies.iter().enumerate();
    Snapshot {
        process: taker.process(),
        proxies: proxies.map(|(at, proxy)| taker.proxy(proxy, at)).collect(),
    }
}
