//! Images that cannot be decoded: all of them at once, and taking them out.

use std::fmt;

use afterimage_files::plain;
use afterimage_hooks::{SampleId, Split};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::DataSet;
use crate::error::DataError;
use crate::image_set::ImageSet;

/// What happens to images that cannot be decoded.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum OnBad {
    /// The run stops at the first that it comes to.
    #[default]
    Stop,
    /// All images are decoded once before the start, and those that cannot be are left out; their
    /// names are in `skipped.tsv` of the run.
    Skip,
}

/// An image that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file, by its path below the folder that the config names.
    pub file: String,
    /// Which image in the file, where that holds many; else empty.
    pub member: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(&self.file))?;
        if !self.member.is_empty() {
            write!(f, "[{}]", plain(&self.member))?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl ImageSet {
    /// The images that cannot be decoded, by id; all are tried, in parallel on rayon's current pool.
    /// None of a set in memory.
    pub fn faults(&self) -> Vec<(SampleId, Skipped)> {
        if !self.is_lazy() {
            return Vec::new();
        }
        let ids: Vec<SampleId> = (0..self.len() as u32).map(SampleId).collect();
        let tried = ids.par_iter().filter_map(|&id| {
            let error = self.image(id).err()?;
            let reason = match error {
                DataError::Image { reason, .. } => reason,
                other => other.to_string(),
            };
            let name = self.name(id);
            let member = name.and_then(|name| name.member);
            let skipped = Skipped {
                file: name.map_or_else(String::new, |name| name.file.to_owned()),
                member: member.map_or_else(String::new, |member| member.to_string()),
                reason,
            };
            Some((id, skipped))
        });
        tried.collect()
    }

    /// The set without the images that cannot be decoded.
    fn decodable(self) -> Result<Self, String> {
        let faults = self.faults();
        if faults.is_empty() {
            return Ok(self);
        }
        let mut bad = faults.iter().map(|(id, _)| id.0 as usize).peekable();
        let kept: Vec<usize> = (0..self.len())
            .filter(|at| bad.next_if_eq(at).is_none())
            .collect();
        if kept.is_empty() {
            let (_, first) = &faults[0];
            return Err(format!(
                "none of {} images can be decoded; {first}",
                self.len()
            ));
        }
        let skipped = faults.into_iter().map(|(_, skipped)| skipped).collect();
        Ok(self.only(&kept).skipping(skipped))
    }
}

impl DataSet {
    /// The images of both splits that cannot be decoded, training images first.
    pub fn faults(&self) -> Vec<(Split, Skipped)> {
        let splits = [Split::Train, Split::HeldOut];
        let faults = splits.map(|split| {
            self.split(split)
                .faults()
                .into_iter()
                .map(move |f| (split, f.1))
        });
        faults.into_iter().flatten().collect()
    }

    /// The data without the images that cannot be decoded, which `notes` tells of.
    pub(crate) fn decodable(self, notes: &mut Vec<String>) -> Result<Self, DataError> {
        let whole = |set: ImageSet| {
            set.decodable()
                .map_err(|reason| DataError::config("data.on_bad", reason))
        };
        let data = Self {
            train: whole(self.train)?,
            held_out: whole(self.held_out)?,
        };
        let skipped = [&data.train, &data.held_out].map(|set| set.skipped());
        let count = skipped[0].len() + skipped[1].len();
        if let Some(first) = skipped.into_iter().flatten().next() {
            notes.push(format!(
                "{count} of the images cannot be decoded and are left out ({} training, {} held-out): \
                 {first}{}; skipped.tsv of the run names all",
                skipped[0].len(),
                skipped[1].len(),
                if count > 1 { ", …" } else { "" }
            ));
        }
        Ok(data)
    }
}
