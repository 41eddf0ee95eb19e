//! The context of each event: what a plugin reads there, and all that it may write.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Tensor;

use crate::fault::Fault;
use crate::gradients::Gradients;
use crate::manifest::Write;
use crate::model::ModelView;
use crate::outputs::{HostOutputs, WantedOutputs};
use crate::request::Request;
use crate::sample::{Plan, SampleId, Samples};
use crate::scope::Scope;
use crate::tap::{HostReadings, Readings, TapMode, TapSpec};

/// Context of [`RunStart`](crate::RunStart).
pub struct RunStartCx<'a> {
    /// Time, run, measurements, resources.
    pub scope: Scope<'a>,
    /// The model at its initial parameters.
    pub model: &'a dyn ModelView,
    /// Pictures and views, where the host has a data set.
    pub samples: Option<&'a dyn Samples>,
    /// Taps registered so far, each with the id of its plugin.
    pub taps: &'a mut Vec<(String, TapSpec)>,
}

impl RunStartCx<'_> {
    /// Adds a tap that depends on the run, to those of the calling plugin's manifest.
    pub fn register_tap(&mut self, spec: TapSpec) {
        self.taps.push((self.scope.caller_id().to_owned(), spec));
    }
}

/// Context of [`EpochStart`](crate::EpochStart).
pub struct EpochStartCx<'a> {
    /// Time, run, measurements, resources.
    pub scope: Scope<'a>,
    /// The samples of this epoch as planned so far.
    pub plan: &'a Plan,
}

impl EpochStartCx<'_> {
    /// Asks for another plan for this epoch.
    ///
    /// # Errors
    /// A request that the manifest does not declare.
    pub fn set_plan(&mut self, plan: Plan) -> Result<(), Fault> {
        self.scope.request(Request::SetPlan(plan))
    }
}

/// Context of [`BatchPlanned`](crate::BatchPlanned).
pub struct BatchPlannedCx<'a> {
    /// Time, run, measurements, resources.
    pub scope: Scope<'a>,
    pub(crate) batch: &'a mut Plan,
}

impl<'a> BatchPlannedCx<'a> {
    /// The context over the batch that is about to be rendered.
    pub fn new(scope: Scope<'a>, batch: &'a mut Plan) -> Self {
        Self { scope, batch }
    }

    /// The samples of the batch and their weights.
    pub fn batch(&self) -> &Plan {
        self.batch
    }

    /// Puts other samples or weights in place.
    ///
    /// # Errors
    /// A batch of another size, or a plugin that does not declare [`Write::Batch`].
    pub fn set_batch(&mut self, batch: Plan) -> Result<(), Fault> {
        self.scope.check_write(Write::Batch)?;
        if batch.ids().len() != self.batch.ids().len() {
            return Err(Fault::new(format!(
                "a batch keeps its size; got {} samples in place of {}",
                batch.ids().len(),
                self.batch.ids().len()
            )));
        }
        *self.batch = batch;
        Ok(())
    }
}

/// Context of [`BatchReady`](crate::BatchReady).
pub struct BatchReadyCx<'a> {
    /// Time, run, measurements, resources.
    pub scope: Scope<'a>,
    /// The samples of the batch.
    pub ids: &'a [SampleId],
    /// Pictures and views, where the host has a data set.
    pub samples: Option<&'a dyn Samples>,
    pub(crate) views: Option<&'a mut Tensor<4>>,
}

impl<'a> BatchReadyCx<'a> {
    /// The context over rendered views, where the host shows them.
    pub fn new(scope: Scope<'a>, ids: &'a [SampleId], views: Option<&'a mut Tensor<4>>) -> Self {
        Self {
            scope,
            ids,
            samples: None,
            views,
        }
    }

    /// The same context with the data set.
    pub fn with_samples(self, samples: Option<&'a dyn Samples>) -> Self {
        Self { samples, ..self }
    }

    /// The views `[V·B, C, H, W]`, view-major; `None` for a foreign model's own input type.
    pub fn views(&self) -> Option<&Tensor<4>> {
        self.views.as_deref()
    }

    /// Puts other views in place.
    ///
    /// # Errors
    /// Another shape, a host that does not show views, or a plugin that does not declare
    /// [`Write::Views`].
    pub fn set_views(&mut self, views: Tensor<4>) -> Result<(), Fault> {
        self.scope.check_write(Write::Views)?;
        match &mut self.views {
            Some(current) if current.dims() == views.dims() => {
                **current = views;
                Ok(())
            }
            Some(current) => Err(Fault::new(format!(
                "views keep their shape {:?}; got {:?}",
                current.dims(),
                views.dims()
            ))),
            None => Err(Fault::new("this model does not show its views to plugins")),
        }
    }
}

/// Context of [`ForwardDone`](crate::ForwardDone).
pub struct ForwardDoneCx<'a> {
    /// Time, run, measurements, resources.
    pub scope: Scope<'a>,
    /// The samples of the batch.
    pub ids: &'a [SampleId],
    /// Views a sample.
    pub views: usize,
    /// Encoder output `[V·B, D]`, where the model shows it; on the device.
    pub embeddings: Option<&'a Tensor<2>>,
    /// Scores of the classes `[V·B, classes]`, where the objective has any; on the device.
    pub logits: Option<&'a Tensor<2>>,
    /// Tap readings `[V·B, units]`, view-major; on the device.
    pub readings: &'a Readings,
    /// Readings asked for on the host.
    pub wanted: &'a mut BTreeSet<(String, TapMode)>,
    /// Outputs asked for on the host.
    pub wanted_outputs: &'a mut WantedOutputs,
}

impl ForwardDoneCx<'_> {
    /// Asks for every reading of `mode` on the host; they arrive at the same step's
    /// [`StepDone`](crate::StepDone), so that the device is waited for once a step.
    pub fn fetch(&mut self, mode: TapMode) {
        let sites = self
            .readings
            .of_mode(mode)
            .map(|(site, _)| (site.to_owned(), mode));
        self.wanted.extend(sites);
    }

    /// Asks for the encoder's output on the host, likewise.
    pub fn fetch_embeddings(&mut self) {
        self.wanted_outputs.embeddings = true;
    }

    /// Asks for the scores of the classes on the host, likewise.
    pub fn fetch_logits(&mut self) {
        self.wanted_outputs.logits = true;
    }
}

/// Context of [`LossReady`](crate::LossReady).
pub struct LossReadyCx<'a> {
    /// Time, run, measurements, resources.
    pub scope: Scope<'a>,
    /// The samples of the batch.
    pub ids: &'a [SampleId],
    /// Loss of each sample `[B]`, where the objective has one.
    pub per_sample: Option<&'a Tensor<1>>,
    /// Scores of the classes before softmax `[B, classes]`, where the objective has any; a term made
    /// of them has gradients.
    pub logits: Option<&'a Tensor<2>>,
    pub(crate) writes: &'a mut LossWrites,
}

/// What plugins add to the loss of a step.
#[derive(Debug, Default)]
pub struct LossWrites {
    /// Product of all weights written so far, `[B]`.
    pub weights: Option<Tensor<1>>,
    /// Extra terms `[1]` by name.
    pub terms: Vec<(String, Tensor<1>)>,
    /// Whether a plugin asked for the per-sample loss on the host.
    pub fetch_per_sample: bool,
}

impl<'a> LossReadyCx<'a> {
    /// The context over the loss of a step.
    pub fn new(
        scope: Scope<'a>,
        ids: &'a [SampleId],
        per_sample: Option<&'a Tensor<1>>,
        writes: &'a mut LossWrites,
    ) -> Self {
        Self {
            scope,
            ids,
            per_sample,
            logits: None,
            writes,
        }
    }

    /// The same context with the scores of the classes `[B, classes]`.
    pub fn with_logits(self, logits: Option<&'a Tensor<2>>) -> Self {
        Self { logits, ..self }
    }

    /// Multiplies the loss weights by `weights` `[B]`.
    ///
    /// # Errors
    /// An objective without per-sample loss, another length, or a plugin that does not declare
    /// [`Write::LossWeights`].
    pub fn scale_loss(&mut self, weights: Tensor<1>) -> Result<(), Fault> {
        self.scope.check_write(Write::LossWeights)?;
        let per_sample = self.per_sample.ok_or_else(|| {
            Fault::new("this objective has no per-sample loss, so samples cannot be weighted")
        })?;
        if per_sample.dims() != weights.dims() {
            return Err(Fault::new(format!(
                "loss weights need one number a sample ({:?}); got {:?}",
                per_sample.dims(),
                weights.dims()
            )));
        }
        self.writes.weights = Some(match self.writes.weights.take() {
            Some(before) => before * weights,
            None => weights,
        });
        Ok(())
    }

    /// Adds a term `[1]` to the loss.
    ///
    /// # Errors
    /// A plugin that does not declare [`Write::LossTerms`].
    pub fn add_term(&mut self, name: impl Into<String>, term: Tensor<1>) -> Result<(), Fault> {
        self.scope.check_write(Write::LossTerms)?;
        self.writes.terms.push((name.into(), term));
        Ok(())
    }

    /// Asks for the per-sample loss on the host at the same step's [`StepDone`](crate::StepDone).
    pub fn fetch_per_sample(&mut self) {
        self.writes.fetch_per_sample = true;
    }
}

/// Context of [`GradReady`](crate::GradReady).
pub struct GradReadyCx<'a> {
    /// Time, run, measurements, resources.
    pub scope: Scope<'a>,
    /// The samples of the batch.
    pub ids: &'a [SampleId],
    pub(crate) gradients: &'a mut dyn Gradients,
    /// Saliency `[V·B, units]` at gated sites: Σ over positions of activation times gradient.
    pub saliency: &'a Readings,
}

impl<'a> GradReadyCx<'a> {
    /// The context over the gradients of a step.
    pub fn new(
        scope: Scope<'a>,
        ids: &'a [SampleId],
        gradients: &'a mut dyn Gradients,
        saliency: &'a Readings,
    ) -> Self {
        Self {
            scope,
            ids,
            gradients,
            saliency,
        }
    }

    /// Gradients by parameter path, to read.
    pub fn gradients(&self) -> &dyn Gradients {
        self.gradients
    }

    /// Gradients by parameter path, to write.
    ///
    /// # Errors
    /// A plugin that does not declare [`Write::Gradients`].
    pub fn gradients_mut(&mut self) -> Result<&mut dyn Gradients, Fault> {
        self.scope.check_write(Write::Gradients)?;
        Ok(self.gradients)
    }
}

macro_rules! requests {
    ($cx:ident) => {
        impl $cx<'_> {
            /// Asks for units of a site to be held at zero from now on.
            ///
            /// # Errors
            /// A request that the manifest does not declare.
            pub fn mask(
                &mut self,
                site: impl Into<String>,
                units: Vec<usize>,
            ) -> Result<(), Fault> {
                self.scope.request(Request::Mask {
                    site: site.into(),
                    units,
                })
            }

            /// Asks for a smaller model without the masked units.
            ///
            /// # Errors
            /// A request that the manifest does not declare.
            pub fn compact(&mut self) -> Result<(), Fault> {
                self.scope.request(Request::Compact)
            }

            /// Asks that parameters whose path matches are trained no more.
            ///
            /// # Errors
            /// A request that the manifest does not declare.
            pub fn freeze(&mut self, pattern: impl Into<String>) -> Result<(), Fault> {
                self.scope.request(Request::Freeze {
                    pattern: pattern.into(),
                })
            }

            /// Asks for the end of the run.
            ///
            /// # Errors
            /// A request that the manifest does not declare.
            pub fn stop(&mut self, reason: impl Into<String>) -> Result<(), Fault> {
                self.scope.request(Request::Stop {
                    reason: reason.into(),
                })
            }
        }
    };
}

/// Context of [`StepDone`](crate::StepDone).
pub struct StepDoneCx<'a> {
    /// Time, run, measurements, resources.
    pub scope: Scope<'a>,
    /// The samples of the batch.
    pub ids: &'a [SampleId],
    /// Views a sample.
    pub views: usize,
    /// Loss of the step, where the model shows it.
    pub loss: Option<f64>,
    /// Loss of each sample, if a plugin asked for it at `LossReady`.
    pub per_sample_loss: Option<&'a [f32]>,
    /// Readings that plugins asked for at `ForwardDone`.
    pub fetched: &'a HostReadings,
    /// Outputs that plugins asked for at `ForwardDone`.
    pub outputs: &'a HostOutputs,
    /// Learning rate of the step, where the host tells it.
    pub learning_rate: Option<f64>,
    /// The updated model.
    pub model: &'a dyn ModelView,
    /// Pictures and views, where the host has a data set.
    pub samples: Option<&'a dyn Samples>,
}

/// Context of [`EvalDone`](crate::EvalDone).
pub struct EvalDoneCx<'a> {
    /// Time, run, measurements, resources.
    pub scope: Scope<'a>,
    /// Figures by name, for example `knn`.
    pub evaluation: &'a BTreeMap<String, f64>,
    /// The model.
    pub model: &'a dyn ModelView,
    /// Pictures and views, where the host has a data set.
    pub samples: Option<&'a dyn Samples>,
}

/// Context of [`EpochEnd`](crate::EpochEnd).
pub struct EpochEndCx<'a> {
    /// Time, run, measurements, resources.
    pub scope: Scope<'a>,
    /// Mean loss of the epoch, where the model shows it.
    pub loss: Option<f64>,
    /// The model.
    pub model: &'a dyn ModelView,
    /// Pictures and views, where the host has a data set.
    pub samples: Option<&'a dyn Samples>,
}

requests!(StepDoneCx);
requests!(EvalDoneCx);
requests!(EpochEndCx);

macro_rules! evaluations {
    ($cx:ident) => {
        impl $cx<'_> {
            /// Asks for an evaluation.
            ///
            /// # Errors
            /// A request that the manifest does not declare.
            pub fn evaluate(&mut self) -> Result<(), Fault> {
                self.scope.request(Request::Evaluate)
            }
        }
    };
}

// Not at `EvalDone`, where the evaluation that was just done would ask for itself for ever.
evaluations!(StepDoneCx);
evaluations!(EpochEndCx);

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done.
    Completed,
    /// Stopped early, on purpose, with the reason.
    Stopped(String),
    /// The loss became NaN or infinite.
    Diverged,
    /// Ended by an error.
    Failed(String),
    /// Interrupted by a signal, after a checkpoint.
    Interrupted(String),
}

/// Context of [`RunEnd`](crate::RunEnd).
pub struct RunEndCx<'a> {
    /// Time, run, measurements, resources.
    pub scope: Scope<'a>,
    /// How the run ended.
    pub outcome: &'a Outcome,
    /// The model.
    pub model: &'a dyn ModelView,
    /// Pictures and views, where the host has a data set.
    pub samples: Option<&'a dyn Samples>,
}
