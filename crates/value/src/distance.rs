//! The distance term of the paper's experiments on cell outliers.

use crate::design::Design;

/// Adds to each score out of bag the normalised negative distance of the row from its class's mean
/// in the bag.
///
/// With D the Euclidean distance over the learner's columns (standardised, categories one-hot) and
/// `least`, `most` its extremes over the bag, the term is (−D − least) / (most − least), as the
/// official code computes it: never positive, and often below −1. It is one number for all columns
/// of the learner. Source: 2D-OOB, appendix A.2. Rows whose class the bag lacks lose their score.
pub(crate) fn add_distances(
    design: &Design,
    classes: (&[u16], usize),
    weights: &[u16],
    subset: &[usize],
    scores: &mut [f32],
) {
    let chosen = design.numbers_of(subset);
    let (of, count) = classes;
    let width = chosen.len();
    let mut means = vec![0.0f64; count * width];
    let mut totals = vec![0.0f64; count];
    for (place, &weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0) {
        let (row, class) = (design.place(place), usize::from(of[place]));
        let weight = f64::from(weight);
        totals[class] += weight;
        let mean = &mut means[class * width..][..width];
        for (mean, &at) in mean.iter_mut().zip(&chosen) {
            *mean += weight * f64::from(row[at]);
        }
    }
    for (mean, total) in means.chunks_mut(width.max(1)).zip(&totals) {
        mean.iter_mut().for_each(|m| *m /= total);
    }
    let distance = |place: usize| {
        let mean = &means[usize::from(of[place]) * width..][..width];
        let row = design.place(place);
        let squares = mean.iter().zip(&chosen);
        squares
            .map(|(m, &at)| (f64::from(row[at]) - m).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for (place, _) in weights.iter().enumerate().filter(|(_, w)| **w > 0) {
        let distance = distance(place);
        least = least.min(distance);
        most = most.max(distance);
    }
    // Where all rows in the bag are equally far, distances tell nothing.
    if most <= least {
        return;
    }
    for (place, score) in scores.iter_mut().enumerate() {
        if !score.is_nan() {
            // NaN where the class has no mean: the row is then not scored by this learner.
            *score += ((-distance(place) - least) / (most - least)) as f32;
        }
    }
}
