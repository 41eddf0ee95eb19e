//! The score of one unit, and when there is none.

use serde::{Deserialize, Serialize};

/// The denominator μ_max + μ_rest must exceed this; activations below it are rounding noise.
const EPSILON: f64 = 1e-12;

/// How strongly a unit answers to one point above all others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitScore {
    /// (μ_max − μ_rest) / (μ_max + μ_rest), in [0, 1]; cross-fitted, in [−1, 1].
    Valid(f64),
    /// Silent for every point; its score is 0 by the paper's convention.
    Dead,
    /// The ratio has no meaning for this unit.
    Invalid(Invalid),
}

/// Why a unit has no score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invalid {
    /// Fewer than two points: there are no others to compare with.
    TooFewPoints,
    /// An activation was infinite or not a number.
    NotFinite,
    /// A point's mean activation was negative, so that the ratio could leave [0, 1].
    Negative,
    /// μ_max + μ_rest is at most 10⁻¹², though not zero.
    Vanishing,
}

impl UnitScore {
    /// The score as a number: 0 for a dead unit, nothing for an invalid one.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Valid(value) => Some(value),
            Self::Dead => Some(0.0),
            Self::Invalid(_) => None,
        }
    }
}

/// What decides about a unit's score, whatever its form.
pub(crate) struct Extent {
    pub(crate) points: u64,
    pub(crate) not_finite: u64,
    pub(crate) lowest: f32,
    pub(crate) highest: f32,
}

impl Extent {
    /// The score, where `contrast` gives μ_max − μ_rest and μ_max + μ_rest; it is called only for
    /// units whose activations are finite, at least 0, and not all 0.
    pub(crate) fn score(&self, contrast: impl FnOnce() -> (f64, f64)) -> UnitScore {
        if self.points < 2 {
            return UnitScore::Invalid(Invalid::TooFewPoints);
        }
        if self.not_finite > 0 {
            return UnitScore::Invalid(Invalid::NotFinite);
        }
        if self.lowest < 0.0 {
            return UnitScore::Invalid(Invalid::Negative);
        }
        if self.highest == 0.0 {
            return UnitScore::Dead;
        }
        let (difference, total) = contrast();
        if total > EPSILON {
            UnitScore::Valid(difference / total)
        } else {
            UnitScore::Invalid(Invalid::Vanishing)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(points: u64, not_finite: u64, lowest: f32, highest: f32) -> UnitScore {
        Extent {
            points,
            not_finite,
            lowest,
            highest,
        }
        .score(|| (f64::from(highest - lowest), f64::from(highest + lowest)))
    }

    #[test]
    fn every_rule_has_its_name() {
        for (got, want) in [
            (score(5, 0, 1.0, 3.0), UnitScore::Valid(0.5)),
            (score(5, 0, 0.0, 0.0), UnitScore::Dead),
            (
                score(1, 0, 1.0, 3.0),
                UnitScore::Invalid(Invalid::TooFewPoints),
            ),
            (
                score(0, 0, f32::INFINITY, f32::NEG_INFINITY),
                UnitScore::Invalid(Invalid::TooFewPoints),
            ),
            (
                score(5, 1, 1.0, 3.0),
                UnitScore::Invalid(Invalid::NotFinite),
            ),
            (
                score(5, 5, f32::INFINITY, f32::NEG_INFINITY),
                UnitScore::Invalid(Invalid::NotFinite),
            ),
            (
                score(5, 0, -1e-30, 3.0),
                UnitScore::Invalid(Invalid::Negative),
            ),
            (
                score(5, 0, -1.0, 0.0),
                UnitScore::Invalid(Invalid::Negative),
            ),
            (
                score(5, 0, 0.0, 1e-13),
                UnitScore::Invalid(Invalid::Vanishing),
            ),
        ] {
            assert_eq!(got, want);
        }
    }

    #[test]
    fn dead_counts_as_zero_and_invalid_as_nothing() {
        assert_eq!(UnitScore::Dead.value(), Some(0.0));
        assert_eq!(UnitScore::Invalid(Invalid::Negative).value(), None);
    }
}
