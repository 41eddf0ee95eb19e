//! The training of a run: its loop is put together, runs, and leaves what it ends with.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use afterimage_data::{SampleStore, ViewSource};
use afterimage_hooks::{Outcome, PairSets, Site, SiteKind, Split};
use afterimage_model::Encoder as _;
use afterimage_ssl::StepScheduler;
use afterimage_track::{Mode, Progress, Sinks, Subject, unitmem_layout};
use afterimage_train::{
    Afterimage, Ahead, Checkpoints, Group, Judge, LockStep, NoLoader, SslModel, ViewFeed,
};
use burn::train::metric::LossMetric;
use burn::train::{Interrupter, Learner, SupervisedTraining};

use crate::board::{begin_session, settings};
use crate::config::Loaded;
use crate::doses::write_doses;
use crate::error::RunError;
use crate::experiment::{Experiment, Renderer};
use crate::finished::{Finished, finish, outcome_word};
use crate::full_screen::full_screen;
use crate::prepared::Prepared;
use crate::quiet::Quiet;
use crate::run::{Begin, Options};
use crate::run_dir::{Manifest, Owner, RunDir};
use crate::samples;
use crate::signs::signs;
use crate::summary::Untrained;

impl Prepared {
    /// Trains the run of `loaded` in `directory`, and writes what it ends with.
    ///
    /// # Errors
    /// What keeps it from starting, and a directory that cannot be written or was removed.
    pub(crate) fn launch(
        mut self,
        loaded: &Loaded<Experiment>,
        directory: RunDir,
        owner: Owner,
        options: Options,
        begin: Begin,
    ) -> Result<Finished, RunError> {
        let (resume, lost) = match begin {
            Begin::New => (false, Vec::new()),
            Begin::Checkpoint(lost) => (true, lost),
        };
        let experiment = &loaded.value;
        let group = options.processes;
        let writes = group.is_first();
        let data_digest = match writes {
            true => self.digest().to_owned(),
            false => String::new(),
        };
        let (data, plugin_ids) = (Arc::clone(&self.data), std::mem::take(&mut self.plugin_ids));
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

        let sites = self.model.encoder().sites();
        let afterimage = self.hosted(loaded, &directory, &group, resume)?;
        let afterimage = afterimage.signal(options.signal);
        let (afterimage, training) = shown(
            afterimage,
            training(experiment, &directory),
            experiment.renderer,
            options.quiet,
            &options.progress,
        );
        let report = afterimage.report();
        let learner = Learner::new(
            self.model,
            experiment.optimizer.init(),
            StepScheduler::from(self.schedule),
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
        let mut finished = finish(directory.clone(), outcome, report, lost, &sites, start);
        for sink in &experiment.sinks {
            let (_, place) = sink.place();
            finished
                .summary
                .push_str(&format!("told, too:      {} {place}\n", sink.kind()));
        }
        directory.write_result(&finished.result())?;
        Ok(finished)
    }

    /// The loop with all that the run gives it but its signal; plugins, pair, doses and masks are taken out.
    fn hosted(
        &mut self,
        loaded: &Loaded<Experiment>,
        directory: &RunDir,
        group: &Group,
        resume: bool,
    ) -> Result<Afterimage<SslModel>, RunError> {
        let experiment = &loaded.value;
        let (kept, masks) = (
            std::mem::take(&mut self.kept),
            std::mem::take(&mut self.masks),
        );
        let feed = self.lock_step(experiment);
        let shape = self.views.shape();
        let store = SampleStore::new(
            Arc::clone(&self.data),
            self.views.clone(),
            self.device.clone(),
        );
        let (optimizer, again) = (experiment.optimizer.clone(), self.schedule);
        let mut afterimage = Afterimage::<SslModel>::open(experiment.batch_size)
            .shards(experiment.batch.cut())
            .seed(experiment.seed)
            .config(loaded.resolved.clone())
            .feed(
                Box::new(feed),
                self.data.train.len(),
                self.data.held_out.len(),
            )
            .samples(Arc::new(store))
            .image_sides([shape.height, shape.width])
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
            .warn_above(experiment.overhead.warn);
        if group.is_first() {
            let (run_path, sites) = (directory.path().to_owned(), self.model.encoder().sites());
            let (trackers, subject) = (experiment.sinks.clone(), subject(loaded, directory));
            afterimage = afterimage
                .sinks(move |resume_step| {
                    let mut sinks = open_sinks(&run_path, resume_step, &sites);
                    sinks.add_trackers(&trackers, &subject, resume_step);
                    sinks
                })
                .decisions(directory.decisions());
        }
        if experiment.evaluation.every > 0 {
            let judge = Box::new(self.judge(experiment, group));
            afterimage = afterimage.evaluation(experiment.evaluation.every, judge, "knn");
        }
        if let Some(sets) = self.pair.take() {
            afterimage = afterimage.pair(Arc::unwrap_or_clone(sets));
        }
        if let Some(doses) = self.doses.take() {
            if group.is_first() {
                write_doses(directory, &doses)?;
            }
            afterimage = afterimage.doses(doses);
        }
        let plugins = std::mem::take(&mut self.plugins).into_iter();
        Ok(plugins.fold(afterimage, Afterimage::plugin))
    }

    /// The batches of the encoder and, where there is one, of its reference.
    fn lock_step(&self, experiment: &Experiment) -> LockStep {
        let reference = self.pair.as_ref();
        let reference = reference.map(|sets| self.feed(experiment, Some(sets)));
        LockStep::new(self.feed(experiment, None), reference)
    }

    /// A feed of the training images, or of those that the reference encoder sees in their place.
    fn feed(&self, experiment: &Experiment, sets: Option<&Arc<PairSets>>) -> ViewFeed {
        let shown = |source: ViewSource| {
            Arc::new(match sets {
                Some(sets) => source.for_reference(Arc::clone(sets)),
                None => source,
            })
        };
        let ahead = Ahead {
            depth: experiment.loader.depth,
            threads: experiment.loader.threads,
        };
        let views_a_sample = experiment.objective.views();
        let source = |views| ViewSource::new(Arc::clone(&self.data), Split::Train, views);
        let device = self.device.clone().autodiff();
        let global = shown(source(self.views.clone()));
        let feed = ViewFeed::new(global, views_a_sample, ahead, device);
        let mut feed = feed.of_full_epochs(self.batches);
        if let Some((local, count)) = &self.local {
            let source = source(local.clone()).starting_at(views_a_sample as u32);
            feed = feed.with_local(shown(source), *count);
        }
        if experiment.objective.needs_labels() {
            feed = feed.with_labels();
        }
        feed
    }

    /// The evaluation of the encoder on both splits.
    fn judge(&self, experiment: &Experiment, group: &Group) -> Judge {
        let plain = &self.plain;
        let of = |split| {
            Arc::new(ViewSource::new(
                Arc::clone(&self.data),
                split,
                plain.clone(),
            ))
        };
        Judge::new(
            experiment.evaluation.judge(),
            of(Split::Train),
            of(Split::HeldOut),
            experiment.seed,
            self.device.clone(),
        )
        .processes(group.clone())
    }
}

/// burn's own part of the training, which loads nothing and keeps no log of its own.
fn training(experiment: &Experiment, directory: &RunDir) -> SupervisedTraining<SslModel> {
    SupervisedTraining::<SslModel>::new(directory.path(), NoLoader::shared(), NoLoader::shared())
        .num_epochs(experiment.epochs as usize)
        .with_metric_logger(burn::train::logger::InMemoryMetricLogger::new())
        .with_application_logger(None)
        .metric_train_numeric(LossMetric::new())
}

/// Both with what shows the run's progress.
fn shown(
    afterimage: Afterimage<SslModel>,
    training: SupervisedTraining<SslModel>,
    renderer: Renderer,
    quiet: bool,
    progress: &dyn Fn() -> Box<dyn Write + Send>,
) -> (Afterimage<SslModel>, SupervisedTraining<SslModel>) {
    let interrupter = Interrupter::new();
    let training = training.with_interrupter(interrupter.clone());
    let mode = match renderer {
        _ if quiet => Mode::Silent,
        Renderer::Tui => return (afterimage, training.renderer(full_screen(interrupter))),
        Renderer::Bar => Mode::Bar,
        Renderer::Lines => Mode::Lines,
        Renderer::Silent => Mode::Silent,
        Renderer::Auto => Mode::Auto,
    };
    // burn-train's own renderer shows nothing, because progress is shown elsewhere.
    (
        afterimage.progress(Progress::new(mode, progress())),
        training.renderer(Box::new(Quiet)),
    )
}

pub(crate) fn open_sinks(run: &Path, resume_step: Option<u64>, sites: &[Site]) -> Sinks {
    let names: Vec<String> = sites
        .iter()
        .filter(|site| site.kind == SiteKind::Activation)
        .map(|site| site.name.clone())
        .collect();
    Sinks::for_run(run, resume_step, &unitmem_layout(&names))
}

/// The run as other tools are told of it.
pub(crate) fn subject(loaded: &Loaded<Experiment>, directory: &RunDir) -> Subject {
    let set = settings(&loaded.resolved);
    Subject::new(directory.path(), &loaded.value.name, set)
}
