//! A run from its config to its report.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use afterimage_train::Group;

use crate::config::Loaded;
use crate::dry_run::default_directory;
use crate::error::RunError;
use crate::experiment::Experiment;
use crate::finished::Finished;
use crate::prepared::Prepared;
use crate::registry::Registry;
use crate::run_dir::RunDir;
use crate::signs::signs;
use crate::start::keep_layers;
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
    let prepared = set_up(registry, loaded, None, &options)?;
    for note in &prepared.notes {
        tracing::warn!("{note}");
    }
    agree(group, loaded, &prepared)?;
    let (directory, owner) = RunDir::create(path)?;
    if let Some(layers) = &prepared.trained {
        keep_layers(directory.path(), layers)?;
    }
    directory.write_config(&loaded.resolved)?;
    prepared.launch(loaded, directory, owner, options, Begin::New)
}

/// Reads the images and builds the network of `loaded`, with signs of life meanwhile; `resumed` is the
/// directory of a run that goes on from a checkpoint.
///
/// # Errors
/// What keeps the run from starting.
pub(crate) fn set_up(
    registry: &Registry,
    loaded: &Loaded<Experiment>,
    resumed: Option<&Path>,
    options: &Options,
) -> Result<Prepared, RunError> {
    let part = "reading the images and building the network";
    let _beat = signs(&loaded.value, options.quiet, &options.progress, part);
    Prepared::new(registry, loaded, resumed)
}

/// Where a run begins.
pub(crate) enum Begin {
    /// At its first step.
    New,
    /// At its last checkpoint; records of the steps before it that are lost.
    Checkpoint(Vec<String>),
}
