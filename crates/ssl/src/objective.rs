//! What the training loop needs of an objective.

use afterimage_hooks::SampleId;
use afterimage_model::{AnyEncoder, Encoder as _, ProjectionHead, Taps};
use burn::module::Module;
use burn::tensor::{Int, Tensor};

use crate::shards::Shard;

/// What an encoder is trained for, with everything of its own: heads, teachers, centres, counters.
///
/// An objective is a burn module, so that heads are trained and state is in checkpoints. Parameters
/// that nothing trains (a teacher, a centre) require no gradient: optimizers leave them alone,
/// weight decay included, and [`after_step`](Self::after_step) moves them.
pub trait Objective: Module {
    /// Number of augmented views of each sample in a batch: V.
    fn views(&self) -> usize;

    /// The forward pass of `encoder` over a batch, with `taps` along the way, up to the loss.
    ///
    /// Taps see the views `[V · B, …]` in the batch's order, and nothing else that is encoded.
    ///
    /// # Panics
    /// When the batch lacks what the objective needs: V views of each sample, local views, labels.
    fn forward(
        &self,
        encoder: &AnyEncoder,
        batch: ObjectiveBatch,
        taps: &mut Taps,
    ) -> ObjectiveOutput;

    /// Scores of the classes `[B, classes]` for the encoder's output `[B, D]`, where the objective has
    /// a classifier.
    fn logits(&self, embeddings: Tensor<2>) -> Option<Tensor<2>> {
        let _ = embeddings;
        None
    }

    /// Loss of each sample `[B]` and the loss `[1]` of what a forward pass showed as
    /// [`ObjectiveOutput::compared`], where samples are compared with each other.
    fn compare(&self, compared: Tensor<2>) -> Option<(Tensor<1>, Tensor<1>)> {
        let _ = compared;
        None
    }

    /// What the forward pass over `shard` gathered for the update after the step, where it gathers any.
    fn gathered(&self, shard: Shard) -> Option<Tensor<2>> {
        let _ = shard;
        None
    }

    /// Keeps what the forward pass over `shard` [`gathered`](Self::gathered) in another process.
    fn gather(&self, shard: Shard, value: Tensor<2>) {
        let _ = (shard, value);
    }

    /// The objective after an optimizer step that left the encoder as `encoder`.
    fn after_step(self, encoder: &AnyEncoder) -> Self {
        let _ = encoder;
        self
    }
}

/// A batch on the training device.
#[derive(Debug, Clone)]
pub struct ObjectiveBatch {
    /// The samples `[B]`.
    pub ids: Vec<SampleId>,
    /// The epoch, from 1: random choices of an objective are pure functions of the run's seed, the
    /// epoch and the sample, as views are.
    pub epoch: u32,
    /// Steps of the run's schedule that the step stands for: 1, or more in an epoch whose plan is shorter
    /// than one over all samples. What changes over the run along a ramp follows them, as the rate does.
    pub pace: u64,
    /// Views `[V · B, C, H, W]`, view-major: all samples of view 0, then all samples of view 1.
    pub images: Tensor<4>,
    /// Smaller views `[L · B, C, h, w]`, view-major, for an objective with local views.
    pub local: Option<Tensor<4>>,
    /// Class of each sample `[B]`, for an objective that learns from labels.
    pub labels: Option<Tensor<1, Int>>,
    /// Which part of the step's batch this is. What an objective gathers over a step (DINO's centre)
    /// it keeps by shard, so that a second pass over one does not count twice.
    pub shard: Shard,
}

impl ObjectiveBatch {
    /// A shard of this batch, or of the part of one that it is.
    pub fn shard(&self, shard: Shard) -> Self {
        let samples = self.ids.len();
        let views = |rows: &Tensor<4>| rows.dims()[0] / samples.max(1);
        let local = self.local.as_ref();
        let labels = self.labels.as_ref();
        Self {
            ids: shard.of_samples(&self.ids).to_vec(),
            epoch: self.epoch,
            pace: self.pace,
            images: shard.rows(self.images.clone(), views(&self.images)),
            local: local.map(|local| shard.rows(local.clone(), views(local))),
            labels: labels.map(|labels| labels.clone().slice(shard.places(samples))),
            shard: shard.of_part(self.shard),
        }
    }
}

/// What a forward pass up to the loss shows.
#[derive(Debug, Clone)]
pub struct ObjectiveOutput {
    /// The encoder's output for the views `[V · B, D]`.
    pub embeddings: Tensor<2>,
    /// Each sample's part in the loss `[B]`; their mean is the loss. Samples stay apart because
    /// plugins weight them and follow them over epochs.
    pub per_sample: Tensor<1>,
    /// The loss `[1]`.
    pub loss: Tensor<1>,
    /// Scores of the classes for the views `[V · B, classes]`, where the objective has a classifier.
    pub logits: Option<Tensor<2>>,
    /// What the samples of the batch are compared by `[V · B, P]`, where the loss is a function of it
    /// alone: [`Objective::compare`].
    pub compared: Option<Tensor<2>>,
}

impl ObjectiveOutput {
    /// The output of an objective whose `losses`, of each sample and of all, are those of the projections of the
    /// views, by which samples are compared.
    pub(crate) fn of_projections(
        encoder: &AnyEncoder,
        projection: &ProjectionHead,
        batch: ObjectiveBatch,
        taps: &mut Taps,
        losses: impl FnOnce(Tensor<2>) -> (Tensor<1>, Tensor<1>),
    ) -> Self {
        let embeddings = encoder.encode(batch.images, taps);
        let projected = projection.forward(embeddings.clone());
        let (per_sample, loss) = losses(projected.clone());
        Self {
            embeddings,
            per_sample,
            loss,
            logits: None,
            compared: Some(projected),
        }
    }

    /// The output of an objective whose loss is the mean of `per_sample` `[B]`.
    pub(crate) fn mean_of(embeddings: Tensor<2>, per_sample: Tensor<1>) -> Self {
        Self {
            embeddings,
            loss: per_sample.clone().mean(),
            per_sample,
            logits: None,
            compared: None,
        }
    }
}

/// Local views, smaller than those that the encoder is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalViews {
    /// Local views of each sample: L.
    pub count: usize,
    /// Side in pixels; half the side of a global view where it is not told.
    pub size: Option<usize>,
    /// Share of the image's area that a local view shows, uniform between both; in (0, 1].
    pub scale: [f64; 2],
}

/// What an objective must know of the run that it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunFacts {
    /// Seed of the run's random choices.
    pub seed: u64,
    /// Classes of the data set.
    pub classes: usize,
    /// Optimizer steps of an epoch.
    pub steps_per_epoch: u64,
    /// Epochs of the run.
    pub epochs: u32,
}

impl RunFacts {
    /// Optimizer steps of the run.
    pub fn total_steps(&self) -> u64 {
        self.steps_per_epoch * u64::from(self.epochs)
    }

    /// The seed of heads: another one than the encoder's, so that a wider head leaves the encoder
    /// as it is.
    pub(crate) fn head_seed(&self) -> u64 {
        self.seed ^ 1
    }
}
