//! What a set holds: entries in their order, in versions.
//!
//! One version is looked at; others are made ready beside it (`prepare map`) until one takes its
//! place at once (`commit map`). Numbers of versions and of entries are never used twice.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Lines;

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

impl Which<'_> {
    fn is(self, entry: &Entry) -> bool {
        match self {
            Which::Key(key) => entry.key == key,
            Which::Id(id) => entry.id == id,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Entries {
    all: Vec<Entry>,
    current: u32,
    next: u32,
}

/// Entries are counted from a page's end: `0x0` names none.
static NEXT_ID: AtomicU64 = AtomicU64::new(0x1000);

impl Entries {
    pub(super) fn new(lines: impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>) -> Entries {
        let mut entries = Entries::default();
        lines.for_each(|(key, value)| entries.add(0, key, value));
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
            .iter()
            .filter(move |entry| entry.version == version)
    }

    pub(super) fn lines(&self) -> Lines {
        self.of(self.current)
            .map(|entry| (entry.key.clone(), entry.value.clone()))
            .collect()
    }

    pub(super) fn add(&mut self, version: u32, key: Vec<u8>, value: Option<Vec<u8>>) {
        let id = NEXT_ID.fetch_add(0x10, Relaxed);
        self.all.push(Entry {
            id,
            version,
            key,
            value,
        });
    }

    /// How many there were, in all versions.
    pub(super) fn change(&mut self, which: Which<'_>, value: &[u8]) -> usize {
        let mut found = 0;
        for entry in self.all.iter_mut().filter(|entry| which.is(entry)) {
            entry.value = Some(value.to_vec());
            found += 1;
        }
        found
    }

    /// As `change`.
    pub(super) fn remove(&mut self, which: Which<'_>) -> usize {
        let before = self.all.len();
        self.all.retain(|entry| !which.is(entry));
        before - self.all.len()
    }

    pub(super) fn clear(&mut self, version: u32) {
        self.all.retain(|entry| entry.version != version);
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
        self.all
            .retain(|entry| (step..=last).contains(&entry.version.wrapping_sub(old)));
        self.current = version;
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
        assert_eq!(entries.lines().len(), 2);
        assert!(entries.commit(2));
        assert_eq!(keys(&entries, 2), ["v2"]);
        assert_eq!(entries.lines(), [(b"v2".to_vec(), None)]);
        assert_eq!((keys(&entries, 1).len(), keys(&entries, 0).len()), (0, 0));
        assert_eq!(keys(&entries, 3), ["v3"]);
        assert!(!entries.commit(2) && !entries.commit(1) && !entries.commit(4));
        assert!(entries.is_known(1) && entries.is_known(3) && !entries.is_known(4));
    }

    #[test]
    fn version_numbers_wrap() {
        let mut entries = entries(&["a"]);
        (entries.current, entries.next) = (u32::MAX, u32::MAX);
        entries.all[0].version = u32::MAX;
        assert_eq!(entries.prepare(), 0);
        entries.add(0, b"z".to_vec(), None);
        assert!(entries.commit(0));
        assert_eq!(entries.lines(), [(b"z".to_vec(), None)]);
    }

    #[test]
    fn an_id_names_one_entry_and_a_key_all_of_all_versions() {
        let mut entries = entries(&["a", "b", "a"]);
        let first = entries.all[0].id;
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
