//! Weights of selected samples in training.

use serde::{Deserialize, Serialize};

use crate::error::CoresetError;

/// What the weight of a selected sample is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Weighting {
    /// The number of samples of its group that are nearest to it (CRAIG's γ, the paper's r), cut off
    /// at a quantile of these numbers if one is given; `0.99` keeps single medoids from ruling.
    ClusterSize {
        /// In (0, 1].
        cap: Option<f64>,
    },
    /// The number of samples of its group within this distance, as in the released CRUST.
    Radius {
        /// The distance, positive.
        distance: f64,
    },
    /// 1.
    None,
}

impl Weighting {
    /// # Errors
    /// A cap or a distance outside of its range.
    pub(crate) fn validate(self) -> Result<(), CoresetError> {
        match self {
            Self::ClusterSize { cap: Some(cap) } if !(cap > 0.0 && cap <= 1.0) => Err(
                CoresetError::setting("weights", format!("a cap of {cap} is not in (0, 1]")),
            ),
            Self::Radius { distance } if !(distance > 0.0 && distance.is_finite()) => Err(
                CoresetError::setting("weights", format!("a radius of {distance} is not positive")),
            ),
            _ => Ok(()),
        }
    }
}

/// Cuts `sizes` at their `quantile`, the value of the rank rounded up.
pub(crate) fn cut(sizes: &mut [f64], quantile: f64) {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    if let Some(cap) = sorted.get(rank.max(1) - 1) {
        sizes.iter_mut().for_each(|size| *size = size.min(*cap));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_cuts_the_largest() {
        let mut sizes = [5.0, 1.0, 2.0, 100.0];
        cut(&mut sizes, 0.75);
        assert_eq!(sizes, [5.0, 1.0, 2.0, 5.0]);
        cut(&mut [], 0.5);
        assert!(
            Weighting::ClusterSize { cap: Some(0.0) }
                .validate()
                .is_err()
        );
        assert!(Weighting::Radius { distance: f64::NAN }.validate().is_err());
    }
}
