//! `balance first`: fill the servers one after the other, in the order of their numbers.

use super::{first_with_room, Picker};
use crate::balancer::Ask;
use crate::pool::{Group, Pool};

pub(super) struct First {
    order: Box<[u32]>,
}

impl First {
    pub(super) fn new(pool: &Pool) -> First {
        let mut order: Vec<u32> = (0..pool.slots.len() as u32).collect();
        order.sort_by_key(|server| pool.slots[*server as usize].id);
        First {
            order: order.into(),
        }
    }
}

impl Picker for First {
    fn pick(&self, pool: &Pool, group: Group, ask: &Ask) -> Option<usize> {
        let order = self.order.iter().map(|server| *server as usize);
        let usable = order.filter(|server| {
            let slot = &pool.slots[*server];
            slot.group() == group && slot.weight() > 0
        });
        first_with_room(pool, usable, ask.avoid)
    }
}
