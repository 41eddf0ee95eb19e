//! LayerMem and SSLMem of one layer: how much better the encoder that saw the points aligns their
//! views than its reference that did not.

use std::fmt;

use afterimage_numeric::{mean, standard_error};
use serde::{Deserialize, Serialize};

use crate::error::MemoryError;

/// Sums of distances below this say nothing: both encoders map all views of the point to one place.
const NO_DISTANCE: f64 = 1e-12;

/// How the difference of a point's distances in the two encoders is scaled.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LayerForm {
    /// (G − F) / (G + F) for each point, from −1 to 1: the paper's equation 2.
    #[default]
    Paper,
    /// (G − F) over the range of G − F among the points, as in the authors' code. It shrinks as
    /// points are added, because the range grows.
    OfficialCode,
}

impl fmt::Display for LayerForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paper => "paper",
            Self::OfficialCode => "official_code",
        })
    }
}

/// What a layer remembers of some points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerMem {
    /// Score of each point, in the order of the points.
    pub scores: Vec<f64>,
    /// Mean over the points, LayerMem; NaN without points.
    pub mean: f64,
    /// Standard error of the mean over points; NaN for fewer than two. Points share both encoders,
    /// so that it does not cover the spread over trainings.
    pub standard_error: f64,
    /// Mean distance F between views in the encoder under study.
    pub studied: f64,
    /// Mean distance G between views in the reference encoder.
    pub reference: f64,
    /// Points without distance in either encoder; their score is 0.
    pub undefined: usize,
}

impl LayerMem {
    /// The scores of points whose views are `studied` apart in the encoder that saw them and
    /// `reference` apart in the one that did not.
    ///
    /// Source: *Localizing Memorization in SSL Vision Encoders*, NeurIPS 2024, equations 1 to 3.
    ///
    /// # Errors
    /// Lists of different lengths.
    pub fn new(form: LayerForm, studied: &[f64], reference: &[f64]) -> Result<Self, MemoryError> {
        if studied.len() != reference.len() {
            return Err(MemoryError::Distances {
                studied: studied.len(),
                reference: reference.len(),
            });
        }
        let differences = studied.iter().zip(reference).map(|(f, g)| g - f);
        let (low, high) = differences.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), d| {
            (low.min(d), high.max(d))
        });
        let mut undefined = 0;
        let scores: Vec<f64> = studied
            .iter()
            .zip(reference)
            .map(|(f, g)| {
                let scale = match form {
                    LayerForm::Paper => g + f,
                    LayerForm::OfficialCode => high - low,
                };
                if scale < NO_DISTANCE {
                    undefined += 1;
                    0.0
                } else {
                    (g - f) / scale
                }
            })
            .collect();
        Ok(Self {
            mean: mean(&scores),
            standard_error: standard_error(&scores),
            studied: mean(studied),
            reference: mean(reference),
            scores,
            undefined,
        })
    }

    /// SSLMem of the points before any scale: mean of G − F (equation 1).
    pub fn unscaled(&self) -> f64 {
        self.reference - self.studied
    }

    /// Half of the difference to the score on the reference's own points: what is left of LayerMem
    /// when one encoder is better than the other at everything.
    ///
    /// Candidates and independent points are exchangeable, and each encoder has seen one of the
    /// two, so that a lead of either encoder that has nothing to do with the points adds to both
    /// scores alike and cancels.
    pub fn calibrated(&self, independent: &Self) -> Calibrated {
        Calibrated {
            mean: (self.mean - independent.mean) / 2.0,
            standard_error: self.standard_error.hypot(independent.standard_error) / 2.0,
        }
    }
}

/// LayerMem on candidates against LayerMem on independent points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// ½ (LayerMem on candidates − LayerMem on independent points).
    pub mean: f64,
    /// Its standard error over points.
    pub standard_error: f64,
}

/// The gap between the mean distances of held-out and of training points in one encoder:
/// (H − T) / (H + T), from −1 to 1.
///
/// It needs no reference encoder, and no point has a score of its own: in expectation over which
/// points are held out it is to [`LayerMem`] what a difference of averages is to an average of
/// differences. 0 where neither has a distance.
pub fn alignment_gap(train: &[f64], held_out: &[f64]) -> f64 {
    let (train, held_out) = (mean(train), mean(held_out));
    let scale = held_out + train;
    if scale < NO_DISTANCE {
        0.0
    } else {
        (held_out - train) / scale
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn paper(f: &[f64], g: &[f64]) -> LayerMem {
        LayerMem::new(LayerForm::Paper, f, g).unwrap()
    }

    proptest! {
        #[test]
        fn the_same_encoder_remembers_nothing_and_swapping_negates(
            pairs in prop::collection::vec((0.0f64..2.0, 0.0f64..2.0), 2..40),
        ) {
            let (f, g): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            prop_assert!(paper(&f, &f).scores.iter().all(|s| *s == 0.0));
            for form in [LayerForm::Paper, LayerForm::OfficialCode] {
                let there = LayerMem::new(form, &f, &g).unwrap();
                let back = LayerMem::new(form, &g, &f).unwrap();
                prop_assert!((there.mean + back.mean).abs() < 1e-12);
            }
            prop_assert!(paper(&f, &g).scores.iter().all(|s| (-1.0..=1.0).contains(s)));
        }

        #[test]
        fn a_lead_of_one_encoder_cancels_in_the_calibrated_score(
            base in prop::collection::vec(0.2f64..1.0, 2..20),
            lead in 0.5f64..1.0,
        ) {
            // The encoder under study aligns everything better, whether it saw it or not.
            let better: Vec<f64> = base.iter().map(|d| d * lead).collect();
            let candidates = paper(&better, &base);
            let independent = paper(&better, &base);
            prop_assert!(candidates.calibrated(&independent).mean.abs() < 1e-12);
        }
    }

    #[test]
    fn three_times_the_distance_is_one_half() {
        let mem = paper(&[0.1, 0.2, 0.3], &[0.3, 0.6, 0.9]);
        assert!((mem.mean - 0.5).abs() < 1e-12);
        assert!(mem.standard_error < 1e-12);
        assert!((mem.unscaled() - 0.4).abs() < 1e-12);
    }

    #[test]
    fn the_mean_of_ratios_is_not_the_ratio_of_means() {
        let mem = paper(&[0.1, 1.0], &[0.3, 1.0]);
        assert!((mem.mean - 0.25).abs() < 1e-12);
        // With n = 2 the standard error is half of the difference.
        assert!((mem.standard_error - 0.25).abs() < 1e-12);
    }

    #[test]
    fn official_code_divides_by_the_range() {
        let mem = LayerMem::new(LayerForm::OfficialCode, &[0.1, 0.1], &[0.3, 0.5]).unwrap();
        assert!((mem.scores[0] - 1.0).abs() < 1e-12 && (mem.scores[1] - 2.0).abs() < 1e-12);
    }

    #[test]
    fn points_without_distance_count_as_undefined() {
        let mem = paper(&[0.0, 0.1], &[0.0, 0.3]);
        assert_eq!((mem.undefined, mem.scores[0]), (1, 0.0));
        assert!(LayerMem::new(LayerForm::Paper, &[0.1], &[]).is_err());
    }

    #[test]
    fn the_gap_compares_means() {
        assert!((alignment_gap(&[0.1, 0.3], &[0.6]) - 0.5).abs() < 1e-12);
        assert_eq!(alignment_gap(&[0.0], &[0.0]), 0.0);
    }
}
