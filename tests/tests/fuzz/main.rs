//! Every reader of files under seeded mutations of small files: it takes them or refuses them with an
//! error, at once, and never panics.
//!
//! The short run is the same every time. A long one:
//! `AFTERIMAGE_FUZZ_SECONDS=3600 AFTERIMAGE_FUZZ_SEED=1 cargo test --release -p afterimage-tests --test fuzz
//! -- --nocapture`; `AFTERIMAGE_FUZZ_ONLY` names targets, with commas between, and `AFTERIMAGE_FUZZ_FOUND` a
//! folder for inputs that failed. Under `ulimit -v` what takes memory without a bound ends the process; its
//! input is the file `now` of its folder.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod mutate;
mod readers;
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mutate::{Draws, mutate};
use readers::seeds;
use targets::{TARGETS, Target};

/// An input that takes longer is a failure: files of 64 KiB hold no work for seconds.
const SLOW: Duration = Duration::from_secs(10);

/// What became of the inputs of a target.
#[derive(Default)]
struct Outcomes {
    taken: u64,
    refused: u64,
    panicked: u64,
    slow: u64,
    longest: Duration,
}

fn setting(name: &str) -> Option<String> {
    std::env::var(format!("AFTERIMAGE_FUZZ_{name}")).ok()
}

fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let read = |name: &&str| match name.strip_prefix('/') {
        Some(name) => {
            fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
        }
        None => fs::read(seeds().join(name)).unwrap(),
    };
    target.seeds.iter().map(read).collect()
}

/// Milliseconds since the start at which the present input began, for the watch.
static BEGAN: AtomicU64 = AtomicU64::new(u64::MAX);

/// Ends the process where an input never comes back; its file tells which it was.
#[allow(
    clippy::disallowed_methods,
    reason = "the thread of the input never comes back"
)]
fn watch(start: Instant) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let began = Duration::from_millis(BEGAN.load(Ordering::Relaxed));
            if start.elapsed().saturating_sub(began) > 6 * SLOW {
                println!(
                    "an input takes more than {:?}; it is the file `now`",
                    6 * SLOW
                );
                std::process::exit(3);
            }
        }
    });
}

struct Fuzz {
    folder: PathBuf,
    found: PathBuf,
    start: Instant,
    draws: Draws,
}

impl Fuzz {
    fn one(&mut self, target: &Target, seeds: &[Vec<u8>], outcomes: &mut Outcomes) {
        let mut input = seeds[self.draws.below(seeds.len())].clone();
        mutate(&mut input, seeds, &mut self.draws);
        self.give(target, &input, outcomes);
    }

    fn give(&mut self, target: &Target, input: &[u8], outcomes: &mut Outcomes) {
        let folder = self.folder.join(target.name.replace(' ', "-"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("now"), input).unwrap();
        let began = Instant::now();
        let since = began.duration_since(self.start).as_millis() as u64;
        BEGAN.store(since, Ordering::Relaxed);
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.read)(&folder, input)));
        BEGAN.store(u64::MAX, Ordering::Relaxed);
        let took = began.elapsed();
        outcomes.longest = outcomes.longest.max(took);
        let bad = match outcome {
            Ok(true) => {
                outcomes.taken += 1;
                None
            }
            Ok(false) => {
                outcomes.refused += 1;
                None
            }
            Err(_) => {
                outcomes.panicked += 1;
                Some("panic")
            }
        };
        let slow = (took > SLOW).then_some("slow");
        outcomes.slow += u64::from(slow.is_some());
        if let Some(what) = bad.or(slow) {
            let count = outcomes.panicked + outcomes.slow;
            fs::create_dir_all(&self.found).unwrap();
            let name = format!("{}-{what}-{count}", target.name.replace(' ', "-"));
            fs::write(self.found.join(&name), input).unwrap();
            println!(
                "{}: {what}: {}",
                target.name,
                self.found.join(name).display()
            );
        }
    }
}

#[test]
fn readers_take_or_refuse_what_they_are_given() {
    let seconds: Option<u64> = setting("SECONDS").map(|text| text.parse().unwrap());
    let seed = setting("SEED").map_or(15, |text| text.parse().unwrap());
    let only = setting("ONLY");
    let place = tempfile::tempdir().unwrap();
    let found = setting("FOUND").map_or_else(std::env::temp_dir, PathBuf::from);
    let start = Instant::now();
    watch(start);
    let mut fuzz = Fuzz {
        folder: place.path().to_owned(),
        found: found.join("fuzz-found"),
        start,
        draws: Draws::new(seed),
    };
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| {
            only.as_ref()
                .is_none_or(|only| only.split(',').any(|name| name == target.name))
        })
        .collect();
    let seeds: Vec<Vec<Vec<u8>>> = chosen.iter().map(|target| inputs(target)).collect();
    let mut all: Vec<Outcomes> = chosen.iter().map(|_| Outcomes::default()).collect();
    // What is not changed is taken: a target that refuses its seeds tests nothing.
    for ((target, seeds), outcomes) in chosen.iter().zip(&seeds).zip(&mut all) {
        for seed in seeds {
            fuzz.give(target, seed, outcomes);
        }
        assert!(
            outcomes.taken > 0,
            "{} takes none of its seeds",
            target.name
        );
        // Each of these is of a format of its own.
        assert!(
            outcomes.refused == 0 || !target.name.starts_with("pictures"),
            "{} refuses {} of its seeds",
            target.name,
            outcomes.refused
        );
    }
    let over = |done: usize| {
        seconds.is_some_and(|seconds| done > 0 && start.elapsed().as_secs() >= seconds)
    };
    let mut rounds = 0;
    'all: loop {
        for ((target, seeds), outcomes) in chosen.iter().zip(&seeds).zip(&mut all) {
            if over(rounds) {
                break 'all;
            }
            // In a long run each target has as many inputs in a round as take a tenth of a second.
            let round = Instant::now();
            for _ in 0..target.short {
                fuzz.one(target, seeds, outcomes);
                if seconds.is_some() && round.elapsed() > Duration::from_millis(100) {
                    break;
                }
            }
        }
        rounds += 1;
        if seconds.is_none() {
            break;
        }
    }
    println!(
        "{:22} {:>10} {:>10} {:>10} {:>8} {:>6} {:>9}",
        "reader", "inputs", "taken", "refused", "panicked", "slow", "longest"
    );
    for (target, o) in chosen.iter().zip(&all) {
        let inputs = o.taken + o.refused + o.panicked;
        println!(
            "{:22} {inputs:>10} {:>10} {:>10} {:>8} {:>6} {:>6} ms",
            target.name,
            o.taken,
            o.refused,
            o.panicked,
            o.slow,
            o.longest.as_millis()
        );
    }
    let sum = |of: fn(&Outcomes) -> u64| all.iter().map(of).sum::<u64>();
    println!(
        "{} inputs in {:.0} s, seed {seed}",
        sum(|o| o.taken + o.refused + o.panicked),
        start.elapsed().as_secs_f64()
    );
    assert_eq!(
        (sum(|o| o.panicked), sum(|o| o.slow)),
        (0, 0),
        "inputs are in {}",
        fuzz.found.display()
    );
}
