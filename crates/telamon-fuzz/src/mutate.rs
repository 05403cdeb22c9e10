//! New inputs out of old ones.
//!
//! What a target called interesting (a parser took it, say) joins the corpus in somebody's place,
//! so that changes pile up.

use crate::random::Random;

const MOST: usize = 256;
const LONGEST: usize = 4096;

pub(crate) struct Corpus {
    kept: Vec<Vec<u8>>,
    seeds: usize,
    words: &'static [&'static [u8]],
    turn: usize,
}

impl Corpus {
    pub(crate) fn new(seeds: &[&[u8]], words: &'static [&'static [u8]]) -> Corpus {
        Corpus {
            kept: seeds.iter().map(|seed| seed.to_vec()).collect(),
            seeds: seeds.len(),
            words,
            turn: 0,
        }
    }

    pub(crate) fn keep(&mut self, input: Vec<u8>, interesting: bool) {
        if !interesting || input.len() > LONGEST {
            return;
        }
        if self.kept.len() < MOST {
            return self.kept.push(input);
        }
        // The seeds stay.
        self.turn = (self.turn + 1) % (MOST - self.seeds);
        self.kept[self.seeds + self.turn] = input;
    }

    pub(crate) fn next(&mut self, random: &mut Random) -> Vec<u8> {
        let mut text = random.choose(&self.kept).clone();
        for _ in 0..=random.below(4) {
            self.change(&mut text, random);
        }
        text
    }

    fn change(&self, text: &mut Vec<u8>, random: &mut Random) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(24)).min(text.len());
        match random.below(7) {
            0 => text.insert(at, random.next() as u8),
            1 if at < text.len() => text[at] = random.next() as u8,
            2 if at < text.len() => text[at] ^= 1 << random.below(8),
            3 => drop(text.drain(at..end)),
            4 => {
                let twice = text[at..end].to_vec();
                text.splice(at..at, twice);
            }
            5 => {
                let other = random.choose(&self.kept);
                let from = random.below(other.len() + 1);
                let part = &other[from..(from + random.below(64)).min(other.len())];
                text.splice(at..end, part.iter().copied());
            }
            _ => {
                let word = random.choose(self.words);
                let end = if random.below(2) == 0 { at } else { end };
                text.splice(at..end, word.iter().copied());
            }
        }
    }
}
