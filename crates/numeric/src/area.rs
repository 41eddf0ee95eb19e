//! How well a score tells two sets of points apart.

use serde::Serialize;

use crate::mean::{mean, standard_error};

/// The area under the ROC curve of a score between two sets of points: the share of pairs, one point
/// of each set, in which the first set's point scores higher, ties counted half.
///
/// 0.5 where the score does not tell the sets apart, 1 where every point of the first set is above
/// every point of the second. It is the mean of shares, which its error is about; [`auroc`] counts pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Area {
    /// From 0 to 1; NaN where a set is empty or a score is not a number.
    pub area: f64,
    /// Standard error over points of both sets; NaN for fewer than two in a set. 0 where the sets do
    /// not overlap, so that it says nothing there. It does not cover the spread over trainings.
    ///
    /// Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988), equations 3 to 6.
    pub standard_error: f64,
}

impl Area {
    /// The area between the scores of `first` and those of `second`.
    pub fn between(first: &[f64], second: &[f64]) -> Self {
        if first.iter().chain(second).any(|score| score.is_nan()) {
            return Self {
                area: f64::NAN,
                standard_error: f64::NAN,
            };
        }
        let above = shares_below(first, second);
        // A tie is half below from both sides, so that the share above is the rest.
        let below: Vec<f64> = shares_below(second, first)
            .into_iter()
            .map(|share| 1.0 - share)
            .collect();
        Self {
            area: mean(&above),
            standard_error: standard_error(&above).hypot(standard_error(&below)),
        }
    }

    /// The null of a score: the area between the points of one set at even and those at odd places of `scores`.
    pub fn null(scores: &[f64]) -> Self {
        let half =
            |from: usize| -> Vec<f64> { scores.iter().skip(from).step_by(2).copied().collect() };
        Self::between(&half(0), &half(1))
    }
}

/// For each of `points` the share of `others` below it, ties counted half.
fn shares_below(points: &[f64], others: &[f64]) -> Vec<f64> {
    let mut sorted = others.to_vec();
    sorted.sort_by(f64::total_cmp);
    let share = |point: &f64| {
        let below = sorted.partition_point(|other| other < point);
        let not_above = sorted.partition_point(|other| other <= point);
        (below + not_above) as f64 / (2 * sorted.len()) as f64
    };
    points.iter().map(share).collect()
}

/// Area under the curve of `scores` (higher where right) against `right`: the probability that a right
/// sample scores above a wrong one, ties by half; NaN where one kind is missing. Unknown scores are left
/// out. Counts pairs; [`Area`] adds shares, with an error, and refuses what is not a number.
pub fn auroc(scores: &[f64], right: &[bool]) -> f64 {
    let mut known: Vec<(f64, bool)> = scores
        .iter()
        .copied()
        .zip(right.iter().copied())
        .filter(|(score, _)| score.is_finite())
        .collect();
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let goods = known.iter().filter(|(_, right)| *right).count() as f64;
    let bads = known.len() as f64 - goods;
    let (mut below, mut above) = (0.0, 0.0);
    for tied in known.chunk_by(|a, b| a.0 == b.0) {
        let good = tied.iter().filter(|(_, right)| *right).count() as f64;
        let bad = tied.len() as f64 - good;
        above += good * (below + bad / 2.0);
        below += bad;
    }
    above / (goods * bads)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_areas() {
        assert_eq!(Area::between(&[2.0, 3.0], &[0.0, 1.0]).area, 1.0);
        assert_eq!(Area::between(&[0.0, 1.0], &[2.0, 3.0]).area, 0.0);
        assert_eq!(Area::between(&[1.0, 1.0], &[1.0]).area, 0.5);
        assert_eq!(Area::between(&[0.0, 2.0], &[1.0, 3.0]).area, 0.25);
        // −0 and 0 are one score.
        assert_eq!(Area::between(&[0.0], &[-0.0]).area, 0.5);
        assert!(Area::between(&[], &[1.0]).area.is_nan());
        assert!(Area::between(&[1.0], &[]).area.is_nan());
        assert!(Area::between(&[f64::NAN, 1.0], &[0.0]).area.is_nan());
    }

    #[test]
    fn pairs_are_counted_of_known_scores() {
        let scores = [0.1, 0.9, 0.5, 0.5, f64::NAN];
        assert_eq!(auroc(&scores, &[false, true, true, false, true]), 3.5 / 4.0);
        assert!(auroc(&[0.1], &[true]).is_nan());
    }

    #[test]
    fn the_error_is_that_of_delong() {
        let area = Area::between(&[4.0, 1.5, 2.5], &[3.0, 1.0, 2.0, 0.5]);
        assert_eq!(area.area, 9.0 / 12.0);
        let above = [1.0, 0.5, 0.75];
        let below = [1.0 / 3.0, 1.0, 2.0 / 3.0, 1.0];
        let variance = |xs: &[f64]| {
            let mean = xs.iter().sum::<f64>() / xs.len() as f64;
            xs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (xs.len() - 1) as f64
        };
        let expected = (variance(&above) / 3.0 + variance(&below) / 4.0).sqrt();
        assert!((area.standard_error - expected).abs() < 1e-15);
    }

    #[test]
    fn the_error_is_the_spread_over_draws() {
        use afterimage_random::{RandomKey, Stream};
        let areas: Vec<Area> = (0..1000)
            .map(|key| {
                let mut generator = RandomKey::new(4, Stream::Plugin).sample(key).generator();
                let mut around = |centre: f64, count: usize| -> Vec<f64> {
                    (0..count).map(|_| centre + generator.normal()).collect()
                };
                Area::between(&around(0.7, 60), &around(0.0, 80))
            })
            .collect();
        let values: Vec<f64> = areas.iter().map(|area| area.area).collect();
        let spread = standard_error(&values) * (values.len() as f64).sqrt();
        let told = areas.iter().map(|area| area.standard_error).sum::<f64>() / areas.len() as f64;
        assert!((told / spread - 1.0).abs() < 0.05, "{told} {spread}");
    }

    proptest! {
        #[test]
        fn it_is_the_share_of_pairs(
            first in prop::collection::vec(-3i8..4, 1..12),
            second in prop::collection::vec(-3i8..4, 1..12),
        ) {
            let [a, b] = [&first, &second].map(|set| set.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
            let pairs = a.iter().flat_map(|x| b.iter().map(move |y| match x.total_cmp(y) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            }));
            let expected = pairs.sum::<f64>() / (a.len() * b.len()) as f64;
            let area = Area::between(&a, &b);
            prop_assert!((area.area - expected).abs() < 1e-12);
            let right: Vec<bool> = (0..a.len() + b.len()).map(|at| at < a.len()).collect();
            prop_assert!((auroc(&[a.as_slice(), &b].concat(), &right) - expected).abs() < 1e-12);
            let turned = Area::between(&b, &a);
            prop_assert!((area.area + turned.area - 1.0).abs() < 1e-12);
            // A score that rises with the score tells the sets apart as well.
            let [a, b] = [a, b].map(|set| set.into_iter().map(f64::exp).collect::<Vec<_>>());
            let risen = Area::between(&a, &b);
            prop_assert_eq!(risen.area, area.area);
            // Of one point in a set there is no error.
            let single = a.len() < 2 || b.len() < 2;
            prop_assert_eq!(area.standard_error.is_nan(), single);
            prop_assert!(single || risen.standard_error == area.standard_error);
        }
    }
}
