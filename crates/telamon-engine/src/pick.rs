//! Which server takes a stream: `telamon-balance` and the plan's words for it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use telamon_balance::{Algorithm, Ask, ServerSpec};

pub(crate) struct Balancer {
    inner: telamon_balance::Balancer,
    algorithm: telamon_plan::Algorithm,
    entropy: AtomicU64,
}

pub(crate) enum Pick {
    Server(usize),
    /// All that could serve it are full: it waits for this one, or for any.
    Full(Option<usize>),
    None,
}

impl Balancer {
    pub(crate) fn new(plan: &telamon_plan::Backend, fullconn: u32) -> Self {
        let algorithm = match plan.algorithm {
            telamon_plan::Algorithm::RoundRobin => Algorithm::RoundRobin,
            telamon_plan::Algorithm::StaticRr => Algorithm::StaticRr,
            telamon_plan::Algorithm::LeastConn => Algorithm::LeastConn,
            telamon_plan::Algorithm::First => Algorithm::First,
            telamon_plan::Algorithm::Source => Algorithm::Source,
            telamon_plan::Algorithm::Random => Algorithm::Random {
                draws: plan.random_draws,
            },
        };
        let servers: Vec<ServerSpec> = plan
            .servers
            .iter()
            .map(|server| ServerSpec {
                weight: server.weight.get(),
                backup: server.backup,
                usable: !server.disabled,
                maxconn: server.maxconn,
                minconn: server.minconn,
            })
            .collect();
        // Seeded by the address of what was just allocated: unlike runs choose unlike servers.
        let seed = servers.as_ptr() as u64 | 1;
        Balancer {
            inner: telamon_balance::Balancer::new(algorithm, &servers, plan.all_backups, fullconn),
            algorithm: plan.algorithm,
            entropy: AtomicU64::new(seed),
        }
    }

    /// It picks in turn, so that another server is as good as the last one.
    pub(crate) fn in_turn(&self) -> bool {
        use telamon_plan::Algorithm::{Random, RoundRobin, StaticRr};
        matches!(self.algorithm, RoundRobin | StaticRr | Random)
    }

    pub(crate) fn needs_client(&self) -> bool {
        self.algorithm == telamon_plan::Algorithm::Source
    }

    pub(crate) fn inner(&self) -> &telamon_balance::Balancer {
        &self.inner
    }

    pub(crate) fn pick(&self, source: Option<IpAddr>, avoid: Option<usize>) -> Pick {
        let entropy = if self.algorithm == telamon_plan::Algorithm::Random {
            self.draw()
        } else {
            0
        };
        match self.inner.pick(&Ask {
            source,
            avoid,
            entropy,
        }) {
            telamon_balance::Pick::Server(server) if self.inner.is_full(server) => {
                Pick::Full(Some(server))
            }
            telamon_balance::Pick::Server(server) => Pick::Server(server),
            telamon_balance::Pick::Full => Pick::Full(None),
            telamon_balance::Pick::Nobody => Pick::None,
        }
    }

    /// SplitMix64: each call a new step, whoever calls.
    fn draw(&self) -> u64 {
        let mut mixed = self.entropy.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
