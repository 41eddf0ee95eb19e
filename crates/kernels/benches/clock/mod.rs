//! Timing of one piece of work.

use std::time::Instant;

/// Median seconds of `rounds` rounds, after two to warm up.
pub fn median(rounds: usize, mut work: impl FnMut()) -> f64 {
    let mut seconds: Vec<f64> = (0..rounds + 2)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .skip(2)
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[rounds / 2]
}
