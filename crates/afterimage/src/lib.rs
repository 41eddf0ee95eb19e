//! Training-loop plugins for [burn](https://burn.dev) that show what a self-supervised vision
//! encoder memorizes, and act on it.
//!
//! This crate gathers the others: [`prelude`] for programs that attach plugins to their own burn
//! training, [`Experiment`] and [`run`] for runs described in TOML, [`Registry`] for plugins by
//! name.

mod begin;
mod board;
mod chaos;
mod compact;
mod compared;
mod device;
mod dosed;
mod doses;
mod dry_run;
mod error;
mod exit_code;
mod experiment;
mod export;
mod fine_tune;
mod finished;
mod finite;
mod fitting;
mod flat_config;
mod found;
mod full_screen;
mod hints;
mod images;
mod intervene;
mod label_noise;
mod launch;
mod located;
mod numbers;
mod pair;
mod plugin_set;
mod points;
mod prepared;
mod probe;
mod pruned;
mod pruned_groups;
mod pulse;
mod quiet;
mod registry;
mod resume;
mod room;
mod ruled_out;
mod run;
mod run_dir;
mod same_images;
mod samples;
mod schema;
pub mod selected;
mod sensitivity;
mod signs;
mod standard_kinds;
mod start;
mod summary;
pub mod sweeps;
mod tables;
mod together;
mod toml_comment;
mod unit_points;
mod units_file;
mod validate;
pub mod valuation;
mod whole;

pub use begin::{NewOptions, Recipe, new_config, recipes, write_new};
pub use chaos::{Chaos, ChaosConfig};
pub use compact::{CompactOptions, Compacted, Side, compact};
pub use compared::{Compared, compare};
pub use device::{available_devices, open_device};
pub use doses::{DoseSet, DosesConfig};
pub use dry_run::{default_directory, dry_run};
pub use error::RunError;
pub use experiment::{
    BatchConfig, CheckpointsConfig, EvaluationConfig, Experiment, LoaderConfig, OverheadConfig,
    PluginEntry, Renderer,
};
pub use export::{EmbeddingsFormat, ExportOptions, Exported, Library, export};
pub use fine_tune::{FineTuneConfig, LayerChoice, LayerError};
pub use finished::Finished;
pub use intervene::{
    AblateOptions, Ablation, Arm, Arms, Cut, ExchangeOptions, Grain, InsertOptions, InsertedUnit,
    Insertion, RandomUnitArms, Ranked, UnitAt, UnitRank, Which, ablate, exchange, insert,
};
pub use label_noise::{LabelNoiseConfig, NoiseKind};
pub use pair::{Candidates, PairConfig};
pub use probe::{DejaVuConfig, ProbeConfig, ProbeOptions, Probed, probe};
pub use pulse::{Counted, Pulse, in_words};
pub use registry::{PluginKind, Registry};
pub use resume::{lost_since, resume, run_or_resume};
pub use run::{Options, run};
pub use run_dir::RunDir;
pub use samples::{ImageCheck, check_images, samples};
pub use schema::{experiment_schema, key_tables, sweep_schema};
pub use sensitivity::{
    Arm as SensitivityArm, Budget, Chosen, Control, Figures, Proposal, ProposedSite, Sensitivity,
    SensitivityError, SensitivityOptions, StudiedSite, Uniform, Way, sensitivity,
};
pub use together::{ending, follow, follow_resumed};

/// What a plugin is written with, and what a program needs to attach it to its own burn training.
pub mod prelude {
    pub use afterimage_hooks::{
        Attached, BatchPlanned, BatchPlannedCx, BatchReady, BatchReadyCx, Column, Declare,
        EpochEnd, EpochEndCx, EpochStart, EpochStartCx, EvalDone, EvalDoneCx, Every, Fault,
        ForwardDone, ForwardDoneCx, GradReady, GradReadyCx, LossReady, LossReadyCx, ModelView,
        OnFault, Outcome, Plan, Plugin, PluginState, Reduce, RequestKind, Requested, Resource,
        RunEnd, RunEndCx, RunStart, RunStartCx, SampleId, Samples, Scope, Site, SiteKind, Split,
        StepDone, StepDoneCx, Table, TapMode, TapSpec, Write,
    };
    pub use afterimage_model::Taps;
    pub use afterimage_track::TensorBoard;
    pub use afterimage_train::{Afterimage, Forward, HookedModel};
}

pub use afterimage_config as config;
pub use afterimage_coreset as coreset;
pub use afterimage_data as data;
pub use afterimage_files as files;
pub use afterimage_hooks as hooks;
pub use afterimage_memory as memory;
pub use afterimage_model as model;
pub use afterimage_prune as prune;
pub use afterimage_ssl as ssl;
pub use afterimage_sweep as sweep;
pub use afterimage_track as track;
pub use afterimage_train as train;
pub use afterimage_value as value;
