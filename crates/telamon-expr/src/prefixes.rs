//! Texts that others begin with: the longest one is found, however many there are.

use std::collections::HashMap;

/// Prefixes with what belongs to each; of two that are alike the first counts.
pub(crate) struct Prefixes<T> {
    /// The lengths that occur, the longest first: one look-up for each.
    lengths: Vec<usize>,
    texts: HashMap<Vec<u8>, T>,
}

impl<T> Prefixes<T> {
    /// What belongs to the longest prefix of `text`.
    pub(crate) fn get(&self, text: &[u8]) -> Option<&T> {
        let lengths = self.lengths.iter();
        lengths
            .filter_map(|length| text.get(..*length))
            .find_map(|beginning| self.texts.get(beginning))
    }
}

impl<T> FromIterator<(Vec<u8>, T)> for Prefixes<T> {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, T)>>(prefixes: I) -> Prefixes<T> {
        let mut texts = HashMap::new();
        for (prefix, value) in prefixes {
            texts.entry(prefix).or_insert(value);
        }
        let mut lengths: Vec<usize> = texts.keys().map(Vec::len).collect();
        lengths.sort_unstable_by(|one, other| other.cmp(one));
        lengths.dedup();
        Prefixes { lengths, texts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wins() {
        let words = [("/a", 1), ("/a/b", 2), ("/a", 3), ("/ab", 4)];
        let all: Prefixes<i32> = words
            .iter()
            .map(|(text, value)| (text.as_bytes().to_vec(), *value))
            .collect();
        for (text, value) in [
            ("/a/bc", Some(2)),
            ("/a", Some(1)),
            ("/abc", Some(4)),
            ("/", None),
        ] {
            assert_eq!(all.get(text.as_bytes()).copied(), value, "{text}");
        }
    }
}
