//! `balance roundrobin`: turns in proportion to weights, which may change while it runs.

use std::sync::Mutex;

use super::turns::Turns;
use super::Picker;
use crate::balancer::Ask;
use crate::pool::{Group, Pool};

pub(super) struct RoundRobin {
    groups: Mutex<[Turns; 2]>,
}

impl RoundRobin {
    pub(super) fn new(pool: &Pool) -> RoundRobin {
        let groups = [Group::Active, Group::Backups].map(|group| {
            let weights = pool.slots.iter().map(|slot| match slot.group() == group {
                true => slot.effective_weight(),
                false => 0,
            });
            Turns::new(weights)
        });
        RoundRobin {
            groups: Mutex::new(groups),
        }
    }
}

impl Picker for RoundRobin {
    fn pick(&self, pool: &Pool, group: Group, ask: &Ask) -> Option<usize> {
        if pool.slots.len() == 1 {
            return (!pool.saturated(0)).then_some(0);
        }
        let mut groups = self.groups.lock().unwrap_or_else(|e| e.into_inner());
        groups[group as usize].next(ask.avoid, |server| !pool.saturated(server))
    }

    fn weight_changed(&self, pool: &Pool, server: usize) {
        let slot = &pool.slots[server];
        let mut groups = self.groups.lock().unwrap_or_else(|e| e.into_inner());
        groups[slot.group() as usize].set_weight(server, slot.effective_weight());
    }

    fn is_dynamic(&self) -> bool {
        true
    }
}
