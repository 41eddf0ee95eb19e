//! Making scores of different groups comparable.

use afterimage_numeric as numeric;
use serde::{Deserialize, Serialize};

/// A consistent estimate of the standard deviation of normal values is 1.4826 · MAD.
const MAD_TO_DEVIATION: f64 = 1.4826;

/// What scores of a group are turned into before groups are compared.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Normaliser {
    /// The scores as they are.
    #[default]
    None,
    /// Their ranks, from 0 for the lowest to 1 for the highest; ties share their mean rank, and a
    /// group of one has 0.5, as any group of equals.
    Rank,
    /// Their distance from the mean in standard deviations; 0 in a group of equal scores.
    Z,
    /// Their distance from the median in median absolute deviations, scaled as a standard deviation
    /// of normal values; where that is 0, any other score is infinitely far.
    Mad,
}

impl Normaliser {
    /// The scores of one group, turned; keeps their order.
    pub fn apply(self, scores: &[f64]) -> Vec<f64> {
        match self {
            Self::None => scores.to_vec(),
            Self::Rank => ranks(scores),
            Self::Z => {
                let (mean, variance) = numeric::moments(scores.iter().copied());
                scaled(scores, mean, variance.sqrt())
            }
            Self::Mad => {
                let middle = median(scores);
                let away: Vec<f64> = scores.iter().map(|x| (x - middle).abs()).collect();
                scaled(scores, middle, MAD_TO_DEVIATION * median(&away))
            }
        }
    }
}

fn scaled(scores: &[f64], middle: f64, scale: f64) -> Vec<f64> {
    let of = |x: &f64| match x - middle {
        0.0 => 0.0,
        // Rounding of the mean alone sets equal scores apart.
        away if scale <= f64::EPSILON * middle.abs() && scale > 0.0 => away * 0.0,
        away => away / scale,
    };
    scores.iter().map(of).collect()
}

fn ranks(scores: &[f64]) -> Vec<f64> {
    match scores {
        // Neither end: it would go first, or last, for being alone.
        [_] => vec![0.5],
        _ => numeric::ranks(scores),
    }
}

/// 0 for none.
fn median(values: &[f64]) -> f64 {
    numeric::median(values.to_vec()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(
            Normaliser::Rank.apply(&[3.0, 1.0, 2.0, 2.0]),
            [1.0, 0.0, 0.5, 0.5]
        );
        assert_eq!(Normaliser::Z.apply(&[1.0, 3.0]), [-1.0, 1.0]);
        assert_eq!(Normaliser::Z.apply(&[0.1, 0.1, 0.1]), [0.0; 3]);
        let mad = Normaliser::Mad.apply(&[1.0, 2.0, 3.0, 4.0, 100.0]);
        assert_eq!(mad[2], 0.0);
        assert!((mad[1] + 1.0 / 1.4826).abs() < 1e-12);
        assert_eq!(
            Normaliser::Mad.apply(&[5.0, 5.0, 5.0, 6.0])[3],
            f64::INFINITY
        );
        assert_eq!(Normaliser::Rank.apply(&[7.0]), [0.5]);
        assert_eq!(Normaliser::Rank.apply(&[7.0, 7.0]), [0.5, 0.5]);
        assert_eq!(Normaliser::Mad.apply(&[]), [0.0; 0]);
    }

    proptest! {
        #[test]
        fn ranks_of_negated_scores_count_from_the_other_end(
            scores in prop::collection::vec(-3i8..3, 0..8),
        ) {
            let scores: Vec<f64> = scores.into_iter().map(f64::from).collect();
            let negated: Vec<f64> = scores.iter().map(|x| -x).collect();
            let other = ranks(&negated);
            for (rank, other) in ranks(&scores).into_iter().zip(other) {
                prop_assert!((rank + other - 1.0).abs() < 1e-12);
            }
        }

        #[test]
        fn order_is_kept(scores in prop::collection::vec(-5.0f64..5.0, 0..30)) {
            for normaliser in [Normaliser::None, Normaliser::Rank, Normaliser::Z, Normaliser::Mad] {
                let turned = normaliser.apply(&scores);
                prop_assert_eq!(turned.len(), scores.len());
                for (a, x) in scores.iter().zip(&turned) {
                    for (b, y) in scores.iter().zip(&turned) {
                        prop_assert!(a >= b || x <= y, "{normaliser:?}: {a} {b} {x} {y}");
                    }
                }
            }
        }
    }
}
