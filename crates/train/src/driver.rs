//! One training step up to the gradients, for models that show the inside of it and for others.

use std::collections::BTreeSet;

use afterimage_hooks::{
    Classifier, Clock, Desk, Fault, ForwardDone, ForwardDoneCx, GradReady, GradReadyCx, Hooks,
    HostOutputs, HostReadings, LossReady, LossReadyCx, LossWrites, Observation, Readings, RunInfo,
    SampleId, Scope, Site, Structure, TapMode, TapPlan, WantedOutputs,
};
use afterimage_model::compact::{Group, structure};
use afterimage_model::{Masks, ParameterInfo, Taps};
use burn::module::{Module, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::train::{LearnerModel, TrainStep};

use crate::error::TrainError;
use crate::gradients::PathGradients;
use crate::hooked::{HookedModel, ReferenceLoss};

/// What a step hands to the loop before the update.
pub(crate) struct Gradiented<O> {
    pub(crate) gradients: GradientsParams,
    pub(crate) output: O,
    pub(crate) loss: Option<f64>,
    /// Loss of the reference encoder, where there is one.
    pub(crate) reference_loss: Option<f64>,
    pub(crate) per_sample_loss: Option<Vec<f32>>,
    pub(crate) fetched: HostReadings,
    pub(crate) outputs: HostOutputs,
}

/// Everything that the events inside a step need.
pub(crate) struct Inside<'s> {
    pub(crate) hooks: &'s mut Hooks,
    pub(crate) desk: &'s mut Desk,
    pub(crate) run: &'s RunInfo,
    pub(crate) clock: Clock,
    pub(crate) ids: &'s [SampleId],
    /// Loss weights of the plan, or `None` if all are 1.
    pub(crate) weights: Option<&'s [f32]>,
    pub(crate) masks: &'s Masks,
    pub(crate) parameters: &'s [(String, ParamId, Vec<usize>)],
}

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
}

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
        Err(Fault::new(
            "this model was attached without taps; implement `HookedModel` for it and attach it \
             with `Afterimage::open`",
        ))
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
        let clock = inside.clock;
        let plan = inside.hooks.taps(&clock, &inside.run.sites);
        let mut taps = Taps::new(&plan).with_masks(inside.masks);
        let forward = model.forward(input, &mut taps);
        let readings = taps.readings();

        let (mut wanted, mut wanted_outputs) = (BTreeSet::new(), WantedOutputs::default());
        inside.hooks.fire::<ForwardDone>(
            &clock,
            &mut ForwardDoneCx {
                scope: Scope::new(clock, inside.run, inside.desk),
                ids: inside.ids,
                views: inside.run.views,
                embeddings: forward.embeddings.as_ref(),
                logits: forward.logits.as_ref(),
                readings: &readings,
                wanted: &mut wanted,
                wanted_outputs: &mut wanted_outputs,
            },
        )?;

        let mut writes = LossWrites::default();
        inside.hooks.fire::<LossReady>(
            &clock,
            &mut LossReadyCx::new(
                Scope::new(clock, inside.run, inside.desk),
                inside.ids,
                forward.per_sample.as_ref(),
                &mut writes,
            )
            .with_logits(forward.logits.as_ref()),
        )?;
        let loss = weigh(
            forward.loss,
            forward.per_sample.as_ref(),
            inside.weights,
            &writes,
        )?;

        // The two encoders share no parameter, so that a sum gives each its own gradient, to the bit.
        let (joint, reference) = match forward.reference {
            None => (loss.clone(), None),
            Some(ReferenceLoss {
                loss: mean,
                per_sample,
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
        inside.hooks.fire::<GradReady>(
            &clock,
            &mut GradReadyCx::new(
                Scope::new(clock, inside.run, inside.desk),
                inside.ids,
                &mut PathGradients {
                    model,
                    gradients: &mut gradients,
                    parameters: inside.parameters,
                },
                &saliency,
            ),
        )?;

        let per_sample_loss = match (&forward.per_sample, writes.fetch_per_sample) {
            (Some(losses), true) => Some(host(losses.clone())?),
            _ => None,
        };
        let on_host = |asked: bool, shown: Option<Tensor<2>>| match shown {
            Some(rows) if asked => {
                let elements = rows.shape().num_elements();
                host(rows.reshape([elements])).map(Some)
            }
            _ => Ok(None),
        };
        Ok(Gradiented {
            outputs: HostOutputs {
                embeddings: on_host(wanted_outputs.embeddings, forward.embeddings)?,
                logits: on_host(wanted_outputs.logits, forward.logits)?,
            },
            gradients,
            output: forward.output,
            loss: Some(scalar(loss)?),
            reference_loss: reference.map(scalar).transpose()?,
            per_sample_loss,
            fetched: fetch(&readings, wanted)?,
        })
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
}

/// The loss with the plan's weights, plugins' weights and extra terms. Without any of them it is
/// the objective's own mean, to the bit.
fn weigh(
    mean: Tensor<1>,
    per_sample: Option<&Tensor<1>>,
    plan: Option<&[f32]>,
    writes: &LossWrites,
) -> Result<Tensor<1>, TrainError> {
    let plan = match (plan, per_sample) {
        (None, _) => None,
        (Some(weights), Some(losses)) => Some(Tensor::<1>::from_floats(weights, &losses.device())),
        (Some(_), None) => {
            return Err(TrainError::Attach(
                "the plan has sample weights, but this model has no per-sample loss; \
                 return `per_sample` from its forward"
                    .to_owned(),
            ));
        }
    };
    let weights = match (plan, writes.weights.clone()) {
        (Some(plan), Some(written)) => Some(plan * written),
        (plan, written) => plan.or(written),
    };
    let mut loss = match (weights, per_sample) {
        (Some(weights), Some(losses)) => (losses.clone() * weights).mean(),
        _ => mean,
    };
    for (_, term) in &writes.terms {
        loss = loss + term.clone();
    }
    Ok(loss)
}

fn fetch(
    readings: &Readings,
    wanted: BTreeSet<(String, TapMode)>,
) -> Result<HostReadings, TrainError> {
    let mut fetched = HostReadings::default();
    for (site, mode) in wanted {
        if let Some(reading) = readings.get(&site, mode) {
            let elements = reading.shape().num_elements();
            fetched.insert(site, mode, host(reading.clone().reshape([elements]))?);
        }
    }
    Ok(fetched)
}

fn scalar(tensor: Tensor<1>) -> Result<f64, TrainError> {
    Ok(host(tensor)?.first().copied().map_or(f64::NAN, f64::from))
}

pub(crate) fn host(tensor: Tensor<1>) -> Result<Vec<f32>, TrainError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| TrainError::Record {
            what: "tensor",
            reason: error.to_string(),
        })
}

/// Parameters of a model for [`RunInfo`].
pub(crate) fn parameters<M: Module>(model: &M) -> Vec<afterimage_hooks::Parameter> {
    crate::canonical::parameter_ids(model)
        .into_iter()
        .map(|(path, _, shape)| afterimage_hooks::Parameter { path, shape })
        .collect()
}
