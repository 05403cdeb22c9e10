//! What is kept under one key: of several that are alike the first counts, and when it goes the next.

/// At least one, by their numbers.
#[derive(Debug)]
pub(crate) struct Ranked<T> {
    first: (u64, T),
    /// Seldom any.
    others: Vec<(u64, T)>,
}

impl<T> Ranked<T> {
    pub(crate) fn new(number: u64, value: T) -> Ranked<T> {
        Ranked {
            first: (number, value),
            others: Vec::new(),
        }
    }

    /// The one with the lowest number, and that number.
    pub(crate) fn first(&self) -> (u64, &T) {
        (self.first.0, &self.first.1)
    }

    pub(crate) fn put(&mut self, number: u64, value: T) {
        let mut new = (number, value);
        if number < self.first.0 {
            std::mem::swap(&mut new, &mut self.first);
        }
        let place = self.others.partition_point(|one| one.0 < new.0);
        self.others.insert(place, new);
    }

    /// Takes one out; true if none is left.
    pub(crate) fn remove(&mut self, number: u64) -> bool {
        if self.first.0 != number {
            self.others.retain(|one| one.0 != number);
            return false;
        }
        if self.others.is_empty() {
            return true;
        }
        self.first = self.others.remove(0);
        false
    }
}

/// What is tried one after the other, in the order of its numbers.
#[derive(Debug)]
pub(crate) struct Listed<T>(Vec<(u64, T)>);

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Listed(Vec::new())
    }
}

impl<T> Listed<T> {
    pub(crate) fn put(&mut self, number: u64, value: T) {
        let place = self.0.partition_point(|one| one.0 <= number);
        self.0.insert(place, (number, value));
    }

    pub(crate) fn remove(&mut self, number: u64) {
        let begin = self.0.partition_point(|one| one.0 < number);
        let end = self.0.partition_point(|one| one.0 <= number);
        self.0.drain(begin..end);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.0.iter().map(|one| (one.0, &one.1))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|one| &one.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_number_counts() {
        let mut ranked = Ranked::new(5, "five");
        ranked.put(7, "seven");
        ranked.put(3, "three");
        assert_eq!(ranked.first(), (3, &"three"));
        assert!(!ranked.remove(3));
        assert!(!ranked.remove(9));
        assert_eq!(ranked.first(), (5, &"five"));
        assert!(!ranked.remove(5));
        assert!(ranked.remove(7));
    }

    #[test]
    fn a_list_keeps_its_order() {
        let mut listed = Listed::default();
        for number in [4, 2, 9] {
            listed.put(number, number * 10);
        }
        listed.remove(4);
        listed.remove(5);
        assert_eq!(listed.iter().collect::<Vec<_>>(), [(2, &20), (9, &90)]);
    }
}
