//! Numbers and ranges of them: `5`, `5:10`, `:10`, `5:`.

use std::collections::hash_map::Entry;
use std::collections::HashMap;

use crate::ranked::{Listed, Ranked};

/// Numbers with what belongs to each; of several that hold a number, the one with the lowest rank
/// counts. Single ones are looked up at once, ranges tried one after the other.
pub(crate) struct Ranges<T> {
    single: HashMap<i64, Ranked<T>>,
    ranges: Listed<(i64, i64, T)>,
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Ranges {
            single: HashMap::new(),
            ranges: Listed::default(),
        }
    }
}

impl<T> Ranges<T> {
    pub(crate) fn get(&self, value: i64) -> Option<&T> {
        let single = self.single.get(&value).map(Ranked::first);
        let mut ranges = self.ranges.iter();
        let range = ranges.find(|(_, range)| (range.0..=range.1).contains(&value));
        let range = range.map(|(number, range)| (number, &range.2));
        let earlier = match (single, range) {
            (Some(single), Some(range)) if range.0 < single.0 => range,
            (single, range) => single.or(range)?,
        };
        Some(earlier.1)
    }

    pub(crate) fn put(&mut self, number: u64, key: &[u8], value: T) -> Result<(), String> {
        match read(key)? {
            (low, high) if low == high => match self.single.entry(low) {
                Entry::Occupied(mut there) => there.get_mut().put(number, value),
                Entry::Vacant(free) => drop(free.insert(Ranked::new(number, value))),
            },
            (low, high) => self.ranges.put(number, (low, high, value)),
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, number: u64, key: &[u8]) {
        match read(key) {
            Ok((low, high)) if low == high => {
                let found = self.single.get_mut(&low);
                if found.is_some_and(|there| there.remove(number)) {
                    self.single.remove(&low);
                }
            }
            _ => self.ranges.remove(number),
        }
    }
}

/// A number or a range, perhaps behind one of the words `eq ge gt le lt`.
fn read(text: &[u8]) -> Result<(i64, i64), String> {
    let bad = || format!("'{}' is no number or range", String::from_utf8_lossy(text));
    let whole = |text: &[u8]| -> Result<i64, String> {
        let text = std::str::from_utf8(text).ok();
        text.and_then(|text| text.parse().ok()).ok_or_else(bad)
    };
    let mut words = text
        .split(|byte| *byte == b' ')
        .filter(|one| !one.is_empty());
    let mut word = words.next().ok_or_else(bad)?;
    let mut operator: &[u8] = b"eq";
    if matches!(word, b"eq" | b"ge" | b"gt" | b"le" | b"lt") {
        (operator, word) = (word, words.next().ok_or_else(bad)?);
    }
    if words.next().is_some() {
        return Err(bad());
    }
    let (low, high) = match memchr::memchr(b':', word) {
        Some(at) => {
            let (low, high) = (&word[..at], &word[at + 1..]);
            let bound = |text: &[u8], open| match text {
                [] => Ok(open),
                _ => whole(text),
            };
            (bound(low, i64::MIN)?, bound(high, i64::MAX)?)
        }
        None => (whole(word)?, whole(word)?),
    };
    Ok(match operator {
        b"ge" => (low, i64::MAX),
        b"gt" => (high.saturating_add(1), i64::MAX),
        b"le" => (i64::MIN, low),
        b"lt" => (i64::MIN, low.saturating_sub(1)),
        _ => (low, high),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_holds_a_number_counts() {
        let mut all = Ranges::default();
        for (number, key) in ["7", "1:9", "8", "gt 20", "7"].into_iter().enumerate() {
            all.put(number as u64, key.as_bytes(), number).unwrap();
        }
        let found = |all: &Ranges<usize>| [7, 8, 21, 20].map(|value| all.get(value).copied());
        assert_eq!(found(&all), [Some(0), Some(1), Some(3), None]);
        all.remove(0, b"7");
        assert_eq!(all.get(7), Some(&1));
        all.remove(1, b"1:9");
        assert_eq!(found(&all), [Some(4), Some(2), Some(3), None]);
        all.remove(3, b"gt 20");
        assert_eq!(all.get(21), None);
    }

    #[test]
    fn what_is_no_range() {
        for text in ["", "x", "1:x", "gt", "1 2"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(read(b":5"), Ok((i64::MIN, 5)));
        assert_eq!(read(b"le 5"), Ok((i64::MIN, 5)));
    }
}
