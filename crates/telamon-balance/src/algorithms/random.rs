//! `balance random(draws)`: draw so many servers, each with a chance in proportion to its
//! weight, and take the one with the fewest streams for its weight ("power of two choices").

use super::Picker;
use crate::balancer::Ask;
use crate::pool::{Group, Pool};

pub(super) struct Random {
    draws: u32,
    balance_factor: u32,
}

impl Random {
    pub(super) fn new(draws: u32, balance_factor: u32) -> Random {
        Random {
            draws: draws.max(1),
            balance_factor,
        }
    }
}

impl Picker for Random {
    /// As in HAProxy, a winner that is full is not replaced: the stream waits in the backend's
    /// queue.
    fn pick(&self, pool: &Pool, group: Group, ask: &Ask) -> Option<usize> {
        let other = |server: usize| {
            Some(server) != ask.avoid && pool.within_factor(server, self.balance_factor)
        };
        let total = |keep: &dyn Fn(usize) -> bool| -> u64 {
            let kept = pool.usable(group).filter(|(server, _)| keep(*server));
            kept.map(|(_, slot)| u64::from(slot.effective_weight()))
                .sum()
        };
        let all: &dyn Fn(usize) -> bool = &|_| true;
        let keep: &dyn Fn(usize) -> bool = if total(&other) > 0 { &other } else { all };
        let total = total(keep);
        if total == 0 {
            return None; // the last one went away since the group was chosen
        }
        let mut bits = ask.entropy;
        let draws = (0..self.draws).filter_map(|_| {
            let ticket = (u128::from(mix(&mut bits)) * u128::from(total)) >> 64;
            winner(pool, group, ticket as u64, keep)
        });
        let chosen = draws.reduce(|best, next| {
            if lighter(pool, next, best) {
                next
            } else {
                best
            }
        });
        chosen.filter(|server| !pool.saturated(*server))
    }

    fn is_dynamic(&self) -> bool {
        true
    }
}

fn winner(
    pool: &Pool,
    group: Group,
    mut ticket: u64,
    keep: &dyn Fn(usize) -> bool,
) -> Option<usize> {
    let mut last = None;
    for (server, slot) in pool.usable(group).filter(|(server, _)| keep(*server)) {
        let weight = u64::from(slot.effective_weight());
        if ticket < weight {
            return Some(server);
        }
        ticket -= weight;
        last = Some(server);
    }
    last
}

fn lighter(pool: &Pool, a: usize, b: usize) -> bool {
    let cost = |server: usize, other: usize| {
        u64::from(pool.slots[server].load()) * u64::from(pool.slots[other].effective_weight())
    };
    a != b && cost(a, b) < cost(b, a)
}

/// SplitMix64: independent draws out of one stream's random bits.
fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
