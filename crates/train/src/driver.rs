//! One training step up to the gradients, for models that show the inside of it and for others.

use afterimage_hooks::{
    Classifier, Fault, HostOutputs, HostReadings, LossWrites, Observation, SampleId, Site,
    Structure, TapPlan,
};
use afterimage_model::compact::{Group, structure};
use afterimage_model::{Masks, ParameterInfo, Taps};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::train::{LearnerModel, TrainStep};

use crate::error::TrainError;
use crate::hooked::{HookedModel, ReferenceLoss};
use crate::inside::{Gradiented, Inside, Losses, Shown, host};
use crate::loss::weigh;
use crate::shards;

/// Which encoder of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The one that is trained for its own sake.
    Studied,
    /// Its reference, trained in lock step without the candidates.
    Reference,
}

/// How the loop drives one kind of model.
pub(crate) trait Driver<M> {
    /// Whether forward, loss and gradients are visible to plugins.
    fn is_open(&self) -> bool;

    /// Sites of the model.
    fn sites(&self, model: &M) -> Vec<Site>;

    /// Views a sample.
    fn views(&self, model: &M) -> usize;

    /// Ids of the samples of a batch, where the model knows them.
    fn ids(&self, model: &M, input: &<M as TrainStep>::Input) -> Vec<SampleId>
    where
        M: TrainStep;

    /// The views of a batch, where the model shows them.
    fn images<'i>(
        &self,
        model: &M,
        input: &'i mut <M as TrainStep>::Input,
    ) -> Option<&'i mut Tensor<4>>
    where
        M: TrainStep;

    /// Forward and backward, with the events inside.
    fn step(
        &self,
        model: &M,
        input: <M as TrainStep>::Input,
        inside: &mut Inside<'_>,
    ) -> Result<Gradiented<<M as TrainStep>::Output>, TrainError>
    where
        M: TrainStep;

    /// The layer from embeddings to scores of classes, where the model has one.
    fn classifier(&self, model: &M) -> Result<Option<Classifier>, Fault>;

    /// Whether the model trains a reference encoder in lock step.
    fn has_reference(&self, model: &M) -> bool;

    /// The units that can be taken out together.
    fn groups(&self, model: &M) -> Vec<Group>;

    /// How the units hang together, and what they cost for images with these sides.
    fn structure(&self, model: &M, sides: Option<[usize; 2]>) -> Structure;

    /// The path in the encoder, as sites have it, of a path of the model that lies in it or in one of
    /// its copies.
    fn in_encoder(&self, path: &str) -> Option<String>;

    /// A forward pass of an encoder in evaluation mode.
    fn observe(
        &self,
        evaluation: &M,
        who: Who,
        images: Tensor<4>,
        taps: &TapPlan,
        masks: &Masks,
    ) -> Result<Observation, Fault>;

    /// The embeddings `[B, D]` of the encoder alone, in evaluation mode: without the heads, which know the width that
    /// it had when they were made.
    fn embed(&self, evaluation: &M, images: Tensor<4>, masks: &Masks) -> Result<Tensor<2>, Fault>;
}

/// What a model without taps says to who asks for a forward pass.
const NO_TAPS: &str = "this model was attached without taps; implement `HookedModel` for it and attach it with \
                       `Afterimage::open`";

/// Drives a model with burn's own `TrainStep` alone.
pub(crate) struct Opaque;

impl<M: LearnerModel> Driver<M> for Opaque {
    fn is_open(&self) -> bool {
        false
    }

    fn sites(&self, _model: &M) -> Vec<Site> {
        Vec::new()
    }

    fn views(&self, _model: &M) -> usize {
        1
    }

    fn ids(&self, _model: &M, _input: &<M as TrainStep>::Input) -> Vec<SampleId> {
        Vec::new()
    }

    fn images<'i>(
        &self,
        _model: &M,
        _input: &'i mut <M as TrainStep>::Input,
    ) -> Option<&'i mut Tensor<4>> {
        None
    }

    fn step(
        &self,
        model: &M,
        input: <M as TrainStep>::Input,
        inside: &mut Inside<'_>,
    ) -> Result<Gradiented<<M as TrainStep>::Output>, TrainError> {
        if inside.weights.is_some() {
            return Err(TrainError::Attach(
                "the plan has sample weights, but this model has burn's `TrainStep` alone; \
                 implement `HookedModel` for it"
                    .to_owned(),
            ));
        }
        let out = TrainStep::step(model, input);
        Ok(Gradiented {
            gradients: out.grads,
            output: out.item,
            loss: None,
            reference_loss: None,
            per_sample_loss: None,
            fetched: HostReadings::default(),
            outputs: HostOutputs::default(),
        })
    }

    fn classifier(&self, _model: &M) -> Result<Option<Classifier>, Fault> {
        Ok(None)
    }

    fn has_reference(&self, _model: &M) -> bool {
        false
    }

    fn groups(&self, _model: &M) -> Vec<Group> {
        Vec::new()
    }

    fn structure(&self, _model: &M, _sides: Option<[usize; 2]>) -> Structure {
        Structure::default()
    }

    fn in_encoder(&self, _path: &str) -> Option<String> {
        None
    }

    fn observe(
        &self,
        _evaluation: &M,
        _who: Who,
        _images: Tensor<4>,
        _taps: &TapPlan,
        _masks: &Masks,
    ) -> Result<Observation, Fault> {
        Err(Fault::new(NO_TAPS))
    }

    fn embed(&self, _: &M, _: Tensor<4>, _: &Masks) -> Result<Tensor<2>, Fault> {
        Err(Fault::new(NO_TAPS))
    }
}

/// Drives a model that shows the inside of its step.
pub(crate) struct Open;

impl<M: HookedModel> Driver<M> for Open {
    fn is_open(&self) -> bool {
        true
    }

    fn sites(&self, model: &M) -> Vec<Site> {
        HookedModel::sites(model)
    }

    fn views(&self, model: &M) -> usize {
        HookedModel::views(model)
    }

    fn ids(&self, model: &M, input: &<M as TrainStep>::Input) -> Vec<SampleId> {
        model.sample_ids(input)
    }

    fn images<'i>(
        &self,
        model: &M,
        input: &'i mut <M as TrainStep>::Input,
    ) -> Option<&'i mut Tensor<4>> {
        HookedModel::images(model, input)
    }

    fn step(
        &self,
        model: &M,
        input: <M as TrainStep>::Input,
        inside: &mut Inside<'_>,
    ) -> Result<Gradiented<<M as TrainStep>::Output>, TrainError> {
        if inside.shards > 1 {
            return shards::step(model, &input, inside);
        }
        let mut taps = Taps::new(&inside.taps()).with_masks(inside.masks);
        let forward = model.forward(input, &mut taps);
        let shown = Shown {
            embeddings: forward.embeddings,
            per_sample: forward.per_sample,
            logits: forward.logits,
            readings: taps.readings(),
        };
        let wanted = inside.forward_done(&shown)?;
        let writes = inside.loss_ready(&shown)?;
        let per_sample = shown.per_sample.as_ref();
        let loss = weigh(forward.loss, per_sample, inside.weights, &writes)?;

        // The two encoders share no parameter, so that a sum gives each its own gradient, to the bit.
        let (joint, reference) = match forward.reference {
            None => (loss.clone(), None),
            Some(ReferenceLoss {
                loss: mean,
                per_sample,
                ..
            }) => {
                let none = LossWrites {
                    weights: writes.weights.clone(),
                    ..LossWrites::default()
                };
                let theirs = weigh(mean, per_sample.as_ref(), inside.weights, &none)?;
                (loss.clone() + theirs.clone(), Some(theirs))
            }
        };
        let mut raw = joint.backward();
        let saliency = taps.saliency(&raw);
        let mut gradients = GradientsParams::from_module(&mut raw, model);
        inside.grad_ready(model, &mut gradients, &saliency)?;
        shown.hand_over(
            wanted,
            writes.fetch_per_sample,
            Losses {
                own: loss,
                reference,
            },
            gradients,
            forward.output,
        )
    }

    fn classifier(&self, model: &M) -> Result<Option<Classifier>, Fault> {
        let Some(layer) = HookedModel::classifier(model) else {
            return Ok(None);
        };
        let fault = |error: TrainError| Fault::new(error.to_string());
        // burn keeps the weight as [width, classes].
        let weight = layer.weight.val().without_autodiff().transpose();
        let [classes, width] = weight.dims();
        let weight = host(weight.reshape([classes * width])).map_err(fault)?;
        let bias = match &layer.bias {
            Some(bias) => host(bias.val().without_autodiff()).map_err(fault)?,
            None => vec![0.0; classes],
        };
        Ok(Some(Classifier { weight, bias }))
    }

    fn has_reference(&self, model: &M) -> bool {
        HookedModel::has_reference(model)
    }

    fn groups(&self, model: &M) -> Vec<Group> {
        HookedModel::groups(model)
    }

    fn structure(&self, model: &M, sides: Option<[usize; 2]>) -> Structure {
        let positions = sides.map(|sides| model.positions(sides));
        let parameters: Vec<ParameterInfo> = afterimage_model::parameters(model);
        structure(&model.groups(), &parameters, &positions.unwrap_or_default())
    }

    fn in_encoder(&self, path: &str) -> Option<String> {
        let rest = M::ENCODERS
            .iter()
            .find_map(|place| path.strip_prefix(place))?;
        Some(format!("encoder.{rest}"))
    }

    fn observe(
        &self,
        evaluation: &M,
        who: Who,
        images: Tensor<4>,
        taps: &TapPlan,
        masks: &Masks,
    ) -> Result<Observation, Fault> {
        let mut taps = Taps::new(taps).with_masks(masks);
        let (embeddings, logits) = match who {
            Who::Studied => {
                let embeddings = evaluation.encode(images, &mut taps);
                let logits = evaluation.logits(embeddings.clone());
                (embeddings, logits)
            }
            Who::Reference => {
                let embeddings = evaluation
                    .encode_reference(images, &mut taps)
                    .ok_or_else(|| Fault::new("this model trains no reference encoder"))?;
                (embeddings, None)
            }
        };
        Ok(Observation {
            embeddings,
            logits,
            readings: taps.readings(),
        })
    }

    fn embed(&self, evaluation: &M, images: Tensor<4>, masks: &Masks) -> Result<Tensor<2>, Fault> {
        Ok(evaluation.encode(images, &mut Taps::none().with_masks(masks)))
    }
}

/// Parameters of a model for [`RunInfo`].
pub(crate) fn parameters<M: Module>(model: &M) -> Vec<afterimage_hooks::Parameter> {
    crate::canonical::parameter_ids(model)
        .into_iter()
        .map(|(path, _, shape)| afterimage_hooks::Parameter { path, shape })
        .collect()
}
