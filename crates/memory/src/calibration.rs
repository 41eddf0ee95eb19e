//! UnitMem against its null: what is left when the value without memorization is taken away.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::unit_max::UnitState;
use crate::unit_score::UnitScore;
use crate::unitmem::UnitMem;

/// How far a probe's scores lie above those of a null probe, unit by unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Excess {
    /// Units with a score in both probes.
    pub units: usize,
    /// Mean difference over these units; NaN over none.
    pub mean: f64,
    /// Share of these units whose score is higher than in the null probe; NaN over none. One half
    /// is expected when both probes are alike.
    pub share_higher: f64,
}

impl UnitMem {
    /// The excess of these scores over a null probe: held-out points through the same network, or
    /// the same points through the untrained one.
    ///
    /// # Errors
    /// Probes of another form, site or number of points.
    pub fn excess_over(&self, null: &Self) -> Result<Excess, MemoryError> {
        self.comparable(null)?;
        Ok(Excess::between(self.scores(), null.scores()))
    }
}

impl Excess {
    /// Of `scores` over those of a null, unit by unit.
    pub(crate) fn between(scores: &[UnitScore], null: &[UnitScore]) -> Self {
        let pairs = scores.iter().zip(null);
        let differences: Vec<f64> = pairs
            .filter_map(|(a, b)| Some(a.value()? - b.value()?))
            .collect();
        let units = differences.len();
        let higher = differences.iter().filter(|d| **d > 0.0).count() as f64;
        let equal = differences.iter().filter(|d| **d == 0.0).count() as f64;
        Self {
            units,
            mean: afterimage_numeric::mean(&differences),
            share_higher: (higher + 0.5 * equal) / units as f64,
        }
    }
}

/// For each unit with a score in both probes, how its largest activation in `left` compares with
/// that in `right`.
pub(crate) fn compare_maxima(
    left: &UnitState,
    right: &UnitState,
) -> Result<Vec<Option<Ordering>>, MemoryError> {
    let scored = [UnitMem::paper(left), UnitMem::paper(right)];
    scored[0].comparable(&scored[1])?;
    let has_score = |unit: usize| scored.iter().all(|s| s.scores()[unit].value().is_some());
    let compare = |unit: usize| left.highest()[unit].total_cmp(&right.highest()[unit]);
    Ok((0..left.units())
        .map(|unit| has_score(unit).then(|| compare(unit)))
        .collect())
}

/// Which of two equally large sets of points holds the largest activation of each unit.
///
/// Without memorization each set holds half of the units; units depend on each other, so that the
/// spread around one half is larger than a binomial's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// Units that answer most to a training point.
    pub train: usize,
    /// Units that answer most to a held-out point.
    pub held_out: usize,
    /// Units with equal largest activations in both, dead ones among them.
    pub tied: usize,
}

impl Ownership {
    /// Compares the largest activations of a probe of training points with one of held-out points.
    /// Units without a score in either probe are left out.
    ///
    /// # Errors
    /// Probes of another site or number of points.
    pub fn new(train: &UnitState, held_out: &UnitState) -> Result<Self, MemoryError> {
        let mut ownership = Self {
            train: 0,
            held_out: 0,
            tied: 0,
        };
        for order in compare_maxima(train, held_out)?.into_iter().flatten() {
            match order {
                Ordering::Greater => ownership.train += 1,
                Ordering::Less => ownership.held_out += 1,
                Ordering::Equal => ownership.tied += 1,
            }
        }
        Ok(ownership)
    }

    /// Share of units that answer most to a training point, ties counted half; NaN over none.
    pub fn train_share(&self) -> f64 {
        let all = (self.train + self.held_out + self.tied) as f64;
        (self.train as f64 + 0.5 * self.tied as f64) / all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use afterimage_hooks::SampleId;

    use super::*;
    use crate::unit_buffer::UnitBuffer;

    fn state(rows: &[[f32; 4]]) -> UnitState {
        let mut state = UnitState::new(4);
        let ids: Vec<SampleId> = (0..rows.len() as u32).map(SampleId).collect();
        state.update(&ids, rows.as_flattened()).unwrap();
        state
    }

    #[test]
    fn the_excess_is_the_mean_difference_over_units_scored_in_both() {
        // Scores: 0.5, 0, dead, invalid.
        let train = UnitMem::paper(&state(&[[3.0, 1.0, 0.0, -1.0], [1.0, 1.0, 0.0, 1.0]]));
        // Scores: 0.2, 0, 0.6, 0.
        let null = UnitMem::paper(&state(&[[3.0, 2.0, 1.0, 1.0], [2.0, 2.0, 4.0, 1.0]]));
        let excess = train.excess_over(&null).unwrap();
        assert_eq!(excess.units, 3);
        assert!((excess.mean - (0.3 - 0.6) / 3.0).abs() < 1e-12);
        assert_eq!(excess.share_higher, 0.5);
        let back = null.excess_over(&train).unwrap();
        assert_eq!((back.mean, back.share_higher), (-excess.mean, 0.5));
    }

    #[test]
    fn probes_of_other_sizes_or_forms_are_not_compared() {
        let two = UnitMem::paper(&state(&[[1.0; 4], [2.0; 4]]));
        let three = UnitMem::paper(&state(&[[1.0; 4], [2.0; 4], [1.0; 4]]));
        assert_eq!(
            two.excess_over(&three),
            Err(MemoryError::Points { left: 2, right: 3 })
        );
        let mut buffer = UnitBuffer::new(4);
        buffer
            .update(&[SampleId(0), SampleId(1)], &[1.0; 8])
            .unwrap();
        let median = UnitMem::official_code(&buffer);
        let message = two.excess_over(&median).unwrap_err().to_string();
        assert!(
            message.contains("paper") && message.contains("official_code"),
            "{message}"
        );
    }

    #[test]
    fn the_higher_maximum_owns_the_unit() {
        let train = state(&[[3.0, 1.0, 0.0, -1.0], [1.0, 1.0, 0.0, 1.0]]);
        let held_out = state(&[[2.0, 4.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0]]);
        let ownership = Ownership::new(&train, &held_out).unwrap();
        assert_eq!(
            ownership,
            Ownership {
                train: 1,
                held_out: 1,
                tied: 1
            }
        );
        assert_eq!(ownership.train_share(), 0.5);
        let other = state(&[[2.0; 4]]);
        assert!(Ownership::new(&train, &other).is_err());
    }
}
