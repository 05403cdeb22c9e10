//! `log ... sample <ranges>:<size>`.

use telamon_plan::LogSample;

/// Whether the message that `before` others came before is among those that are sent.
pub fn is_sampled(sample: &LogSample, before: u64) -> bool {
    let number = before % u64::from(sample.size.max(1)) + 1;
    sample
        .ranges
        .iter()
        .any(|range| (u64::from(range.first)..=u64::from(range.last)).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use telamon_plan::LogRange;

    #[test]
    fn messages_count_from_one_and_begin_anew() {
        let sample = LogSample {
            ranges: vec![
                LogRange { first: 2, last: 3 },
                LogRange { first: 5, last: 5 },
            ],
            size: 6,
        };
        let sent: Vec<u64> = (0..13).filter(|n| is_sampled(&sample, *n)).collect();
        assert_eq!(sent, [1, 2, 4, 7, 8, 10]);
    }
}
