//! A run from its config to its report.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use afterimage_data::{SampleStore, ViewSource};
use afterimage_hooks::{Outcome, PairSets, Split};
use afterimage_model::Encoder as _;
use afterimage_ssl::StepScheduler;
use afterimage_track::{
    Mode, PluginCost, Progress, Report as HtmlReport, Sinks, Subject, TextTable, unitmem_layout,
};
use afterimage_train::{
    Afterimage, Ahead, Checkpoints, Group, Judge, LockStep, NoLoader, RunReport, SslModel,
    TrainError, ViewFeed,
};
use burn::train::metric::LossMetric;
use burn::train::renderer::MetricsRenderer;
use burn::train::{Interrupter, Learner, SupervisedTraining};
use serde_json::{Value, json};

use crate::board::{begin_session, board_of, end_session, settings};
use crate::config::Loaded;
use crate::doses::write_doses;
use crate::dry_run::default_directory;
use crate::error::RunError;
use crate::experiment::{Experiment, Renderer};
use crate::found::Evidence;
use crate::full_screen::full_screen;
use crate::prepared::Prepared;
use crate::pruned::before_and_after;
use crate::registry::Registry;
use crate::run_dir::{Manifest, Owner, RunDir};
use crate::samples;
use crate::signs::signs;
use crate::start::keep_layers;
use crate::summary::{Measured, Summary, Untrained, summary};
use crate::together::{First, agree, announce, check};

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
    /// The processes that compute the run together; one alone unless told.
    pub processes: Group,
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
    /// What was found, a sentence each.
    pub found: Vec<String>,
    /// Time of plugins in this process, by event.
    pub costs: Vec<PluginCost>,
    /// The last value of every scalar.
    pub scalars: BTreeMap<String, f64>,
    /// The step of every scalar that was measured before the last step on record.
    pub earlier: BTreeMap<String, u64>,
    /// Plugins that failed and were switched off.
    pub disabled_plugins: Vec<String>,
    /// Records that are missing in the run directory: sinks that were closed, and lines that were gone
    /// when the run went on.
    pub lost_records: Vec<String>,
    /// The error that ended it.
    pub error: Option<TrainError>,
    /// Steps done in this process.
    pub steps: u64,
    /// Seconds in the loop in this process.
    pub seconds: f64,
}

impl Finished {
    /// The end of a run for a process that neither writes nor speaks.
    fn silent(run: RunDir, outcome: Outcome, report: RunReport) -> Self {
        Self {
            outcome,
            run,
            summary: String::new(),
            found: Vec::new(),
            costs: Vec::new(),
            earlier: BTreeMap::new(),
            scalars: report.scalars,
            disabled_plugins: report.disabled_plugins,
            lost_records: Vec::new(),
            error: report.error,
            steps: report.steps,
            seconds: report.seconds,
        }
    }

    /// The exit code of the command line: 0 done, 1 failed, 2 config, 3 done with a plugin
    /// disabled, 4 diverged, 5 done with records lost, 128 + signal after a checkpoint on a signal.
    pub fn exit_code(&self) -> u8 {
        match &self.outcome {
            Outcome::Completed | Outcome::Stopped(_) if !self.lost_records.is_empty() => 5,
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
        let mut result = json!({
            "run": self.run.path().display().to_string(),
            "exit_code": self.exit_code(),
            "outcome": format!("{:?}", self.outcome),
            "disabled_plugins": self.disabled_plugins,
            "steps": self.steps,
            "seconds": self.seconds,
            "metrics": self.scalars,
            "earlier": self.earlier,
            "found": self.found,
            "costs": self.costs,
        });
        if let (false, Some(entries)) = (self.lost_records.is_empty(), result.as_object_mut()) {
            entries.insert("lost_records".to_owned(), json!(self.lost_records));
        }
        result
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
    let group = &options.processes;
    check(group, &loaded.value)?;
    announce(group, First::Begins)?;
    let beat = signs(&loaded.value, options.quiet, &options.progress, SETTING_UP);
    let prepared = Prepared::new(registry, loaded, None)?;
    drop(beat);
    for note in &prepared.notes {
        tracing::warn!("{note}");
    }
    agree(group, loaded, &prepared.data)?;
    let (directory, owner) = RunDir::create(path)?;
    if let Some(layers) = &prepared.trained {
        keep_layers(directory.path(), layers)?;
    }
    directory.write_config(&loaded.resolved)?;
    prepared.launch(loaded, directory, owner, options, Begin::New)
}

/// What a run is at before its loop.
pub(crate) const SETTING_UP: &str = "reading the images and building the network";

/// Where a run begins.
pub(crate) enum Begin {
    /// At its first step.
    New,
    /// At its last checkpoint; records of the steps before it that are lost.
    Checkpoint(Vec<String>),
}

impl Prepared {
    pub(crate) fn launch(
        self,
        loaded: &Loaded<Experiment>,
        directory: RunDir,
        owner: Owner,
        options: Options,
        begin: Begin,
    ) -> Result<Finished, RunError> {
        let Self {
            device,
            data,
            views,
            local,
            plain,
            schedule,
            batches,
            pair,
            doses,
            plugins,
            plugin_ids,
            model,
            kept,
            masks,
            trained: _,
            notes: _,
        } = self;
        let (resume, lost) = match begin {
            Begin::New => (false, Vec::new()),
            Begin::Checkpoint(lost) => (true, lost),
        };
        let experiment = &loaded.value;
        let group = options.processes;
        let writes = group.is_first();
        let data_digest = match writes {
            true => data.digest(),
            false => String::new(),
        };
        let manifest = |outcome: &str| {
            directory.write_manifest(&Manifest {
                config_digest: &loaded.digest,
                device: &experiment.device,
                data_digest: &data_digest,
                data_covered: data.digest_covers(),
                plugins: &plugin_ids,
                outcome,
                probe: None,
            })
        };
        if writes {
            directory.remove_result()?;
            manifest("running")?;
            samples::keep(directory.path(), &data)?;
            (options.started)(&directory);
            if !resume {
                begin_session(&directory, &loaded.resolved);
            }
        }
        // Nobody goes on before the directory stands.
        group.exchange("the start of training", &[])?;

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
            let feed = ViewFeed::new(shown(source), views_a_sample, ahead, device);
            let mut feed = feed.of_full_epochs(batches);
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
        let (trackers, subject) = (experiment.sinks.clone(), subject(loaded, &directory));
        let (optimizer, again) = (experiment.optimizer.clone(), schedule);
        let mut afterimage = Afterimage::<SslModel>::open(experiment.batch_size)
            .shards(experiment.batch.cut())
            .seed(experiment.seed)
            .config(loaded.resolved.clone())
            .feed(Box::new(feed), data.train.len(), data.held_out.len())
            .samples(Arc::new(store))
            .image_sides(sides)
            .without_units(kept, masks)
            .rebuild(move |model| Learner::new(model, optimizer.init(), StepScheduler::from(again)))
            .processes(group.clone())
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
        if writes {
            afterimage = afterimage
                .sinks(move |resume_step| {
                    let mut sinks = open_sinks(&run_path, resume_step, &sites);
                    sinks.add_trackers(&trackers, &subject, resume_step);
                    sinks
                })
                .decisions(directory.decisions());
        }
        if experiment.evaluation.every > 0 {
            let of = |split| Arc::new(ViewSource::new(Arc::clone(&data), split, plain.clone()));
            let judge = Judge::new(
                experiment.evaluation.judge(),
                of(Split::Train),
                of(Split::HeldOut),
                experiment.seed,
                device.clone(),
            )
            .processes(group.clone());
            afterimage = afterimage.evaluation(experiment.evaluation.every, Box::new(judge), "knn");
        }
        if let Some(sets) = pair {
            afterimage = afterimage.pair(Arc::unwrap_or_clone(sets));
        }
        if let Some(doses) = doses {
            if writes {
                write_doses(&directory, &doses)?;
            }
            afterimage = afterimage.doses(doses);
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
                training = training.renderer(full_screen(interrupter));
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
        let ending = "the last tables and the report";
        let _beat = signs(experiment, options.quiet, &options.progress, ending);
        if !owner.stands() {
            return Err(RunError::Removed {
                path: directory.path().to_owned(),
            });
        }
        let outcome = report
            .outcome
            .clone()
            .unwrap_or_else(|| Outcome::Failed("burn-train did not start the loop".to_owned()));
        if !writes {
            return Ok(Finished::silent(directory.clone(), outcome, report));
        }
        // Before the HTML report, which shows it.
        manifest(&outcome_word(&outcome))?;
        let start = Untrained::of(experiment);
        let mut finished = finish(directory.clone(), outcome, report, lost, &site_list, start);
        for sink in &experiment.sinks {
            let (_, place) = sink.place();
            finished
                .summary
                .push_str(&format!("told, too:      {} {place}\n", sink.kind()));
        }
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

/// The run as other tools are told of it.
pub(crate) fn subject(loaded: &Loaded<Experiment>, directory: &RunDir) -> Subject {
    let set = settings(&loaded.resolved);
    Subject::new(directory.path(), &loaded.value.name, set)
}

/// Writes the report and puts together what there is to say; `lost` are records that are missing.
pub(crate) fn finish(
    run: RunDir,
    outcome: Outcome,
    report: RunReport,
    lost: Vec<String>,
    sites: &[afterimage_hooks::Site],
    start: Untrained,
) -> Finished {
    let RunReport {
        error,
        disabled_plugins,
        disabled_sinks,
        scalars,
        measured,
        costs,
        ..
    } = report;
    end_session(&run, &outcome);
    let lines = afterimage_track::read_scalars(&run.path().join(afterimage_track::files::METRICS))
        .unwrap_or_default();
    let Summary { mut text, found } = summary(
        &Measured {
            scalars: &scalars,
            steps: &measured,
            epochs: lines.iter().map(|line| (line.step, line.epoch)).collect(),
            start,
            history: &lines,
        },
        sites,
        &Evidence::of(run.path()),
    );
    text.extend(before_and_after(&run.decisions(), &lines));
    let costs: Vec<PluginCost> = costs.into_iter().map(PluginCost::from).collect();
    text.push_str(&cost_table(&costs, report.seconds));
    let html = HtmlReport::from_run(run.path());
    let closed = disabled_sinks.into_iter();
    let closed = closed.map(|sink| format!("the sink {sink}"));
    let lost_records: Vec<String> = lost.into_iter().chain(closed).collect();
    let html = html.map(|html| {
        let mut html = html.found(&found).costs(&costs);
        html.lacks(lost_records.clone());
        html
    });
    match html.and_then(|html| html.write(&run.report())) {
        Ok(()) => text.push_str(&format!("report:         {}\n", run.report().display())),
        Err(error) => tracing::warn!("the report could not be written: {error}"),
    }
    text.push_str(&format!(
        "run directory:  {}\ntensorboard:    tensorboard {}\n",
        run.path().display(),
        board_of(run.path())
    ));
    for plugin in &disabled_plugins {
        text.push_str(&format!(
            "plugin {plugin:?} failed and was switched off; see log.txt\n"
        ));
    }
    for what in &lost_records {
        text.push_str(&format!("records are lost: {what}\n"));
    }
    Finished {
        outcome,
        run,
        summary: text,
        found,
        costs,
        earlier: earlier(measured.iter().map(|(tag, step)| (tag, *step))),
        scalars,
        disabled_plugins,
        lost_records,
        error,
        steps: report.steps,
        seconds: report.seconds,
    }
}

/// Which plugins took how long at which events, most first; nothing where none took a thousandth of the
/// loop's `seconds`.
fn cost_table(costs: &[PluginCost], seconds: f64) -> String {
    /// Shares below it are left to `result.json`.
    const LEAST: f64 = 1e-3;
    let mut shown: Vec<&PluginCost> = costs
        .iter()
        .filter(|cost| cost.seconds >= LEAST * seconds)
        .collect();
    shown.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let title = format!("Time of plugins, of {seconds:.1} s in the loop of this process");
    let mut table = TextTable::new(title, &["plugin", "event", "calls", "seconds", "share"]);
    for cost in shown {
        table.row([
            cost.plugin.clone(),
            cost.event.clone(),
            cost.calls.to_string(),
            TextTable::number(cost.seconds, 2),
            format!("{:.1} %", 100.0 * cost.seconds / seconds),
        ]);
    }
    match table.is_empty() {
        true => String::new(),
        false => format!("{table}\n"),
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

pub(crate) fn outcome_word(outcome: &Outcome) -> String {
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
