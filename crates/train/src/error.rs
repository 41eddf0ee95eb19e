//! What can go wrong in training.

use std::path::PathBuf;

use afterimage_data::DataError;
use afterimage_hooks::{Fault, HooksError, StopRun};
use afterimage_ssl::SslError;
use afterimage_track::TrackError;
use thiserror::Error;

/// An error of the training loop, in the user's terms.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Plugins that cannot run together.
    #[error("the plugins cannot run:\n{}", list(.0))]
    Plugins(Vec<HooksError>),
    /// A plugin's state does not fit, or cannot be saved.
    #[error(transparent)]
    Hooks(#[from] HooksError),
    /// A plugin whose policy is to stop the run failed.
    #[error(transparent)]
    Stopped(#[from] StopRun),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A setting of objective, optimizer or schedule.
    #[error(transparent)]
    Ssl(#[from] SslError),
    /// A setting of the model.
    #[error(transparent)]
    Model(#[from] afterimage_model::ModelError),
    /// A file of the run that is not a checkpoint's.
    #[error(transparent)]
    Track(#[from] TrackError),
    /// An evaluation failed.
    #[error("evaluation failed: {0}")]
    Evaluation(Fault),
    /// A file could not be read or written.
    #[error("{path}: cannot {verb}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// A checkpoint that is incomplete or damaged.
    #[error("{path}: {what}; put a copy of this file back, or take another checkpoint")]
    Checkpoint {
        /// Which file or folder.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A run whose checkpoints are all incomplete or damaged.
    #[error(
        "{}; no checkpoint of this run is whole: put a copy of a file back, or start a new run in \
         another directory",
        .0.join("; ")
    )]
    NoneWhole(Vec<String>),
    /// A checkpoint of another version of the program.
    #[error(
        "{path}: layout {layout} is not layout {known}, which this program reads; use the version of \
         the program that wrote it"
    )]
    Layout {
        /// The checkpoint's folder.
        path: PathBuf,
        /// Its layout.
        layout: u32,
        /// The layout that is read.
        known: u32,
    },
    /// A file that is no plain file of the run, or cannot be read.
    #[error(transparent)]
    File(#[from] afterimage_files::FileError),
    /// A checkpoint of another config.
    #[error(
        "{path}: this checkpoint was written under another config: {difference}; put the config \
         back, or start a new run"
    )]
    OtherConfig {
        /// The checkpoint's folder.
        path: PathBuf,
        /// Keys that differ, with both values.
        difference: String,
    },
    /// Nothing to resume from.
    #[error("{path}: no checkpoint to resume from")]
    NoCheckpoint {
        /// The folder that was searched.
        path: PathBuf,
    },
    /// A record of burn that could not be encoded.
    #[error("the {what} could not be recorded: {reason}")]
    Record {
        /// Model, optimizer or schedule.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// burn-train stopped the run.
    #[error("burn-train stopped the run: {0}")]
    Burn(String),
    /// Fewer samples than a batch.
    #[error("{samples} training samples do not fill one batch of {batch}; lower `batch_size`")]
    TooFewSamples {
        /// Samples of the plan.
        samples: usize,
        /// Batch size.
        batch: usize,
    },
    /// Another process of the run failed, or is elsewhere in the program.
    #[error("{0}")]
    Processes(String),
    /// The loop was attached in a way that cannot work.
    #[error("{0}")]
    Attach(String),
}

fn list(errors: &[HooksError]) -> String {
    errors
        .iter()
        .map(|e| format!("  {e}"))
        .collect::<Vec<_>>()
        .join("\n")
}

impl TrainError {
    pub(crate) fn io(
        path: impl Into<PathBuf>,
        verb: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, verb, source }
    }
}
