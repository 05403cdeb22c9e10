//! Variables: names become numbers at compile time, values live with the connection, the request,
//! or the process (manual 2.8, scopes).

use std::cell::RefCell;

use crate::sample::Sample;

/// A variable's number; its scope stands in its name.
pub(crate) type Slot = u16;

/// The variables of a connection and of the exchange under way.
#[derive(Debug, Default)]
pub struct Vars {
    values: RefCell<Vec<(Slot, Sample<'static>)>>,
}

impl Vars {
    pub(crate) fn get(&self, slot: Slot) -> Option<Sample<'static>> {
        let values = self.values.borrow();
        let found = values.iter().find(|one| one.0 == slot);
        found.map(|one| one.1.clone())
    }

    pub(crate) fn set(&self, slot: Slot, value: Sample<'static>) {
        let mut values = self.values.borrow_mut();
        match values.iter_mut().find(|one| one.0 == slot) {
            Some(one) => one.1 = value,
            None => values.push((slot, value)),
        }
    }

    pub(crate) fn unset(&self, slot: Slot) {
        self.values.borrow_mut().retain(|one| one.0 != slot);
    }

    /// Forgets the variables that `keeps` does not keep: those of a request that is over.
    pub fn retain(&self, keeps: impl Fn(u16) -> bool) {
        self.values.borrow_mut().retain(|one| keeps(one.0));
    }

    pub fn is_empty(&self) -> bool {
        self.values.borrow().is_empty()
    }
}
