//! Distances between the outputs of a layer for views of one point.
//!
//! Letters: P points, R rows of a point, O outputs of a layer.

use std::fmt;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Norms below this are those of an output without direction; such a row counts as zero.
const NO_DIRECTION: f32 = 1e-12;

/// Distance between two outputs, each flattened and scaled to length 1 first.
///
/// Without that scale a layer's distances would depend on how large its activations are, which
/// differs between two encoders for no reason of memorization.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// ‖a − b‖₂, from 0 to 2; the paper's choice.
    #[default]
    L2,
    /// ‖a − b‖₁.
    L1,
    /// 1 − a · b, from 0 to 2.
    Cosine,
    /// arccos(a · b) / π, from 0 to 1.
    Angular,
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::L2 => "l2",
            Self::L1 => "l1",
            Self::Cosine => "cosine",
            Self::Angular => "angular",
        })
    }
}

/// Which rows of a point are compared.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Pairs {
    /// Every augmented view with every other: the paper's equation 1, by all pairs there are.
    #[default]
    Views,
    /// The image without augmentation with each augmented view, as in the authors' code.
    Original,
}

impl Pairs {
    /// Rows of a point with `views` augmented views; the original, if there is one, comes first.
    pub fn rows(self, views: usize) -> usize {
        match self {
            Self::Views => views,
            Self::Original => views + 1,
        }
    }

    /// The pairs among the rows of a point.
    fn of(self, rows: usize) -> Vec<(usize, usize)> {
        match self {
            Self::Views => (0..rows)
                .flat_map(|i| (i + 1..rows).map(move |j| (i, j)))
                .collect(),
            Self::Original => (1..rows).map(|j| (0, j)).collect(),
        }
    }
}

/// Differences between all rows of each point, `[P, R · R]`, on the device of `outputs_ro`
/// `[P · R, O]`, whose rows are sample-major: Σ|a − b| for [`Distance::L1`], Σ(a − b)² for all
/// other distances, which are functions of it.
pub(crate) fn differences(outputs: Tensor<2>, rows: usize, distance: Distance) -> Tensor<2> {
    let [all, width] = outputs.dims();
    let points = all / rows;
    let norm = outputs.clone().square().sum_dim(1).sqrt();
    let unit_pro = (outputs / norm.clamp_min(NO_DIRECTION)).reshape([points, rows, width]);
    let differences_prr: Tensor<3> = if distance == Distance::L1 {
        let columns = (0..rows).map(|j| {
            let other = unit_pro.clone().narrow(1, j, 1);
            (unit_pro.clone() - other).abs().sum_dim(2)
        });
        Tensor::cat(columns.collect(), 2)
    } else {
        // Distances do not change when all rows of a point move together. Around their mean the
        // products are as small as the distances, so that nothing cancels.
        let centred = unit_pro.clone() - unit_pro.mean_dim(1);
        let product = centred.clone().matmul(centred.clone().swap_dims(1, 2));
        let square = centred.square().sum_dim(2);
        (square.clone() + square.swap_dims(1, 2) - product * 2.0).clamp_min(0.0)
    };
    differences_prr.reshape([points, rows * rows])
}

/// The mean distance over the pairs of one point, from its row of [`differences`]; 0 if there is no
/// pair.
pub(crate) fn mean_distance(
    differences: &[f32],
    rows: usize,
    distance: Distance,
    pairs: Pairs,
) -> f64 {
    let pairs = pairs.of(rows);
    let total: f64 = pairs
        .iter()
        .map(|(i, j)| f64::from(differences[i * rows + j]))
        .map(|difference| match distance {
            Distance::L1 => difference,
            Distance::L2 => difference.sqrt(),
            Distance::Cosine => difference / 2.0,
            Distance::Angular => {
                let half = (difference.sqrt() / 2.0).min(1.0);
                2.0 * half.asin() / std::f64::consts::PI
            }
        })
        .sum();
    total / pairs.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;

    use super::*;

    const ALL: [Distance; 4] = [
        Distance::L2,
        Distance::L1,
        Distance::Cosine,
        Distance::Angular,
    ];

    fn distances(
        outputs: &[f32],
        rows: usize,
        width: usize,
        distance: Distance,
        pairs: Pairs,
    ) -> Vec<f64> {
        let shape = [outputs.len() / width, width];
        let tensor = Tensor::from_data(TensorData::new(outputs.to_vec(), shape), &Device::flex());
        let host: Vec<f32> = differences(tensor, rows, distance)
            .into_data()
            .try_to_vec()
            .unwrap();
        host.chunks(rows * rows)
            .map(|point| mean_distance(point, rows, distance, pairs))
            .collect()
    }

    /// The definitions, word by word, in double precision.
    fn by_definition(a: &[f32], b: &[f32], distance: Distance) -> f64 {
        let unit = |v: &[f32]| -> Vec<f64> {
            let norm = v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            v.iter().map(|x| f64::from(*x) / norm).collect()
        };
        let (a, b) = (unit(a), unit(b));
        let pairs = || a.iter().zip(&b);
        let dot: f64 = pairs().map(|(x, y)| x * y).sum();
        match distance {
            Distance::L2 => pairs().map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt(),
            Distance::L1 => pairs().map(|(x, y)| (x - y).abs()).sum(),
            Distance::Cosine => 1.0 - dot,
            Distance::Angular => dot.clamp(-1.0, 1.0).acos() / std::f64::consts::PI,
        }
    }

    proptest! {
        #[test]
        fn distances_are_means_over_their_pairs(
            values in prop::collection::vec(-1.0f32..1.0, 2 * 4 * 7),
            base in -3.0f32..3.0,
        ) {
            // A common part makes views alike, as those of one image are.
            let outputs: Vec<f32> = values.iter().map(|v| base + v).collect();
            let point = |p: usize, r: usize| &outputs[(p * 4 + r) * 7..][..7];
            for distance in ALL {
                let views = distances(&outputs, 4, 7, distance, Pairs::Views);
                let original = distances(&outputs, 4, 7, distance, Pairs::Original);
                for p in 0..2 {
                    let between = |i, j| by_definition(point(p, i), point(p, j), distance);
                    let all: f64 = (0..4)
                        .flat_map(|i| (i + 1..4).map(move |j| (i, j)))
                        .map(|(i, j)| between(i, j))
                        .sum();
                    prop_assert!((views[p] - all / 6.0).abs() < 1e-5, "{distance:?}");
                    let first: f64 = (1..4).map(|j| between(0, j)).sum();
                    prop_assert!((original[p] - first / 3.0).abs() < 1e-5, "{distance:?}");
                }
            }
        }

        #[test]
        fn the_scale_of_an_output_does_not_matter(
            values in prop::collection::vec(0.1f32..1.0, 3 * 5),
            scale in 0.01f32..100.0,
        ) {
            let scaled: Vec<f32> = values.iter().map(|v| v * scale).collect();
            for distance in ALL {
                let plain = distances(&values, 3, 5, distance, Pairs::Views)[0];
                let other = distances(&scaled, 3, 5, distance, Pairs::Views)[0];
                prop_assert!((plain - other).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn small_distances_do_not_cancel() {
        let outputs = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0 + 1e-4];
        for distance in [Distance::L2, Distance::Angular] {
            let got = distances(&outputs, 2, 3, distance, Pairs::Views)[0];
            let want = by_definition(&outputs[..3], &outputs[3..], distance);
            assert!((got / want - 1.0).abs() < 5e-3, "{distance:?} {got} {want}");
        }
    }

    #[test]
    fn silent_outputs_are_at_no_distance() {
        for distance in ALL {
            assert_eq!(distances(&[0.0; 6], 2, 3, distance, Pairs::Views), [0.0]);
        }
    }
}
