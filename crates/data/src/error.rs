//! What goes wrong with data sets and views.

use std::fmt;
use std::path::{Path, PathBuf};

use afterimage_files::plain;
use afterimage_hooks::{SampleId, Split};
use thiserror::Error;

/// A data set that cannot be used, or a request that it cannot serve.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused a file or folder.
    #[error(
        "{}: {source}; check the paths of `[data]`, which are relative to the working directory",
        shown(path)
    )]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that is not what its reader expects.
    #[error("{}: {reason}", shown(path))]
    Format {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, with offsets and sizes.
        reason: String,
    },
    /// Image files that cannot be decoded; all of them are listed, up to [`MAX_LISTED`].
    #[error("{}: {problems}", shown(folder))]
    Files {
        /// The folder that was read.
        folder: PathBuf,
        /// The files and their faults.
        problems: Problems,
    },
    /// A setting that makes no sense.
    #[error("{key}: {reason}")]
    Config {
        /// The setting, for example `views.jitter.hue`.
        key: String,
        /// What is wrong with it and what to write.
        reason: String,
    },
    /// An id outside its split.
    #[error("sample {} is not in the {} split, which holds {len} samples; ids run from 0", id.0, name(*split))]
    UnknownSample {
        /// The id.
        id: SampleId,
        /// The split that was asked.
        split: Split,
        /// Number of samples in it.
        len: usize,
    },
    /// An id outside a set.
    #[error("sample {} is not among the {len} images; ids run from 0", id.0)]
    OutsideSet {
        /// The id.
        id: SampleId,
        /// Number of images.
        len: usize,
    },
    /// An image that was found when the files were indexed, and cannot be had now.
    #[error(
        "{}{}: {reason}; `afterimage data check` names all images that cannot be had",
        shown(path),
        member.as_ref().map_or(String::new(), |member| format!("[{}]", plain(member)))
    )]
    Image {
        /// The file.
        path: PathBuf,
        /// Which image in the file, where that holds many.
        member: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// The rendering of a batch failed on a background thread.
    #[error("rendering batch {batch} of the epoch failed: {reason}")]
    Worker {
        /// Position of the batch in the list given to the prefetcher.
        batch: usize,
        /// What the thread said.
        reason: String,
    },
}

/// A path on one line.
pub(crate) fn shown(path: &Path) -> String {
    plain(&path.display().to_string()).into_owned()
}

/// Names of others on one line, with commas between.
pub(crate) fn told<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(plain).collect();
    names.join(", ")
}

/// How many faulty files one error lists.
pub const MAX_LISTED: usize = 20;

/// Faulty files with the fault of each, in path order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The first [`MAX_LISTED`] files and their faults.
    pub listed: Vec<(PathBuf, String)>,
    /// Number of faulty files in all.
    pub total: usize,
}

impl Problems {
    /// The problems that `faults` are; a file that is named twice counts once.
    pub(crate) fn new(mut faults: Vec<(PathBuf, String)>) -> Self {
        faults.sort();
        faults.dedup();
        let total = faults.len();
        faults.truncate(MAX_LISTED);
        Self {
            listed: faults,
            total,
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.total == 1 { "file" } else { "files" };
        write!(f, "{} unusable image {noun}; repair or remove:", self.total)?;
        for (path, reason) in &self.listed {
            write!(f, "\n  {}: {reason}", shown(path))?;
        }
        match self.total - self.listed.len() {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl DataError {
    pub(crate) fn format(path: &Path, reason: impl Into<String>) -> Self {
        Self::Format {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn config(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config {
            key: key.into(),
            reason: reason.into(),
        }
    }
}

fn name(split: Split) -> &'static str {
    match split {
        Split::Train => "training",
        Split::HeldOut => "held-out",
    }
}
