//! Chance that a seed repeats: xorshift64*.

#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 to below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 33) as usize) % end
    }

    pub(crate) fn choose<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }

    /// Where to cut `length` bytes: growing ends, the last one being `length`.
    pub(crate) fn cuts(&mut self, length: usize) -> Vec<usize> {
        let mut ends = vec![length];
        for _ in 0..self.below(4) {
            ends.push(self.below(length + 1));
        }
        ends.sort_unstable();
        ends
    }
}
