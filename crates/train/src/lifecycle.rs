//! What surrounds the loop: setting out, the end of an epoch, and closing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use afterimage_hooks::{Clock, Desk, EventKind, Hooks, Host, Outcome, RequestKind, RunInfo};
use afterimage_track::{Book, EpochLine, Sinks};
use burn::data::dataloader::Progress;
use burn::tensor::Device;
use burn::train::{EventProcessorTraining, Learner, LearnerEvent, LearnerModel};

use crate::attach::Parts;
use crate::canonical::parameter_ids;
use crate::checkpoint::{LoopState, Shape};
use crate::driver::parameters;
use crate::error::TrainError;
use crate::records::Records;
use crate::stopwatch::Stopwatch;
use crate::strategy::Burn;
use crate::training::Training;

impl<M: LearnerModel> Training<M> {
    pub(crate) fn new(
        parts: Parts<M>,
        records: Option<Records>,
        burn: Burn<M>,
        learner: Learner<M>,
        device: Device,
    ) -> Self {
        let model = learner.model();
        let items = if parts.feed.is_some() {
            parts.members.len()
        } else {
            burn.train.num_items()
        };
        let per_epoch = match parts.feed {
            Some(_) => parts.planned() / parts.batch_size,
            None => items.div_ceil(parts.batch_size),
        };
        let epochs = burn.components.epochs;
        let clock = Clock {
            epoch: 0,
            step: 0,
            epochs,
            steps: per_epoch as u64 * u64::from(epochs),
            epoch_began: None,
        };
        let run = RunInfo {
            seed: parts.seed,
            config: parts.config.clone(),
            sites: parts.driver.sites(&model),
            parameters: parameters(&model),
            batch_size: parts.batch_size,
            views: parts.driver.views(&model),
            train_samples: items,
            held_out_samples: parts.held_out_samples,
            pair: parts.pair.clone(),
            doses: parts.doses.clone(),
        };
        let masks = parts.masks.clone();
        Self {
            parameters: parameter_ids(&model),
            shape: Shape {
                groups: parts.kept.clone(),
                frozen: Vec::new(),
            },
            rate: 0.0,
            parts,
            records,
            burn,
            learner,
            device,
            hooks: Hooks::default(),
            desk: Desk::default(),
            sinks: Sinks::new(),
            run,
            state: LoopState {
                clock,
                batches_done: 0,
                plan: None,
                loss_sum: 0.0,
                masks,
                latest: BTreeMap::new(),
                best: None,
                finished: false,
            },
            evaluate: false,
            stop: None,
            began: Instant::now(),
            stopwatch: Stopwatch::start(BTreeMap::new()),
            first_step: 0,
            warned: Vec::new(),
            save_due: false,
            before: None,
            book: Book::default(),
        }
    }

    /// What this host offers to plugins.
    fn host(&self) -> Host {
        let mut missing_events = BTreeMap::new();
        if !self.parts.driver.is_open() {
            let why = "it has burn's `TrainStep` alone; implement `HookedModel` for it and attach \
                       it with `Afterimage::open`";
            for event in [
                EventKind::ForwardDone,
                EventKind::LossReady,
                EventKind::GradReady,
            ] {
                missing_events.insert(event, why.to_owned());
            }
        }
        let mut requests =
            BTreeSet::from([RequestKind::Stop, RequestKind::Evaluate, RequestKind::Mask]);
        if self.parts.feed.is_some() {
            requests.insert(RequestKind::SetPlan);
        } else {
            let why = "batches come from a loader of burn, which plans them itself; give the loop \
                       a feed with `Afterimage::feed`";
            missing_events.insert(EventKind::BatchPlanned, why.to_owned());
        }
        if self.run.sites.is_empty() {
            requests.remove(&RequestKind::Mask);
        }
        if self.parts.rebuild.is_some() && self.parts.saving.is_some() {
            requests.insert(RequestKind::Freeze);
            if !self.parts.driver.groups(&self.learner.model()).is_empty() {
                requests.insert(RequestKind::Compact);
            }
        }
        if self.parts.evaluation.is_none() {
            requests.remove(&RequestKind::Evaluate);
        }
        Host {
            missing_events,
            requests,
            sites: self.run.sites.clone(),
            reference: self.parts.driver.has_reference(&self.learner.model()),
        }
    }

    /// Orders the plugins, opens the sinks and takes a checkpoint back.
    pub(crate) fn start(&mut self) -> Result<(), TrainError> {
        self.parts.check_shards()?;
        let plugins = std::mem::take(&mut self.parts.plugins);
        self.hooks = Hooks::new(plugins, &self.host(), &mut self.desk.resources)
            .map_err(TrainError::Plugins)?;
        self.warn_of_cadences();
        if let Some(saving) = &self.parts.saving
            && self.parts.group.is_first()
        {
            saving.checkpoints.prepare()?;
        }
        let resume = self.resume()?;
        if resume.is_none() && !self.state.masks.is_empty() {
            self.state.masks.check(&self.run.sites)?;
            self.clear_pruned()?;
        }
        let open = std::mem::replace(&mut self.parts.sinks, Box::new(|_| Sinks::new()));
        self.sinks = open(resume);
        self.truncate_decisions(resume)?;
        if let (Some(run), true) = (self.run_folder(), self.book != Book::default()) {
            self.book.go_on(&run);
        }
        self.first_step = self.state.clock.step;
        if let Some(progress) = &mut self.parts.progress {
            progress.start(&self.state.clock);
        }
        self.began = Instant::now();
        Ok(())
    }

    /// A plugin whose time never comes would leave out its figures without a word.
    fn warn_of_cadences(&self) {
        let clock = &self.state.clock;
        for manifest in self.hooks.manifests() {
            for (event, every) in &manifest.events {
                if !every.comes_within(clock) {
                    tracing::warn!(
                        "plugin {:?} acts on {event} every {every}, which does not come once training \
                         began: the run has {} epochs and {} steps; give it a shorter `every`",
                        manifest.id,
                        clock.epochs,
                        clock.steps
                    );
                }
            }
        }
    }

    /// Costs, progress, checkpoint and early stopping after an epoch.
    pub(crate) fn after_epoch(&mut self, loss: Option<f64>) -> Result<(), TrainError> {
        let clock = self.state.clock;
        self.report_costs(&clock);
        let latest = self.desk.recorder.latest();
        let headline: Vec<(&str, f64)> = latest
            .iter()
            .filter_map(|(tag, (step, value))| {
                let name = tag.strip_prefix("eval/")?;
                (*step == clock.step).then_some((name, *value))
            })
            .collect();
        if let Some(progress) = &mut self.parts.progress {
            let learning_rate = self.rate;
            let loss = loss.unwrap_or(f64::NAN);
            progress.epoch(
                &clock,
                &EpochLine {
                    loss,
                    learning_rate,
                    headline: &headline,
                },
            );
        }
        self.commit()?;
        self.burn.tell(LearnerEvent::EndEpoch(clock.epoch as usize));
        let components = &mut self.burn.components;
        if let Some(early_stopping) = &mut components.early_stopping {
            let flushed = components.processor.flush();
            components.interrupter.fail_on_error(flushed);
            if early_stopping.should_stop(clock.epoch as usize, &components.store) {
                self.stop
                    .get_or_insert(Outcome::Stopped("burn's early stopping".to_owned()));
            }
        }
        let due = self
            .parts
            .saving
            .as_ref()
            .is_some_and(|saving| clock.epoch.is_multiple_of(saving.every_epochs));
        let interrupted = matches!(self.stop, Some(Outcome::Interrupted(_)));
        if let (None, Some(checkpointer)) = (&self.parts.saving, &mut components.checkpointer) {
            // The program's own checkpoints of burn, which the loop takes no part in.
            checkpointer.checkpoint(&self.learner, clock.epoch as usize, &components.store);
        }
        // The last epoch's checkpoint is written at the end of the run, with everything in it.
        self.save_due = due && !self.is_last_epoch() && !interrupted;
        if interrupted {
            self.save()?;
        }
        Ok(())
    }

    /// Time of each plugin in this process so far.
    pub(crate) fn plugin_times(&self) -> BTreeMap<String, Duration> {
        let all = self.hooks.costs().by_plugin().into_iter();
        all.map(|(plugin, time)| (plugin.to_owned(), time))
            .collect()
    }

    fn report_costs(&mut self, clock: &Clock) {
        let elapsed = self.began.elapsed();
        // Of the probe before training there is one, however long the run; of a plugin that is off
        // there is none any more.
        let before: BTreeMap<String, Duration> = self
            .hooks
            .costs()
            .iter()
            .filter(|(_, event, _)| *event == EventKind::RunStart)
            .map(|(plugin, _, cost)| (plugin.to_owned(), cost.time))
            .collect();
        let training = elapsed.saturating_sub(before.values().sum());
        let off: Vec<String> = self
            .hooks
            .disabled()
            .into_iter()
            .map(str::to_owned)
            .collect();
        let totals = self.plugin_times();
        for (tag, value) in self.stopwatch.figures(&totals) {
            let value = afterimage_hooks::Measurement::Scalar(value);
            self.desk.recorder.record("loop", clock, tag, value);
        }
        for (plugin, time) in totals {
            let share = time.as_secs_f64() / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
            self.desk.recorder.record(
                "loop",
                clock,
                format!("time/overhead/{plugin}"),
                afterimage_hooks::Measurement::Scalar(share),
            );
            let own = time.saturating_sub(before.get(&plugin).copied().unwrap_or_default());
            let share = own.as_secs_f64() / training.as_secs_f64().max(f64::MIN_POSITIVE);
            if share > self.parts.overhead_warn
                && !self.warned.contains(&plugin)
                && !off.contains(&plugin)
            {
                tracing::warn!(
                    "plugin {plugin:?} takes {:.0} % of the training's time (limit {:.0} %, \
                     `overhead.warn`); give it a longer cadence or fewer points",
                    share * 100.0,
                    self.parts.overhead_warn * 100.0
                );
                self.warned.push(plugin);
            }
        }
    }

    /// After an error: keeps the last good step if the model still is at one.
    pub(crate) fn fail(&mut self, error: TrainError) -> TrainError {
        if let TrainError::Stopped(stop) = &error {
            // Inside a step the parameters are still those of the step before.
            if stop.event.in_step() && stop.event != EventKind::StepDone {
                self.state.clock.step = self.state.clock.step.saturating_sub(1);
            }
            let mid_epoch = self.state.plan.is_some() && !self.epoch_is_done();
            if mid_epoch && let Err(second) = self.save() {
                tracing::error!("the last good step could not be kept: {second}");
            }
        }
        error
    }

    /// Closes the sinks of a run that ended as `outcome` says, and fills in the report.
    pub(crate) fn close(&mut self, outcome: &Outcome) {
        for decision in self.hooks.drain_faults() {
            if let Err(error) = self.log_decisions(&[decision]) {
                tracing::error!("{error}");
            }
        }
        let records = self.desk.recorder.drain();
        self.sinks.write_all(&records);
        self.sinks.close(outcome);
        if let Some(progress) = &mut self.parts.progress {
            progress.finish();
        }
        let mut report = self.parts.report.borrow_mut();
        report.disabled_plugins = self
            .hooks
            .disabled()
            .iter()
            .map(|id| (*id).to_owned())
            .collect();
        report.disabled_sinks = self
            .sinks
            .disabled()
            .iter()
            .map(|d| format!("{}: {}", d.sink, d.reason))
            .collect();
        report.scalars = self
            .desk
            .recorder
            .latest()
            .iter()
            .map(|(tag, (_, v))| (tag.clone(), *v))
            .collect();
        report.measured = self
            .desk
            .recorder
            .latest()
            .iter()
            .map(|(tag, (step, _))| (tag.clone(), *step))
            .collect();
        report.costs = self
            .hooks
            .costs()
            .iter()
            .map(|(plugin, event, cost)| {
                (
                    plugin.to_owned(),
                    event.to_string(),
                    cost.calls,
                    cost.time.as_secs_f64(),
                )
            })
            .collect();
        report.seconds = self.began.elapsed().as_secs_f64();
        report.steps = self.state.clock.step - self.first_step;
    }

    /// Whether no epoch follows: an interrupted run goes on later, a stopped one does not.
    pub(crate) fn is_last_epoch(&self) -> bool {
        self.state.clock.epoch >= self.state.clock.epochs
            || matches!(self.stop, Some(Outcome::Stopped(_)))
    }

    /// Whether all batches of the epoch under way are done.
    pub(crate) fn epoch_is_done(&self) -> bool {
        let samples = self.samples_in_epoch();
        let batches = match self.parts.feed {
            Some(_) => samples / self.parts.batch_size,
            // burn's loaders hand out a last batch that is not full.
            None => samples.div_ceil(self.parts.batch_size),
        };
        self.state.batches_done >= batches
    }

    pub(crate) fn samples_in_epoch(&self) -> usize {
        match &self.state.plan {
            Some(plan) if self.parts.feed.is_some() => plan.ids().len(),
            _ if self.parts.feed.is_some() => self.parts.planned(),
            _ => self.run.train_samples,
        }
    }

    pub(crate) fn burn_progress(&self) -> Progress {
        let total = self.samples_in_epoch();
        let done = (self.state.batches_done * self.parts.batch_size).min(total);
        Progress::new(done, total, None)
    }
}
