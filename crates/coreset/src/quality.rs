//! How good a coreset is, by a truth that no selection has seen.

use std::collections::BTreeSet;

pub use afterimage_numeric::auroc;
use rayon::prelude::*;

use crate::matrix::{Matrix, distance};

/// Share of the chosen whose label is right, and the same by weight; each NaN where there is nothing to
/// share.
///
/// # Panics
/// If a chosen sample has no entry in `right`, or `weights` are fewer than `chosen`.
pub fn clean_fractions(chosen: &[usize], weights: &[f64], right: &[bool]) -> [f64; 2] {
    let mut sums = [0.0; 4];
    for (place, id) in chosen.iter().enumerate() {
        let (good, weight) = (f64::from(u8::from(right[*id])), weights[place]);
        sums[0] += good;
        sums[1] += 1.0;
        sums[2] += good * weight;
        sums[3] += weight;
    }
    [sums[0] / sums[1], sums[2] / sums[3]]
}

/// Share of all rightly labelled samples that were chosen, and the same of the tenth of them that is
/// hardest, by `hardness` (one number a sample, higher is harder; samples of unknown hardness are left
/// out); NaN where there is none.
///
/// # Panics
/// If `hardness` is shorter than `right`.
pub fn recall(chosen: &[usize], right: &[bool], hardness: &[f64]) -> [f64; 2] {
    let chosen: BTreeSet<usize> = chosen.iter().copied().collect();
    let share = |ids: &[usize]| {
        let found = ids.iter().filter(|id| chosen.contains(id)).count();
        found as f64 / ids.len() as f64
    };
    let clean: Vec<usize> = (0..right.len()).filter(|id| right[*id]).collect();
    let mut hard: Vec<usize> = clean
        .iter()
        .copied()
        .filter(|id| hardness[*id].is_finite())
        .collect();
    hard.sort_by(|a, b| hardness[*b].total_cmp(&hardness[*a]).then(a.cmp(b)));
    hard.truncate(hard.len().div_ceil(10));
    [share(&clean), share(&hard)]
}

/// Jaccard overlap of two choices in [0, 1]; 1 for two empty ones.
pub fn overlap(first: &[usize], second: &[usize]) -> f64 {
    let (a, b): (BTreeSet<usize>, BTreeSet<usize>) = (
        first.iter().copied().collect(),
        second.iter().copied().collect(),
    );
    let both = a.intersection(&b).count();
    let either = a.len() + b.len() - both;
    if either == 0 {
        1.0
    } else {
        both as f64 / either as f64
    }
}

/// Σ over the samples `of` of the distance in `rows` to the nearest of `chosen`: the k-medoids cost;
/// infinite where nothing was chosen. Runs on rayon's current pool; the result does not depend on it.
///
/// # Panics
/// If a sample has no row.
pub fn k_medoids_cost(rows: &Matrix, of: &[usize], chosen: &[usize]) -> f64 {
    let nearest = |id: &usize| {
        let own = rows.row(*id);
        let all = chosen.iter().map(|other| distance(own, rows.row(*other)));
        f64::from(all.fold(f32::INFINITY, f32::min))
    };
    let each: Vec<f64> = of.par_iter().map(nearest).collect();
    each.iter().sum()
}

/// Expected calibration error of probabilities in [0, 1] that a label is right: over ten bins of equal
/// width the mean distance of their mean from the share that is right, weighted by their sizes.
pub fn calibration_error(priors: &[f64], right: &[bool]) -> f64 {
    const BINS: usize = 10;
    let mut bins = [[0.0; 3]; BINS];
    for (prior, right) in priors.iter().zip(right) {
        let bin = &mut bins[((prior * BINS as f64) as usize).min(BINS - 1)];
        bin[0] += 1.0;
        bin[1] += prior;
        bin[2] += f64::from(u8::from(*right));
    }
    let off: f64 = bins.iter().map(|[_, said, was]| (said - was).abs()).sum();
    off / priors.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_by_hand() {
        let right = [true, false, true, true, false];
        assert_eq!(
            clean_fractions(&[0, 1, 2, 4], &[1.0, 1.0, 2.0, 4.0], &right),
            [0.5, 3.0 / 8.0]
        );
        assert!(clean_fractions(&[], &[], &right)[0].is_nan());
        let [all, hard] = recall(&[0, 3], &right, &[0.1, 9.0, 0.5, 0.9, 3.0]);
        assert_eq!([all, hard], [2.0 / 3.0, 1.0]);
        assert_eq!(overlap(&[1, 2, 3], &[3, 2, 9]), 0.5);
        assert_eq!(overlap(&[], &[]), 1.0);
        assert!(
            (calibration_error(&[0.9, 0.9, 0.1], &[true, false, false]) - 0.9 / 3.0).abs() < 1e-12
        );
    }

    #[test]
    fn the_cost_is_the_way_to_the_nearest() -> Result<(), crate::CoresetError> {
        let rows = Matrix::new("rows", 4, 1, vec![0.0, 1.0, 10.0, 12.0])?;
        assert_eq!(k_medoids_cost(&rows, &[0, 1, 2, 3], &[0, 2]), 3.0);
        assert_eq!(k_medoids_cost(&rows, &[1], &[]), f64::INFINITY);
        Ok(())
    }

    #[test]
    fn the_cost_has_the_same_bits_on_any_number_of_threads()
    -> Result<(), Box<dyn std::error::Error>> {
        let values: Vec<f32> = (0..300 * 11).map(|at| (at as f32 * 1.3).sin()).collect();
        let rows = Matrix::new("rows", 300, 11, values)?;
        let (of, chosen): (Vec<usize>, Vec<usize>) =
            ((0..300).collect(), (0..300).step_by(7).collect());
        let mut costs = Vec::new();
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()?;
            costs.push(
                pool.install(|| k_medoids_cost(&rows, &of, &chosen))
                    .to_bits(),
            );
        }
        assert!(costs.windows(2).all(|pair| pair[0] == pair[1]), "{costs:?}");
        let exact = |i: usize, j: usize| {
            let pairs = rows.row(i).iter().zip(rows.row(j));
            let squares = pairs.map(|(a, b)| f64::from(a - b).powi(2));
            squares.sum::<f64>().sqrt()
        };
        let nearest = |i: usize| chosen.iter().map(|j| exact(i, *j)).fold(f64::MAX, f64::min);
        let sum: f64 = (0..300).map(nearest).sum();
        assert!((f64::from_bits(costs[0]) - sum).abs() < 1e-4 * sum);
        Ok(())
    }
}
