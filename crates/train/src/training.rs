//! The loop: epochs, steps and every event in them, top to bottom.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Instant;

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{
    BatchPlanned, BatchPlannedCx, BatchReady, BatchReadyCx, Clock, Desk, EpochEnd, EpochEndCx,
    EpochStart, EpochStartCx, EvalDone, EvalDoneCx, Hooks, Outcome, Plan, RunEnd, RunEndCx,
    RunInfo, RunStart, RunStartCx, SampleId, Scope, StepDone, StepDoneCx,
};
use afterimage_ssl::{Negatives, Shard};
use afterimage_track::{Book, Sinks};
use burn::module::ParamId;
use burn::tensor::Device;
use burn::train::{Learner, LearnerEvent, LearnerModel, TrainStep, TrainingItem};

use crate::attach::Parts;
use crate::checkpoint::{LoopState, Shape};
use crate::error::TrainError;
use crate::feed::{Batches, batches, default_plan};
use crate::inside::Inside;
use crate::live::LiveModel;
use crate::records::Records;
use crate::stopwatch::Stopwatch;
use crate::strategy::Burn;

/// A run under way.
pub(crate) struct Training<M: LearnerModel> {
    pub(crate) parts: Parts<M>,
    pub(crate) records: Option<Records>,
    pub(crate) burn: Burn<M>,
    pub(crate) learner: Learner<M>,
    pub(crate) device: Device,
    pub(crate) hooks: Hooks,
    pub(crate) desk: Desk,
    pub(crate) sinks: Sinks,
    pub(crate) run: RunInfo,
    pub(crate) state: LoopState,
    pub(crate) parameters: Vec<(String, ParamId, Vec<usize>)>,
    /// How the model differs from the one that the run began with.
    pub(crate) shape: Shape,
    /// Learning rate of the last step.
    pub(crate) rate: f64,
    /// An evaluation that a plugin asked for.
    pub(crate) evaluate: bool,
    /// Why the run is to end after this step.
    pub(crate) stop: Option<Outcome>,
    pub(crate) began: Instant,
    /// The times of the epoch under way.
    pub(crate) stopwatch: Stopwatch,
    pub(crate) first_step: u64,
    pub(crate) warned: Vec<String>,
    /// A checkpoint of the epoch that ended waits for the next one to start.
    pub(crate) save_due: bool,
    /// The model before the step under way, apart from the training model: a forward pass already
    /// changes the running statistics of batch norms.
    pub(crate) before: Option<M>,
    /// What is on record at the last checkpoint.
    pub(crate) book: Book,
}

/// A scope for the next event; a macro, because it borrows fields apart from the hooks.
macro_rules! scope {
    ($self:ident) => {
        Scope::new($self.state.clock, &$self.run, &mut $self.desk)
    };
}

/// The model as plugins see it, borrowed apart from the hooks.
macro_rules! live {
    ($self:ident) => {
        &LiveModel::new(
            $self.parts.driver.as_ref(),
            &$self.run.sites,
            &$self.state.masks,
            $self.learner.model(),
            $self.parts.sides,
            &$self.parts.group,
        )
    };
}

impl<M: LearnerModel> Training<M> {
    /// The whole run; burn's learner and processor come back whatever happens.
    pub(crate) fn run(mut self) -> (Learner<M>, Burn<M>, Result<Outcome, TrainError>) {
        let outcome = self
            .start()
            .and_then(|()| self.epochs())
            .and_then(|()| self.end());
        let outcome = outcome.map_err(|error| self.fail(error));
        let failed = |error: &TrainError| Outcome::Failed(error.to_string());
        self.close(&outcome.as_ref().map_or_else(failed, Outcome::clone));
        (self.learner, self.burn, outcome)
    }

    fn epochs(&mut self) -> Result<(), TrainError> {
        if self.state.clock.step == 0 {
            let clock = self.state.clock;
            let mut taps = Vec::new();
            if !self.run.config.is_empty() {
                let text = afterimage_track::code_block(&self.run.config);
                scope!(self).text("config", text);
                scope!(self).text("glossary", afterimage_track::glossary());
            }
            self.hooks.fire::<RunStart>(
                &clock,
                &mut RunStartCx {
                    scope: scope!(self),
                    model: live!(self),
                    samples: self.parts.samples.as_deref(),
                    taps: &mut taps,
                },
            )?;
            self.hooks.register_taps(taps);
            self.commit()?;
            self.evaluate(false)?;
        }
        while self.stop.is_none() && !self.state.finished {
            if self.state.plan.is_none() {
                if self.state.clock.epoch >= self.state.clock.epochs {
                    break;
                }
                self.epoch_start()?;
                // Only now, so that what was recorded at the start of the epoch is in the
                // checkpoint and not recorded again by a resumed run.
                if std::mem::take(&mut self.save_due) {
                    self.save()?;
                }
            }
            self.epoch()?;
        }
        Ok(())
    }

    fn epoch_start(&mut self) -> Result<(), TrainError> {
        self.state.clock.epoch += 1;
        let clock = &mut self.state.clock;
        clock.epoch_began = clock.epoch_began.map(|_| clock.step);
        self.state.batches_done = 0;
        self.state.loss_sum = 0.0;
        let clock = self.state.clock;
        let Parts { seed, members, .. } = &self.parts;
        let plan = match &self.parts.doses {
            Some(doses) => Plan::uniform(doses.order(*seed, clock.epoch, members)),
            None => default_plan(*seed, clock.epoch, members),
        };
        self.state.plan = Some(plan.clone());
        self.hooks.fire::<EpochStart>(
            &clock,
            &mut EpochStartCx {
                scope: scope!(self),
                plan: &plan,
            },
        )?;
        self.commit()?;
        self.count_steps();
        Ok(())
    }

    /// One epoch, or what is left of it after a resume.
    fn epoch(&mut self) -> Result<(), TrainError> {
        let epoch = self.state.clock.epoch;
        self.stopwatch = Stopwatch::start(self.plugin_times());
        self.burn.tell(LearnerEvent::StartSplit {
            epoch_number: epoch as usize,
            total_items: self.samples_in_epoch(),
        });
        match self.parts.feed.take() {
            Some(feed) => {
                let plan = self
                    .state
                    .plan
                    .clone()
                    .unwrap_or_else(|| Plan::uniform(Vec::new()));
                let planned = batches(&plan, self.parts.batch_size)?;
                let left = planned.get(self.state.batches_done..).unwrap_or_default();
                let ids = planned.iter().map(|batch| batch.ids().to_vec()).collect();
                let opened = self.opened(feed.as_ref(), ids);
                self.parts.feed = Some(feed);
                let (part, mut rendered) = opened?;
                self.planned_steps(left, part, rendered.as_mut())?;
            }
            None => self.loaded_steps()?,
        }
        self.burn.tell(LearnerEvent::EndSplit(epoch as usize));
        if self.stop.is_some() && self.state.plan.is_some() && !self.epoch_is_done() {
            return Ok(());
        }
        self.epoch_end()
    }

    /// Steps over batches that the loop planned, of each of which `part` is rendered.
    fn planned_steps(
        &mut self,
        left: &[Plan],
        part: Shard,
        rendered: &mut dyn Batches<<M as TrainStep>::Input>,
    ) -> Result<(), TrainError> {
        for planned in left {
            self.state.clock.step += 1;
            let clock = self.state.clock;
            let mut batch = planned.clone();
            self.hooks
                .fire::<BatchPlanned>(&clock, &mut BatchPlannedCx::new(scope!(self), &mut batch))?;
            let input = rendered.next(&batch)?;
            let weights = batch
                .weights()
                .iter()
                .any(|&w| w != 1.0)
                .then(|| batch.weights());
            self.step((input, part), batch.ids(), weights)?;
            if self.should_leave() {
                break;
            }
        }
        Ok(())
    }

    /// Steps over batches of burn's loader, which shuffles by itself.
    fn loaded_steps(&mut self) -> Result<(), TrainError> {
        let loader = self.burn.train.clone();
        let mut loaded = loader.iter();
        for _ in 0..self.state.batches_done {
            loaded.next();
        }
        for input in loaded.by_ref() {
            let input = input.map_err(|error| TrainError::Burn(error.to_string()))?;
            self.state.clock.step += 1;
            let ids = self.parts.driver.ids(&self.learner.model(), &input);
            self.step((input, Shard::WHOLE), &ids, None)?;
            if self.should_leave() {
                break;
            }
        }
        Ok(())
    }

    /// One optimizer step over the batch of `ids`, of which the input holds a part.
    fn step(
        &mut self,
        (mut input, part): (<M as TrainStep>::Input, Shard),
        ids: &[SampleId],
        weights: Option<&[f32]>,
    ) -> Result<(), TrainError> {
        let clock = self.state.clock;
        let model = self.learner.model();
        let images = match part {
            Shard::WHOLE => self.parts.driver.images(&model, &mut input),
            // Nobody is there to see them.
            _ => None,
        };
        self.hooks.fire::<BatchReady>(
            &clock,
            &mut BatchReadyCx::new(scope!(self), ids, images)
                .with_samples(self.parts.samples.as_deref()),
        )?;

        self.device.seed(
            RandomKey::new(self.parts.seed, Stream::Device)
                .step(clock.step)
                .bits(),
        );
        self.before = Some(model.valid());
        let stepped = self.parts.driver.step(
            &model,
            input,
            &mut Inside {
                hooks: &mut self.hooks,
                desk: &mut self.desk,
                run: &self.run,
                clock,
                ids,
                weights,
                masks: &self.state.masks,
                parameters: &self.parameters,
                shards: self.parts.shards.count,
                part,
                all_negatives: self.parts.shards.negatives == Negatives::All,
                device: &self.device,
                group: &self.parts.group,
            },
        )?;
        drop(model);
        let losses = [stepped.loss, stepped.reference_loss];
        if losses.iter().flatten().any(|loss| !loss.is_finite()) {
            return self.diverge();
        }
        self.before = None;
        for _ in 0..self.schedule_steps(self.state.batches_done) {
            self.learner.lr_step();
        }
        self.rate = self.learner.lr_current().base();
        self.learner.optimizer_step(stepped.gradients);

        self.state.batches_done += 1;
        self.state.loss_sum += stepped.loss.unwrap_or(f64::NAN);
        self.burn
            .tell(LearnerEvent::ProcessedItem(TrainingItem::new(
                stepped.output,
                self.burn_progress(),
                Some(self.state.batches_done),
                Some(self.learner.lr_current()),
            )));
        let mut scope = scope!(self);
        scope.scalar("lr", self.rate);
        for (tag, loss) in [
            ("loss/step", stepped.loss),
            ("loss/reference", stepped.reference_loss),
        ] {
            loss.into_iter().for_each(|loss| scope.scalar(tag, loss));
        }
        self.hooks.fire::<StepDone>(
            &clock,
            &mut StepDoneCx {
                scope,
                ids,
                views: self.run.views,
                loss: stepped.loss,
                per_sample_loss: stepped.per_sample_loss.as_deref(),
                fetched: &stepped.fetched,
                outputs: &stepped.outputs,
                learning_rate: Some(self.learner.lr_current().base()),
                model: live!(self),
                samples: self.parts.samples.as_deref(),
            },
        )?;
        let images = self.parts.batch_size * self.run.views;
        if let Some(progress) = &mut self.parts.progress {
            progress.step(&clock, stepped.loss, images);
        }
        self.commit()?;
        self.stopwatch.step(images);
        if std::mem::take(&mut self.evaluate) {
            self.evaluate(false)?;
        }
        self.watch()
    }

    fn epoch_end(&mut self) -> Result<(), TrainError> {
        let clock = self.state.clock;
        let done = self.state.batches_done.max(1) as f64;
        let loss = Some(self.state.loss_sum / done).filter(|loss| loss.is_finite());
        // burn-train's own validation may use the model on other threads; it changes nothing.
        self.burn
            .validate(&self.learner.model(), clock.epoch as usize);
        loss.into_iter()
            .for_each(|loss| scope!(self).scalar("loss/train", loss));
        if self.evaluation_is_due(&clock) {
            self.evaluate(self.is_last_epoch())?;
        }
        self.hooks.fire::<EpochEnd>(
            &clock,
            &mut EpochEndCx {
                scope: scope!(self),
                loss,
                model: live!(self),
                samples: self.parts.samples.as_deref(),
            },
        )?;
        self.commit()?;
        if std::mem::take(&mut self.evaluate) {
            self.evaluate(self.is_last_epoch())?;
        }
        self.state.plan = None;
        self.state.batches_done = 0;
        self.after_epoch(loss)
    }

    /// Runs the evaluation and tells everybody.
    fn evaluate(&mut self, last: bool) -> Result<(), TrainError> {
        let Some(evaluation) = &self.parts.evaluation else {
            return Ok(());
        };
        let clock = self.state.clock;
        let figures: BTreeMap<String, f64> = evaluation
            .evaluator
            .evaluate(live!(self), &clock, last)
            .map_err(TrainError::Evaluation)?;
        if let Some(&figure) = figures.get(&evaluation.best)
            && clock.step > 0
            && self.state.best.is_none_or(|(best, _)| figure > best)
        {
            self.state.best = Some((figure, clock.step));
        }
        let mut scope = scope!(self);
        figures
            .iter()
            .for_each(|(name, figure)| scope.scalar(format!("eval/{name}"), *figure));
        self.hooks.fire::<EvalDone>(
            &clock,
            &mut EvalDoneCx {
                scope,
                evaluation: &figures,
                model: live!(self),
                samples: self.parts.samples.as_deref(),
            },
        )?;
        self.commit()
    }

    fn end(&mut self) -> Result<Outcome, TrainError> {
        let outcome = self.stop.take().unwrap_or(Outcome::Completed);
        if matches!(outcome, Outcome::Diverged | Outcome::Interrupted(_)) || self.state.finished {
            return Ok(outcome);
        }
        let clock = self.state.clock;
        self.hooks.fire::<RunEnd>(
            &clock,
            &mut RunEndCx {
                scope: scope!(self),
                outcome: &outcome,
                model: live!(self),
                samples: self.parts.samples.as_deref(),
            },
        )?;
        self.commit()?;
        self.state.finished = true;
        self.save()?;
        Ok(outcome)
    }

    /// Whether the steps of this epoch are to be left early.
    fn should_leave(&self) -> bool {
        self.stop.is_some() || self.burn.components.interrupter.should_stop()
    }

    /// Looks for signals and burn-train's interrupter after a step.
    fn watch(&mut self) -> Result<(), TrainError> {
        let signal = self.agreed_signal()?;
        if signal != 0 && self.stop.is_none() {
            self.stop = Some(Outcome::Interrupted(signal.to_string()));
        }
        let interrupter = &self.burn.components.interrupter;
        if let Some(error) = interrupter.error() {
            return Err(TrainError::Burn(error.to_string()));
        }
        if let Some(interruption) = interrupter.interruption() {
            let reason = interruption
                .reason
                .unwrap_or_else(|| "interrupted".to_owned());
            self.stop.get_or_insert(Outcome::Stopped(reason));
        }
        // Between the last step of an epoch and its end no checkpoint is written, so that a
        // resumed run never repeats half of an epoch's end.
        if matches!(self.stop, Some(Outcome::Interrupted(_))) && !self.epoch_is_done() {
            self.save()?;
        }
        Ok(())
    }

    /// The number of a signal that any process received, 0 for none.
    fn agreed_signal(&self) -> Result<usize, TrainError> {
        let own = self.parts.signal.load(Ordering::Relaxed);
        let group = &self.parts.group;
        if group.is_alone() {
            return Ok(own);
        }
        let purpose = format!("the end of step {}", self.state.clock.step);
        let told = [u8::try_from(own).unwrap_or(u8::MAX)];
        let all = group.exchange(&purpose, &told)?;
        Ok(all.into_iter().flatten().max().map_or(0, usize::from))
    }

    fn diverge(&mut self) -> Result<(), TrainError> {
        self.state.clock.step -= 1;
        tracing::error!(
            "the loss is not finite in step {}; stopping with the last good step",
            self.state.clock.step + 1
        );
        self.save()?;
        self.stop = Some(Outcome::Diverged);
        Ok(())
    }

    fn evaluation_is_due(&self, clock: &Clock) -> bool {
        self.parts
            .evaluation
            .as_ref()
            .is_some_and(|e| clock.epoch.is_multiple_of(e.every) || self.is_last_epoch())
    }
}
