//! Self-supervised pre-training: encoder, projection head and objective as one burn model.

use std::fmt;
use std::sync::Arc;

use afterimage_hooks::{SampleId, Site};
use afterimage_model::{
    AnyEncoder, Encoder, EncoderConfig, ProjectionHead, ProjectionHeadConfig, Taps, seeded,
};
use afterimage_ssl::{Objective, ObjectiveConfig};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, ExecutionError, Tensor};
use burn::train::metric::{Adaptor, LossInput};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};

use crate::error::TrainError;
use crate::hooked::{Forward, HookedModel};

/// A batch of augmented views on the training device.
#[derive(Debug, Clone)]
pub struct SslBatch {
    /// The samples `[B]`.
    pub ids: Vec<SampleId>,
    /// Their views `[V·B, C, H, W]`, view-major.
    pub images: Tensor<4>,
}

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

/// An objective that a module can carry along.
#[derive(Clone)]
struct Shared(Arc<dyn Objective>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "objective of {} views", self.0.views())
    }
}

/// An encoder under self-supervised training.
#[derive(Module, Debug)]
pub struct SslModel {
    encoder: AnyEncoder,
    projection: ProjectionHead,
    #[module(skip)]
    objective: Shared,
}

impl SslModel {
    /// A model whose random parameters depend on `seed` alone.
    ///
    /// # Errors
    /// A setting out of range.
    pub fn init(
        encoder: &EncoderConfig,
        projection: &ProjectionHeadConfig,
        objective: &ObjectiveConfig,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let encoder = encoder.init(seed, device)?;
        projection.validate()?;
        let width = encoder.embedding_dim();
        // Another seed than the encoder's, so that a wider head leaves the encoder as it is.
        let projection = seeded(device, seed ^ 1, || projection.init(width, device));
        Ok(Self {
            encoder,
            projection,
            objective: Shared(Arc::from(objective.init()?)),
        })
    }

    /// The encoder alone.
    pub fn encoder(&self) -> &AnyEncoder {
        &self.encoder
    }

    fn run(&self, batch: SslBatch, taps: &mut Taps) -> Forward<SslOutput> {
        let embeddings = self.encoder.encode(batch.images, taps);
        let projected = self.projection.forward(embeddings.clone());
        let per_sample = self.objective.0.per_sample(projected);
        let loss = per_sample.clone().mean();
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
}

impl TrainStep for SslModel {
    type Input = SslBatch;
    type Output = SslOutput;

    fn step(&self, batch: SslBatch) -> TrainOutput<SslOutput> {
        let forward = self.run(batch, &mut Taps::none());
        let mut gradients = forward.loss.backward();
        let grads = GradientsParams::from_module(&mut gradients, self);
        TrainOutput {
            grads,
            item: forward.output,
        }
    }
}

impl InferenceStep for SslModel {
    type Input = SslBatch;
    type Output = SslOutput;

    fn step(&self, batch: SslBatch) -> SslOutput {
        self.run(batch, &mut Taps::none()).output
    }
}

impl HookedModel for SslModel {
    fn sites(&self) -> Vec<Site> {
        self.encoder.sites()
    }

    fn sample_ids(&self, batch: &SslBatch) -> Vec<SampleId> {
        batch.ids.clone()
    }

    fn views(&self) -> usize {
        self.objective.0.views()
    }

    fn images<'i>(&self, batch: &'i mut SslBatch) -> Option<&'i mut Tensor<4>> {
        Some(&mut batch.images)
    }

    fn forward(&self, batch: SslBatch, taps: &mut Taps) -> Forward<SslOutput> {
        self.run(batch, taps)
    }

    fn encode(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        self.encoder.encode(images, taps)
    }
}
