//! Where a data set comes from, as the experiment's config says it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::dataset::{DataSet, Limits};
use crate::error::DataError;
use crate::read::{cifar, embedded, folder, idx};

/// Where a data set comes from: the `kind` key of the config's data section and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DataSource {
    /// A class-balanced part of Fashion-MNIST inside the program: 6,000 + 1,000 gray images 28×28.
    Embedded {},
    /// A folder with the four IDX files of MNIST or Fashion-MNIST, plain or `.gz`, under their
    /// usual names (`train-images-idx3-ubyte` or `train-images.idx3-ubyte`, and so on).
    Idx {
        /// The folder.
        dir: PathBuf,
    },
    /// Four IDX files of any names, plain or gzip.
    IdxFiles {
        /// Images to train on.
        train_images: PathBuf,
        /// Their labels.
        train_labels: PathBuf,
        /// Held-out images.
        held_out_images: PathBuf,
        /// Their labels.
        held_out_labels: PathBuf,
    },
    /// CIFAR-10, binary version: as many `data_batch_*.bin` as are there, and `test_batch.bin`.
    Cifar10 {
        /// The folder.
        dir: PathBuf,
    },
    /// CIFAR-100, binary version: `train.bin` and `test.bin`.
    Cifar100 {
        /// The folder.
        dir: PathBuf,
        /// Take the 20 coarse labels in place of the 100 fine ones.
        #[serde(default)]
        coarse: bool,
    },
    /// One folder a class, any decodable format (PNG, JPEG, GIF, BMP, TIFF, WebP, PNM, TGA, QOI,
    /// ICO), turned upright as its orientation tag says, laid over white where transparent, scaled
    /// until the shorter side is `size` and cut to the middle square.
    Folder {
        /// Folder of class folders to train on.
        train: PathBuf,
        /// Folder of class folders never trained on. Without it, every `hold_out_every`-th file of
        /// each class, in path order, is held out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out: Option<PathBuf>,
        /// At least 2; 6 unless told. Not used where `held_out` is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 2))]
        hold_out_every: Option<usize>,
        /// Side of the square images in pixels.
        #[schemars(range(min = 1, max = 4096))]
        size: usize,
        /// 1 (gray) or 3 (colour, the default).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("enum" = [1, 3, null]))]
        channels: Option<usize>,
    },
}

impl DataSource {
    /// What is wrong with the settings, before anything is read: keys below `data`, each with a
    /// sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let Self::Folder {
            held_out,
            hold_out_every,
            size,
            channels,
            ..
        } = self
        else {
            return Vec::new();
        };
        let mut problems = Vec::new();
        if let Some(every) = hold_out_every {
            if held_out.is_some() {
                problems.push((
                    "hold_out_every",
                    "a held_out folder is given, so that no training image is held out; remove one \
                     of both"
                        .to_owned(),
                ));
            } else if *every < 2 {
                problems.push((
                    "hold_out_every",
                    format!("{every} would leave nothing to train on; write at least 2"),
                ));
            }
        }
        if !(1..=4096).contains(size) {
            problems.push(("size", format!("{size} is not in 1 to 4096")));
        }
        if let Some(channels) = channels.filter(|channels| !matches!(channels, 1 | 3)) {
            problems.push((
                "channels",
                format!("{channels} is neither 1 (gray) nor 3 (colour)"),
            ));
        }
        problems
    }

    /// Side of its images in pixels; `None` where the files that say it are not there.
    pub fn side(&self) -> Option<usize> {
        match self {
            Self::Embedded {} => Some(28),
            Self::Idx { dir } => idx::side(&idx::find(dir).ok()?.train_images),
            Self::IdxFiles { train_images, .. } => idx::side(train_images),
            Self::Cifar10 { .. } | Self::Cifar100 { .. } => Some(32),
            Self::Folder { size, .. } => Some(*size),
        }
    }

    /// Reads everything into memory, checks it, and keeps what `limits` allow.
    ///
    /// # Errors
    /// A file that is missing, truncated, corrupt, empty or of another kind; sizes or counts that
    /// do not fit together; a limit that cannot be met. The error names file and reason.
    pub fn load(&self, limits: Limits) -> Result<DataSet, DataError> {
        self.load_telling(limits, &mut Vec::new())
    }

    /// As [`load`](Self::load); what was passed over, what a limit cut and what it could not cut goes to
    /// `notes`, a sentence each.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_telling(
        &self,
        limits: Limits,
        notes: &mut Vec<String>,
    ) -> Result<DataSet, DataError> {
        if let Some((key, reason)) = self.problems().into_iter().next() {
            return Err(DataError::config(format!("data.{key}"), reason));
        }
        let data = match self {
            Self::Embedded {} => embedded::load()?,
            Self::Idx { dir } => idx::load(&idx::find(dir)?)?,
            Self::IdxFiles {
                train_images,
                train_labels,
                held_out_images,
                held_out_labels,
            } => idx::load(&idx::IdxPaths {
                train_images: train_images.clone(),
                train_labels: train_labels.clone(),
                held_out_images: held_out_images.clone(),
                held_out_labels: held_out_labels.clone(),
            })?,
            Self::Cifar10 { dir } => cifar::load_cifar10(dir)?,
            Self::Cifar100 { dir, coarse } => cifar::load_cifar100(dir, *coarse)?,
            Self::Folder {
                train,
                held_out,
                hold_out_every,
                size,
                channels,
            } => folder::Folder {
                train,
                held_out: held_out.as_deref(),
                hold_out_every: hold_out_every.unwrap_or(6),
                size: *size,
                channels: channels.unwrap_or(3),
            }
            .load(notes)?,
        };
        limits.apply(data, notes)
    }
}
