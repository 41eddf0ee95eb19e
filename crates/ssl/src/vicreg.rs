//! VICReg: variance, invariance and covariance.
//!
//! Letters: B samples, D features.

use afterimage_model::{
    AnyEncoder, Encoder, HeadForm, ProjectionHead, ProjectionHeadConfig, Taps, seeded,
};
use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::directions::halves;
use crate::error::{Rules, SslError};
use crate::objective::{Objective, ObjectiveBatch, ObjectiveOutput, RunFacts};
use crate::statistics::{centred, off_diagonal};

/// Added to variances.
const EPSILON: f64 = 1e-4;

/// Settings of [`VicReg`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VicRegConfig {
    /// Weight of the distance between views (λ), at least 0; default 25.
    pub invariance: f64,
    /// Weight of the spread of each feature (μ), at least 0; default 25.
    pub variance: f64,
    /// Weight of the correlation between features (ν), at least 0; default 1.
    pub covariance: f64,
}

impl Default for VicRegConfig {
    fn default() -> Self {
        Self {
            invariance: 25.0,
            variance: 25.0,
            covariance: 1.0,
        }
    }
}

/// Views of a sample come close, features keep a spread of 1 and do not repeat each other; Bardes
/// et al. 2022, arXiv 2105.04906, equations 1 to 6.
///
/// As in the authors' program, for which the weights were chosen, the distance is the mean over
/// features and not their sum, and the variance term is the mean over both views. The head has three
/// layers; norms see both views at once.
///
/// The variance and covariance terms belong to the batch. They are shared out among the samples by
/// each sample's part in the statistic: with centred features `z`, standard deviations `S` and
/// covariances `C`, sample b has `mean_j [S_j < 1] (1 − (z_bj² · B/(B−1) + ε) / S_j)` and
/// `B/(B−1) · Σ_{i≠j} C_ij z_bi z_bj / D`. The mean over samples is the term exactly; a part can be
/// negative.
#[derive(Module, Debug)]
pub struct VicReg {
    projection: ProjectionHead,
    #[module(skip)]
    weights: VicRegConfig,
}

impl VicRegConfig {
    pub(crate) fn init(
        &self,
        projection: &ProjectionHeadConfig,
        encoder: &AnyEncoder,
        run: &RunFacts,
        device: &Device,
    ) -> VicReg {
        let form = HeadForm {
            layers: 3,
            ..HeadForm::SIMCLR
        };
        let width = encoder.embedding_dim();
        VicReg {
            projection: seeded(device, run.head_seed(), || {
                projection.init_as(form, width, device)
            }),
            weights: *self,
        }
    }

    pub(crate) fn problems(&self) -> Vec<SslError> {
        Rules::default()
            .not_negative("invariance", self.invariance)
            .not_negative("variance", self.variance)
            .not_negative("covariance", self.covariance)
            .broken()
    }

    /// Each sample's part `[B]` and the loss `[1]` of projections `[2B, D]`.
    fn loss(&self, projected: Tensor<2>) -> (Tensor<1>, Tensor<1>) {
        let [x, y] = halves(projected);
        let samples = x.dims()[0];
        let distance_b = (x.clone() - y.clone())
            .square()
            .mean_dim(1)
            .reshape([samples])
            .mul_scalar(self.invariance);
        let mut per_sample = distance_b.clone();
        let mut loss = distance_b.mean();
        for view in [x, y] {
            let spread = Spread::of(view);
            loss = loss
                + spread.variance().mul_scalar(0.5 * self.variance)
                + spread.covariance().mul_scalar(self.covariance);
            per_sample = per_sample
                + spread.variance_parts().mul_scalar(0.5 * self.variance)
                + spread.covariance_parts().mul_scalar(self.covariance);
        }
        (per_sample, loss)
    }
}

/// Second moments of one view's projections.
struct Spread {
    /// Centred features.
    z_bd: Tensor<2>,
    /// Standard deviations `[1, D]`.
    deviation: Tensor<2>,
    /// Covariances without the diagonal.
    covariance_dd: Tensor<2>,
}

impl Spread {
    fn of(view: Tensor<2>) -> Self {
        let samples = view.dims()[0];
        let unbiased = 1.0 / (samples as f64 - 1.0);
        let z_bd = centred(view);
        let variance = z_bd.clone().square().sum_dim(0).mul_scalar(unbiased);
        let covariance_dd = z_bd.clone().transpose().matmul(z_bd.clone());
        Self {
            z_bd,
            deviation: variance.add_scalar(EPSILON).sqrt(),
            covariance_dd: off_diagonal(covariance_dd.mul_scalar(unbiased)),
        }
    }

    /// B / (B − 1).
    fn correction(&self) -> f64 {
        let samples = self.z_bd.dims()[0] as f64;
        samples / (samples - 1.0)
    }

    fn variance(&self) -> Tensor<1> {
        relu(self.deviation.clone().neg().add_scalar(1.0)).mean()
    }

    fn variance_parts(&self) -> Tensor<1> {
        let [samples, _] = self.z_bd.dims();
        let moment = self.z_bd.clone().square().mul_scalar(self.correction());
        let part = (moment.add_scalar(EPSILON) / self.deviation.clone())
            .neg()
            .add_scalar(1.0);
        let narrow = self.deviation.clone().lower_scalar(1.0).float();
        (part * narrow).mean_dim(1).reshape([samples])
    }

    fn covariance(&self) -> Tensor<1> {
        let [_, features] = self.z_bd.dims();
        let squares = self.covariance_dd.clone().square();
        squares.sum().div_scalar(features as f64)
    }

    fn covariance_parts(&self) -> Tensor<1> {
        let [samples, features] = self.z_bd.dims();
        (self.z_bd.clone().matmul(self.covariance_dd.clone()) * self.z_bd.clone())
            .sum_dim(1)
            .reshape([samples])
            .mul_scalar(self.correction() / features as f64)
    }
}

impl Objective for VicReg {
    fn views(&self) -> usize {
        2
    }

    fn forward(
        &self,
        encoder: &AnyEncoder,
        batch: ObjectiveBatch,
        taps: &mut Taps,
    ) -> ObjectiveOutput {
        let losses = |projected| self.weights.loss(projected);
        ObjectiveOutput::of_projections(encoder, &self.projection, batch, taps, losses)
    }

    fn compare(&self, compared: Tensor<2>) -> Option<(Tensor<1>, Tensor<1>)> {
        Some(self.weights.loss(compared))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::{close, gradient_of, host, matrix, read, rows};

    #[test]
    fn loss_parts_and_gradient_equal_the_reference() {
        let case = read("vicreg");
        let device = Device::flex().autodiff();
        let config = VicRegConfig {
            invariance: case.number("invariance"),
            variance: case.number("variance"),
            covariance: case.number("covariance"),
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
            let config = VicRegConfig::default();
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
