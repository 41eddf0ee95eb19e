//! Reading what the data section of a config names.

use crate::dataset::{DataSet, Limits};
use crate::error::DataError;
use crate::pictured::Pictured;
use crate::read::{cifar, embedded, folder, idx, index, npy, npz, parquet, tar};
use crate::source::DataSource;

impl DataSource {
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
                choice: lazily.choice,
                size: scale.size,
                channels: scale.channels,
            }
            .load(notes),
            Self::Tar { .. } => tar::load(&lazily, scale, notes),
            Self::Parquet {
                image,
                label,
                split,
                held_out_value,
                cache,
                ..
            } => parquet::Columns {
                image: image.as_deref().unwrap_or("image"),
                label: label.as_deref(),
                split: split.as_deref(),
                held_out_value: held_out_value.as_deref(),
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
                choice: lazily.choice,
            }
            .load(notes),
            Self::Npz {
                file,
                train_images,
                train_labels,
                held_out_images,
                held_out_labels,
                hold_out_every,
                held_out_ids,
            } => npz::Archive {
                file,
                train_images: train_images.as_deref(),
                train_labels: train_labels.as_deref(),
                held_out_images: held_out_images.as_deref(),
                held_out_labels: held_out_labels.as_deref(),
                chosen: hold_out_every.is_some() || held_out_ids.is_some(),
                choice: lazily.choice,
            }
            .load(notes),
            Self::Csv {
                file,
                dir,
                path,
                label,
                split,
                held_out_value,
                ..
            } => index::List {
                file,
                dir: dir.as_deref(),
                path: path.as_deref().unwrap_or("path"),
                label: label.as_deref(),
                split: split.as_deref(),
                held_out_value: held_out_value.as_deref(),
                choice: lazily.choice,
                scale,
                on_bad: lazily.on_bad,
            }
            .load(notes),
            _ => self.load_bytes(),
        }
    }
}
