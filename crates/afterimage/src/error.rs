//! Why a run did not start, or did not go on.

use std::path::PathBuf;

use afterimage_data::DataError;
use afterimage_model::ModelError;
use afterimage_ssl::SslError;
use afterimage_track::TrackError;
use afterimage_train::TrainError;
use thiserror::Error;

use crate::config::ConfigErrors;

/// An error of a whole run, in the user's terms.
#[derive(Debug, Error)]
pub enum RunError {
    /// Mistakes in the config, all of them.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// A device that this program or machine does not have.
    #[error("{0}")]
    Device(String),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A setting of objective, optimizer or schedule.
    #[error(transparent)]
    Ssl(#[from] SslError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A file of the run could not be written.
    #[error(transparent)]
    Track(#[from] TrackError),
    /// Views that the encoder cannot take.
    #[error(
        "views are {side} pixels high or wide; the encoder needs at least {least}; set `views.size`"
    )]
    SmallViews {
        /// The shorter side.
        side: usize,
        /// The least side.
        least: usize,
    },
    /// Local views that the encoder cannot take.
    #[error("{0}; set `objective.local_size`")]
    LocalViews(String),
    /// A run directory that already holds something.
    #[error(
        "{path}: this run directory is not empty; go on with `afterimage resume {path}`, or choose \
         another with --out"
    )]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A directory that holds no run.
    #[error("{path}: this is no run directory: {what}")]
    NoRun {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// A run that is already over.
    #[error("{path}: this run is complete; there is nothing to resume")]
    Complete {
        /// The directory.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{path}: cannot {verb}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

impl RunError {
    /// The exit code of the command line: 2 for mistakes in the config, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            RunError::Config(_)
            | RunError::Device(_)
            | RunError::SmallViews { .. }
            | RunError::LocalViews(_)
            | RunError::Train(
                TrainError::Plugins(_)
                | TrainError::Model(ModelError::Config { .. } | ModelError::Patch { .. }),
            ) => 2,
            _ => 1,
        }
    }

    pub(crate) fn io(
        path: impl Into<PathBuf>,
        verb: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, verb, source }
    }
}
