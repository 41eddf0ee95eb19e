//! Training an encoder for an objective: both as one burn model.

use afterimage_hooks::{SampleId, Site};
use afterimage_model::{AnyEncoder, Encoder, EncoderConfig, ProjectionHeadConfig, Taps};
use afterimage_ssl::{
    AnyObjective, Objective, ObjectiveBatch, ObjectiveConfig, ObjectiveOutput, RunFacts,
};
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::tensor::{Device, ExecutionError, Tensor};
use burn::train::metric::{Adaptor, LossInput};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};

use crate::error::TrainError;
use crate::hooked::{Forward, HookedModel};

/// What burn-train's metrics see of a step.
#[derive(Debug, Clone)]
pub struct SslOutput {
    /// Mean loss `[1]`.
    pub loss: Tensor<1>,
}

impl ItemLazy for SslOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl Adaptor<LossInput> for SslOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

/// An encoder under training, and what it is trained for.
#[derive(Module, Debug)]
pub struct SslModel {
    encoder: AnyEncoder,
    objective: AnyObjective,
}

impl SslModel {
    /// A model whose random parameters depend on the run's seed alone. Without `projection` the
    /// objective's own default head is taken.
    ///
    /// # Errors
    /// A setting out of range.
    pub fn init(
        encoder: &EncoderConfig,
        projection: Option<&ProjectionHeadConfig>,
        objective: &ObjectiveConfig,
        run: &RunFacts,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let encoder = encoder.init(run.seed, device)?;
        let objective = objective.init(projection, &encoder, run, device)?;
        Ok(Self { encoder, objective })
    }

    /// The encoder alone.
    pub fn encoder(&self) -> &AnyEncoder {
        &self.encoder
    }

    /// What the encoder is trained for.
    pub fn objective(&self) -> &AnyObjective {
        &self.objective
    }

    fn run(&self, batch: ObjectiveBatch, taps: &mut Taps) -> Forward<SslOutput> {
        let ObjectiveOutput {
            embeddings,
            per_sample,
            loss,
        } = self.objective.forward(&self.encoder, batch, taps);
        let output = SslOutput {
            loss: loss.clone().without_autodiff(),
        };
        Forward {
            embeddings: Some(embeddings),
            per_sample: Some(per_sample),
            loss,
            reference: None,
            output,
        }
    }

    /// The model after an optimizer step: the objective moves what no gradient moves.
    fn after_step(self) -> Self {
        let Self { encoder, objective } = self;
        let objective = objective.after_step(&encoder);
        Self { encoder, objective }
    }
}

impl TrainStep for SslModel {
    type Input = ObjectiveBatch;
    type Output = SslOutput;

    fn step(&self, batch: ObjectiveBatch) -> TrainOutput<SslOutput> {
        let forward = self.run(batch, &mut Taps::none());
        let mut gradients = forward.loss.backward();
        let grads = GradientsParams::from_module(&mut gradients, self);
        TrainOutput {
            grads,
            item: forward.output,
        }
    }

    fn optimize(
        self,
        optimizer: &mut ModuleOptimizer,
        rate: ModuleLearningRate,
        gradients: GradientsParams,
    ) -> Self {
        optimizer.step(rate, self, gradients).after_step()
    }

    fn optimize_multi(
        self,
        optimizer: &mut ModuleOptimizer,
        rate: ModuleLearningRate,
        gradients: MultiGradientsParams,
    ) -> Self {
        optimizer.step_multi(rate, self, gradients).after_step()
    }
}

impl InferenceStep for SslModel {
    type Input = ObjectiveBatch;
    type Output = SslOutput;

    fn step(&self, batch: ObjectiveBatch) -> SslOutput {
        self.run(batch, &mut Taps::none()).output
    }
}

impl HookedModel for SslModel {
    fn sites(&self) -> Vec<Site> {
        self.encoder.sites()
    }

    fn sample_ids(&self, batch: &ObjectiveBatch) -> Vec<SampleId> {
        batch.ids.clone()
    }

    fn views(&self) -> usize {
        self.objective.views()
    }

    fn images<'i>(&self, batch: &'i mut ObjectiveBatch) -> Option<&'i mut Tensor<4>> {
        Some(&mut batch.images)
    }

    fn forward(&self, batch: ObjectiveBatch, taps: &mut Taps) -> Forward<SslOutput> {
        self.run(batch, taps)
    }

    fn encode(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        self.encoder.encode(images, taps)
    }
}
