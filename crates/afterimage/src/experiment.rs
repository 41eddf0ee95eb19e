//! The schema of an experiment config.

use afterimage_data::{DataSource, Limits, ViewConfig};
use afterimage_hooks::OnFault;
use afterimage_model::{EncoderConfig, ModelError, ProjectionHeadConfig};
use afterimage_ssl::{Negatives, ObjectiveConfig, OptimizerConfig, ScheduleConfig, Shards};
use afterimage_track::SinkConfig;
use afterimage_train::JudgeConfig;
use serde::{Deserialize, Serialize};

use crate::doses::DosesConfig;
use crate::fine_tune::FineTuneConfig;
use crate::label_noise::LabelNoiseConfig;
use crate::pair::PairConfig;

/// A self-supervised training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name of the run; part of its directory.
    pub name: String,
    /// Seed of every random choice; default 0.
    #[serde(default)]
    pub seed: u64,
    /// `cpu`, `cuda:N`, `cuda:local` (the number of the process on its machine, or the place of the trial in its
    /// sweep) or `wgpu`; default `cpu`.
    #[serde(default = "default_device")]
    pub device: String,
    /// Passes over the training images.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub epochs: u32,
    /// Samples in a batch, that is in an optimizer step; a contrastive loss sees two views of each.
    #[schemars(range(min = 2, max = 65_536))]
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
    /// How a batch is cut into shards; in one piece unless told.
    #[serde(default, skip_serializing_if = "BatchConfig::is_whole")]
    pub batch: BatchConfig,
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
    /// Other tools that are told the numbers of the run; none unless told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<SinkConfig>,
    /// Plugins, in order where nothing else says who comes first.
    #[serde(default)]
    pub plugins: Vec<PluginEntry>,
}

pub(crate) fn default_device() -> String {
    "cpu".to_owned()
}

/// How progress is shown.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
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

/// How a batch is cut into shards, for batches beyond memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Parts of each batch, each with a forward pass, a backward pass and norm statistics of its own, one
    /// after the other; memory is that of one part. Divides `batch_size` and leaves at least two samples
    /// to each; default 1.
    #[schemars(range(min = 1, max = 32_768))]
    pub shards: usize,
    /// What a loss that compares samples (`simclr`, `vicreg`, `barlow_twins`) compares: the samples of
    /// its `shard`, or `all` of the batch, which costs each shard a second forward pass; default `shard`.
    pub negatives: Negatives,
}

impl Default for BatchConfig {
    fn default() -> Self {
        let Shards { count, negatives } = Shards::default();
        Self {
            shards: count,
            negatives,
        }
    }
}

impl BatchConfig {
    /// Whether nothing is told that differs from a batch in one piece.
    fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn cut(&self) -> Shards {
        Shards {
            count: self.shards,
            negatives: self.negatives,
        }
    }
}

/// How views are rendered ahead of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoaderConfig {
    /// Batches rendered ahead; default 4.
    #[schemars(range(min = 1, max = 1024))]
    pub depth: usize,
    /// Threads that render; default 2.
    #[schemars(range(min = 1, max = 1024))]
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Epochs between evaluations; 0 switches them off; default 1.
    pub every: u32,
    /// Neighbours that vote; default 20.
    #[schemars(range(min = 1))]
    pub k: usize,
    /// Temperature of the votes; default 0.07.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
    /// Training images in the bank of neighbours, the first of each class; default 5000.
    #[schemars(range(min = 1))]
    pub bank: usize,
    /// Images in a forward pass; default 250.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// Whether a linear probe is fitted at the end; default true.
    pub linear_probe: bool,
    /// Whether the linear probe is fitted anew at every evaluation, so that each level of pruning has its own;
    /// default false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub probe_every_time: bool,
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
            probe_every_time: judge.probe_every_time,
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
            probe_every_time: self.probe_every_time,
        }
    }
}

/// Which checkpoints are written and kept; the best by kNN accuracy is kept in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointsConfig {
    /// Epochs between checkpoints; default 1.
    #[schemars(range(min = 1))]
    pub every: u32,
    /// How many of the last are kept; default 2.
    #[schemars(range(min = 1))]
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OverheadConfig {
    /// Share of the run's time, 0 to 1; default 0.25.
    #[schemars(range(min = 0, max = 1))]
    pub warn: f64,
}

impl Default for OverheadConfig {
    fn default() -> Self {
        Self { warn: 0.25 }
    }
}

/// One plugin: what every plugin has, and the settings of its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    pub settings: toml::Table,
}

impl PluginEntry {
    /// The plugin's name in the run.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.kind)
    }
}

impl Experiment {
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
