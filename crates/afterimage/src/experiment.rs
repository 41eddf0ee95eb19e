//! The schema of an experiment config.

use afterimage_data::{DataError, DataSource, Limits, ViewConfig};
use afterimage_hooks::OnFault;
use afterimage_model::{EncoderConfig, ModelError, ProjectionHeadConfig};
use afterimage_prune::PruneConfig;
use afterimage_ssl::{ObjectiveConfig, OptimizerConfig, ScheduleConfig, SslError};
use afterimage_train::JudgeConfig;
use serde::{Deserialize, Serialize};

use crate::config::{Report, Validate};
use crate::device::open_device;
use crate::doses::DosesConfig;
use crate::fine_tune::{FineTuneConfig, LayerChoice};
use crate::label_noise::LabelNoiseConfig;
use crate::pair::PairConfig;

/// Epochs of a run.
const MOST_EPOCHS: u32 = 1_000_000;

/// Images in a batch.
const MOST_BATCH: usize = 1 << 16;

/// A self-supervised training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name of the run; part of its directory.
    pub name: String,
    /// Seed of every random choice; default 0.
    #[serde(default)]
    pub seed: u64,
    /// `cpu`, `cuda:N` or `wgpu`; default `cpu`.
    #[serde(default = "default_device")]
    pub device: String,
    /// Passes over the training images.
    pub epochs: u32,
    /// Samples in a batch; a contrastive loss sees two views of each.
    pub batch_size: usize,
    /// How progress is shown; default `auto`.
    #[serde(default)]
    pub renderer: Renderer,
    /// Where the images come from.
    pub data: DataSource,
    /// How many of them are used; default all.
    #[serde(default)]
    pub limits: Limits,
    /// Labels of training images that are made wrong on purpose; none unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_noise: Option<LabelNoiseConfig>,
    /// Training images that are shown more often than others, copied, or made of noise; none unless
    /// told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doses: Option<DosesConfig>,
    /// How views are augmented in training and in probes.
    #[serde(default)]
    pub views: ViewConfig,
    /// An encoder to start from, and which of its layers are trained; without it a run starts from
    /// random initial parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fine_tune: Option<FineTuneConfig>,
    /// A reference encoder trained in lock step; none unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<PairConfig>,
    /// The network under training.
    #[serde(default)]
    pub encoder: EncoderConfig,
    /// The head between encoder and objective, for objectives that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projection: Option<ProjectionHeadConfig>,
    /// The loss.
    pub objective: ObjectiveConfig,
    /// How parameters are updated.
    pub optimizer: OptimizerConfig,
    /// The learning rate over time.
    pub schedule: ScheduleConfig,
    /// How views are rendered ahead.
    #[serde(default)]
    pub loader: LoaderConfig,
    /// How the encoder is judged.
    #[serde(default)]
    pub evaluation: EvaluationConfig,
    /// Which checkpoints are written and kept.
    #[serde(default)]
    pub checkpoints: CheckpointsConfig,
    /// When a plugin is named as too slow.
    #[serde(default)]
    pub overhead: OverheadConfig,
    /// Plugins, in order where nothing else says who comes first.
    #[serde(default)]
    pub plugins: Vec<PluginEntry>,
}

pub(crate) fn default_device() -> String {
    "cpu".to_owned()
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renderer {
    /// A bar on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// A bar.
    Bar,
    /// Plain lines.
    Lines,
    /// burn-train's full-screen metrics.
    Tui,
    /// Nothing.
    Silent,
}

/// How views are rendered ahead of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoaderConfig {
    /// Batches rendered ahead; default 4.
    pub depth: usize,
    /// Threads that render; default 2.
    pub threads: usize,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            depth: 4,
            threads: 2,
        }
    }
}

/// How the encoder is judged; labels are used here, and by supervised training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Epochs between evaluations; 0 switches them off; default 1.
    pub every: u32,
    /// Neighbours that vote; default 20.
    pub k: usize,
    /// Temperature of the votes; default 0.07.
    pub temperature: f64,
    /// Training images in the bank of neighbours, the first of each class; default 5000.
    pub bank: usize,
    /// Images in a forward pass; default 250.
    pub batch_size: usize,
    /// Whether a linear probe is fitted at the end; default true.
    pub linear_probe: bool,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        let judge = JudgeConfig::default();
        Self {
            every: 1,
            k: judge.k,
            temperature: judge.temperature,
            bank: judge.bank,
            batch_size: judge.batch_size,
            linear_probe: judge.linear_probe,
        }
    }
}

impl EvaluationConfig {
    pub(crate) fn judge(&self) -> JudgeConfig {
        JudgeConfig {
            k: self.k,
            temperature: self.temperature,
            bank: self.bank,
            batch_size: self.batch_size,
            linear_probe: self.linear_probe,
        }
    }
}

/// Which checkpoints are written and kept; the best by kNN accuracy is kept in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointsConfig {
    /// Epochs between checkpoints; default 1.
    pub every: u32,
    /// How many of the last are kept; default 2.
    pub keep_last: usize,
}

impl Default for CheckpointsConfig {
    fn default() -> Self {
        Self {
            every: 1,
            keep_last: 2,
        }
    }
}

/// When a plugin is named as too slow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OverheadConfig {
    /// Share of the run's time, 0 to 1; default 0.25.
    pub warn: f64,
}

impl Default for OverheadConfig {
    fn default() -> Self {
        Self { warn: 0.25 }
    }
}

/// One plugin: what every plugin has, and the settings of its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginEntry {
    /// Kind in the registry.
    pub kind: String,
    /// Unique name in the run; default the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Plugins that it comes after, beyond what resources say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// What happens to the run when it fails; default as the kind declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_fault: Option<OnFault>,
    /// Settings of its kind.
    #[serde(flatten)]
    pub settings: toml::Table,
}

impl PluginEntry {
    /// The plugin's name in the run.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.kind)
    }
}

/// Reports what is wrong in `table` at the very key, so that the place where it was set is shown.
fn tell_model(report: &mut Report<'_>, table: &str, checked: Result<(), ModelError>) {
    match checked {
        Ok(()) => {}
        Err(ModelError::Config { key, value, reason }) => {
            report.error(
                &format!("{table}.{key}"),
                format!("{value} is not possible: {reason}"),
            );
        }
        Err(ModelError::Patch { patch, side }) => {
            report.error(
                &format!("{table}.patch"),
                format!("{patch} does not divide the side of the views, {side} pixels"),
            );
        }
        Err(error) => report.error(table, error.to_string()),
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
    match views.recipe() {
        Ok(_) => {}
        Err(DataError::Config { key, reason }) => report.error(&key, reason),
        Err(error) => report.error("views", error.to_string()),
    }
}

impl Experiment {
    /// Whether the layers that are frozen can be.
    fn validate_fine_tune(&self, report: &mut Report<'_>) {
        let partial = self
            .fine_tune
            .as_ref()
            .is_some_and(|fine_tune| fine_tune.layers != LayerChoice::All);
        let kind = self.objective.kind();
        report.check(
            !(partial && self.objective.has_teacher()),
            "fine_tune.layers",
            || {
                format!(
                    "the teacher of the objective {kind:?} cannot be frozen in part; set it to \
                     \"all\", or choose another objective"
                )
            },
        );
    }

    /// Whether objective, head, encoder and views go together.
    fn validate_objective(&self, report: &mut Report<'_>) {
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

    /// Whether the encoder takes local views of `side` pixels; if not, why not.
    pub(crate) fn check_local(&self, side: usize) -> Result<(), String> {
        let least = self.encoder.min_side();
        if side < least {
            return Err(format!(
                "local views are {side} pixels high and wide; the encoder needs at least {least}"
            ));
        }
        match self.encoder.clone().for_images(3, side).validate() {
            Err(ModelError::Patch { patch, side }) => Err(format!(
                "local views are {side} pixels high and wide, which the patch of {patch} does not \
                 divide"
            )),
            _ => Ok(()),
        }
    }
}

impl Experiment {
    /// A schedule of `prune` ends within the run.
    fn validate_prune_schedules(&self, report: &mut Report<'_>) {
        let prunes = self.plugins.iter().enumerate();
        for (index, entry) in prunes.filter(|(_, entry)| entry.kind == "prune") {
            // What is no config of it has been reported as such.
            let Ok(config) = entry.settings.clone().try_into::<PruneConfig>() else {
                continue;
            };
            if let Some(problem) = config.schedule.beyond(self.epochs) {
                report.error(&format!("plugins[{index}].schedule"), problem);
            }
        }
    }
}

/// All but the plugins, whose kinds and settings a [`Registry`](crate::Registry) checks: a config can
/// be read, as by `probe`, where its plugins are not known.
impl Validate for Experiment {
    fn validate(&self, report: &mut Report<'_>) {
        let named = !self.name.is_empty()
            && self
                .name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !self.name.starts_with('.');
        report.check(named, "name", || {
            format!(
                "{:?} must be letters, digits, '-', '_' and '.'; it names a folder",
                self.name
            )
        });
        report.check(self.epochs > 0, "epochs", || {
            "must be at least 1".to_owned()
        });
        report.check(self.epochs <= MOST_EPOCHS, "epochs", || {
            format!("must be at most {MOST_EPOCHS}")
        });
        report.check(self.batch_size > 1, "batch_size", || {
            "must be at least 2; norms and contrastive losses need other samples".to_owned()
        });
        report.check(self.batch_size <= MOST_BATCH, "batch_size", || {
            format!("must be at most {MOST_BATCH}")
        });
        report.check(
            self.pair.is_none_or(|pair| pair.candidates > 0),
            "pair.candidates",
            || "must be at least 1".to_owned(),
        );
        tell_device(report, &self.device);
        tell_data(report, &self.data, self.limits);
        tell_views(report, &self.views);
        if let Some(noise) = &self.label_noise {
            noise.validate(report);
        }
        if let Some(doses) = &self.doses {
            doses.validate(report, self.pair.is_some());
        }
        // Without a size of its own, a view has that of the images, which are not read yet.
        let encoder = match self.views.size {
            Some(side) => self.encoder.clone().for_images(3, side),
            None => self.encoder.clone(),
        };
        tell_model(report, "encoder", encoder.validate());
        if let Some(projection) = &self.projection {
            tell_model(report, "projection", projection.validate());
        }
        self.validate_objective(report);
        self.validate_fine_tune(report);
        tell_ssl(report, "objective", self.objective.problems());
        tell_ssl(report, "optimizer", self.optimizer.problems());
        tell_ssl(report, "schedule", self.schedule.problems());
        report.check(
            self.schedule.warmup_epochs <= f64::from(self.epochs),
            "schedule.warmup_epochs",
            || {
                format!(
                    "{} epochs of warm-up do not fit into {}",
                    self.schedule.warmup_epochs, self.epochs
                )
            },
        );
        report.check(
            (1..=1024).contains(&self.loader.depth),
            "loader.depth",
            || "must be from 1 to 1024".to_owned(),
        );
        report.check(
            (1..=1024).contains(&self.loader.threads),
            "loader.threads",
            || "must be from 1 to 1024".to_owned(),
        );
        let evaluation = &self.evaluation;
        report.check(evaluation.k > 0, "evaluation.k", || {
            "must be at least 1".to_owned()
        });
        report.check(
            evaluation.temperature > 0.0,
            "evaluation.temperature",
            || "must be above 0".to_owned(),
        );
        report.check(evaluation.bank > 0, "evaluation.bank", || {
            "must be at least 1".to_owned()
        });
        report.check(
            (1..=MOST_BATCH).contains(&evaluation.batch_size),
            "evaluation.batch_size",
            || format!("must be from 1 to {MOST_BATCH}"),
        );
        report.check(self.checkpoints.every > 0, "checkpoints.every", || {
            "must be at least 1".to_owned()
        });
        report.check(
            self.checkpoints.keep_last > 0,
            "checkpoints.keep_last",
            || "must be at least 1".to_owned(),
        );
        report.check(
            (0.0..=1.0).contains(&self.overhead.warn),
            "overhead.warn",
            || "must be a share between 0 and 1".to_owned(),
        );
        self.validate_prune_schedules(report);
    }
}
