//! What an expression makes of a set, kept up with the set's changes.
//!
//! `first` is made at load and serves, without a lock, as long as nobody changes the set. With the
//! first change a second table is made, which follows: each further change puts one entry in or takes
//! one out, whatever the set's size. Only `clear` and `commit` have it made anew.
//!
//! Who changes a set has its entries locked for writing while its tables follow; who makes a table has
//! them locked for reading. So no change is missed, and none is seen twice.

use std::sync::{Arc, PoisonError, RwLock};

use super::entries::Change;
use super::Set;

/// Entries in the form in which they are looked up. Of two alike the lower number counts.
pub(crate) trait Table: Send + Sync {
    fn put(&mut self, number: u64, key: &[u8], value: Option<&[u8]>) -> Result<(), String>;
    fn remove(&mut self, number: u64, key: &[u8]);
}

/// A table as a set sees it.
pub(super) trait Follow: Send + Sync {
    fn follow(&self, changes: &[Change]);
}

type Empty<T> = Box<dyn Fn() -> T + Send + Sync>;

pub(crate) struct Derived<T> {
    set: Arc<Set>,
    first: T,
    later: RwLock<Option<T>>,
    empty: Empty<T>,
}

impl<T: Table + 'static> Derived<T> {
    /// `empty` makes a table without entries. An error names the set's file.
    pub(crate) fn new(
        set: Arc<Set>,
        empty: impl Fn() -> T + Send + Sync + 'static,
    ) -> Result<Arc<Self>, String> {
        let blame = |error| match set.path.as_str() {
            "" => error,
            path => format!("{path}: {error}"),
        };
        let mut first = empty();
        for entry in set.read().looked_at() {
            let put = first.put(entry.id, &entry.key, entry.value.as_deref());
            put.map_err(blame)?;
        }
        let derived = Arc::new(Derived {
            set,
            first,
            later: RwLock::new(None),
            empty: Box::new(empty),
        });
        let follower: Arc<dyn Follow> = derived.clone();
        derived.set.followed_by(&follower);
        Ok(derived)
    }

    pub(crate) fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        if !self.set.has_changed() {
            return look(&self.first);
        }
        loop {
            let later = self.later.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(later) = &*later {
                return look(later);
            }
            drop(later);
            self.make();
        }
    }

    fn make(&self) {
        let entries = self.set.read();
        let mut later = self.later.write().unwrap_or_else(PoisonError::into_inner);
        if later.is_some() {
            return;
        }
        let mut made = (self.empty)();
        for entry in entries.looked_at() {
            // A rule may have put in what is no pattern: it is found by nobody.
            let _ = made.put(entry.id, &entry.key, entry.value.as_deref());
        }
        *later = Some(made);
    }
}

impl<T: Table> Follow for Derived<T> {
    fn follow(&self, changes: &[Change]) {
        let mut later = self.later.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            let Some(table) = later.as_mut() else { return };
            match change {
                Change::Put(entry) => {
                    let _ = table.put(entry.id, &entry.key, entry.value.as_deref());
                }
                Change::Gone(entry) => table.remove(entry.id, &entry.key),
                Change::All => *later = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::super::Which;
    use super::*;

    /// Counts what is done with it.
    #[derive(Default)]
    struct Counted {
        keys: Vec<(u64, Vec<u8>)>,
        steps: Arc<AtomicUsize>,
    }

    impl Table for Counted {
        fn put(&mut self, number: u64, key: &[u8], _value: Option<&[u8]>) -> Result<(), String> {
            self.steps.fetch_add(1, Relaxed);
            if key == b"bad" {
                return Err("it is bad".to_owned());
            }
            self.keys.push((number, key.to_vec()));
            Ok(())
        }

        fn remove(&mut self, number: u64, _key: &[u8]) {
            self.steps.fetch_add(1, Relaxed);
            self.keys.retain(|one| one.0 != number);
        }
    }

    const MANY: usize = 10_000;

    fn made() -> (Arc<Set>, Arc<Derived<Counted>>, Arc<AtomicUsize>) {
        let keys = (0..MANY).map(|number| (format!("key{number}").into_bytes(), None));
        let set = Arc::new(Set::of(keys));
        let steps = Arc::new(AtomicUsize::new(0));
        let counter = steps.clone();
        let empty = move || Counted {
            keys: Vec::new(),
            steps: counter.clone(),
        };
        let derived = Derived::new(set.clone(), empty).unwrap();
        (set, derived, steps)
    }

    fn count(derived: &Derived<Counted>) -> usize {
        derived.with(|table| table.keys.len())
    }

    #[test]
    fn a_change_is_one_step_whatever_the_sets_size() {
        let (set, derived, steps) = made();
        assert_eq!(count(&derived), MANY);
        assert_eq!(steps.swap(0, Relaxed), MANY);
        set.set(b"first", None);
        assert_eq!(count(&derived), MANY + 1);
        assert_eq!(steps.swap(0, Relaxed), MANY + 1);
        for number in 0..100 {
            let key = format!("new{number}").into_bytes();
            set.set(&key, None);
            set.set(&key, None);
            set.add(None, &key, Some(b"v")).unwrap();
            assert_eq!(count(&derived), MANY + 3);
            set.forget(&key);
            assert_eq!(count(&derived), MANY + 1);
            assert_eq!(steps.swap(0, Relaxed), 4);
        }
        assert_eq!(set.change(Which::Key(b"key7"), b"v"), Ok(1));
        assert_eq!(steps.swap(0, Relaxed), 2);
        assert_eq!(set.remove(Which::Key(b"none")), 0);
        assert_eq!((steps.swap(0, Relaxed), count(&derived)), (0, MANY + 1));
    }

    #[test]
    fn other_versions_and_bad_entries_are_not_looked_at() {
        let (set, derived, steps) = made();
        set.set(b"bad", None);
        assert_eq!(count(&derived), MANY);
        steps.store(0, Relaxed);
        let version = set.prepare();
        set.add(Some(version), b"a", None).unwrap();
        set.add(Some(version), b"b", None).unwrap();
        assert_eq!((steps.load(Relaxed), count(&derived)), (0, MANY));
        assert!(set.commit(version));
        assert_eq!((count(&derived), steps.swap(0, Relaxed)), (2, 2));
        set.clear(None);
        assert_eq!(count(&derived), 0);
    }
}
