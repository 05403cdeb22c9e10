//! Which server takes a stream: `telamon-balance` and the plan's words for it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use telamon_balance::{
    Affinity, Algorithm, Ask, Function, HashKey, Hashing, KeySource, Method, Request, ServerSpec,
    UriPart,
};
use telamon_plan::{HashAffinity, HashFunction, HashMethod, SocketAddress};

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
        let servers: Vec<ServerSpec> = plan.servers.iter().map(server).collect();
        // Seeded by the address of what was just allocated: unlike runs choose unlike servers.
        let seed = servers.as_ptr() as u64 | 1;
        Balancer {
            inner: telamon_balance::Balancer::new(
                algorithm(plan),
                &servers,
                plan.all_backups,
                fullconn,
            ),
            algorithm: plan.algorithm,
            entropy: AtomicU64::new(seed),
        }
    }

    /// It picks in turn, so that another server is as good as the last one.
    pub(crate) fn in_turn(&self) -> bool {
        use telamon_plan::Algorithm::{Random, RoundRobin, StaticRr};
        matches!(self.algorithm, RoundRobin | StaticRr | Random)
    }

    /// Equal requests belong to one server.
    pub(crate) fn hashes(&self) -> bool {
        use telamon_plan::Algorithm::*;
        matches!(
            self.algorithm,
            Source | Uri | UrlParam | Hdr | RdpCookie | Hash
        )
    }

    /// It must know the client's address.
    pub(crate) fn needs_client(&self) -> bool {
        self.algorithm == telamon_plan::Algorithm::Source
    }

    pub(crate) fn inner(&self) -> &telamon_balance::Balancer {
        &self.inner
    }

    /// `request` is asked for no more than the algorithm needs, and only then.
    pub(crate) fn pick(
        &self,
        request: &dyn Request,
        source: Option<IpAddr>,
        avoid: Option<usize>,
    ) -> Pick {
        let entropy = if self.algorithm == telamon_plan::Algorithm::Random {
            self.draw()
        } else {
            0
        };
        match self.inner.pick(&Ask {
            source,
            avoid,
            entropy,
            request,
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

fn server(plan: &telamon_plan::Server) -> ServerSpec {
    ServerSpec {
        id: plan.id,
        weight: plan.weight.get(),
        backup: plan.backup,
        usable: !plan.disabled,
        maxconn: plan.maxconn,
        minconn: plan.minconn,
        maxqueue: plan.maxqueue,
        slowstart: plan.slowstart.unwrap_or(0),
        hash_key: hash_key(plan),
    }
}

/// A server without an internet address is placed by its id, as in HAProxy.
fn hash_key(plan: &telamon_plan::Server) -> HashKey {
    let SocketAddress::Inet { host, port } = &plan.address else {
        return HashKey::Id;
    };
    match plan.hash_key {
        telamon_plan::HashKey::Id => HashKey::Id,
        telamon_plan::HashKey::Addr => HashKey::Address((*host, 0).into()),
        telamon_plan::HashKey::AddrPort => HashKey::Address((*host, *port).into()),
    }
}

fn algorithm(plan: &telamon_plan::Backend) -> Algorithm {
    use telamon_plan::Algorithm as Plan;
    let key = &plan.key;
    let source = match plan.algorithm {
        Plan::RoundRobin => return Algorithm::RoundRobin,
        Plan::StaticRr => return Algorithm::StaticRr,
        Plan::LeastConn => return Algorithm::LeastConn,
        Plan::First => return Algorithm::First,
        Plan::Random => {
            return Algorithm::Random {
                draws: plan.random_draws,
                balance_factor: plan.hashing.balance_factor,
            }
        }
        Plan::Source => KeySource::Source,
        Plan::Uri => KeySource::Uri(UriPart {
            length: key.length as usize,
            depth: key.depth as usize,
            whole: key.whole,
            path_only: key.path_only,
        }),
        Plan::UrlParam => KeySource::UrlParam(key.name.clone()),
        Plan::Hdr => KeySource::Header {
            name: key.name.clone(),
            domain_only: key.domain_only,
        },
        Plan::RdpCookie => KeySource::RdpCookie(key.name.clone()),
        Plan::Hash => KeySource::Sample,
    };
    Algorithm::Hash(hashing(&plan.hashing, source))
}

fn hashing(plan: &telamon_plan::Hashing, key: KeySource) -> Hashing {
    Hashing {
        key,
        function: match plan.function {
            HashFunction::Sdbm => Function::Sdbm,
            HashFunction::Djb2 => Function::Djb2,
            HashFunction::Wt6 => Function::Wt6,
            HashFunction::Crc32 => Function::Crc32,
            HashFunction::None => Function::None,
        },
        avalanche: plan.avalanche,
        method: match plan.method {
            HashMethod::MapBased => Method::MapBased,
            HashMethod::Consistent => Method::Consistent {
                balance_factor: plan.balance_factor,
            },
        },
        affinity: match plan.affinity {
            HashAffinity::Always => Affinity::Always,
            HashAffinity::Maxconn => Affinity::Maxconn,
            HashAffinity::Maxqueue => Affinity::Maxqueue,
        },
    }
}
