//! Label noise, as pure functions of labels and a seed.
//!
//! Whether and how a label is flipped depends on the seed and on the sample's id alone, so that the
//! noise of a subset is the subset of the noise. The given labels are not changed: they are the truth
//! that a measurement may compare with.

use crate::error::CoresetError;
use crate::matrix::Matrix;
use crate::points::same_length;
use crate::random::Purpose;

/// The map of CIFAR-10's asymmetric noise: truck → car, bird → plane, deer → horse, cat ↔ dog; others
/// stay (Patrini et al. 2017).
pub const CIFAR10_PAIRS: [u32; 10] = [0, 1, 0, 5, 7, 3, 6, 7, 8, 1];

/// The map of Fashion-MNIST's asymmetric noise: ankle boot → sneaker, sneaker → sandal, pullover → shirt,
/// coat ↔ dress; others stay (Zhang and Sabuncu 2018).
pub const FASHION_MNIST_PAIRS: [u32; 10] = [0, 1, 6, 4, 3, 5, 6, 5, 8, 7];

/// Symmetric noise: each label is replaced with probability `rate` by one of the other `classes`,
/// each as likely.
///
/// # Errors
/// A rate outside of [0, 1], fewer than two classes, or a label that is no class.
pub fn symmetric(
    labels: &[u32],
    classes: u32,
    rate: f64,
    seed: u64,
) -> Result<Vec<u32>, CoresetError> {
    check(labels, classes, rate)?;
    let flip = |(id, label): (usize, &u32)| {
        let mut draws = Purpose::Flip.draws(seed, id as u64);
        if draws.uniform() >= rate {
            return *label;
        }
        let other = draws.below_wide(classes as usize - 1) as u32;
        other + u32::from(other >= *label)
    };
    Ok(labels.iter().enumerate().map(flip).collect())
}

/// Asymmetric noise: each label is replaced with probability `rate` by the class that `map` has for
/// it. [`CIFAR10_PAIRS`], [`FASHION_MNIST_PAIRS`], [`next_class`] and [`derangement`] are maps.
///
/// # Errors
/// A rate outside of [0, 1], fewer than two classes, a label that is no class, or a map to no class.
pub fn mapped(labels: &[u32], map: &[u32], rate: f64, seed: u64) -> Result<Vec<u32>, CoresetError> {
    let classes = map.len() as u32;
    check(labels, classes, rate)?;
    if let Some(target) = map.iter().find(|target| **target >= classes) {
        let reason = format!("{target} is no class; the map has {classes}");
        return Err(CoresetError::setting("map", reason));
    }
    let flip = |(id, label): (usize, &u32)| {
        let flipped = Purpose::Flip.draws(seed, id as u64).uniform() < rate;
        if flipped {
            map[*label as usize]
        } else {
            *label
        }
    };
    Ok(labels.iter().enumerate().map(flip).collect())
}

/// The map of pair noise: every class to the next one, the last to the first.
pub fn next_class(classes: u32) -> Vec<u32> {
    (0..classes).map(|class| (class + 1) % classes).collect()
}

/// A random map of classes onto classes that leaves none where it is, each such map as likely: the
/// released CRUST's asymmetric noise.
///
/// # Errors
/// Fewer than two classes.
pub fn derangement(classes: u32, seed: u64) -> Result<Vec<u32>, CoresetError> {
    check(&[], classes, 0.0)?;
    let all: Vec<u32> = (0..classes).collect();
    // A permutation has no fixed point with probability 1/e.
    for attempt in 0.. {
        let map = Purpose::Derangement
            .draws(seed, attempt)
            .chosen_wide(&all, all.len());
        if map.iter().zip(&all).all(|(to, from)| to != from) {
            return Ok(map);
        }
    }
    Ok(next_class(classes))
}

/// Instance-dependent noise (Xia et al. 2020): sample i has a flip rate of its own, from a normal
/// distribution of mean `rate` and deviation 0.1 cut to [0, 1], and goes to another class with a
/// probability that softmax gives to random projections of its `features` `[n, d]`, one matrix a true
/// class.
///
/// # Errors
/// Unequal lengths, a rate outside of [0, 1], fewer than two classes, or a label that is no class.
pub fn instance_dependent(
    labels: &[u32],
    features: &Matrix,
    classes: u32,
    rate: f64,
    seed: u64,
) -> Result<Vec<u32>, CoresetError> {
    /// Spread of the samples' flip rates.
    const DEVIATION: f64 = 0.1;
    check(labels, classes, rate)?;
    same_length(("labels", labels.len()), ("features", features.rows()))?;
    let columns = features.columns();
    let directions: Vec<Vec<f64>> = (0..u64::from(classes))
        .map(|class| {
            let mut draws = Purpose::Direction.draws(seed, class);
            (0..columns * classes as usize)
                .map(|_| draws.normal())
                .collect()
        })
        .collect();
    let flip = |(id, label): (usize, &u32)| {
        let mut draws = Purpose::Rate.draws(seed, id as u64);
        let own = loop {
            let own = rate + DEVIATION * draws.normal();
            if (0.0..=1.0).contains(&own) {
                break own;
            }
        };
        let own = if rate == 0.0 { 0.0 } else { own };
        let towards = |class: usize| -> f64 {
            let direction = &directions[*label as usize][class * columns..][..columns];
            features
                .row(id)
                .iter()
                .zip(direction)
                .map(|(x, w)| f64::from(*x) * w)
                .sum()
        };
        let scores: Vec<(u32, f64)> = (0..classes)
            .filter(|class| class != label)
            .map(|class| (class, towards(class as usize)))
            .collect();
        let largest = scores
            .iter()
            .map(|(_, score)| *score)
            .fold(f64::NEG_INFINITY, f64::max);
        // A softmax, but for its rounding: a power is multiplied below before it is divided by their sum.
        let powers: Vec<(u32, f64)> = scores
            .into_iter()
            .map(|(class, score)| (class, (score - largest).exp()))
            .collect();
        let total: f64 = powers.iter().map(|(_, power)| power).sum();
        let mut mark = Purpose::Flip.draws(seed, id as u64).uniform();
        for (class, power) in powers {
            mark -= own * power / total;
            if mark < 0.0 {
                return class;
            }
        }
        *label
    };
    Ok(labels.iter().enumerate().map(flip).collect())
}

fn check(labels: &[u32], classes: u32, rate: f64) -> Result<(), CoresetError> {
    if !(0.0..=1.0).contains(&rate) {
        return Err(CoresetError::setting(
            "rate",
            format!("{rate} is not in [0, 1]"),
        ));
    }
    if classes < 2 {
        return Err(CoresetError::setting("classes", "noise needs at least two"));
    }
    match labels.iter().position(|label| *label >= classes) {
        Some(id) => {
            let reason = format!(
                "sample {id} has label {}; there are {classes} classes",
                labels[id]
            );
            Err(CoresetError::setting("labels", reason))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 20_000;

    fn labels() -> Vec<u32> {
        (0..N as u32).map(|i| i % 10).collect()
    }

    fn flipped(noisy: &[u32]) -> f64 {
        let changed = noisy.iter().zip(labels()).filter(|(a, b)| *a != b);
        changed.count() as f64 / N as f64
    }

    #[test]
    fn symmetric_noise_has_its_rate_and_no_favourite() -> Result<(), CoresetError> {
        let noisy = symmetric(&labels(), 10, 0.4, 3)?;
        assert!((flipped(&noisy) - 0.4).abs() < 0.015, "{}", flipped(&noisy));
        let mut pairs = [[0; 10]; 10];
        for (truth, label) in labels().iter().zip(&noisy) {
            pairs[*truth as usize][*label as usize] += 1;
        }
        for (truth, row) in pairs.iter().enumerate() {
            for (label, count) in row.iter().enumerate().filter(|(label, _)| *label != truth) {
                assert!(
                    (f64::from(*count) - 88.9).abs() < 45.0,
                    "{truth} → {label}: {count}"
                );
            }
        }
        assert_eq!(symmetric(&labels(), 10, 0.0, 3)?, labels());
        assert_eq!(flipped(&symmetric(&labels(), 10, 1.0, 3)?), 1.0);
        Ok(())
    }

    #[test]
    fn noise_is_a_function_of_seed_and_sample() -> Result<(), CoresetError> {
        let noisy = symmetric(&labels(), 10, 0.5, 1)?;
        assert_eq!(noisy, symmetric(&labels(), 10, 0.5, 1)?);
        assert_ne!(noisy, symmetric(&labels(), 10, 0.5, 2)?);
        assert_eq!(noisy[..50], symmetric(&labels()[..50], 10, 0.5, 1)?);
        Ok(())
    }

    #[test]
    fn mapped_noise_goes_where_the_map_says() -> Result<(), CoresetError> {
        let noisy = mapped(&labels(), &CIFAR10_PAIRS, 0.4, 5)?;
        for (truth, label) in labels().iter().zip(&noisy) {
            assert!(label == truth || *label == CIFAR10_PAIRS[*truth as usize]);
        }
        // Five of ten classes are mapped to others.
        assert!((flipped(&noisy) - 0.2).abs() < 0.015);
        assert_eq!(next_class(3), [1, 2, 0]);
        assert!(mapped(&labels(), &[3, 0], 0.4, 5).is_err());
        Ok(())
    }

    #[test]
    fn a_derangement_moves_every_class_and_all_occur() -> Result<(), CoresetError> {
        let mut seen = std::collections::BTreeMap::new();
        for seed in 0..900 {
            let map = derangement(4, seed)?;
            assert!(map.iter().zip(0..).all(|(to, from)| *to != from));
            *seen.entry(map).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 9);
        assert!(
            seen.values().all(|count| (70..=130).contains(count)),
            "{seen:?}"
        );
        assert!(derangement(1, 0).is_err());
        Ok(())
    }

    #[test]
    fn instance_noise_has_its_rate_and_depends_on_the_instance() -> Result<(), CoresetError> {
        let mut draws = Purpose::Sample.draws(9, 0);
        let values: Vec<f32> = (0..N * 4).map(|_| draws.normal() as f32).collect();
        let features = Matrix::new("features", N, 4, values)?;
        let noisy = instance_dependent(&labels(), &features, 10, 0.4, 7)?;
        assert!((flipped(&noisy) - 0.4).abs() < 0.015, "{}", flipped(&noisy));
        // With the features turned round, other samples go to other classes.
        let turned: Vec<f32> = features.values().iter().map(|x| -x).collect();
        let turned = Matrix::new("features", N, 4, turned)?;
        let other = instance_dependent(&labels(), &turned, 10, 0.4, 7)?;
        let same = noisy
            .iter()
            .zip(&other)
            .zip(labels())
            .filter(|((a, b), truth)| a == b && *a != truth);
        assert!((same.count() as f64) < 0.1 * N as f64);
        assert_eq!(
            instance_dependent(&labels(), &features, 10, 0.0, 7)?,
            labels()
        );
        Ok(())
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let told = |result: Result<Vec<u32>, CoresetError>, words: &str| {
            let error = result.map_err(|error| error.to_string());
            assert!(
                error.as_ref().is_err_and(|e| e.contains(words)),
                "{error:?}"
            );
        };
        told(symmetric(&[0, 5], 3, 0.1, 0), "sample 1 has label 5");
        told(symmetric(&[0], 3, 1.5, 0), "1.5 is not in [0, 1]");
        told(symmetric(&[0], 1, 0.5, 0), "at least two");
    }
}
