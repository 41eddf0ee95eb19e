//! The plugin `dynamics`: what training itself says of each sample.

use afterimage_hooks::{
    Declare, EpochEnd, EpochEndCx, Every, Fault, ForwardDone, ForwardDoneCx, LossReady,
    LossReadyCx, Plugin, PluginState, RunEnd, RunEndCx, SampleHistory, Samples, Split, StepDone,
    StepDoneCx,
};
use serde::{Deserialize, Serialize};

use crate::dynamics::Observation;
use crate::plugin::dynamics_log::{DynamicsConfig, Log};
use crate::plugin::dynamics_report::{log_table, probabilities, publish};
use crate::plugin::in_run::{HeldOut, no_classifier, residuals, softmax};

/// Keeps loss and probability of every sample's label at each visit, and what follows from them.
///
/// With an objective of classes, on a host that shows labels: area under the margin, forgetting events, EL2N, confidence and
/// variability, mean margin, and, with `validation` held-out images, In-Run Data Shapley through the
/// last layer. With another objective: losses alone. None of it is out of bag: a model that has
/// memorized a wrong label scores it well.
///
/// It provides [`SampleHistory`]. Scalars and histograms `dynamics/…`, the tables
/// `dynamics/samples` (scores), `dynamics/log` (loss and probability, an epoch a file) and, at the
/// end, `dynamics/probabilities` (`sample_id`, `label`, `pred_prob_<class>`).
///
/// Sources: see [`Dynamics`](crate::Dynamics) and [`in_run_shapley`](crate::in_run_shapley).
#[derive(Debug)]
pub struct DynamicsProbe {
    config: DynamicsConfig,
    state: State,
}

/// What a checkpoint keeps.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    log: Option<Log>,
    held_out: Option<HeldOut>,
    published: Option<u64>,
}

impl DynamicsProbe {
    /// A probe that has seen nothing.
    pub fn new(config: DynamicsConfig) -> Self {
        Self {
            config,
            state: State::default(),
        }
    }

    fn ask_outputs(&mut self, cx: &mut ForwardDoneCx<'_>) -> Result<(), Fault> {
        cx.fetch_logits();
        if self.config.validation > 0 {
            cx.fetch_embeddings();
        }
        Ok(())
    }

    fn ask_losses(&mut self, cx: &mut LossReadyCx<'_>) -> Result<(), Fault> {
        cx.fetch_per_sample();
        Ok(())
    }

    fn step(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        let losses = cx.per_sample_loss.ok_or_else(|| {
            Fault::new("this objective has no loss of each sample; remove the plugin")
        })?;
        let samples = cx.scope.run().train_samples;
        let count = cx.samples.map_or(samples, |s| s.len(Split::Train));
        let log = self.state.log.get_or_insert_with(|| Log::new(count));
        if log.samples.len() != count || cx.ids.iter().any(|id| id.0 as usize >= count) {
            return Err(Fault::new(
                "the checkpoint holds the dynamics of other samples; start the run anew",
            ));
        }
        for (id, &loss) in cx.ids.iter().zip(losses) {
            log.loss(id.0 as usize, f64::from(loss));
        }
        match (&cx.outputs.logits, cx.samples) {
            (Some(logits), Some(samples)) => self.classes(cx, logits, samples),
            _ if self.config.validation > 0 => Err(no_classifier()),
            _ => Ok(()),
        }
    }

    /// What the classifier says of the batch, `logits` `[V·B, classes]`.
    fn classes(
        &mut self,
        cx: &StepDoneCx<'_>,
        logits: &[f32],
        samples: &dyn Samples,
    ) -> Result<(), Fault> {
        let access = cx.scope.label_access()?;
        let labels = samples.labels(Split::Train, &access)?;
        let rows = cx.ids.len() * cx.views;
        let classes = logits.len() / rows.max(1);
        let ids: Vec<usize> = (0..rows)
            .map(|at| cx.ids[at % cx.ids.len()].0 as usize)
            .collect();
        let label = |sample: usize| {
            let label = labels.of_samples.get(sample).map(|&label| label as usize);
            label.ok_or_else(|| Fault::new(format!("sample {sample} has no label")))
        };
        let Some(log) = &mut self.state.log else {
            return Ok(());
        };
        let mut of_rows = Vec::with_capacity(rows);
        for (&sample, row) in ids.iter().zip(logits.chunks_exact(classes)) {
            let label = label(sample)?;
            let seen = Observation::new(row, label)
                .map_err(|e| Fault::caused_by(format!("sample {sample}"), e))?;
            log.observe(sample, &seen);
            if self.config.probabilities {
                log.keep(sample, &softmax(row));
            }
            of_rows.push(label);
        }
        if self.config.validation == 0 {
            return Ok(());
        }
        let (Some(features), Some(rate)) = (&cx.outputs.embeddings, cx.learning_rate) else {
            return Err(no_classifier());
        };
        // The look was taken after the step before, at the parameters that this step moved.
        if let Some(held_out) = &self.state.held_out {
            let residuals = residuals(logits, classes, of_rows.into_iter());
            let values = held_out.values(features, &residuals, rows, rate / rows as f64)?;
            for (&sample, value) in ids.iter().zip(values) {
                log.samples[sample].shapley += value;
                log.samples[sample].shapley_steps += 1;
            }
        }
        let step = cx.scope.clock().step;
        if self.state.held_out.is_none() || step.is_multiple_of(self.config.validation_every) {
            let labels = samples.labels(Split::HeldOut, &access)?;
            let (seed, count) = (cx.scope.run().seed, self.config.validation);
            self.state.held_out = Some(HeldOut::look(cx.model, samples, labels, seed, count)?);
        }
        Ok(())
    }

    fn epoch(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let Some(log) = &mut self.state.log else {
            return Ok(());
        };
        let clock = cx.scope.clock();
        let ended = log.end_epoch(clock.epoch);
        if self.config.log {
            cx.scope.table("dynamics/log", log_table(&ended));
        }
        let mut history = cx
            .scope
            .resource::<SampleHistory>()?
            .cloned()
            .unwrap_or_default();
        history.step = clock.step;
        history.epochs.push(ended);
        let surplus = history.epochs.len().saturating_sub(self.config.history);
        history.epochs.drain(..surplus);
        cx.scope.provide(history)
    }

    fn publish(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        if let Some(log) = &self.state.log {
            publish(&mut cx.scope, log, cx.samples)?;
            self.state.published = Some(cx.scope.clock().step);
        }
        Ok(())
    }

    fn finish(&mut self, cx: &mut RunEndCx<'_>) -> Result<(), Fault> {
        let Some(log) = &self.state.log else {
            return Ok(());
        };
        // A run that was stopped in mid-epoch has not published its last steps.
        if self.state.published != Some(cx.scope.clock().step) {
            publish(&mut cx.scope, log, cx.samples)?;
        }
        probabilities(&mut cx.scope, log, cx.samples)
    }
}

impl Plugin for DynamicsProbe {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<ForwardDone>(Every::Always, Self::ask_outputs)
            .on::<LossReady>(Every::Always, Self::ask_losses)
            .on::<StepDone>(Every::Always, Self::step)
            .on::<EpochEnd>(Every::Always, Self::epoch)
            .on::<EpochEnd>(self.config.every, Self::publish)
            .on::<RunEnd>(Every::Always, Self::finish)
            .reads_labels()
            .provides::<SampleHistory>();
    }

    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(1, &self.state)
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.state = state.decode(1)?;
        Ok(())
    }
}
