//! SimSiam: a predictor on one side, no gradient on the other.

use afterimage_model::{
    AnyEncoder, Encoder, HeadForm, ProjectionHead, ProjectionHeadConfig, Taps, seeded,
};
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::directions::agreement;
use crate::error::{Rules, SslError};
use crate::objective::{Objective, ObjectiveBatch, ObjectiveOutput, RunFacts};

/// Settings of [`SimSiam`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SimSiamConfig {
    /// Width of the predictor's hidden layer, above 0; default 512. The paper takes a quarter of
    /// the length of a projection.
    pub predictor_hidden: usize,
}

impl Default for SimSiamConfig {
    fn default() -> Self {
        Self {
            predictor_hidden: 512,
        }
    }
}

/// Views of a sample attract each other's predictions; Chen and He 2021, arXiv 2011.10566,
/// equations 1 to 4.
///
/// `½ D(p₁, stop(z₂)) + ½ D(p₂, stop(z₁))` with `D(p, z) = −cos(p, z)`, in [−1, 1], for each
/// sample. The projection has three layers and a norm without scale and shift at its end; norms see
/// both views of a batch at once.
#[derive(Module, Debug)]
pub struct SimSiam {
    projection: ProjectionHead,
    predictor: ProjectionHead,
}

impl SimSiamConfig {
    /// The published head.
    pub(crate) const FORM: HeadForm = HeadForm {
        layers: 3,
        output_norm: true,
        ..HeadForm::SIMCLR
    };

    pub(crate) fn init(
        &self,
        projection: &ProjectionHeadConfig,
        encoder: &AnyEncoder,
        run: &RunFacts,
        device: &Device,
    ) -> SimSiam {
        let width = encoder.embedding_dim();
        let predictor = predictor(self.predictor_hidden, projection);
        seeded(device, run.head_seed(), || SimSiam {
            projection: projection.init_as(Self::FORM, width, device),
            predictor: predictor.init(projection.output, device),
        })
    }

    pub(crate) fn problems(&self) -> Vec<SslError> {
        Rules::default()
            .count(
                "predictor_hidden",
                self.predictor_hidden,
                65536,
                "it must be from 1 to 65536",
            )
            .broken()
    }
}

/// The head that predicts one projection from another.
pub(crate) fn predictor(hidden: usize, projection: &ProjectionHeadConfig) -> ProjectionHeadConfig {
    ProjectionHeadConfig {
        hidden,
        output: projection.output,
        norm: projection.norm,
        layers: Some(2),
    }
}

impl Objective for SimSiam {
    fn views(&self) -> usize {
        2
    }

    fn forward(
        &self,
        encoder: &AnyEncoder,
        batch: ObjectiveBatch,
        taps: &mut Taps,
    ) -> ObjectiveOutput {
        let embeddings = encoder.encode(batch.images, taps);
        let projected = self.projection.forward(embeddings.clone());
        let predicted = self.predictor.forward(projected.clone());
        ObjectiveOutput::mean_of(embeddings, agreement(predicted, projected).neg())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{close, gradient_of, matrix, read};

    #[test]
    fn loss_and_gradient_equal_the_reference() {
        let case = read("simsiam");
        let device = Device::flex().autodiff();
        let predicted = matrix(&case, "predicted", &device).require_grad();
        let target = matrix(&case, "target", &device);
        let per_sample = agreement(predicted.clone(), target).neg();
        close(&per_sample, &case, "per_sample", 1e-5);
        close(
            &gradient_of(per_sample.mean(), &predicted),
            &case,
            "gradient",
            1e-5,
        );
    }
}
