//! Which samples a probe looks at.

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{SampleId, Split};

/// `count` of the `available` samples of `split` without repetition, in ascending order; all of
/// them if there are fewer. A function of the run's seed alone.
pub fn probe_points(seed: u64, split: Split, available: usize, count: usize) -> Vec<SampleId> {
    let ids: Vec<SampleId> = (0..available as u32).map(SampleId).collect();
    chosen_of(seed, split, &ids, count)
}

/// `count` of the samples `from` of `split` without repetition, in ascending order; all of them if
/// there are fewer. From lists of one length the same places are chosen.
pub fn chosen_of(seed: u64, split: Split, from: &[SampleId], count: usize) -> Vec<SampleId> {
    let mut ids = from.to_vec();
    let available = ids.len();
    let count = count.min(available);
    // The sample counter keeps the choices of the two splits apart.
    let key = RandomKey::new(seed, Stream::ProbePoints).sample(u32::from(split == Split::HeldOut));
    let mut generator = key.generator();
    for place in 0..count {
        let chosen = place + generator.below((available - place) as u32) as usize;
        ids.swap(place, chosen);
    }
    ids.truncate(count);
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_distinct_sorted_and_a_function_of_seed_and_split() {
        let points = probe_points(3, Split::Train, 50, 20);
        assert_eq!(points.len(), 20);
        assert!(points.is_sorted_by(|a, b| a < b));
        assert!(points.iter().all(|id| id.0 < 50));
        assert_eq!(points, probe_points(3, Split::Train, 50, 20));
        assert_ne!(points, probe_points(4, Split::Train, 50, 20));
        assert_ne!(points, probe_points(3, Split::HeldOut, 50, 20));
        assert_eq!(probe_points(3, Split::Train, 5, 20).len(), 5);
    }

    #[test]
    fn every_sample_is_as_likely_as_any_other() {
        let mut counts = [0u32; 10];
        for seed in 0..2000 {
            for id in probe_points(seed, Split::Train, 10, 3) {
                counts[id.0 as usize] += 1;
            }
        }
        // Each is expected 600 times with a standard deviation of about 20.
        assert!(counts.iter().all(|c| (500..700).contains(c)), "{counts:?}");
    }
}
