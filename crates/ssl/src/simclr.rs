//! SimCLR: views of a sample attract each other and repel all other views of the batch.

use afterimage_model::{AnyEncoder, Encoder, ProjectionHead, ProjectionHeadConfig, Taps, seeded};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Rules, SslError};
use crate::nt_xent::NtXent;
use crate::objective::{Objective, ObjectiveBatch, ObjectiveOutput, RunFacts};

/// Settings of [`SimClr`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SimClrConfig {
    /// Temperature of the softmax, above 0; small values look at the nearest neighbours only;
    /// default 0.5.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
}

impl Default for SimClrConfig {
    fn default() -> Self {
        Self { temperature: 0.5 }
    }
}

/// A projection head under [`NtXent`]; Chen et al. 2020, arXiv 2002.05709.
#[derive(Module, Debug)]
pub struct SimClr {
    projection: ProjectionHead,
    #[module(skip)]
    loss: NtXent,
}

impl SimClrConfig {
    pub(crate) fn init(
        &self,
        projection: &ProjectionHeadConfig,
        encoder: &AnyEncoder,
        run: &RunFacts,
        device: &Device,
    ) -> SimClr {
        let width = encoder.embedding_dim();
        SimClr {
            projection: seeded(device, run.head_seed(), || projection.init(width, device)),
            loss: NtXent {
                temperature: self.temperature,
            },
        }
    }

    pub(crate) fn problems(&self) -> Vec<SslError> {
        Rules::default()
            .positive("temperature", self.temperature)
            .broken()
    }
}

impl SimClr {
    /// The loss of each sample and its mean.
    fn losses(&self, projected: Tensor<2>) -> (Tensor<1>, Tensor<1>) {
        let per_sample = self.loss.per_sample(projected);
        (per_sample.clone(), per_sample.mean())
    }
}

impl Objective for SimClr {
    fn views(&self) -> usize {
        NtXent::VIEWS
    }

    fn forward(
        &self,
        encoder: &AnyEncoder,
        batch: ObjectiveBatch,
        taps: &mut Taps,
    ) -> ObjectiveOutput {
        let losses = |projected| self.losses(projected);
        ObjectiveOutput::of_projections(encoder, &self.projection, batch, taps, losses)
    }

    fn compare(&self, compared: Tensor<2>) -> Option<(Tensor<1>, Tensor<1>)> {
        Some(self.losses(compared))
    }
}
