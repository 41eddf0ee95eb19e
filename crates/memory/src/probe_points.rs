//! Which samples a probe looks at.

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{Fault, RunInfo, SampleId, Samples, Split};

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
    // The sample counter keeps the choices of the two splits apart.
    let key = RandomKey::new(seed, Stream::ProbePoints).sample(u32::from(split == Split::HeldOut));
    key.generator().choose(&mut ids, count);
    ids.truncate(count);
    ids.sort_unstable();
    ids
}

/// Points of each split that are looked at where `wanted` are asked for: as many of the training
/// samples as of the held-out ones, so that a score can be compared with its null.
pub fn points_of_both(wanted: usize, train: usize, held_out: usize) -> usize {
    wanted.min(train).min(held_out)
}

/// The points of `split` that the plugin `kind` looks at, always the same: `wanted`, or fewer where one
/// of the splits has fewer. Training points are such that the encoder is trained on them.
pub(crate) fn points_to_probe(
    kind: &str,
    run: &RunInfo,
    split: Split,
    samples: &dyn Samples,
    wanted: usize,
) -> Result<Vec<SampleId>, Fault> {
    let all = |split| -> Vec<SampleId> { (0..samples.len(split) as u32).map(SampleId).collect() };
    let train = match &run.pair {
        Some(sets) => sets.members(),
        None => all(Split::Train),
    };
    let held_out = all(Split::HeldOut);
    let points = points_of_both(wanted, train.len(), held_out.len());
    if points < 2 {
        return Err(Fault::new(format!(
            "{kind} compares points with each other and needs two of each split; there are {} \
             training and {} held-out samples",
            train.len(),
            held_out.len()
        )));
    }
    let from = match split {
        Split::Train => train,
        Split::HeldOut => held_out,
    };
    Ok(chosen_of(run.seed, split, &from, points))
}

/// What is wrong with settings that have a least value: key, value, least value, reason.
pub(crate) fn too_few(
    limits: &[(&'static str, usize, usize, &str)],
) -> Vec<(&'static str, String)> {
    limits
        .iter()
        .filter(|(_, value, least, _)| value < least)
        .map(|(key, value, least, why)| {
            (
                *key,
                format!("{value} is too few; {why}, so give at least {least}"),
            )
        })
        .collect()
}

/// Images that one forward pass of a probe may have.
const MOST_IMAGES: usize = 1 << 15;

/// What is wrong with settings that have a largest value: key, value, largest value.
pub(crate) fn too_many(limits: &[(&'static str, usize, usize)]) -> Vec<(&'static str, String)> {
    let over = limits.iter().filter(|(_, value, most)| value > most);
    over.map(|(key, value, most)| (*key, format!("{value} is too many; give at most {most}")))
        .collect()
}

/// What is wrong with the size of one forward pass: `views` of each of `batch` points, of which there
/// are `points`.
pub(crate) fn too_large(points: usize, views: usize, batch: usize) -> Vec<(&'static str, String)> {
    let images = batch.min(points).saturating_mul(views);
    if views > MOST_IMAGES {
        too_many(&[("views", views, MOST_IMAGES)])
    } else if images > MOST_IMAGES {
        let told = format!(
            "{batch} points of {views} views are {images} images in one forward pass, of at most \
             {MOST_IMAGES}; lower it, which changes time and memory alone"
        );
        vec![("batch", told)]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forward_pass_has_a_largest_size() {
        assert_eq!(too_large(1000, 10, 16), []);
        assert_eq!(too_large(40, 10, usize::MAX), []);
        assert_eq!(too_large(1000, 100_000_000, 16)[0].0, "views");
        assert_eq!(too_large(usize::MAX, usize::MAX, usize::MAX)[0].0, "views");
        assert_eq!(too_large(1_000_000, 10, 1_000_000)[0].0, "batch");
        assert_eq!(too_many(&[("draws", 5, 5)]), []);
        assert_eq!(too_many(&[("draws", 6, 5)])[0].0, "draws");
    }

    #[test]
    fn both_splits_give_as_many_points() {
        assert_eq!(points_of_both(500, 1000, 240), 240);
        assert_eq!(points_of_both(500, 100, 240), 100);
        assert_eq!(points_of_both(20, 100, 240), 20);
    }

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
