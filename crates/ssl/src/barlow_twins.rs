//! Barlow Twins: the correlation of features between views is the identity.
//!
//! Letters: B samples, D features.

use afterimage_model::{
    AnyEncoder, Encoder, HeadForm, ProjectionHead, ProjectionHeadConfig, Taps, seeded,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::directions::halves;
use crate::error::{Rules, SslError};
use crate::objective::{Objective, ObjectiveBatch, ObjectiveOutput, RunFacts};
use crate::statistics::{centred, off_diagonal};

/// Added to variances.
const EPSILON: f64 = 1e-5;

/// Settings of [`BarlowTwins`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BarlowTwinsConfig {
    /// Weight of the redundancy between features (λ), at least 0; default 0.0051.
    pub redundancy: f64,
}

impl Default for BarlowTwinsConfig {
    fn default() -> Self {
        Self { redundancy: 0.0051 }
    }
}

/// Each feature correlates with itself across views and with no other; Zbontar et al. 2021, arXiv
/// 2103.03230, equations 1 and 2.
///
/// With features `a` and `b` of the two views, normalised over the batch, and `C = aᵀb / B`, the
/// loss is `Σ_i (1 − C_ii)² + λ Σ_{i≠j} C_ij²`. The head has three layers; norms see both views at
/// once.
///
/// The loss belongs to the batch. It is shared out among the samples by each sample's part in C:
/// sample s has `Σ_i (1 − C_ii)(1 − a_si b_si) + λ Σ_{i≠j} C_ij a_si b_sj`. The mean over samples is
/// the loss exactly; a part can be negative.
#[derive(Module, Debug)]
pub struct BarlowTwins {
    projection: ProjectionHead,
    #[module(skip)]
    config: BarlowTwinsConfig,
}

impl BarlowTwinsConfig {
    pub(crate) fn init(
        &self,
        projection: &ProjectionHeadConfig,
        encoder: &AnyEncoder,
        run: &RunFacts,
        device: &Device,
    ) -> BarlowTwins {
        let form = HeadForm {
            layers: 3,
            ..HeadForm::SIMCLR
        };
        let width = encoder.embedding_dim();
        BarlowTwins {
            projection: seeded(device, run.head_seed(), || {
                projection.init_as(form, width, device)
            }),
            config: *self,
        }
    }

    pub(crate) fn problems(&self) -> Vec<SslError> {
        Rules::default()
            .not_negative("redundancy", self.redundancy)
            .broken()
    }

    /// Each sample's part `[B]` and the loss `[1]` of projections `[2B, D]`.
    fn loss(&self, projected: Tensor<2>) -> (Tensor<1>, Tensor<1>) {
        let [a_bd, b_bd] = halves(projected).map(normalised);
        let [samples, features] = a_bd.dims();
        let correlation_dd = a_bd
            .clone()
            .transpose()
            .matmul(b_bd.clone())
            .div_scalar(samples as f64);
        let across_dd = off_diagonal(correlation_dd);
        let same_bd = (a_bd.clone() * b_bd.clone()).neg().add_scalar(1.0);
        // 1 − C_ii, `[1, D]`.
        let missing = same_bd.clone().mean_dim(0);

        let invariance = missing.clone().square().sum();
        let redundancy = across_dd.clone().square().sum();
        let loss = invariance + redundancy.mul_scalar(self.redundancy);

        let invariance = same_bd * missing.expand([samples, features]);
        let redundancy = (a_bd.matmul(across_dd) * b_bd).mul_scalar(self.redundancy);
        let per_sample = (invariance + redundancy).sum_dim(1).reshape([samples]);
        (per_sample, loss)
    }
}

/// Features with mean 0 and variance 1 over the batch.
fn normalised(view: Tensor<2>) -> Tensor<2> {
    let z_bd = centred(view);
    let variance = z_bd.clone().square().mean_dim(0);
    z_bd / variance.add_scalar(EPSILON).sqrt()
}

impl Objective for BarlowTwins {
    fn views(&self) -> usize {
        2
    }

    fn forward(
        &self,
        encoder: &AnyEncoder,
        batch: ObjectiveBatch,
        taps: &mut Taps,
    ) -> ObjectiveOutput {
        let losses = |projected| self.config.loss(projected);
        ObjectiveOutput::of_projections(encoder, &self.projection, batch, taps, losses)
    }

    fn compare(&self, compared: Tensor<2>) -> Option<(Tensor<1>, Tensor<1>)> {
        Some(self.config.loss(compared))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::{close, gradient_of, host, matrix, read, rows};

    #[test]
    fn loss_parts_and_gradient_equal_the_reference() {
        let case = read("barlow_twins");
        let device = Device::flex().autodiff();
        let config = BarlowTwinsConfig {
            redundancy: case.number("redundancy"),
        };
        let z = matrix(&case, "z", &device).require_grad();
        let (per_sample, loss) = config.loss(z.clone());
        close(&per_sample, &case, "per_sample", 1e-5);
        close(&loss, &case, "loss", 1e-5);
        close(&gradient_of(loss, &z), &case, "gradient", 1e-4);
        // The parts are another way to write the loss, so that they have its gradient, too.
        let (per_sample, _) = config.loss(z.clone());
        close(&gradient_of(per_sample.mean(), &z), &case, "gradient", 1e-4);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn parts_average_to_the_loss_and_views_can_change_places(
            values in prop::collection::vec(-3.0f32..3.0, 12 * 4),
        ) {
            let config = BarlowTwinsConfig::default();
            let (parts, loss) = config.loss(rows(&values, 4));
            let loss = host(loss)[0];
            let mean = host(parts.mean())[0];
            prop_assert!((mean - loss).abs() < 1e-4 * (1.0 + loss.abs()), "{mean} {loss}");
            let swapped = [&values[24..], &values[..24]].concat();
            let swapped = host(config.loss(rows(&swapped, 4)).1)[0];
            prop_assert!((swapped - loss).abs() < 1e-4 * (1.0 + loss.abs()), "{swapped} {loss}");
        }
    }
}
