//! The head of DINO: a projection onto the sphere, compared with prototypes.

use afterimage_model::{
    HeadActivation, HeadForm, Initial, ProjectionHead, ProjectionHeadConfig, seeded, seeded_from,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::directions::unit_rows;

/// Standard deviation of initial weights in front of the prototypes.
const DEVIATION: f64 = 0.02;

/// Projections of length 1 against prototypes of length 1; Caron et al. 2021, arXiv 2104.14294,
/// appendix C.
#[derive(Module, Debug)]
pub(crate) struct DinoHead {
    projection: ProjectionHead,
    prototypes: Linear,
}

impl DinoHead {
    pub(crate) fn new(
        projection: &ProjectionHeadConfig,
        input: usize,
        prototypes: usize,
        seed: u64,
        device: &Device,
    ) -> Self {
        let form = HeadForm {
            layers: 3,
            activation: HeadActivation::Gelu,
            output_norm: false,
        };
        Self {
            projection: seeded_from(Initial::Normal(DEVIATION), device, seed, || {
                projection.init_as(form, input, device)
            }),
            prototypes: seeded(device, seed, || {
                LinearConfig::new(projection.output, prototypes)
                    .with_bias(false)
                    .init(device)
            }),
        }
    }

    /// Scores `[R, K]` of embeddings `[R, D]`: cosines with each prototype. No gradient reaches the
    /// prototypes where `frozen`.
    pub(crate) fn forward(&self, embeddings: Tensor<2>, frozen: bool) -> Tensor<2> {
        let projected = unit_rows(self.projection.forward(embeddings));
        let prototypes = self.prototypes.weight.val();
        let prototypes = if frozen {
            prototypes.detach()
        } else {
            prototypes
        };
        let prototypes = unit_rows(prototypes.transpose());
        projected.matmul(prototypes.transpose())
    }
}
