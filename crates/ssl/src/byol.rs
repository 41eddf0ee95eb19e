//! BYOL: predict what a slow-moving copy of the network says of the other view.

use afterimage_model::{
    AnyEncoder, Encoder, HeadForm, ProjectionHead, ProjectionHeadConfig, Taps, moved_towards,
    seeded, teacher,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::directions::agreement;
use crate::error::{Rules, SslError};
use crate::objective::{Objective, ObjectiveBatch, ObjectiveOutput, RunFacts};
use crate::ramp;
use crate::sim_siam::predictor;
use crate::state::Steps;

/// Settings of [`Byol`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ByolConfig {
    /// Width of the predictor's hidden layer, above 0; default 512.
    pub predictor_hidden: usize,
    /// Share of the teacher that a step leaves as it is, in [0, 1]; rises to 1 over the run along
    /// half a cosine; default 0.996.
    pub momentum: f64,
}

impl Default for ByolConfig {
    fn default() -> Self {
        Self {
            predictor_hidden: 512,
            momentum: 0.996,
        }
    }
}

/// The network predicts its teacher's projection of the other view; Grill et al. 2020, arXiv
/// 2006.07733, equations 1 to 3.
///
/// Each sample's loss is the sum over both directions of `2 − 2 cos(prediction, teacher)`, in
/// [0, 8]. The teacher takes part in no gradient; after each step its parameters move towards the
/// network's. Its norms take the statistics of the batch, and norms see both views at once.
#[derive(Module, Debug)]
pub struct Byol {
    projection: ProjectionHead,
    predictor: ProjectionHead,
    teacher: AnyEncoder,
    teacher_projection: ProjectionHead,
    steps: Steps,
    #[module(skip)]
    momentum: f64,
    #[module(skip)]
    total_steps: u64,
}

impl ByolConfig {
    pub(crate) fn init(
        &self,
        projection: &ProjectionHeadConfig,
        encoder: &AnyEncoder,
        run: &RunFacts,
        device: &Device,
    ) -> Byol {
        #[derive(Module, Debug)]
        struct Heads {
            projection: ProjectionHead,
            predictor: ProjectionHead,
        }
        let predictor = predictor(self.predictor_hidden, projection);
        let Heads {
            projection,
            predictor,
        } = seeded(device, run.head_seed(), || Heads {
            projection: projection.init_as(HeadForm::SIMCLR, encoder.embedding_dim(), device),
            predictor: predictor.init(projection.output, device),
        });
        Byol {
            teacher: teacher(encoder),
            teacher_projection: teacher(&projection),
            projection,
            predictor,
            steps: Steps::new(device),
            momentum: self.momentum,
            total_steps: run.total_steps(),
        }
    }

    pub(crate) fn problems(&self) -> Vec<SslError> {
        Rules::default()
            .count(
                "predictor_hidden",
                self.predictor_hidden,
                65536,
                "it must be from 1 to 65536",
            )
            .momentum("momentum", self.momentum)
            .broken()
    }
}

/// Squared distance between directions, summed over both views: `[2B, D]` twice to `[B]`.
fn distance(predicted: Tensor<2>, told: Tensor<2>) -> Tensor<1> {
    // 2 − 2 cos for each view, and `agreement` is the mean over both.
    agreement(predicted, told)
        .neg()
        .add_scalar(1.0)
        .mul_scalar(4.0)
}

impl Objective for Byol {
    fn views(&self) -> usize {
        2
    }

    fn forward(
        &self,
        encoder: &AnyEncoder,
        batch: ObjectiveBatch,
        taps: &mut Taps,
    ) -> ObjectiveOutput {
        self.steps.begin(batch.pace);
        let images = batch.images.clone().detach();
        let told = self.teacher.encode(images, &mut taps.masks_alone());
        let told = self.teacher_projection.forward(told);

        let embeddings = encoder.encode(batch.images, taps);
        let projected = self.projection.forward(embeddings.clone());
        let predicted = self.predictor.forward(projected);
        ObjectiveOutput::mean_of(embeddings, distance(predicted, told))
    }

    fn after_step(self, encoder: &AnyEncoder) -> Self {
        let (step, steps) = self.steps.advanced();
        let momentum = ramp::cosine(self.momentum, 1.0, step, self.total_steps);
        Self {
            teacher: moved_towards(self.teacher, encoder, momentum),
            teacher_projection: moved_towards(self.teacher_projection, &self.projection, momentum),
            steps,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{close, gradient_of, matrix, read};

    #[test]
    fn loss_and_gradient_equal_the_reference() {
        let case = read("byol");
        let device = Device::flex().autodiff();
        let predicted = matrix(&case, "predicted", &device).require_grad();
        let per_sample = distance(predicted.clone(), matrix(&case, "target", &device));
        close(&per_sample, &case, "per_sample", 1e-5);
        close(
            &gradient_of(per_sample.mean(), &predicted),
            &case,
            "gradient",
            1e-5,
        );
    }
}
