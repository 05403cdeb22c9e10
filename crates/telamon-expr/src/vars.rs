//! Variables: names become numbers at compile time, values live with the connection, the request,
//! or the process (manual 2.8, scopes).

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use crate::sample::Sample;

/// A variable's number; its scope stands in its name.
pub(crate) type Slot = u16;
/// Numbers from here on are of the whole process (scope `proc`).
pub(crate) const PROCESS: Slot = 1 << 15;

type Values = Vec<(Slot, Sample<'static>)>;

/// The variables of the process.
#[derive(Clone, Debug, Default)]
pub struct ProcessVars(Arc<Mutex<Values>>);

/// The variables of a connection and of the exchange under way.
#[derive(Debug, Default)]
pub struct Vars {
    values: RefCell<Values>,
    process: ProcessVars,
}

impl Vars {
    pub fn new(process: &ProcessVars) -> Vars {
        Vars {
            values: RefCell::default(),
            process: process.clone(),
        }
    }

    /// The values among which a number's is.
    fn with<T>(&self, slot: Slot, work: impl FnOnce(&mut Values) -> T) -> T {
        if slot < PROCESS {
            return work(&mut self.values.borrow_mut());
        }
        let shared = self.process.0.lock();
        work(&mut shared.unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<Sample<'static>> {
        self.with(slot, |values| {
            let found = values.iter().find(|one| one.0 == slot);
            found.map(|one| one.1.clone())
        })
    }

    pub(crate) fn set(&self, slot: Slot, value: Sample<'static>) {
        self.with(slot, |values| {
            match values.iter_mut().find(|one| one.0 == slot) {
                Some(one) => one.1 = value,
                None => values.push((slot, value)),
            }
        });
    }

    pub(crate) fn unset(&self, slot: Slot) {
        self.with(slot, |values| values.retain(|one| one.0 != slot));
    }

    /// Forgets the variables that `keeps` does not keep: those of a request that is over.
    pub fn retain(&self, keeps: impl Fn(u16) -> bool) {
        self.values.borrow_mut().retain(|one| keeps(one.0));
    }

    pub fn is_empty(&self) -> bool {
        self.values.borrow().is_empty()
    }
}
