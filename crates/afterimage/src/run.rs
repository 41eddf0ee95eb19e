//! A run from its config to its report.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use afterimage_data::{SampleStore, ViewSource};
use afterimage_hooks::{Outcome, PairSets, Split};
use afterimage_model::Encoder as _;
use afterimage_ssl::StepScheduler;
use afterimage_track::{Mode, Progress, Report as HtmlReport, Sinks, unitmem_layout};
use afterimage_train::{
    Afterimage, Ahead, Checkpoints, Judge, LockStep, NoLoader, RunReport, SslModel, TrainError,
    ViewFeed,
};
use burn::train::metric::LossMetric;
use burn::train::renderer::MetricsRenderer;
use burn::train::{Interrupter, Learner, SupervisedTraining};
use serde_json::{Value, json};

use crate::config::Loaded;
use crate::dry_run::default_directory;
use crate::error::RunError;
use crate::experiment::{Experiment, Renderer};
use crate::prepared::Prepared;
use crate::registry::Registry;
use crate::run_dir::{Manifest, RunDir};
use crate::start::keep_layers;
use crate::summary::{Measured, Untrained, summary};

/// How a run is started, apart from its config.
pub struct Options {
    /// The run directory; `runs/<name>/<seed>-<hash>` unless told.
    pub out: Option<PathBuf>,
    /// Where progress lines and the log go (standard error, in a program).
    pub progress: Box<dyn Fn() -> Box<dyn io::Write + Send>>,
    /// The number of a signal that asks for a checkpoint and the end.
    pub signal: Arc<AtomicUsize>,
    /// Show no progress, whatever the config says.
    pub quiet: bool,
    /// Called once the run directory stands.
    pub started: Box<dyn FnOnce(&RunDir)>,
}

/// A run that ended, well or not.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// The run directory.
    pub run: RunDir,
    /// What to tell the user.
    pub summary: String,
    /// The last value of every scalar.
    pub scalars: BTreeMap<String, f64>,
    /// The step of every scalar that was measured before the last step on record.
    pub earlier: BTreeMap<String, u64>,
    /// Plugins that failed and were switched off.
    pub disabled_plugins: Vec<String>,
    /// The error that ended it.
    pub error: Option<TrainError>,
    /// Steps done in this process.
    pub steps: u64,
    /// Seconds in the loop in this process.
    pub seconds: f64,
}

impl Finished {
    /// The exit code of the command line: 0 done, 1 failed, 2 config, 3 done with a plugin
    /// disabled, 4 diverged, 128 + signal after a checkpoint on a signal.
    pub fn exit_code(&self) -> u8 {
        match &self.outcome {
            Outcome::Completed | Outcome::Stopped(_) if self.disabled_plugins.is_empty() => 0,
            Outcome::Completed | Outcome::Stopped(_) => 3,
            Outcome::Diverged => 4,
            Outcome::Interrupted(signal) => {
                signal.parse::<u8>().map_or(130, |n| n.saturating_add(128))
            }
            Outcome::Failed(_) if matches!(self.error, Some(TrainError::Plugins(_))) => 2,
            Outcome::Failed(_) => 1,
        }
    }

    /// The result as one JSON object: what `--json` prints, and what `result.json` holds.
    pub fn result(&self) -> Value {
        json!({
            "run": self.run.path().display().to_string(),
            "exit_code": self.exit_code(),
            "outcome": format!("{:?}", self.outcome),
            "disabled_plugins": self.disabled_plugins,
            "steps": self.steps,
            "seconds": self.seconds,
            "metrics": self.scalars,
            "earlier": self.earlier,
        })
    }
}

/// Runs the experiment in `loaded`, with plugins of `registry`.
///
/// # Errors
/// Anything that keeps the run from starting. A run that started and failed is [`Finished`].
pub fn run(
    registry: &Registry,
    loaded: &Loaded<Experiment>,
    options: Options,
) -> Result<Finished, RunError> {
    let path = options
        .out
        .clone()
        .unwrap_or_else(|| default_directory(loaded));
    let prepared = Prepared::new(registry, loaded, None)?;
    for note in &prepared.notes {
        tracing::warn!("{note}");
    }
    let directory = RunDir::create(path)?;
    if let Some(layers) = &prepared.trained {
        keep_layers(directory.path(), layers)?;
    }
    directory.write_config(&loaded.resolved)?;
    prepared.launch(loaded, directory, options, false)
}

/// Goes on with the run in `path` from its last checkpoint; a run that was stopped before its first
/// checkpoint starts again.
///
/// # Errors
/// As for [`run`]; and a directory that holds no run, or one that is complete.
pub fn resume(registry: &Registry, path: &Path, options: Options) -> Result<Finished, RunError> {
    let directory = RunDir::open(path)?;
    let loaded = registry.load(&directory.config(), &[])?;
    let checkpoints = Checkpoints::new(directory.checkpoints(), 1, loaded.resolved.clone());
    let resume = match checkpoints.last() {
        Ok(last) => {
            if afterimage_train::read_state(&last)?.finished {
                return Err(RunError::Complete {
                    path: path.to_owned(),
                });
            }
            true
        }
        Err(TrainError::NoCheckpoint { .. }) => {
            afterimage_track::files::discard(directory.path())?;
            if directory.decisions().exists() {
                let decisions = directory.decisions();
                fs::remove_file(&decisions).map_err(RunError::io(&decisions, "remove"))?;
            }
            false
        }
        Err(error) => return Err(error.into()),
    };
    let resumed = resume.then(|| directory.path().to_owned());
    let prepared = Prepared::new(registry, &loaded, resumed.as_deref())?;
    prepared.launch(&loaded, directory, options, resume)
}

/// Goes on with the run of `loaded` if its directory holds it, and starts it if the directory is not
/// there or empty: the same call, however often the run was cut off. `Err` holds the result of a run
/// that is complete.
///
/// # Errors
/// As for [`run`] and [`resume`]; and a directory with a run of another config.
pub fn run_or_resume(
    registry: &Registry,
    loaded: &Loaded<Experiment>,
    options: Options,
) -> Result<Result<Finished, Value>, RunError> {
    let path = options
        .out
        .clone()
        .unwrap_or_else(|| default_directory(loaded));
    let Ok(directory) = RunDir::open(&path) else {
        return run(registry, loaded, options).map(Ok);
    };
    let config = directory.config();
    let text = fs::read_to_string(&config).map_err(RunError::io(&config, "read"))?;
    if text != loaded.resolved {
        return Err(RunError::OtherConfig { path });
    }
    match resume(registry, &path, options) {
        Err(RunError::Complete { .. }) => complete(&directory, loaded).map(Err),
        finished => finished.map(Ok),
    }
}

/// The result of a run that is complete; one that was killed between its last checkpoint and its
/// result gets it now.
fn complete(directory: &RunDir, loaded: &Loaded<Experiment>) -> Result<Value, RunError> {
    let there = fs::read(directory.result()).ok();
    if let Some(result) = there.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(result);
    }
    let checkpoints = Checkpoints::new(directory.checkpoints(), 1, loaded.resolved.clone());
    let last = checkpoints.last()?;
    let state = afterimage_train::read_state(&last)?;
    let steps = state.latest.iter().map(|(tag, (step, _))| (tag, *step));
    let earlier = earlier(steps);
    let scalars = state
        .latest
        .into_iter()
        .map(|(tag, (_, value))| (tag, value));
    let result = Finished {
        outcome: Outcome::Completed,
        run: directory.clone(),
        summary: String::new(),
        scalars: scalars.collect(),
        earlier,
        disabled_plugins: afterimage_train::read_disabled(&last)?,
        error: None,
        steps: 0,
        seconds: 0.0,
    }
    .result();
    directory.write_result(&result)?;
    Ok(result)
}

impl Prepared {
    fn launch(
        self,
        loaded: &Loaded<Experiment>,
        directory: RunDir,
        options: Options,
        resume: bool,
    ) -> Result<Finished, RunError> {
        let Self {
            device,
            data,
            views,
            local,
            plain,
            schedule,
            pair,
            plugins,
            plugin_ids,
            model,
            kept,
            masks,
            trained: _,
            notes: _,
        } = self;
        let experiment = &loaded.value;
        let data_digest = data.digest();
        let manifest = |outcome: &str| {
            directory.write_manifest(&Manifest {
                config_digest: &loaded.digest,
                device: &experiment.device,
                data_digest: &data_digest,
                plugins: &plugin_ids,
                outcome,
                probe: None,
            })
        };
        directory.remove_result()?;
        manifest("running")?;
        (options.started)(&directory);

        let training_device = device.clone().autodiff();
        let ahead = Ahead {
            depth: experiment.loader.depth,
            threads: experiment.loader.threads,
        };
        let views_a_sample = experiment.objective.views();
        // A feed of the training images, or of those that the reference encoder sees in their place.
        let feed = |sets: Option<&Arc<PairSets>>| {
            let shown = |source: ViewSource| {
                Arc::new(match sets {
                    Some(sets) => source.for_reference(Arc::clone(sets)),
                    None => source,
                })
            };
            let source = ViewSource::new(Arc::clone(&data), Split::Train, views.clone());
            let device = training_device.clone();
            let mut feed = ViewFeed::new(shown(source), views_a_sample, ahead, device);
            if let Some((local, count)) = &local {
                let source = ViewSource::new(Arc::clone(&data), Split::Train, local.clone())
                    .starting_at(views_a_sample as u32);
                feed = feed.with_local(shown(source), *count);
            }
            if experiment.objective.needs_labels() {
                feed = feed.with_labels();
            }
            feed
        };
        let feed = LockStep::new(feed(None), pair.as_ref().map(|sets| feed(Some(sets))));
        let sides = [views.shape().height, views.shape().width];
        let store = SampleStore::new(Arc::clone(&data), views, device.clone());
        let sites = model.encoder().sites();
        let site_list = sites.clone();
        let run_path = directory.path().to_owned();
        let (optimizer, again) = (experiment.optimizer.clone(), schedule);
        let mut afterimage = Afterimage::<SslModel>::open(experiment.batch_size)
            .seed(experiment.seed)
            .config(loaded.resolved.clone())
            .feed(Box::new(feed), data.train.len(), data.held_out.len())
            .samples(Arc::new(store))
            .image_sides(sides)
            .without_units(kept, masks)
            .rebuild(move |model| Learner::new(model, optimizer.init(), StepScheduler::from(again)))
            .sinks(move |resume_step| open_sinks(&run_path, resume_step, &sites))
            .decisions(directory.decisions())
            .checkpoints(
                Checkpoints::new(
                    directory.checkpoints(),
                    experiment.checkpoints.keep_last,
                    loaded.resolved.clone(),
                ),
                experiment.checkpoints.every,
                resume,
            )
            .signal(options.signal)
            .warn_above(experiment.overhead.warn);
        if experiment.evaluation.every > 0 {
            let of = |split| Arc::new(ViewSource::new(Arc::clone(&data), split, plain.clone()));
            let judge = Judge::new(
                experiment.evaluation.judge(),
                of(Split::Train),
                of(Split::HeldOut),
                experiment.seed,
                device.clone(),
            );
            afterimage = afterimage.evaluation(experiment.evaluation.every, Box::new(judge), "knn");
        }
        if let Some(sets) = pair {
            afterimage = afterimage.pair(Arc::unwrap_or_clone(sets));
        }
        for plugin in plugins {
            afterimage = afterimage.plugin(plugin);
        }
        let interrupter = Interrupter::new();
        let mut training = SupervisedTraining::<SslModel>::new(
            directory.path(),
            NoLoader::shared(),
            NoLoader::shared(),
        )
        .num_epochs(experiment.epochs as usize)
        .with_metric_logger(burn::train::logger::InMemoryMetricLogger::new())
        .with_application_logger(None)
        .with_interrupter(interrupter.clone())
        .metric_train_numeric(LossMetric::new());
        match (experiment.renderer, options.quiet) {
            (Renderer::Tui, false) => {
                let tui =
                    burn::train::renderer::tui::TuiMetricsRendererWrapper::new(interrupter, None);
                training = training.renderer(Box::new(tui));
            }
            (renderer, quiet) => {
                let mode = match renderer {
                    _ if quiet => Mode::Silent,
                    Renderer::Bar => Mode::Bar,
                    Renderer::Lines => Mode::Lines,
                    Renderer::Silent => Mode::Silent,
                    Renderer::Auto | Renderer::Tui => Mode::Auto,
                };
                afterimage = afterimage.progress(Progress::new(mode, (options.progress)()));
                training = training.renderer(quiet_renderer());
            }
        }
        let report = afterimage.report();
        let learner = Learner::new(
            model,
            experiment.optimizer.init(),
            StepScheduler::from(schedule),
        );
        drop(afterimage.attach(training).launch(learner));
        let report = report.take();
        let outcome = report
            .outcome
            .clone()
            .unwrap_or_else(|| Outcome::Failed("burn-train did not start the loop".to_owned()));
        // Before the HTML report, which shows it.
        manifest(&outcome_word(&outcome))?;
        let start = match experiment.fine_tune {
            Some(_) => Untrained::Given,
            None => Untrained::Random,
        };
        let finished = finish(directory.clone(), outcome, report, &site_list, start);
        directory.write_result(&finished.result())?;
        Ok(finished)
    }
}

pub(crate) fn open_sinks(
    run: &Path,
    resume_step: Option<u64>,
    sites: &[afterimage_hooks::Site],
) -> Sinks {
    let names: Vec<String> = sites
        .iter()
        .filter(|site| site.kind == afterimage_hooks::SiteKind::Activation)
        .map(|site| site.name.clone())
        .collect();
    Sinks::for_run(run, resume_step, &unitmem_layout(&names))
}

fn finish(
    run: RunDir,
    outcome: Outcome,
    report: RunReport,
    sites: &[afterimage_hooks::Site],
    start: Untrained,
) -> Finished {
    let RunReport {
        error,
        disabled_plugins,
        disabled_sinks,
        scalars,
        measured,
        ..
    } = report;
    let lines = afterimage_track::read_scalars(&run.path().join(afterimage_track::files::METRICS))
        .unwrap_or_default();
    let mut text = summary(
        &Measured {
            scalars: &scalars,
            steps: &measured,
            epochs: lines.iter().map(|line| (line.step, line.epoch)).collect(),
            start,
            knn_at_start: lines
                .iter()
                .find(|line| line.tag == "eval/knn" && line.step == 0)
                .map(|line| line.value.0),
        },
        sites,
    );
    match HtmlReport::from_run(run.path()).and_then(|html| html.write(&run.report())) {
        Ok(()) => text.push_str(&format!("report:         {}\n", run.report().display())),
        Err(error) => tracing::warn!("the report could not be written: {error}"),
    }
    text.push_str(&format!(
        "run directory:  {}\ntensorboard:    tensorboard --logdir {}\n",
        run.path().display(),
        run.tensorboard().display()
    ));
    for plugin in &disabled_plugins {
        text.push_str(&format!(
            "plugin {plugin:?} failed and was switched off; see log.txt\n"
        ));
    }
    for sink in disabled_sinks {
        text.push_str(&format!("a sink was closed: {sink}\n"));
    }
    Finished {
        outcome,
        run,
        summary: text,
        earlier: earlier(measured.iter().map(|(tag, step)| (tag, *step))),
        scalars,
        disabled_plugins,
        error,
        steps: report.steps,
        seconds: report.seconds,
    }
}

/// The scalars that were measured before the last step of all, with their steps.
fn earlier<'a>(steps: impl Iterator<Item = (&'a String, u64)> + Clone) -> BTreeMap<String, u64> {
    let last = steps.clone().map(|(_, step)| step).max().unwrap_or(0);
    steps
        .filter(|(tag, step)| *step < last && !afterimage_track::is_clock_dependent(tag))
        .map(|(tag, step)| (tag.clone(), step))
        .collect()
}

fn outcome_word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed => "completed".to_owned(),
        Outcome::Stopped(reason) => format!("stopped: {reason}"),
        Outcome::Diverged => "diverged".to_owned(),
        Outcome::Failed(error) => format!("failed: {error}"),
        Outcome::Interrupted(signal) => format!("interrupted by signal {signal}"),
    }
}

/// burn-train's renderer that shows nothing, because progress is shown elsewhere.
fn quiet_renderer() -> Box<dyn MetricsRenderer> {
    Box::new(crate::quiet::Quiet)
}
