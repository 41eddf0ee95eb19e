//! The one small trait through which a model shows the inside of its training step.

use afterimage_hooks::{SampleId, Site};
use afterimage_model::Taps;
use afterimage_model::compact::Group;
use afterimage_ssl::Shard;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::train::{LearnerModel, TrainStep};

/// What a forward pass in training mode shows.
pub struct Forward<O> {
    /// Encoder output `[V·B, D]`, where there is one.
    pub embeddings: Option<Tensor<2>>,
    /// Loss of each sample `[B]`, where the objective has one.
    pub per_sample: Option<Tensor<1>>,
    /// Mean loss `[1]`, unweighted.
    pub loss: Tensor<1>,
    /// Scores of the classes `[V·B, classes]`, where the objective has any.
    pub logits: Option<Tensor<2>>,
    /// What the loss compares across the batch `[V·B, P]`, where it is a function of it alone:
    /// [`HookedModel::compare`].
    pub compared: Option<Tensor<2>>,
    /// Losses of a reference encoder that is trained in lock step.
    pub reference: Option<ReferenceLoss>,
    /// What burn-train's metrics take.
    pub output: O,
}

/// The losses of a reference encoder on its own batch; they reach its parameters alone.
pub struct ReferenceLoss {
    /// Mean loss `[1]`, unweighted.
    pub loss: Tensor<1>,
    /// Loss of each sample `[B]`, where the objective has one.
    pub per_sample: Option<Tensor<1>>,
    /// What its loss compares across its batch `[V·B, P]`, as in [`Forward::compared`].
    pub compared: Option<Tensor<2>>,
}

impl<O> Forward<O> {
    /// A forward pass that shows its mean loss `[1]` and burn-train's output.
    pub fn new(loss: Tensor<1>, output: O) -> Self {
        Self {
            embeddings: None,
            per_sample: None,
            loss,
            logits: None,
            compared: None,
            reference: None,
            output,
        }
    }

    /// Shows the encoder's output `[V·B, D]`, too.
    pub fn with_embeddings(self, embeddings: Tensor<2>) -> Self {
        Self {
            embeddings: Some(embeddings),
            ..self
        }
    }

    /// Shows the loss of each sample `[B]`, too.
    pub fn with_per_sample(self, per_sample: Tensor<1>) -> Self {
        Self {
            per_sample: Some(per_sample),
            ..self
        }
    }

    /// Shows the scores of the classes `[V·B, classes]`, too.
    pub fn with_logits(self, logits: Tensor<2>) -> Self {
        Self {
            logits: Some(logits),
            ..self
        }
    }
}

/// A model whose training step the loop can open, so that plugins see forward, loss and gradients.
///
/// burn's [`TrainStep::step`] holds forward and backward in one call. A model without this trait
/// still trains under the loop, but a plugin that needs what is inside a step is refused.
pub trait HookedModel: LearnerModel {
    /// The model's sites in forward order; empty if it has no taps.
    fn sites(&self) -> Vec<Site>;

    /// Ids of the samples in a batch `[B]`.
    fn sample_ids(&self, input: &<Self as TrainStep>::Input) -> Vec<SampleId>;

    /// Views of each sample in a batch.
    fn views(&self) -> usize {
        1
    }

    /// The views `[V·B, C, H, W]` of a batch, where plugins may see and replace them.
    fn images<'i>(&self, input: &'i mut <Self as TrainStep>::Input) -> Option<&'i mut Tensor<4>> {
        let _ = input;
        None
    }

    /// Runs the forward pass up to the loss, with `taps` along the way.
    fn forward(
        &self,
        input: <Self as TrainStep>::Input,
        taps: &mut Taps,
    ) -> Forward<<Self as TrainStep>::Output>;

    /// A part of a batch, for training on shards; none for a model that does not cut its batches. Where the
    /// feed rendered [a part](crate::Feed::open_part) of it alone, `input` is that, and `shard` is a part of
    /// it.
    fn shard(
        &self,
        input: &<Self as TrainStep>::Input,
        shard: Shard,
    ) -> Option<<Self as TrainStep>::Input> {
        let _ = (input, shard);
        None
    }

    /// burn-train's output of a batch from those of its shards, in their order and of equal size; none
    /// for a model that does not cut its batches.
    fn join(
        &self,
        outputs: Vec<<Self as TrainStep>::Output>,
    ) -> Option<<Self as TrainStep>::Output> {
        let _ = outputs;
        None
    }

    /// burn-train's output for a shard with this mean loss `[1]` that another process computed; none for
    /// a model whose runs are not shared out among processes.
    fn output_of(&self, loss: Tensor<1>) -> Option<<Self as TrainStep>::Output> {
        let _ = loss;
        None
    }

    /// What the forward pass over a shard of the step's batch left in the model for the update after the
    /// step, beside gradients and running statistics of norms.
    fn left(&self, shard: Shard) -> Vec<Tensor<2>> {
        let _ = shard;
        Vec::new()
    }

    /// Leaves in the model what the forward pass over a shard [`left`](Self::left) in another process.
    fn leave(&self, shard: Shard, left: Vec<Tensor<2>>) {
        let _ = (shard, left);
    }

    /// Loss of each sample `[B]` and mean loss `[1]` of what a forward pass showed as
    /// [`Forward::compared`], for shards that compare their samples with all of the batch; none for a
    /// loss that compares nothing.
    fn compare(&self, compared: Tensor<2>) -> Option<(Tensor<1>, Tensor<1>)> {
        let _ = compared;
        None
    }

    /// Runs the encoder alone on `images` `[B, C, H, W]` → `[B, D]`; called in evaluation mode.
    fn encode(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2>;

    /// The linear layer from embeddings to scores of classes, where there is one.
    fn classifier(&self) -> Option<&Linear> {
        None
    }

    /// Scores of the classes `[B, classes]` for what [`encode`](Self::encode) gave, where the model
    /// has a classifier.
    fn logits(&self, embeddings: Tensor<2>) -> Option<Tensor<2>> {
        let _ = embeddings;
        None
    }

    /// The units that can be taken out together, with paths as those of [`sites`](Self::sites); none
    /// for a model that cannot be made smaller.
    fn groups(&self) -> Vec<Group> {
        Vec::new()
    }

    /// Multiplications by each value of every weight in a forward pass of one image with these sides
    /// (height, width), by path; none for a model that does not tell.
    fn positions(&self, sides: [usize; 2]) -> Vec<(String, u64)> {
        let _ = sides;
        Vec::new()
    }

    /// What the paths of each copy of the encoder begin with, for a model that holds several (a
    /// teacher, a reference); they lose the same units.
    const ENCODERS: &'static [&'static str] = &["encoder."];

    /// Whether a reference encoder is trained in lock step.
    fn has_reference(&self) -> bool {
        false
    }

    /// As [`encode`](Self::encode), by the reference encoder, where there is one.
    fn encode_reference(&self, images: Tensor<4>, taps: &mut Taps) -> Option<Tensor<2>> {
        let _ = (images, taps);
        None
    }
}
