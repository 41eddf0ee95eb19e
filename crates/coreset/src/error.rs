//! What can be wrong with data and settings of a selection.

use std::fmt;
use std::path::{Path, PathBuf};

use afterimage_table::FileError;
use thiserror::Error;

/// A selection that cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CoresetError {
    /// The operating system refused a file or folder.
    #[error("{}: cannot {verb}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that is not what its reader expects.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, with place and advice.
        reason: String,
    },
    /// Values that are not finite.
    #[error(
        "{what}: {count} of {rows} samples hold values that are not finite: {samples}; the network \
         that made them diverged, or their images are damaged: leave these samples out, or make \
         their {what} again"
    )]
    NotFinite {
        /// What holds them, for example "proxies".
        what: &'static str,
        /// Number of samples with such values.
        count: usize,
        /// Number of all samples.
        rows: usize,
        /// The first of the samples.
        samples: Ids,
    },
    /// Two inputs of unequal length.
    #[error("{left} has {left_len} entries and {right} has {right_len}; both need one a sample")]
    Lengths {
        /// Name of the first.
        left: &'static str,
        /// Its length.
        left_len: usize,
        /// Name of the second.
        right: &'static str,
        /// Its length.
        right_len: usize,
    },
    /// A block of values that does not fill its matrix.
    #[error("{rows} rows of {columns} columns need {} values; got {values}", rows * columns)]
    Shape {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// Values that were given.
        values: usize,
    },
    /// A setting that makes no sense.
    #[error("{key}: {reason}")]
    Setting {
        /// The setting, for example `fraction`.
        key: &'static str,
        /// What is wrong with it and what to write.
        reason: String,
    },
    /// A strategy that lacks what it ranks by.
    #[error("the strategy `{strategy}` needs {needs}, which {} not given", if *plural { "were" } else { "was" })]
    Missing {
        /// The strategy.
        strategy: &'static str,
        /// What it needs.
        needs: &'static str,
        /// Whether `needs` is more than one thing.
        plural: bool,
    },
    /// A memory budget in which nothing fits.
    #[error(
        "a memory budget of {} is too small: the smallest way needs {}; raise the budget (`--memory`, or `memory` in a config)",
        crate::memory::Bytes(*budget), crate::memory::Bytes(*needed)
    )]
    Memory {
        /// The budget in bytes.
        budget: u64,
        /// The least need in bytes.
        needed: u64,
    },
}

impl CoresetError {
    pub(crate) fn io(path: &Path, verb: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, verb, source }
    }

    pub(crate) fn format(path: &Path, reason: impl Into<String>) -> Self {
        Self::Format {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// The error of a file that is to be a `kind`, as in "npy file".
    pub(crate) fn file(kind: &str, path: &Path, error: FileError) -> Self {
        match error {
            FileError::Io { verb, source } => Self::io(path, verb)(source),
            FileError::Kind(what) => {
                Self::format(path, format!("this is no {kind} that can be read: {what}"))
            }
            error => Self::format(path, error.to_string()),
        }
    }

    pub(crate) fn setting(key: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting {
            key,
            reason: reason.into(),
        }
    }
}

/// Sample ids in an error, cut after the tenth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids(pub Vec<usize>);

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        for (position, id) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{id}")?;
        }
        if self.0.len() > SHOWN {
            write!(f, ", …")?;
        }
        Ok(())
    }
}
