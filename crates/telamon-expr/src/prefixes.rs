//! Texts that others begin with: the longest one is found, however many there are.

use std::collections::hash_map::Entry;
use std::collections::HashMap;

use crate::ranked::Ranked;

/// Prefixes with what belongs to each; of two that are alike the one with the lower number counts.
pub(crate) struct Prefixes<T> {
    /// The lengths that occur and how many have each, the longest first: one look-up for each.
    lengths: Vec<(usize, usize)>,
    texts: HashMap<Vec<u8>, Ranked<T>>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Prefixes {
            lengths: Vec::new(),
            texts: HashMap::new(),
        }
    }
}

impl<T> Prefixes<T> {
    /// What belongs to the longest prefix of `text`.
    pub(crate) fn get(&self, text: &[u8]) -> Option<&T> {
        let lengths = self.lengths.iter();
        let mut beginnings = lengths.filter_map(|one| text.get(..one.0));
        let found = beginnings.find_map(|beginning| self.texts.get(beginning))?;
        Some(found.first().1)
    }

    pub(crate) fn put(&mut self, number: u64, prefix: Vec<u8>, value: T) {
        let length = prefix.len();
        match self.texts.entry(prefix) {
            Entry::Occupied(mut there) => there.get_mut().put(number, value),
            Entry::Vacant(free) => {
                free.insert(Ranked::new(number, value));
                let place = self.lengths.partition_point(|one| one.0 > length);
                match self.lengths.get_mut(place).filter(|one| one.0 == length) {
                    Some(one) => one.1 += 1,
                    None => self.lengths.insert(place, (length, 1)),
                }
            }
        }
    }

    pub(crate) fn remove(&mut self, number: u64, prefix: &[u8]) {
        let found = self.texts.get_mut(prefix);
        if !found.is_some_and(|there| there.remove(number)) {
            return;
        }
        self.texts.remove(prefix);
        let place = self.lengths.partition_point(|one| one.0 > prefix.len());
        if let Some(one) = self.lengths.get_mut(place) {
            one.1 -= 1;
            if one.1 == 0 {
                self.lengths.remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wins() {
        let words = [("/a", 1), ("/a/b", 2), ("/a", 3), ("/ab", 4)];
        let mut all: Prefixes<i32> = Prefixes::default();
        for (number, (text, value)) in words.into_iter().enumerate() {
            all.put(number as u64, text.into(), value);
        }
        let found = |all: &Prefixes<i32>, text: &str| all.get(text.as_bytes()).copied();
        for (text, value) in [
            ("/a/bc", Some(2)),
            ("/a", Some(1)),
            ("/abc", Some(4)),
            ("/", None),
        ] {
            assert_eq!(found(&all, text), value, "{text}");
        }
        all.remove(1, b"/a/b");
        all.remove(0, b"/a");
        assert_eq!(found(&all, "/a/bc"), Some(3));
        all.remove(2, b"/a");
        all.remove(2, b"/none");
        assert_eq!((found(&all, "/a/bc"), found(&all, "/abc")), (None, Some(4)));
        assert_eq!(all.lengths, [(3, 1)]);
    }
}
