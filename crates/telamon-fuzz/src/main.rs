//! Fuzzing without a nightly compiler: `telamon-fuzz [SECONDS [SEED [TARGET]]]`.
//!
//! Each target gets mutated inputs for its share of the time. It panics when parsings of the same
//! bytes in other pieces disagree, or when what was written does not parse to the same; then the
//! input and the seed are printed. An input that takes longer than [`PATIENCE`] is a hang.
#![forbid(unsafe_code)]

mod mutate;
mod random;
mod targets;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use mutate::Corpus;
use random::Random;
use targets::{Target, TARGETS};

const PATIENCE: Duration = Duration::from_secs(5);

/// The input at hand and since when, for the watchman.
type Watched = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let seconds: u64 = words
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(60);
    let seed = words.next().and_then(|word| word.parse().ok());
    let seed = seed.unwrap_or_else(now);
    let only = words.next();
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| only.as_deref().is_none_or(|name| name == target.name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("no such target; there are: {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    println!("seed {seed}");
    let watched = Watched::default();
    watch(watched.clone());
    let share = Duration::from_secs(seconds) / chosen.len() as u32;
    for target in chosen {
        if !run(target, share, seed, &watched) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(1, |since| since.as_nanos() as u64)
}

fn run(target: &'static Target, share: Duration, seed: u64, watched: &Watched) -> bool {
    let mut random = Random::new(seed);
    let mut corpus = Corpus::new(target.seeds, target.words);
    let (start, mut count) = (Instant::now(), 0u64);
    while start.elapsed() < share {
        let input = corpus.next(&mut random);
        *watched.lock().expect("the watchman does not panic") =
            Some((Instant::now(), input.clone()));
        let fork = random.clone();
        let outcome = std::panic::catch_unwind(|| (target.run)(&input, &mut fork.clone()));
        match outcome {
            Ok(interesting) => corpus.keep(input, interesting),
            Err(_) => {
                eprintln!("{}: seed {seed}, input {count}:", target.name);
                eprintln!("  b\"{}\"", input.escape_ascii());
                return false;
            }
        }
        random.next();
        count += 1;
    }
    *watched.lock().expect("the watchman does not panic") = None;
    println!("{}: {count} inputs, no fault", target.name);
    true
}

/// Ends the process when an input takes too long.
fn watch(watched: Watched) {
    std::thread::spawn(move || loop {
        std::thread::sleep(PATIENCE / 5);
        if let Ok(Some((since, input))) = watched.lock().as_deref() {
            if since.elapsed() > PATIENCE {
                eprintln!("a hang:\n  b\"{}\"", input.escape_ascii());
                std::process::exit(1);
            }
        }
    });
}
