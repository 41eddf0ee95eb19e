//! Where a data set comes from, as the experiment's config says it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::check::OnBad;
use crate::read::{idx, npy, npz};

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
        /// A file with the ids of the images that are held out; all others are trained on. An id is the
        /// name of an image as `afterimage data list` shows it, or its number in the order of the files, from
        /// 0; one a line, or the column `id` of a `.csv`, `.tsv` or `.parquet` file. A table of samples, as
        /// a run's `samples.parquet`, holds out what it calls `held_out`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_ids: Option<PathBuf>,
        /// At least 2; 6 unless told. Not used where another key says what is held out.
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
        /// A file with the ids of the images that are held out; all others are trained on. An id is the
        /// name of an image as `afterimage data list` shows it, or its number in the order of the files, from
        /// 0; one a line, or the column `id` of a `.csv`, `.tsv` or `.parquet` file. A table of samples, as
        /// a run's `samples.parquet`, holds out what it calls `held_out`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_ids: Option<PathBuf>,
        /// At least 2; 6 unless told. Not used where another key says what is held out.
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
        /// A file with the ids of the images that are held out; all others are trained on. An id is the
        /// name of an image as `afterimage data list` shows it, or its number in the order of the files, from
        /// 0; one a line, or the column `id` of a `.csv`, `.tsv` or `.parquet` file. A table of samples, as
        /// a run's `samples.parquet`, holds out what it calls `held_out`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_ids: Option<PathBuf>,
        /// At least 2; 6 unless told. Not used where another key says what is held out.
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
        /// The column of splits: `train`, or `held_out`, `test`, `val`, `valid` or `validation`; with
        /// `held_out_value` any values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        split: Option<String>,
        /// The value in the column `split` of what is held out; images of all other values are trained on.
        /// Numbers are told as text, as in `"3"`, truths as `"True"` and `"False"`, and days as `"2020-09-18"`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_value: Option<String>,
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
        /// Their labels, `[N]` or `[N, 1]` whole numbers from 0 on; without them the images are unlabelled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        train_labels: Option<PathBuf>,
        /// Held-out images. Without them, every `hold_out_every`-th image of each class is held out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_images: Option<PathBuf>,
        /// Their labels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_labels: Option<PathBuf>,
        /// A file with the ids of the images that are held out; all others are trained on. An id is the
        /// name of an image as `afterimage data list` shows it, or its number in the order of the files, from
        /// 0; one a line, or the column `id` of a `.csv`, `.tsv` or `.parquet` file. A table of samples, as
        /// a run's `samples.parquet`, holds out what it calls `held_out`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_ids: Option<PathBuf>,
        /// At least 2; 6 unless told. Not used where another key says what is held out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 2))]
        hold_out_every: Option<usize>,
    },
    /// Arrays of bytes in one npz file, shaped as those of `npy`. Images of an array that is not compressed
    /// stay in the file, which is read through once before the start: its checksum tells of damage. Those of
    /// a compressed one are held in memory.
    Npz {
        /// The file.
        file: PathBuf,
        /// Name of the array of images to train on. Unless told `x_train` or `train_images`, with the
        /// arrays that go with it in public sets: `y_train`, `x_test` and `y_test`, or `train_labels`,
        /// `test_images` and `test_labels`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        train_images: Option<String>,
        /// The array of their labels, `[N]` or `[N, 1]` whole numbers from 0 on; without it the images are
        /// unlabelled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        train_labels: Option<String>,
        /// The array of held-out images.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_images: Option<String>,
        /// The array of their labels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_labels: Option<String>,
        /// A file with the ids of the images that are held out; all others are trained on. An id is the
        /// name of an image as `afterimage data list` shows it, or its number in the order of the files, from
        /// 0; one a line, or the column `id` of a `.csv`, `.tsv` or `.parquet` file. A table of samples, as
        /// a run's `samples.parquet`, holds out what it calls `held_out`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_ids: Option<PathBuf>,
        /// At least 2; every so many images of each class are held out, 6 unless told, where no other key and
        /// no array of a public set says what is.
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
        /// The column of splits: `train`, or `held_out`, `test`, `val`, `valid` or `validation`; with
        /// `held_out_value` any values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        split: Option<String>,
        /// The value in the column `split` of what is held out; images of all other values are trained on.
        /// Numbers are told as text, as in `"3"`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_value: Option<String>,
        /// A file with the ids of the images that are held out; all others are trained on. An id is the
        /// name of an image as `afterimage data list` shows it, or its number in the order of the files, from
        /// 0; one a line, or the column `id` of a `.csv`, `.tsv` or `.parquet` file. A table of samples, as
        /// a run's `samples.parquet`, holds out what it calls `held_out`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_out_ids: Option<PathBuf>,
        /// At least 2; 6 unless told. Not used where another key says what is held out.
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
        let mut problems = common.in_conflict();
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
            Self::Parquet {
                split: None,
                held_out_value: Some(_),
                ..
            }
            | Self::Csv {
                split: None,
                held_out_value: Some(_),
                ..
            } => problems.push((
                "held_out_value",
                "there is no column that it is a value of; name the column in split, or remove this key"
                    .to_owned(),
            )),
            Self::Npy {
                held_out_images: None,
                held_out_labels: Some(_),
                ..
            }
            | Self::Npz {
                held_out_images: None,
                held_out_labels: Some(_),
                ..
            } => problems.push((
                "held_out_labels",
                "there are no held_out_images; give them, or remove this key".to_owned(),
            )),
            Self::Npz {
                train_images: None,
                train_labels: None,
                held_out_images: None,
                ..
            } => {}
            Self::Npz {
                train_images: None, ..
            } => problems.push((
                "train_images",
                "other arrays are named and this one is not; name all that are used".to_owned(),
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
            Self::Npz {
                file, train_images, ..
            } => npz::side(file, train_images.as_deref()),
        }
    }
}
