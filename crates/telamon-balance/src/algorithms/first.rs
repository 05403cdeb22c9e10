//! `balance first`: fill the servers one after the other, in the order of the file.

use super::{first_with_room, Picker};
use crate::balancer::Ask;
use crate::pool::{Group, Pool};

pub(super) struct First;

impl Picker for First {
    fn pick(&self, pool: &Pool, group: Group, ask: &Ask) -> Option<usize> {
        first_with_room(pool, pool.usable(group).map(|(index, _)| index), ask.avoid)
    }
}
