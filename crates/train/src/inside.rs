//! The inside of a step, as plugins see it: one batch, whether it is computed at once or by shards.

use std::collections::BTreeSet;

use afterimage_hooks::{
    Clock, Desk, ForwardDone, ForwardDoneCx, GradReady, GradReadyCx, Hooks, HostOutputs,
    HostReadings, LossReady, LossReadyCx, LossWrites, Readings, RunInfo, SampleId, Scope, TapMode,
    TapPlan, WantedOutputs,
};
use afterimage_model::Masks;
use afterimage_ssl::Shard;
use burn::module::{Module, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use crate::error::TrainError;
use crate::gradients::PathGradients;
use crate::processes::Group;

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
    /// Parts that the batch is cut into, above 0.
    pub(crate) shards: usize,
    /// What of the batch the input holds: all of it, or the shards of this process.
    pub(crate) part: Shard,
    /// Whether a loss that compares samples compares all of the batch, and not those of a shard.
    pub(crate) all_negatives: bool,
    pub(crate) device: &'s Device,
    /// The processes that share out the shards.
    pub(crate) group: &'s Group,
}

/// What a forward pass over the batch shows.
pub(crate) struct Shown {
    pub(crate) embeddings: Option<Tensor<2>>,
    pub(crate) per_sample: Option<Tensor<1>>,
    pub(crate) logits: Option<Tensor<2>>,
    pub(crate) readings: Readings,
}

/// What plugins asked for on the host at `ForwardDone`.
pub(crate) struct Wanted {
    readings: BTreeSet<(String, TapMode)>,
    outputs: WantedOutputs,
}

/// The losses of a step `[1]`.
pub(crate) struct Losses {
    pub(crate) own: Tensor<1>,
    pub(crate) reference: Option<Tensor<1>>,
}

impl Inside<'_> {
    /// The taps that are on in this step.
    pub(crate) fn taps(&self) -> TapPlan {
        self.hooks.taps(&self.clock, &self.run.sites)
    }

    /// The shards that this process computes.
    pub(crate) fn own_shards(&self) -> impl ExactSizeIterator<Item = Shard> + use<> {
        let of = self.shards;
        self.group.share(of).map(move |index| Shard { index, of })
    }

    pub(crate) fn forward_done(&mut self, shown: &Shown) -> Result<Wanted, TrainError> {
        let (mut readings, mut outputs) = (BTreeSet::new(), WantedOutputs::default());
        self.hooks.fire::<ForwardDone>(
            &self.clock,
            &mut ForwardDoneCx {
                scope: Scope::new(self.clock, self.run, self.desk),
                ids: self.ids,
                views: self.run.views,
                embeddings: shown.embeddings.as_ref(),
                logits: shown.logits.as_ref(),
                readings: &shown.readings,
                wanted: &mut readings,
                wanted_outputs: &mut outputs,
            },
        )?;
        Ok(Wanted { readings, outputs })
    }

    pub(crate) fn loss_ready(&mut self, shown: &Shown) -> Result<LossWrites, TrainError> {
        let mut writes = LossWrites::default();
        let scope = Scope::new(self.clock, self.run, self.desk);
        let per_sample = shown.per_sample.as_ref();
        self.hooks.fire::<LossReady>(
            &self.clock,
            &mut LossReadyCx::new(scope, self.ids, per_sample, &mut writes)
                .with_logits(shown.logits.as_ref()),
        )?;
        Ok(writes)
    }

    pub(crate) fn grad_ready<M: Module>(
        &mut self,
        model: &M,
        gradients: &mut GradientsParams,
        saliency: &Readings,
    ) -> Result<(), TrainError> {
        self.hooks.fire::<GradReady>(
            &self.clock,
            &mut GradReadyCx::new(
                Scope::new(self.clock, self.run, self.desk),
                self.ids,
                &mut PathGradients {
                    model,
                    gradients,
                    parameters: self.parameters,
                },
                saliency,
            ),
        )?;
        Ok(())
    }
}

impl Shown {
    /// Brings to the host what was asked for, at the one point of a step where it is waited for.
    pub(crate) fn hand_over<O>(
        self,
        wanted: Wanted,
        fetch_per_sample: bool,
        losses: Losses,
        gradients: GradientsParams,
        output: O,
    ) -> Result<Gradiented<O>, TrainError> {
        let per_sample_loss = match (self.per_sample, fetch_per_sample) {
            (Some(losses), true) => Some(host(losses)?),
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
                embeddings: on_host(wanted.outputs.embeddings, self.embeddings)?,
                logits: on_host(wanted.outputs.logits, self.logits)?,
            },
            gradients,
            output,
            loss: Some(scalar(losses.own)?),
            reference_loss: losses.reference.map(scalar).transpose()?,
            per_sample_loss,
            fetched: fetch(&self.readings, wanted.readings)?,
        })
    }
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

/// The values of a tensor on the host.
pub(crate) fn host(tensor: Tensor<1>) -> Result<Vec<f32>, TrainError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| TrainError::Record {
            what: "tensor",
            reason: error.to_string(),
        })
}
