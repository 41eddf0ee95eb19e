//! A site's scores in a few numbers.

use afterimage_numeric::{mean, quantile};
use serde::{Deserialize, Serialize};

use crate::unit_score::UnitScore;

/// The probabilities of [`Summary::quantiles`].
pub const QUANTILES: [f64; 7] = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0];

/// The distribution of scores over the units of a site.
///
/// Dead units count with 0, invalid ones not at all; a number over no unit is NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Units of the site.
    pub units: usize,
    /// Units silent for every point.
    pub dead: usize,
    /// Units without a score.
    pub invalid: usize,
    /// Mean score.
    pub mean: f64,
    /// Mean score of the tenth of units with the highest, at least one unit.
    pub top_decile_mean: f64,
    /// Quantiles at [`QUANTILES`], linear between neighbours.
    pub quantiles: [f64; 7],
}

impl Summary {
    /// Summarises `scores`.
    pub fn new(scores: &[UnitScore]) -> Self {
        let values = ascending_values(scores);
        let top = values.len().div_ceil(10);
        Self {
            units: scores.len(),
            dead: scores
                .iter()
                .filter(|s| matches!(s, UnitScore::Dead))
                .count(),
            invalid: scores.len() - values.len(),
            mean: mean(&values),
            top_decile_mean: mean(&values[values.len() - top..]),
            quantiles: QUANTILES.map(|p| quantile(&values, p)),
        }
    }
}

/// Scores of all units that have one, in ascending order.
pub(crate) fn ascending_values(scores: &[UnitScore]) -> Vec<f64> {
    let mut values: Vec<f64> = scores.iter().filter_map(|score| score.value()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit_score::Invalid;

    #[test]
    fn dead_units_count_as_zero_and_invalid_ones_do_not_count() {
        let scores = [
            UnitScore::Valid(0.6),
            UnitScore::Dead,
            UnitScore::Invalid(Invalid::Negative),
            UnitScore::Valid(0.3),
        ];
        let summary = Summary::new(&scores);
        assert_eq!((summary.units, summary.dead, summary.invalid), (4, 1, 1));
        assert!((summary.mean - 0.3).abs() < 1e-15);
        assert_eq!(summary.top_decile_mean, 0.6);
        assert_eq!(summary.quantiles[3], 0.3);
        assert!((summary.quantiles[2] - 0.15).abs() < 1e-15);
    }

    #[test]
    fn a_site_without_scores_has_no_mean() {
        let summary = Summary::new(&[UnitScore::Invalid(Invalid::NotFinite)]);
        assert!(summary.mean.is_nan() && summary.top_decile_mean.is_nan());
        assert!(summary.quantiles.iter().all(|q| q.is_nan()));
    }
}
