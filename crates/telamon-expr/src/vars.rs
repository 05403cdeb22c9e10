//! Variables: names become numbers at compile time, values live with the connection, the request,
//! or the process (manual 2.8, scopes).

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sample::Sample;

/// A variable's number; its scope stands in its name.
pub(crate) type Slot = u16;
/// Numbers with this bit are of the whole process (scope `proc`).
pub(crate) const PROCESS: Slot = 1 << 15;
/// Those with this one live as long as the client's connection (scope `sess`).
const SESSION: Slot = 1 << 14;
const SCOPES: [&str; 5] = ["proc", "sess", "txn", "req", "res"];
/// Functions outside may give variables new names; not without end.
const MOST: usize = 4096;

/// The numbers of all variables, by name.
#[derive(Debug, Default)]
pub struct VariableNames(Mutex<HashMap<String, Slot>>);

impl VariableNames {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of a name in a rule.
    pub(crate) fn number(&self, name: &str) -> Slot {
        let mut slots = self.lock();
        if let Some(slot) = slots.get(name) {
            return *slot;
        }
        let scope = match name.split('.').next() {
            Some("proc") => PROCESS,
            Some("sess") => SESSION,
            _ => 0,
        };
        let slot = slots.len() as Slot | scope;
        slots.insert(name.to_owned(), slot);
        slot
    }

    /// Of a name that a function outside gives.
    pub(crate) fn slot(&self, name: &[u8]) -> Result<Slot, String> {
        let name = String::from_utf8_lossy(name);
        let known = {
            let slots = self.lock();
            slots.contains_key(&*name) || slots.len() < MOST
        };
        let scope = name.split_once('.').map(|parts| parts.0);
        if scope.is_none_or(|scope| !SCOPES.contains(&scope)) {
            return Err(format!("'{name}' is no variable's name"));
        }
        if !known {
            return Err(format!("'{name}': there are {MOST} variables already"));
        }
        Ok(self.number(&name))
    }

    /// All variables that are set.
    pub fn values(&self, vars: &Vars) -> Vec<(String, Sample<'static>)> {
        let slots = self.lock();
        let values = slots
            .iter()
            .map(|(name, slot)| Some((name.clone(), vars.get(*slot)?)));
        values.flatten().collect()
    }
}

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

    /// Forgets those of a request that is over.
    pub fn end_request(&self) {
        self.values.borrow_mut().retain(|one| one.0 & SESSION != 0);
    }

    pub fn is_empty(&self) -> bool {
        self.values.borrow().is_empty()
    }
}
