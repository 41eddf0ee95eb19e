//! Where a data set comes from, as the experiment's config says it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::check::OnBad;
use crate::dataset::{DataSet, Limits};
use crate::error::DataError;
use crate::pictured::Pictured;
use crate::read::{cifar, embedded, folder, idx, index, npy, parquet, tar};

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
    /// One folder a class, or one folder of images without labels; any decodable format (PNG, JPEG, GIF,
    /// BMP, TIFF, WebP, PNM, TGA, QOI, ICO), turned upright as its orientation tag says, laid over white
    /// where transparent, scaled until the shorter side is `size` and cut to the middle square. Read into
    /// memory before the start, unless `lazy`.
    Folder {
        /// Folder of class folders, or of images without labels, to train on.
        train: PathBuf,
        /// The same, never trained on: with labels where `train` has them, and of its classes. Without it,
        /// every `hold_out_every`-th file of each class, in path order, is held out.
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
        /// Keep the images in their files, and read and decode each when it is needed: for folders that
        /// memory does not hold. Ids, pixels and results are the same.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lazy: bool,
        /// What happens to images that cannot be decoded, where `lazy`; `"stop"` unless told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_bad: Option<OnBad>,
    },
    /// Shards in the layout of WebDataset: uncompressed tar files with the files of a sample beside each
    /// other, `KEY.jpg` (or another format) and `KEY.cls`, its class as a number. Images are made as
    /// those of `folder` and stay in their files; shards are taken in the order of their names.
    Tar {
        /// A folder of `.tar` files, one such file, or a path whose last part has a `*`.
        train: PathBuf,
        /// The same, never trained on. Without it, every `hold_out_every`-th image of each class, in the
        /// order of the shards, is held out.
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
        /// What happens to images that cannot be decoded; `"stop"` unless told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_bad: Option<OnBad>,
    },
    /// Parquet files in the layout of public image sets: a column of encoded images, or a struct with
    /// `bytes`, and one of labels. Images are made as those of `folder`; files are taken in the order of
    /// their names. Encoded images are kept in memory, or in a `cache` on a disk.
    Parquet {
        /// A folder of `.parquet` files, one such file, or a path whose last part has a `*`, as in
        /// `data/train-*.parquet`.
        train: PathBuf,
        /// The same, never trained on. Without it, every `hold_out_every`-th image of each class, in the
        /// order of the files, is held out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out: Option<PathBuf>,
        /// At least 2; 6 unless told. Not used where `held_out` is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 2))]
        hold_out_every: Option<usize>,
        /// The column of images; `"image"` unless told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<String>,
        /// The column of labels: whole numbers from 0 on, or names. Unless told `"label"`, where there is
        /// such a column.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// Folder in which the encoded images are written once, whole or not at all, so that each can be
        /// read alone; in memory without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<PathBuf>,
        /// Side of the square images in pixels.
        #[schemars(range(min = 1, max = 4096))]
        size: usize,
        /// 1 (gray) or 3 (colour, the default).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("enum" = [1, 3, null]))]
        channels: Option<usize>,
        /// What happens to images that cannot be decoded; `"stop"` unless told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_bad: Option<OnBad>,
    },
    /// Arrays of bytes as npy files, `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]` with 1 or 3 channels.
    /// Images stay in their file.
    Npy {
        /// Images to train on.
        train_images: PathBuf,
        /// Their labels, `[N]` whole numbers from 0 on; without them the images are unlabelled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        train_labels: Option<PathBuf>,
        /// Held-out images. Without them, every `hold_out_every`-th image of each class is held out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_images: Option<PathBuf>,
        /// Their labels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_labels: Option<PathBuf>,
        /// At least 2; 6 unless told. Not used where `held_out_images` is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 2))]
        hold_out_every: Option<usize>,
    },
    /// A list of image files, with a header, and commas, semicolons or tabs between its cells. Images are
    /// made as those of `folder` and stay in their files.
    Csv {
        /// The list.
        file: PathBuf,
        /// The folder that paths of the list are below, and may not leave; that of the list unless told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dir: Option<PathBuf>,
        /// The column of paths; `"path"` unless told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// The column of labels: names, or whole numbers from 0 on; without it the images are unlabelled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// The column of splits: `train`, or `held_out`, `test`, `val`, `valid` or `validation`. Without
        /// it, every `hold_out_every`-th image of each class is held out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        split: Option<String>,
        /// At least 2; 6 unless told. Not used where `split` is given.
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
        /// What happens to images that cannot be decoded; `"stop"` unless told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_bad: Option<OnBad>,
    },
}

impl DataSource {
    /// What is wrong with the settings, before anything is read: keys below `data`, each with a
    /// sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let Some(common) = self.pictured() else {
            return Vec::new();
        };
        let mut problems = Vec::new();
        if let Some(every) = common.hold_out_every {
            if let Some(told) = common.held_out {
                problems.push((
                    "hold_out_every",
                    format!(
                        "{told} given, so that no training image is held out; remove one of both"
                    ),
                ));
            } else if every < 2 {
                problems.push((
                    "hold_out_every",
                    format!("{every} would leave nothing to train on; write at least 2"),
                ));
            }
        }
        if let Some(size) = common.size.filter(|size| !(1..=4096).contains(size)) {
            problems.push(("size", format!("{size} is not in 1 to 4096")));
        }
        if let Some(channels) = common
            .channels
            .filter(|channels| !matches!(channels, 1 | 3))
        {
            problems.push((
                "channels",
                format!("{channels} is neither 1 (gray) nor 3 (colour)"),
            ));
        }
        match self {
            Self::Folder {
                lazy: false,
                on_bad: Some(_),
                ..
            } => problems.push((
                "on_bad",
                "all images are decoded before the start, and one that cannot be is an error; set \
                 lazy = true, or remove this key"
                    .to_owned(),
            )),
            Self::Npy {
                held_out_images: None,
                held_out_labels: Some(_),
                ..
            } => problems.push((
                "held_out_labels",
                "there are no held_out_images; give them, or remove this key".to_owned(),
            )),
            _ => {}
        }
        problems
    }

    /// The same source for a check of its images: they stay in their files, and none is left out.
    #[must_use]
    pub fn for_check(mut self) -> Self {
        match &mut self {
            Self::Folder { lazy, on_bad, .. } => {
                *lazy = true;
                *on_bad = None;
            }
            Self::Tar { on_bad, .. } | Self::Parquet { on_bad, .. } | Self::Csv { on_bad, .. } => {
                *on_bad = None;
            }
            _ => {}
        }
        self
    }

    /// Side of its images in pixels; `None` where the files that say it are not there.
    pub fn side(&self) -> Option<usize> {
        match self {
            Self::Embedded {} => Some(28),
            Self::Idx { dir } => idx::side(&idx::find(dir).ok()?.train_images),
            Self::IdxFiles { train_images, .. } => idx::side(train_images),
            Self::Cifar10 { .. } | Self::Cifar100 { .. } => Some(32),
            Self::Folder { size, .. }
            | Self::Tar { size, .. }
            | Self::Parquet { size, .. }
            | Self::Csv { size, .. } => Some(*size),
            Self::Npy { train_images, .. } => npy::side(train_images),
        }
    }

    /// Reads everything into memory, or an index of what stays in its files, checks it, and keeps what
    /// `limits` allow.
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
        let data = match self.pictured() {
            Some(common) => self.load_pictures(common, notes)?,
            None => self.load_bytes()?,
        };
        let data = limits.apply(data, notes)?;
        if !data.train.has_labels() {
            notes.push(
                "the images have no labels; what needs labels, as kNN and the linear probe, is off"
                    .to_owned(),
            );
        }
        Ok(data)
    }

    /// Sources whose images are in memory as they are in their files.
    fn load_bytes(&self) -> Result<DataSet, DataError> {
        match self {
            Self::Embedded {} => embedded::load(),
            Self::Idx { dir } => idx::load(&idx::find(dir)?),
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
            }),
            Self::Cifar10 { dir } => cifar::load_cifar10(dir),
            Self::Cifar100 { dir, coarse } => cifar::load_cifar100(dir, *coarse),
            // What has pictures or arrays to scale or to leave in their files is read above.
            _ => Err(DataError::config("data.kind", "it cannot be read")),
        }
    }

    /// Sources of pictures, and of what stays in its files.
    fn load_pictures(
        &self,
        common: Pictured<'_>,
        notes: &mut Vec<String>,
    ) -> Result<DataSet, DataError> {
        let (lazily, scale) = (common.lazy(), common.scale());
        match self {
            Self::Folder { lazy: true, .. } => lazily.folder(scale, notes),
            Self::Folder { .. } => folder::Folder {
                train: lazily.train,
                held_out: lazily.held_out,
                hold_out_every: lazily.hold_out_every,
                size: scale.size,
                channels: scale.channels,
            }
            .load(notes),
            Self::Tar { .. } => tar::load(&lazily, scale, notes),
            Self::Parquet {
                image,
                label,
                cache,
                ..
            } => parquet::Columns {
                image: image.as_deref().unwrap_or("image"),
                label: label.as_deref(),
                cache: cache.as_deref(),
                scale,
            }
            .load(&lazily, notes),
            Self::Npy {
                train_images,
                train_labels,
                held_out_images,
                held_out_labels,
                ..
            } => npy::Arrays {
                train_images,
                train_labels: train_labels.as_deref(),
                held_out_images: held_out_images.as_deref(),
                held_out_labels: held_out_labels.as_deref(),
                hold_out_every: lazily.hold_out_every,
            }
            .load(notes),
            Self::Csv {
                file,
                dir,
                path,
                label,
                split,
                ..
            } => index::List {
                file,
                dir: dir.as_deref(),
                path: path.as_deref().unwrap_or("path"),
                label: label.as_deref(),
                split: split.as_deref(),
                hold_out_every: lazily.hold_out_every,
                scale,
                on_bad: lazily.on_bad,
            }
            .load(notes),
            _ => self.load_bytes(),
        }
    }
}
