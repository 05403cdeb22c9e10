//! What must hold for any weights: fair shares, never a server that may not be used, nobody
//! passed over for ever.

use proptest::prelude::*;
use telamon_balance::{
    Affinity, Algorithm, Ask, Balancer, Function, HashKey, Hashing, KeySource, Method, Pick,
    ServerSpec,
};

fn all() -> Vec<Algorithm> {
    vec![
        Algorithm::RoundRobin,
        Algorithm::StaticRr,
        Algorithm::LeastConn,
        Algorithm::First,
        RANDOM,
        source(Method::MapBased),
        source(Method::Consistent { balance_factor: 0 }),
        source(Method::Consistent {
            balance_factor: 125,
        }),
    ]
}

const RANDOM: Algorithm = Algorithm::Random {
    draws: 2,
    balance_factor: 0,
};

fn source(method: Method) -> Algorithm {
    Algorithm::Hash(Hashing {
        key: KeySource::Source,
        function: Function::Sdbm,
        avalanche: true,
        method,
        affinity: Affinity::Always,
    })
}

fn is_hash(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::Hash(_))
}

fn servers(weights: &[u16]) -> Vec<ServerSpec> {
    let spec = |weight: &u16| ServerSpec {
        weight: *weight,
        ..ServerSpec::default()
    };
    weights.iter().map(spec).collect()
}

fn ask(number: u64) -> Ask<'static> {
    Ask {
        source: Some(std::net::Ipv4Addr::from(number as u32).into()),
        entropy: number.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        ..Ask::default()
    }
}

fn shares(balancer: &Balancer, servers: usize, turns: usize) -> Vec<usize> {
    let mut counts = vec![0; servers];
    for number in 0..turns {
        match balancer.pick(&ask(number as u64)) {
            Pick::Server(server) => counts[server] += 1,
            other => panic!("{other:?}"),
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Over one table of static-rr each server has exactly its weight. Roundrobin carries what
    /// divisions leave from round to round, and so may be one turn off, as HAProxy is.
    #[test]
    fn turns_are_in_proportion(weights in prop::collection::vec(1u16..40, 1..8)) {
        let total: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
        for (algorithm, off) in [(Algorithm::RoundRobin, 1), (Algorithm::StaticRr, 0)] {
            let balancer = Balancer::new(algorithm.clone(), &servers(&weights), false, 1);
            let shares = shares(&balancer, weights.len(), total * 16);
            for (share, weight) in shares.iter().zip(&weights) {
                prop_assert!(share.abs_diff(usize::from(*weight) * 16) <= off, "{algorithm:?} {shares:?}");
            }
        }
    }

    /// A random walk through states, weights and loads: the choice is always one that may be.
    #[test]
    fn only_usable_servers_are_chosen(
        specs in prop::collection::vec((0u16..4, any::<bool>(), 0u32..3), 1..6),
        all_backups in any::<bool>(),
        steps in prop::collection::vec((0usize..6, 0u16..5, any::<u64>()), 1..60),
    ) {
        let servers: Vec<ServerSpec> = specs
            .iter()
            .map(|(weight, backup, maxconn)| ServerSpec {
                weight: *weight,
                backup: *backup,
                maxconn: *maxconn,
                ..ServerSpec::default()
            })
            .collect();
        for algorithm in all() {
            let balancer = Balancer::new(algorithm.clone(), &servers, all_backups, 1);
            for (server, what, number) in &steps {
                let server = server % servers.len();
                match what {
                    0 => balancer.set_usable(server, number % 2 == 0),
                    1 => balancer.set_weight(server, (number % 5) as u16),
                    2 if balancer.current(server) > 0 => balancer.release(server),
                    _ => check_pick(&balancer, &servers, &algorithm, *number)?,
                }
            }
        }
    }

    #[test]
    fn another_server_is_found_if_there_is_one(weights in prop::collection::vec(1u16..5, 2..6), avoid in 0usize..6) {
        let avoid = avoid % weights.len();
        // A hash binds the client to its server; the caller redispatches by other means.
        for algorithm in all().into_iter().filter(|algorithm| !is_hash(algorithm)) {
            let balancer = Balancer::new(algorithm.clone(), &servers(&weights), false, 1);
            for number in 0..20 {
                let pick = balancer.pick(&Ask { avoid: Some(avoid), ..ask(number) });
                prop_assert!(matches!(pick, Pick::Server(server) if server != avoid), "{algorithm:?}");
            }
        }
    }
}

fn check_pick(
    balancer: &Balancer,
    servers: &[ServerSpec],
    algorithm: &Algorithm,
    number: u64,
) -> Result<(), TestCaseError> {
    let usable = |server: usize| balancer.is_usable(server);
    let any_active = (0..servers.len()).any(|server| usable(server) && !servers[server].backup);
    match balancer.pick(&ask(number)) {
        Pick::Server(server) => {
            prop_assert!(usable(server), "{algorithm:?}");
            prop_assert_eq!(servers[server].backup, !any_active);
            let bound = is_hash(algorithm) || !any_active;
            prop_assert!(bound || !balancer.is_full(server), "{algorithm:?}");
            balancer.take(server);
        }
        Pick::Full => prop_assert!((0..servers.len()).any(|s| usable(s) && balancer.is_full(s))),
        Pick::Nobody => prop_assert!((0..servers.len()).all(|server| !usable(server))),
    }
    Ok(())
}

#[test]
fn backups_serve_alone_or_together() {
    let specs: Vec<ServerSpec> = [false, true, true]
        .map(|backup| ServerSpec {
            backup,
            ..ServerSpec::default()
        })
        .into();
    let alone = Balancer::new(Algorithm::RoundRobin, &specs, false, 1);
    assert_eq!(shares(&alone, 3, 6), [6, 0, 0]);
    alone.set_usable(0, false);
    assert_eq!(shares(&alone, 3, 6), [0, 6, 0]);
    alone.set_usable(1, false);
    assert_eq!(shares(&alone, 3, 6), [0, 0, 6]);
    let together = Balancer::new(Algorithm::RoundRobin, &specs, true, 1);
    together.set_usable(0, false);
    assert_eq!(shares(&together, 3, 6), [0, 3, 3]);
}

#[test]
fn random_prefers_the_less_loaded() {
    let balancer = Balancer::new(RANDOM, &servers(&[1, 1]), false, 1);
    for _ in 0..10 {
        balancer.take(0);
    }
    let counts = shares(&balancer, 2, 1000);
    assert!(
        counts[0] < 350,
        "two draws of two hit only the loaded one a quarter of the time: {counts:?}"
    );
}

#[test]
fn a_small_backend_grows_its_limits_with_the_load() {
    let spec = ServerSpec {
        maxconn: 100,
        minconn: 10,
        ..ServerSpec::default()
    };
    let balancer = Balancer::new(Algorithm::LeastConn, &[spec], false, 50);
    assert_eq!(balancer.limit(0), Some(10));
    for _ in 0..20 {
        balancer.take(0);
    }
    assert_eq!(balancer.limit(0), Some(40));
    for _ in 0..30 {
        balancer.take(0);
    }
    assert_eq!(balancer.limit(0), Some(100));
}

fn hashing(method: Method, affinity: Affinity) -> Algorithm {
    Algorithm::Hash(Hashing {
        key: KeySource::Source,
        function: Function::Sdbm,
        avalanche: true,
        method,
        affinity,
    })
}

const METHODS: [Method; 2] = [Method::MapBased, Method::Consistent { balance_factor: 0 }];

#[test]
fn a_key_leaves_a_full_server_if_it_may() {
    let specs: Vec<ServerSpec> = (1..=3)
        .map(|id| ServerSpec {
            id,
            maxconn: 1,
            maxqueue: 1,
            ..ServerSpec::default()
        })
        .collect();
    for method in METHODS {
        let picks = |affinity| {
            let balancer = Balancer::new(hashing(method, affinity), &specs, false, 1);
            let mut picks = Vec::new();
            for _ in 0..3 {
                let Pick::Server(server) = balancer.pick(&ask(7)) else {
                    panic!("nobody");
                };
                picks.push(server);
                if balancer.is_full(server) {
                    balancer.enqueue(server);
                } else {
                    balancer.take(server);
                }
            }
            picks
        };
        let own = picks(Affinity::Always)[0];
        assert_eq!(picks(Affinity::Always), [own; 3]);
        let mut all = picks(Affinity::Maxconn);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
        let queue = picks(Affinity::Maxqueue);
        assert_eq!(queue[..2], [own; 2]);
        assert_ne!(queue[2], own);
    }
}

/// Two files that name the same addresses in another order and with other ids.
#[test]
fn hash_key_places_servers_by_their_address() {
    let specs = |order: [u16; 4]| -> Vec<ServerSpec> {
        let specs = order.iter().enumerate().map(|(at, number)| ServerSpec {
            id: at as u32 + 1,
            hash_key: HashKey::Address(([192, 0, 2, *number as u8], *number).into()),
            ..ServerSpec::default()
        });
        specs.collect()
    };
    let one = Balancer::new(
        hashing(METHODS[1], Affinity::Always),
        &specs([1, 2, 3, 4]),
        false,
        1,
    );
    let other = Balancer::new(
        hashing(METHODS[1], Affinity::Always),
        &specs([3, 1, 4, 2]),
        false,
        1,
    );
    let places = [1, 3, 0, 2];
    for number in 0..200 {
        match (one.pick(&ask(number)), other.pick(&ask(number))) {
            (Pick::Server(one), Pick::Server(other)) => assert_eq!(places[one], other),
            picks => panic!("{picks:?}"),
        }
    }
}

#[test]
fn first_follows_the_numbers() {
    let specs = [30, 10, 20].map(|id| ServerSpec {
        id,
        maxconn: 1,
        ..ServerSpec::default()
    });
    let balancer = Balancer::new(Algorithm::First, &specs, false, 1);
    for wanted in [1, 2, 0] {
        assert_eq!(balancer.pick(&ask(0)), Pick::Server(wanted));
        balancer.take(wanted);
    }
    assert_eq!(balancer.pick(&ask(0)), Pick::Full);
}

/// Manual 5.2, `slowstart`: weight and maxconn grow with the time, second by second.
#[test]
fn a_server_that_came_up_starts_slowly() {
    let specs = [0, 10_000].map(|slowstart| ServerSpec {
        weight: 10,
        maxconn: 50,
        slowstart,
        ..ServerSpec::default()
    });
    let balancer = Balancer::new(Algorithm::RoundRobin, &specs, false, 1);
    balancer.set_usable(1, false);
    balancer.come_up(1, 5_000);
    assert_eq!(
        (balancer.throttle(1), balancer.limit(1)),
        (Some(7), Some(1))
    );
    // It waits for the next round, as in HAProxy; then a sixteenth of the weight counts.
    shares(&balancer, 2, 170);
    assert_eq!(shares(&balancer, 2, 170)[1], 10);
    balancer.advance(5_900);
    assert_eq!(balancer.throttle(1), Some(7));
    balancer.advance(10_000);
    assert_eq!(
        (balancer.throttle(1), balancer.limit(1)),
        (Some(57), Some(25))
    );
    balancer.advance(15_000);
    assert_eq!((balancer.throttle(1), balancer.limit(1)), (None, Some(50)));
    // What comes up while another starts does not delay it, and maintenance ends a start.
    balancer.come_up(1, 20_000);
    balancer.set_usable(1, false);
    balancer.set_usable(1, true);
    assert_eq!((balancer.throttle(1), balancer.limit(1)), (None, Some(50)));
}

/// Tables of whole weights do not grow; the limit does (manual, `balance`, "static").
#[test]
fn a_static_algorithm_starts_slowly_by_its_limit_only() {
    let specs = [0, 10_000].map(|slowstart| ServerSpec {
        maxconn: 50,
        slowstart,
        ..ServerSpec::default()
    });
    let balancer = Balancer::new(Algorithm::StaticRr, &specs, false, 1);
    balancer.set_usable(1, false);
    balancer.come_up(1, 0);
    assert_eq!(
        (balancer.throttle(1), balancer.limit(1)),
        (Some(100), Some(1))
    );
    assert_eq!(shares(&balancer, 2, 10), [5, 5]);
}
