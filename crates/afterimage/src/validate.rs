//! What is wrong with an experiment's values: ranges, and settings that do not go together.

use std::collections::BTreeSet;

use afterimage_data::{DataSource, Limits, ViewConfig};
use afterimage_model::{EncoderConfig, ModelError};
use afterimage_prune::PruneConfig;
use afterimage_ssl::{Negatives, SslError};
use toml::Value;

use crate::config::{Hint, KeyPath, Report, Validate, Wrong};
use crate::device::open_device;
use crate::experiment::{EvaluationConfig, Experiment};
use crate::fine_tune::LayerChoice;
use crate::hints;

/// Epochs of a run.
const MOST_EPOCHS: u32 = 1_000_000;

/// Plugins of a run.
const MOST_PLUGINS: usize = 1000;

/// Tools that are told of a run.
const MOST_SINKS: usize = 100;

/// Images in a batch.
const MOST_BATCH: usize = 1 << 16;

/// Sides of a view in pixels.
const SIDES: std::ops::RangeInclusive<usize> = 1..=4096;

/// Reports what is wrong in `table` at the very key, so that the place where it was set is shown.
fn tell_model(report: &mut Report<'_>, table: &str, problems: Vec<ModelError>) {
    for problem in problems {
        match problem {
            ModelError::Config { key, value, reason } => {
                let message = format!("{value} is not possible: {reason}");
                report.error(&format!("{table}.{key}"), message);
            }
            ModelError::Patch { patch, side } => {
                let message =
                    format!("{patch} does not divide the side of the views, {side} pixels");
                report.error(&format!("{table}.patch"), message);
            }
            other => report.error(table, other.to_string()),
        }
    }
}

/// As [`tell_model`], for objective, optimizer and schedule.
fn tell_ssl(report: &mut Report<'_>, table: &str, problems: Vec<SslError>) {
    for problem in problems {
        match problem {
            SslError::OutOfRange { key, value, rule } => {
                report.error(&format!("{table}.{key}"), format!("is {value}; {rule}"));
            }
            other => report.error(table, other.to_string()),
        }
    }
}

/// Whether a run can be called so: its name is that of a folder.
pub(crate) fn is_name(name: &str) -> bool {
    let fine = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(fine)
}

/// Reports a device that cannot be opened.
pub(crate) fn tell_device(report: &mut Report<'_>, device: &str) {
    if let Err(error) = open_device(device) {
        report.error("device", error.to_string());
    }
}

/// Reports what is wrong with the images, before they are read.
pub(crate) fn tell_data(report: &mut Report<'_>, data: &DataSource, limits: Limits) {
    for (key, problem) in data.problems() {
        report.error(&format!("data.{key}"), problem);
    }
    for (key, limit) in [("train", limits.train), ("held_out", limits.held_out)] {
        report.check(limit != Some(0), &format!("limits.{key}"), || {
            "a limit of 0 leaves nothing".to_owned()
        });
    }
}

/// Reports what is wrong with the views, at the very key.
pub(crate) fn tell_views(report: &mut Report<'_>, views: &ViewConfig) {
    for (key, problem) in views.problems() {
        report.error(&format!("views.{key}"), problem);
    }
}

fn at_least_one() -> String {
    "must be at least 1".to_owned()
}

/// All but the plugins, whose kinds and settings a [`Registry`](crate::Registry) checks: a config can
/// be read, as by `probe`, where its plugins are not known.
impl Validate for Experiment {
    const LONGEST: &'static [(&'static str, usize)] =
        &[("plugins", MOST_PLUGINS), ("sinks", MOST_SINKS)];

    fn validate(&self, report: &mut Report<'_>) {
        self.validate_top(report);
        tell_device(report, &self.device);
        tell_data(report, &self.data, self.limits);
        tell_views(report, &self.views);
        if let Some(noise) = &self.label_noise {
            noise.validate(report);
        }
        if let Some(doses) = &self.doses {
            doses.validate(report, self.pair.is_some());
        }
        self.validate_encoder(report);
        self.validate_objective(report);
        self.validate_fine_tune(report);
        tell_ssl(report, "objective", self.objective.problems());
        tell_ssl(report, "optimizer", self.optimizer.problems());
        self.validate_schedule(report);
        for (key, value) in [
            ("loader.depth", self.loader.depth),
            ("loader.threads", self.loader.threads),
        ] {
            report.check((1..=1024).contains(&value), key, || {
                "must be from 1 to 1024".to_owned()
            });
        }
        report.within("evaluation", |report| self.evaluation.validate(report));
        let checkpoints = self.checkpoints;
        report.check(checkpoints.every > 0, "checkpoints.every", at_least_one);
        report.check(
            checkpoints.keep_last > 0,
            "checkpoints.keep_last",
            at_least_one,
        );
        report.check(
            (0.0..=1.0).contains(&self.overhead.warn),
            "overhead.warn",
            || "must be a share between 0 and 1".to_owned(),
        );
        self.validate_sinks(report);
        self.validate_prune_schedules(report);
    }

    fn hint(wrong: Wrong, key: &KeyPath, value: &Value) -> Option<Hint> {
        hints::hint(wrong, key, value)
    }
}

impl EvaluationConfig {
    fn validate(&self, report: &mut Report<'_>) {
        report.check(self.k > 0, "k", at_least_one);
        report.check(self.temperature > 0.0, "temperature", || {
            "must be above 0".to_owned()
        });
        report.check(self.bank > 0, "bank", at_least_one);
        report.check(
            (1..=MOST_BATCH).contains(&self.batch_size),
            "batch_size",
            || format!("must be from 1 to {MOST_BATCH}"),
        );
        let fits = self.linear_probe && self.every > 0;
        report.check(!self.probe_every_time || fits, "probe_every_time", || {
            "no linear probe is fitted in this run; set `linear_probe = true` and `every` above 0".to_owned()
        });
    }
}

impl Experiment {
    fn validate_top(&self, report: &mut Report<'_>) {
        report.check(is_name(&self.name), "name", || {
            format!(
                "{:?} must be letters, digits, '-', '_' and '.'; it names a folder",
                self.name
            )
        });
        report.check(self.epochs > 0, "epochs", at_least_one);
        report.check(self.epochs <= MOST_EPOCHS, "epochs", || {
            format!("must be at most {MOST_EPOCHS}")
        });
        report.check(self.batch_size > 1, "batch_size", || {
            "must be at least 2; norms and contrastive losses need other samples".to_owned()
        });
        report.check(self.batch_size <= MOST_BATCH, "batch_size", || {
            format!("must be at most {MOST_BATCH}")
        });
        // Images that are shown several times make more of them.
        let images = self
            .limits
            .train
            .filter(|limit| *limit > 0 && self.doses.is_none());
        if let Some(images) = images.filter(|_| report.knows("limits.train")) {
            report.check(images >= self.batch_size, "batch_size", || {
                format!(
                    "`limits.train` leaves {images} training images, which do not fill one batch of {}; lower this, or \
                     raise that",
                    self.batch_size
                )
            });
        }
        self.validate_shards(report);
        if let Some(problem) = self.pair.and_then(|pair| pair.candidates.problem()) {
            report.error("pair.candidates", problem);
        }
    }

    /// Whether a batch can be cut as it is to be.
    fn validate_shards(&self, report: &mut Report<'_>) {
        let (shards, batch) = (self.batch.shards, self.batch_size);
        report.check(shards > 0, "batch.shards", at_least_one);
        if shards > 1 && report.knows("batch_size") {
            report.check(batch % shards == 0 && batch / shards > 1, "batch.shards", || {
                format!(
                    "a batch of {batch} samples cannot be cut into {shards} shards: the number must \
                     divide `batch_size` and leave at least two samples to each, for norms and \
                     contrastive losses"
                )
            });
        }
        let compares = self.objective.compares_samples() || !report.knows("objective.kind");
        let shared = self.batch.negatives == Negatives::All;
        report.check(!shared || compares, "batch.negatives", || {
            format!(
                "the loss of the objective {:?} compares no samples with each other; remove this key",
                self.objective.kind()
            )
        });
    }

    /// What shards make of a loss that compares samples, which has the name of the loss over whole batches.
    pub(crate) fn note_of_shards(&self) -> Option<String> {
        let shards = self.batch.shards;
        let apart = self.batch.negatives == Negatives::Shard;
        (shards > 1 && apart && self.objective.compares_samples()).then(|| {
            format!(
                "batch.shards = {shards}: each sample is compared with the {} samples of its shard, which is \
                 another loss than that of batches of {}; batch.negatives = \"all\" keeps that one",
                self.batch_size / shards,
                self.batch_size
            )
        })
    }

    /// Whether encoder and head can be built, for views of the size that is told.
    fn validate_encoder(&self, report: &mut Report<'_>) {
        // Without a size of its own, a view has that of the images, which are not read yet.
        let side = self.views.size.filter(|side| SIDES.contains(side));
        let encoder = match side.filter(|_| report.knows("views.size")) {
            Some(side) => self.encoder.clone().for_images(3, side),
            None => self.encoder.clone(),
        };
        let least = match encoder {
            // A patch that does not fit is told as that.
            EncoderConfig::Vit(_) => 0,
            _ => encoder.min_side(),
        };
        if let Some(side) = side.filter(|_| report.knows("encoder.kind")) {
            report.check(side >= least, "views.size", || {
                format!("views are {side} pixels high or wide; the encoder needs at least {least}")
            });
        }
        tell_model(report, "encoder", encoder.problems());
        if let Some(projection) = &self.projection {
            tell_model(report, "projection", projection.problems());
        }
    }

    /// Whether objective, head, encoder and views go together.
    fn validate_objective(&self, report: &mut Report<'_>) {
        if !report.knows("objective.kind") {
            return;
        }
        let kind = self.objective.kind();
        report.check(
            self.objective.has_projection() || self.projection.is_none(),
            "projection",
            || format!("the objective {kind:?} has no projection head; remove this table"),
        );
        report.check(
            !self.objective.needs_transformer() || matches!(self.encoder, EncoderConfig::Vit(_)),
            "encoder.kind",
            || format!("the objective {kind:?} hides tokens of a transformer; set it to \"vit\""),
        );
        if !["objective.local_views", "views.size", "encoder"]
            .iter()
            .all(|key| report.knows(key))
        {
            return;
        }
        // Where it is told; half of the global views' side is not known before the images are read.
        let told = self.objective.local_views().and_then(|local| local.size);
        let told = told.or(match (self.objective.local_views(), self.views.size) {
            (Some(_), Some(side)) => Some(side / 2),
            _ => None,
        });
        if let Some(side) = told
            && let Err(why) = self.check_local(side)
        {
            report.error("objective.local_size", why);
        }
    }

    /// Whether the layers that are frozen can be.
    fn validate_fine_tune(&self, report: &mut Report<'_>) {
        let partial = self
            .fine_tune
            .as_ref()
            .is_some_and(|fine_tune| fine_tune.layers != LayerChoice::All);
        let refused = partial && self.objective.has_teacher() && report.knows("objective.kind");
        report.check(!refused, "fine_tune.layers", || {
            format!(
                "the teacher of the objective {:?} cannot be frozen in part; set it to \"all\", or \
                 choose another objective",
                self.objective.kind()
            )
        });
    }

    fn validate_schedule(&self, report: &mut Report<'_>) {
        tell_ssl(report, "schedule", self.schedule.problems());
        let fits = self.schedule.warmup_epochs <= f64::from(self.epochs);
        let counts = report.knows("epochs") && self.epochs > 0;
        report.check(fits || !counts, "schedule.warmup_epochs", || {
            format!(
                "{} epochs of warm-up do not fit into `epochs` = {}; set this key to {} at most, or raise `epochs`",
                self.schedule.warmup_epochs, self.epochs, self.epochs
            )
        });
    }

    /// Each tool's settings, and that none is told the same twice.
    fn validate_sinks(&self, report: &mut Report<'_>) {
        let mut places = BTreeSet::new();
        for (index, sink) in self.sinks.iter().enumerate() {
            for (key, problem) in sink.problems() {
                report.error(&format!("sinks[{index}].{key}"), problem);
            }
            let (key, place) = sink.place();
            let twice = format!(
                "another `[[sinks]]` of kind {:?} tells {place} already; remove one of them",
                sink.kind()
            );
            let new = places.insert((sink.kind(), place));
            let known = report.knows(&format!("sinks[{index}]"));
            report.check(new || !known, &format!("sinks[{index}].{key}"), || twice);
        }
    }

    /// Folders of tools that are not there: a run that begins would be told nowhere, one that is only read needs none.
    pub(crate) fn tell_missing_folders(&self, report: &mut Report<'_>) {
        for (index, sink) in self.sinks.iter().enumerate() {
            if let Some((key, problem)) = sink.missing_folder() {
                report.error(&format!("sinks[{index}].{key}"), problem);
            }
        }
    }

    /// A schedule of `prune` ends within the run.
    fn validate_prune_schedules(&self, report: &mut Report<'_>) {
        if !report.knows("epochs") || self.epochs == 0 {
            return;
        }
        let prunes = self.plugins.iter().enumerate();
        for (index, entry) in prunes.filter(|(_, entry)| entry.kind == "prune") {
            // What is no config of it is reported as such.
            let Ok(config) = entry.settings.clone().try_into::<PruneConfig>() else {
                continue;
            };
            if let Some(problem) = config.schedule.beyond(self.epochs) {
                report.error(&format!("plugins[{index}].schedule"), problem);
            }
        }
    }
}
