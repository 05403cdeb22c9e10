//! Variables: names become numbers at compile time, values live with the connection, the request,
//! or the process (manual 2.8, scopes).

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::args::Args;
use crate::sample::Sample;

/// A variable's number; its scope stands in its name.
pub(crate) type Slot = u16;
/// Numbers with this bit are of the whole process (scope `proc`).
pub(crate) const PROCESS: Slot = 1 << 15;
/// Those with this one live as long as the client's connection (scope `sess`).
const SESSION: Slot = 1 << 14;
/// And those with this one until the response comes (scope `req`).
const REQUEST: Slot = 1 << 13;
const SCOPES: [&str; 5] = ["proc", "sess", "txn", "req", "res"];
/// Functions outside may give variables new names; not without end.
const MOST: usize = 4096;

/// The numbers of all variables, by name.
#[derive(Clone, Debug, Default)]
pub struct VariableNames(Arc<Mutex<HashMap<String, Slot>>>);

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
            Some("req") => REQUEST,
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

    /// What the variable of this name is set to.
    pub fn value(&self, name: &str, vars: &Vars) -> Option<Sample<'static>> {
        let slot = *self.lock().get(name)?;
        vars.get(slot)
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
    gave_up: Cell<bool>,
}

impl Vars {
    pub fn new(process: &ProcessVars) -> Vars {
        Vars {
            values: RefCell::default(),
            process: process.clone(),
            gave_up: Cell::new(false),
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

    /// Sets it if all `settings` hold; do they?
    pub(crate) fn set_if(&self, slot: Slot, value: Sample<'static>, settings: &[Setting]) -> bool {
        let current = if settings.is_empty() {
            None
        } else {
            self.get(slot)
        };
        let holds = |setting: &Setting| setting.holds(&value, current.as_ref());
        let all = settings.iter().all(holds);
        if all {
            self.set(slot, value);
        }
        all
    }

    pub(crate) fn unset(&self, slot: Slot) {
        self.with(slot, |values| values.retain(|one| one.0 != slot));
    }

    /// Forgets those that rules of the response do not see.
    pub fn drop_request(&self) {
        self.values.borrow_mut().retain(|one| one.0 & REQUEST == 0);
    }

    /// Something could not be decided (`regex.rs`): the rules must not go on as if it were.
    pub(crate) fn give_up(&self) {
        self.gave_up.set(true);
    }

    /// Whether something has been given up since the last question.
    pub fn take_give_up(&self) -> bool {
        self.gave_up.take()
    }

    /// Forgets those of a request that is over.
    pub fn end_request(&self) {
        self.values.borrow_mut().retain(|one| one.0 & SESSION != 0);
    }

    pub fn is_empty(&self) -> bool {
        self.values.borrow().is_empty()
    }
}

/// A condition of `set-var`: `ifexists` and its kin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Exists,
    NotExists,
    Empty,
    NotEmpty,
    Set,
    NotSet,
    Greater,
    Less,
}

impl Setting {
    /// The conditions that the arguments name from `at` on.
    pub(crate) fn read(args: Args<'_>, at: usize) -> Result<Vec<Setting>, String> {
        let words = (at..args.len()).filter_map(|at| args.string(at));
        let one = |word: String| {
            Ok(match word.as_str() {
                "ifexists" => Setting::Exists,
                "ifnotexists" => Setting::NotExists,
                "ifempty" => Setting::Empty,
                "ifnotempty" => Setting::NotEmpty,
                "ifset" => Setting::Set,
                "ifnotset" => Setting::NotSet,
                "ifgt" => Setting::Greater,
                "iflt" => Setting::Less,
                other => return Err(format!("'{other}' is no condition of set-var")),
            })
        };
        words.map(one).collect()
    }

    fn holds(self, value: &Sample<'_>, current: Option<&Sample<'_>>) -> bool {
        // Only two numbers can be compared; everything else is set.
        let compared = |wanted: Ordering| match (value, current) {
            (Sample::Int(new), Some(Sample::Int(old))) => new.cmp(old) == wanted,
            _ => true,
        };
        match self {
            Setting::Exists => current.is_some(),
            Setting::NotExists => current.is_none(),
            Setting::Empty => is_empty(value),
            Setting::NotEmpty => !is_empty(value),
            Setting::Set => current.is_some_and(|current| !is_empty(current)),
            Setting::NotSet => current.is_none_or(is_empty),
            Setting::Greater => compared(Ordering::Greater),
            Setting::Less => compared(Ordering::Less),
        }
    }
}

fn is_empty(sample: &Sample<'_>) -> bool {
    match sample {
        Sample::Str(text) | Sample::Bin(text) => text.is_empty(),
        Sample::Int(number) => *number == 0,
        _ => false,
    }
}
