//! Sets of patterns and maps: those of files, and those that stand in an ACL's own line.
//!
//! Expressions compile a set into what they look up (`derived.rs`); operators and rules change the
//! set (`add map`, `del acl`, `http-request set-map`), and the tables made of it follow, an entry at a
//! time. A set that was never changed costs a look-up one load of a flag.

mod derived;
mod entries;
mod lookup;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use telamon_plan::rules::{PatternSet, Test};

use derived::Follow;
pub(crate) use derived::{Derived, Table};
use entries::Entries;
pub use entries::{Entry, Which};
pub use lookup::Hit;
pub(crate) use lookup::{Output, Use};

/// One set. `number` names it on the stats socket; `is_acl` and `is_map`: which of the two use it.
pub struct Set {
    pub number: u32,
    /// Empty for the patterns of an ACL's own line.
    pub path: String,
    pub is_acl: bool,
    pub is_map: bool,
    /// Who uses it, in words.
    pub description: String,
    uses: Mutex<Vec<Use>>,
    followers: Mutex<Vec<Weak<dyn Follow>>>,
    changed: AtomicBool,
    entries: RwLock<Entries>,
}

/// What `show map` says of a set.
#[derive(Clone, Debug)]
pub struct Summary {
    pub current: u32,
    pub next: u32,
    /// Of all versions, times the ways in which they are looked up.
    pub count: usize,
}

impl Set {
    fn of(lines: impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>) -> Set {
        Set {
            number: 0,
            path: String::new(),
            is_acl: false,
            is_map: false,
            description: String::new(),
            uses: Mutex::default(),
            followers: Mutex::default(),
            changed: AtomicBool::new(false),
            entries: RwLock::new(Entries::new(lines)),
        }
    }

    fn new(plan: &PatternSet) -> Set {
        let lines = plan.lines.iter().map(|line| {
            let value = line.value.as_ref().map(|value| value.clone().into_bytes());
            (line.key.clone().into_bytes(), value)
        });
        Set {
            number: plan.number,
            path: plan.path.clone(),
            is_acl: plan.is_acl,
            is_map: plan.is_map,
            description: plan.description.clone(),
            ..Set::of(lines)
        }
    }

    /// The patterns of an ACL's own line.
    fn of_line(test: &Test) -> Set {
        let (file, line) = test.source_line.rsplit_once(':').unwrap_or_default();
        let patterns = test.patterns.iter();
        let lines = patterns.map(|pattern| (pattern.clone().into_bytes(), None));
        Set {
            number: test.number,
            is_acl: !test.name.is_empty(),
            description: format!("acl '{}' file '{file}' line {line}", test.name),
            ..Set::of(lines)
        }
    }

    /// Was it ever changed?
    fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }

    /// A table that was made of it.
    fn followed_by(&self, follower: &Arc<dyn Follow>) {
        let mut followers = self
            .followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        followers.push(Arc::downgrade(follower));
    }

    /// A way in which an expression looks it up; the same way is known once.
    pub(crate) fn used(&self, one: Use) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if !uses.contains(&one) {
            uses.push(one);
        }
    }

    fn uses(&self) -> Vec<Use> {
        let uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<R>(&self, change: impl FnOnce(&mut Entries) -> R) -> R {
        let mut entries: RwLockWriteGuard<'_, Entries> =
            self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let done = change(&mut entries);
        let changes = entries.take_changes();
        if !changes.is_empty() {
            let followers = self
                .followers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let tables = followers.iter().filter_map(Weak::upgrade);
            tables.for_each(|table| table.follow(&changes));
            self.changed.store(true, Ordering::Release);
        }
        done
    }

    /// What a rule does: adds a line, or changes the value of those that are there.
    pub(crate) fn set(&self, key: &[u8], value: Option<&[u8]>) {
        // Most requests say what is known already.
        if self.read().holds(key, value) == Some(true) {
            return;
        }
        self.write(|entries| {
            entries.learn_keys();
            match (entries.holds(key, value), value) {
                (Some(true), _) | (Some(false), None) => {}
                (Some(false), Some(value)) => drop(entries.change(Which::Key(key), value)),
                (None, value) => {
                    let current = entries.current();
                    entries.add(current, key.to_vec(), value.map(<[u8]>::to_vec));
                }
            }
        });
    }

    /// What a rule does: no entry has this key any more.
    pub(crate) fn forget(&self, key: &[u8]) {
        let absent = self
            .read()
            .known(key)
            .is_some_and(|mut known| known.next().is_none());
        if !absent {
            self.remove(Which::Key(key));
        }
    }

    pub fn summary(&self) -> Summary {
        let entries = self.read();
        Summary {
            current: entries.current(),
            next: entries.next(),
            count: entries.len() * self.uses().len(),
        }
    }

    /// The entries of a version, or of the one that is looked at.
    pub fn list(&self, version: Option<u32>) -> Vec<Entry> {
        let entries = self.read();
        let version = version.unwrap_or(entries.current());
        entries.of(version).cloned().collect()
    }

    /// Adds to a version, or to the one that is looked at. The error is for the operator.
    pub fn add(
        &self,
        version: Option<u32>,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        if version.is_some_and(|version| !self.read().is_known(version)) {
            return Err(Refusal::Version);
        }
        for one in self.uses() {
            one.check(key, value).map_err(Refusal::Text)?;
        }
        self.write(|entries| {
            let version = version.unwrap_or(entries.current());
            entries.add(version, key.to_vec(), value.map(<[u8]>::to_vec));
        });
        Ok(())
    }

    /// How many entries have the new value.
    pub fn change(&self, which: Which<'_>, value: &[u8]) -> Result<usize, Refusal> {
        for one in self.uses() {
            one.check_value(value).map_err(Refusal::Text)?;
        }
        Ok(self.write(|entries| entries.change(which, value)))
    }

    /// How many entries there were.
    pub fn remove(&self, which: Which<'_>) -> usize {
        self.write(|entries| entries.remove(which))
    }

    pub fn clear(&self, version: Option<u32>) {
        self.write(|entries| entries.clear(version.unwrap_or(entries.current())));
    }

    /// The number of a new version.
    pub fn prepare(&self) -> u32 {
        self.write(Entries::prepare)
    }

    /// False if no such version is to come.
    pub fn commit(&self, version: u32) -> bool {
        self.write(|entries| entries.commit(version))
    }

    /// What each way of looking up finds for a text.
    pub fn look_up(&self, text: &[u8]) -> Vec<Hit> {
        let entries = self.read();
        let lines: Vec<&Entry> = entries.looked_at().collect();
        self.uses()
            .iter()
            .map(|one| one.look_up(&lines, text))
            .collect()
    }
}

/// Why an entry was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody has prepared this version.
    Version,
    /// The key or the value is none for an expression that looks it up.
    Text(String),
}

/// All sets of a plan: of files by their ids, of ACLs' lines by their numbers.
#[derive(Clone, Default)]
pub struct PatternSets {
    by_id: HashMap<u32, Arc<Set>>,
    of_lines: HashMap<u32, Arc<Set>>,
}

impl PatternSets {
    pub fn new(sets: &[PatternSet]) -> PatternSets {
        let made = sets.iter().map(|set| (set.id, Arc::new(Set::new(set))));
        PatternSets {
            by_id: made.collect(),
            of_lines: HashMap::new(),
        }
    }

    /// The set of an ACL's own line; sections that inherit the line share it.
    pub(crate) fn of_line(&mut self, test: &Test) -> Arc<Set> {
        if test.name.is_empty() {
            return Arc::new(Set::of_line(test));
        }
        let made = || Arc::new(Set::of_line(test));
        self.of_lines
            .entry(test.number)
            .or_insert_with(made)
            .clone()
    }

    /// Those that ACLs or maps look up, by number.
    pub fn shown(&self) -> Vec<&Arc<Set>> {
        let sets = self.by_id.values().chain(self.of_lines.values());
        let mut shown: Vec<_> = sets.filter(|set| set.is_acl || set.is_map).collect();
        shown.sort_by_key(|set| set.number);
        shown
    }

    /// The one of this number.
    pub fn numbered(&self, number: u32) -> Option<&Arc<Set>> {
        let mut sets = self.by_id.values().chain(self.of_lines.values());
        sets.find(|set| set.number == number && (set.is_acl || set.is_map))
    }

    pub(crate) fn get(&self, id: u32) -> Option<Arc<Set>> {
        self.by_id.get(&id).cloned()
    }

    pub(crate) fn by_path(&self, path: &str) -> Option<Arc<Set>> {
        self.by_id.values().find(|set| set.path == path).cloned()
    }
}
