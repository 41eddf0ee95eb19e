//! Training an encoder for an objective: both as one burn model.

use afterimage_hooks::{SampleId, Site};
use afterimage_model::compact::Group;
use afterimage_model::{AnyEncoder, Encoder, ProjectionHeadConfig, Taps};
use afterimage_ssl::{
    AnyObjective, Objective, ObjectiveBatch, ObjectiveConfig, ObjectiveOutput, RunFacts, Shard,
    mean_of,
};
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{Module, ParamGroup};
use burn::nn::Linear;
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::tensor::{Device, ExecutionError, Tensor};
use burn::train::metric::{Adaptor, LossInput};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};

use crate::error::TrainError;
use crate::hooked::{Forward, HookedModel, ReferenceLoss};

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

/// What the encoders of a model learn from in one step.
#[derive(Debug, Clone)]
pub struct SslBatch {
    /// The batch of the encoder under study.
    pub studied: ObjectiveBatch,
    /// The batch of its reference: the same, but for independent points in the places of candidates.
    pub reference: Option<ObjectiveBatch>,
}

/// An encoder under training, and what it is trained for.
#[derive(Module, Debug)]
pub struct SslModel {
    encoder: AnyEncoder,
    objective: AnyObjective,
    reference: Option<Reference>,
}

/// The reference encoder of a pair with its own objective.
#[derive(Module, Debug)]
struct Reference {
    encoder: AnyEncoder,
    objective: AnyObjective,
}

impl SslModel {
    /// `encoder` with an objective whose random parameters depend on the run's seed alone, and whose
    /// teachers start as the encoder. Without `projection` the objective's own default head is taken.
    ///
    /// # Errors
    /// A setting out of range.
    pub fn new(
        encoder: AnyEncoder,
        projection: Option<&ProjectionHeadConfig>,
        objective: &ObjectiveConfig,
        run: &RunFacts,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let objective = objective.init(projection, &encoder, run, device)?;
        Ok(Self {
            encoder,
            objective,
            reference: None,
        })
    }

    /// The same model with `twin` as its reference, trained in lock step: initialise both with the
    /// same arguments. A clone would share the running statistics of batch norms.
    pub fn with_reference(self, twin: Self) -> Self {
        let Self {
            encoder, objective, ..
        } = twin;
        Self {
            reference: Some(Reference { encoder, objective }),
            ..self
        }
    }

    /// The encoder alone.
    pub fn encoder(&self) -> &AnyEncoder {
        &self.encoder
    }

    /// What the encoder is trained for.
    pub fn objective(&self) -> &AnyObjective {
        &self.objective
    }

    /// The same model with the values at these paths of an encoder frozen, in the reference encoder
    /// as well: parameters without gradient, so that no optimizer moves them or keeps a state for
    /// them, and batch norms that use their running statistics and leave them as they are.
    pub fn freeze(self, paths: &[String]) -> Self {
        let flags = paths.iter().filter_map(|path| {
            let norm = path.strip_suffix(".gamma")?;
            Some(format!("{norm}.training"))
        });
        let paths: Vec<String> = paths.iter().cloned().chain(flags).collect();
        let references = paths.iter().map(|path| format!("reference.{path}"));
        let all: Vec<String> = paths.iter().cloned().chain(references).collect();
        self.freeze_group(ParamGroup::from_paths(all))
    }

    fn run(&self, batch: SslBatch, taps: &mut Taps) -> Forward<SslOutput> {
        let ObjectiveOutput {
            embeddings,
            per_sample,
            loss,
            logits,
            compared,
        } = self.objective.forward(&self.encoder, batch.studied, taps);
        let reference = self.reference.as_ref().zip(batch.reference);
        let reference = reference.map(|(Reference { encoder, objective }, batch)| {
            // The same units in both, so that a pair differs in its training points alone.
            let seen = objective.forward(encoder, batch, &mut taps.masks_alone());
            ReferenceLoss {
                loss: seen.loss,
                per_sample: Some(seen.per_sample),
                compared: seen.compared,
            }
        });
        let output = SslOutput {
            loss: loss.clone().without_autodiff(),
        };
        Forward {
            embeddings: Some(embeddings),
            per_sample: Some(per_sample),
            loss,
            logits,
            compared,
            reference,
            output,
        }
    }

    fn objectives(&self) -> impl Iterator<Item = &AnyObjective> {
        let reference = self.reference.iter();
        std::iter::once(&self.objective).chain(reference.map(|reference| &reference.objective))
    }

    /// The model after an optimizer step: the objective moves what no gradient moves.
    fn after_step(self) -> Self {
        let Self {
            encoder,
            objective,
            reference,
        } = self;
        let objective = objective.after_step(&encoder);
        let reference = reference.map(|Reference { encoder, objective }| {
            let objective = objective.after_step(&encoder);
            Reference { encoder, objective }
        });
        Self {
            encoder,
            objective,
            reference,
        }
    }
}

impl TrainStep for SslModel {
    type Input = SslBatch;
    type Output = SslOutput;

    fn step(&self, batch: SslBatch) -> TrainOutput<SslOutput> {
        let forward = self.run(batch, &mut Taps::none());
        let loss = match forward.reference {
            Some(reference) => forward.loss + reference.loss,
            None => forward.loss,
        };
        let mut gradients = loss.backward();
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
        batch.studied.ids.clone()
    }

    fn views(&self) -> usize {
        self.objective.views()
    }

    fn images<'i>(&self, batch: &'i mut SslBatch) -> Option<&'i mut Tensor<4>> {
        Some(&mut batch.studied.images)
    }

    fn forward(&self, batch: SslBatch, taps: &mut Taps) -> Forward<SslOutput> {
        self.run(batch, taps)
    }

    fn shard(&self, batch: &SslBatch, shard: Shard) -> Option<SslBatch> {
        let reference = batch.reference.as_ref();
        Some(SslBatch {
            studied: batch.studied.shard(shard),
            reference: reference.map(|batch| batch.shard(shard)),
        })
    }

    fn join(&self, outputs: Vec<SslOutput>) -> Option<SslOutput> {
        let losses = outputs.into_iter().map(|output| output.loss);
        Some(SslOutput {
            loss: mean_of(losses.collect()),
        })
    }

    fn output_of(&self, loss: Tensor<1>) -> Option<SslOutput> {
        Some(SslOutput { loss })
    }

    fn left(&self, shard: Shard) -> Vec<Tensor<2>> {
        let objectives = self.objectives();
        objectives
            .filter_map(|objective| objective.gathered(shard))
            .collect()
    }

    fn leave(&self, shard: Shard, left: Vec<Tensor<2>>) {
        // An encoder and its reference have the same objective: both leave something, or none does.
        for (objective, value) in self.objectives().zip(left) {
            objective.gather(shard, value);
        }
    }

    fn compare(&self, compared: Tensor<2>) -> Option<(Tensor<1>, Tensor<1>)> {
        self.objective.compare(compared)
    }

    fn encode(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        self.encoder.encode(images, taps)
    }

    fn classifier(&self) -> Option<&Linear> {
        match &self.objective {
            AnyObjective::Supervised(supervised) => Some(supervised.classifier()),
            _ => None,
        }
    }

    fn logits(&self, embeddings: Tensor<2>) -> Option<Tensor<2>> {
        self.objective.logits(embeddings)
    }

    fn groups(&self) -> Vec<Group> {
        self.encoder.groups()
    }

    fn positions(&self, sides: [usize; 2]) -> Vec<(String, u64)> {
        self.encoder.positions(sides)
    }

    const ENCODERS: &'static [&'static str] = &[
        "encoder.",
        "objective.teacher.",
        "reference.encoder.",
        "reference.objective.teacher.",
    ];

    fn has_reference(&self) -> bool {
        self.reference.is_some()
    }

    fn encode_reference(&self, images: Tensor<4>, taps: &mut Taps) -> Option<Tensor<2>> {
        let reference = self.reference.as_ref()?;
        Some(reference.encoder.encode(images, taps))
    }
}
