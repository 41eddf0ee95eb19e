//! What can go wrong while a run is put on record or read back.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the sinks or of the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrackError {
    /// The file system refused.
    #[error(
        "cannot {action} {}: {source}; check that the folder exists, is writable and has space left",
        path.display()
    )]
    Io {
        /// What was tried, for example `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason given by the operating system.
        source: io::Error,
    },

    /// A new run would write over the records of another one.
    #[error(
        "{} holds the records of another run; resume that run, choose another folder, or remove its records first",
        .0.display()
    )]
    NotEmpty(PathBuf),

    /// A line of a JSON lines file is no record.
    #[error("{}:{line}: not a record ({why}); repair or remove that line", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What the parser found.
        why: String,
    },

    /// A Parquet file cannot be written or read.
    #[error("table {}: {why}; remove the file if the run that wrote it is gone", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },

    /// An event file of TensorBoard cannot be read.
    #[error("{}: {why}; the file is damaged", path.display())]
    Events {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },

    /// A plugin measured something that cannot be stored as it is.
    #[error("`{tag}` cannot be stored: {why}")]
    Malformed {
        /// The record's tag.
        tag: String,
        /// What is wrong with it, and what would be right.
        why: String,
    },

    /// A file that is not below its folder, no plain file, or larger than any that a run writes.
    #[error(transparent)]
    File(#[from] afterimage_files::FileError),

    /// A file was removed, with or without its folder, while the run was at work.
    #[error("{} was removed while the run was at work", .0.display())]
    Removed(PathBuf),

    /// Another tool that shows the run's numbers cannot be told.
    #[error("{tool} at {place}: {why}")]
    Tracker {
        /// The tool.
        tool: &'static str,
        /// Its file or address.
        place: String,
        /// What went wrong.
        why: String,
    },

    /// A folder holds no run.
    #[error("{} holds no run: there is no {}; name a run directory", path.display(), missing)]
    NoRun {
        /// The folder.
        path: PathBuf,
        /// The file that every run directory has.
        missing: &'static str,
    },
}

impl TrackError {
    /// Names the file and the action in an error of the operating system, for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// Says why a record cannot be stored.
    pub(crate) fn malformed(tag: &str, why: impl Into<String>) -> Self {
        Self::Malformed {
            tag: tag.to_owned(),
            why: why.into(),
        }
    }
}

/// A malformed record becomes `InvalidInput`, so that [`Sinks`](crate::Sinks) can tell a record
/// that no disk could take from a sink that can take no record.
impl From<TrackError> for io::Error {
    fn from(error: TrackError) -> Self {
        let kind = match &error {
            // `InvalidInput` means a malformed record here, whatever the system means by it.
            TrackError::Io { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
                io::ErrorKind::Other
            }
            TrackError::Io { source, .. } => source.kind(),
            TrackError::Malformed { .. } => io::ErrorKind::InvalidInput,
            TrackError::NotEmpty(_) => io::ErrorKind::AlreadyExists,
            TrackError::NoRun { .. } | TrackError::Removed(_) => io::ErrorKind::NotFound,
            TrackError::File(error) => error.kind(),
            TrackError::Tracker { .. } => io::ErrorKind::Other,
            TrackError::Line { .. } | TrackError::Table { .. } | TrackError::Events { .. } => {
                io::ErrorKind::InvalidData
            }
        };
        io::Error::new(kind, error)
    }
}
