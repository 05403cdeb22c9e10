//! What a set holds: entries in their order, in versions.
//!
//! One version is looked at; others are made ready beside it (`prepare map`) until one takes its
//! place at once (`commit map`). Numbers of versions and of entries are never used twice. An entry's
//! number tells its place, too: later ones have higher numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One entry. `id` is its name on the stats socket, unique in the process.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: u64,
    pub version: u32,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// Which entries a command means.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    Key(&'a [u8]),
    Id(u64),
}

/// What has become of the version that is looked at.
#[derive(Debug)]
pub(super) enum Change {
    Put(Entry),
    Gone(Entry),
    /// Too much to be told one by one.
    All,
}

#[derive(Debug, Default)]
pub(super) struct Entries {
    all: BTreeMap<u64, Entry>,
    /// The numbers under each key. Made when the first change asks for a key.
    by_key: Option<HashMap<Vec<u8>, Vec<u64>>>,
    changes: Vec<Change>,
    current: u32,
    next: u32,
}

/// Entries are counted from a page's end: `0x0` names none.
static NEXT_ID: AtomicU64 = AtomicU64::new(0x1000);

impl Entries {
    pub(super) fn new(lines: impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>) -> Entries {
        let mut entries = Entries::default();
        lines.for_each(|(key, value)| entries.add(0, key, value));
        entries.changes.clear();
        entries
    }

    pub(super) fn current(&self) -> u32 {
        self.current
    }

    pub(super) fn next(&self) -> u32 {
        self.next
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn of(&self, version: u32) -> impl Iterator<Item = &Entry> {
        self.all
            .values()
            .filter(move |entry| entry.version == version)
    }

    /// Those that are looked up.
    pub(super) fn looked_at(&self) -> impl Iterator<Item = &Entry> {
        self.of(self.current)
    }

    /// What has changed since the last question.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Those of a key that are looked up, if it is known where keys stand.
    pub(super) fn known(&self, key: &[u8]) -> Option<impl Iterator<Item = &Entry>> {
        let ids = self
            .by_key
            .as_ref()?
            .get(key)
            .map_or(&[][..], Vec::as_slice);
        let entries = ids.iter().filter_map(|id| self.all.get(id));
        Some(entries.filter(|entry| entry.version == self.current))
    }

    /// Do all entries of a key have this value? None if there is none, or if nobody has asked yet.
    pub(super) fn holds(&self, key: &[u8], value: Option<&[u8]>) -> Option<bool> {
        let mut known = self.known(key)?;
        let first = known.next()?;
        Some(
            std::iter::once(first)
                .chain(known)
                .all(|entry| entry.value.as_deref() == value),
        )
    }

    /// Remembers where keys stand.
    pub(super) fn learn_keys(&mut self) -> &mut HashMap<Vec<u8>, Vec<u64>> {
        self.by_key.get_or_insert_with(|| {
            let mut by_key: HashMap<Vec<u8>, Vec<u64>> = HashMap::new();
            for entry in self.all.values() {
                by_key.entry(entry.key.clone()).or_default().push(entry.id);
            }
            by_key
        })
    }

    fn ids(&mut self, which: Which<'_>) -> Vec<u64> {
        match which {
            Which::Id(id) => self
                .all
                .contains_key(&id)
                .then_some(id)
                .into_iter()
                .collect(),
            Which::Key(key) => self.learn_keys().get(key).cloned().unwrap_or_default(),
        }
    }

    fn note(&mut self, version: u32, change: impl FnOnce() -> Change) {
        if version == self.current {
            self.changes.push(change());
        }
    }

    pub(super) fn add(&mut self, version: u32, key: Vec<u8>, value: Option<Vec<u8>>) {
        let id = NEXT_ID.fetch_add(0x10, Relaxed);
        if let Some(by_key) = &mut self.by_key {
            by_key.entry(key.clone()).or_default().push(id);
        }
        let entry = Entry {
            id,
            version,
            key,
            value,
        };
        self.note(version, || Change::Put(entry.clone()));
        self.all.insert(id, entry);
    }

    /// How many there were, in all versions.
    pub(super) fn change(&mut self, which: Which<'_>, value: &[u8]) -> usize {
        let ids = self.ids(which);
        for id in &ids {
            let Some(entry) = self.all.get_mut(id) else {
                continue;
            };
            let old = entry.clone();
            entry.value = Some(value.to_vec());
            let new = entry.clone();
            let version = old.version;
            self.note(version, || Change::Gone(old));
            self.note(version, || Change::Put(new));
        }
        ids.len()
    }

    /// As `change`.
    pub(super) fn remove(&mut self, which: Which<'_>) -> usize {
        let ids = self.ids(which);
        for id in &ids {
            let Some(entry) = self.all.remove(id) else {
                continue;
            };
            self.forget_key(&entry);
            self.note(entry.version, || Change::Gone(entry));
        }
        ids.len()
    }

    fn forget_key(&mut self, entry: &Entry) {
        let Some(by_key) = &mut self.by_key else {
            return;
        };
        if let Some(ids) = by_key.get_mut(&entry.key) {
            ids.retain(|id| *id != entry.id);
            if ids.is_empty() {
                by_key.remove(&entry.key);
            }
        }
    }

    /// Keeps the versions that `stays` names.
    fn keep(&mut self, stays: impl Fn(u32) -> bool) {
        self.all.retain(|_, entry| stays(entry.version));
        self.by_key = None;
        self.changes.push(Change::All);
    }

    pub(super) fn clear(&mut self, version: u32) {
        self.keep(|one| one != version);
    }

    pub(super) fn prepare(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// Was it ever prepared? Numbers wrap, hence the differences.
    pub(super) fn is_known(&self, version: u32) -> bool {
        self.next.wrapping_sub(version) <= u32::MAX / 2
    }

    /// The version to look at from now on; older ones leave. False if it is not one to come.
    pub(super) fn commit(&mut self, version: u32) -> bool {
        let step = version.wrapping_sub(self.current);
        let last = self.next.wrapping_sub(self.current);
        if !(1..=last).contains(&step) {
            return false;
        }
        let old = self.current;
        self.current = version;
        self.keep(|one| (step..=last).contains(&one.wrapping_sub(old)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(keys: &[&str]) -> Entries {
        Entries::new(keys.iter().map(|key| (key.as_bytes().to_vec(), None)))
    }

    fn keys(entries: &Entries, version: u32) -> Vec<String> {
        let text = |entry: &Entry| String::from_utf8(entry.key.clone()).unwrap();
        entries.of(version).map(text).collect()
    }

    fn looked_at(entries: &Entries) -> Vec<String> {
        keys(entries, entries.current())
    }

    #[test]
    fn a_version_is_seen_when_it_is_committed() {
        let mut entries = entries(&["a", "b"]);
        assert_eq!(
            (entries.prepare(), entries.prepare(), entries.prepare()),
            (1, 2, 3)
        );
        for version in 1..=3 {
            entries.add(version, format!("v{version}").into(), None);
        }
        assert_eq!(looked_at(&entries), ["a", "b"]);
        assert!(entries.commit(2));
        assert_eq!(keys(&entries, 2), ["v2"]);
        assert_eq!(looked_at(&entries), ["v2"]);
        assert_eq!((keys(&entries, 1).len(), keys(&entries, 0).len()), (0, 0));
        assert_eq!(keys(&entries, 3), ["v3"]);
        assert!(!entries.commit(2) && !entries.commit(1) && !entries.commit(4));
        assert!(entries.is_known(1) && entries.is_known(3) && !entries.is_known(4));
    }

    #[test]
    fn version_numbers_wrap() {
        let mut entries = entries(&["a"]);
        (entries.current, entries.next) = (u32::MAX, u32::MAX);
        entries
            .all
            .values_mut()
            .for_each(|entry| entry.version = u32::MAX);
        assert_eq!(entries.prepare(), 0);
        entries.add(0, b"z".to_vec(), None);
        assert!(entries.commit(0));
        assert_eq!(looked_at(&entries), ["z"]);
    }

    #[test]
    fn an_id_names_one_entry_and_a_key_all_of_all_versions() {
        let mut entries = entries(&["a", "b", "a"]);
        let first = *entries.all.keys().next().unwrap();
        assert_eq!(entries.change(Which::Key(b"a"), b"1"), 2);
        assert_eq!(entries.change(Which::Id(first), b"2"), 1);
        assert_eq!(entries.remove(Which::Id(first)), 1);
        assert_eq!(entries.remove(Which::Id(0)), 0);
        entries.prepare();
        entries.add(1, b"a".to_vec(), None);
        assert_eq!(entries.remove(Which::Key(b"a")), 2);
        assert_eq!(
            (keys(&entries, 0), keys(&entries, 1).len()),
            (vec!["b".to_owned()], 0)
        );
    }
}
