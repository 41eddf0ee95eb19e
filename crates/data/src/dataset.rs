//! Training and held-out images together.

use afterimage_hooks::{SampleId, Split};

use rayon::prelude::*;

use crate::catalogue::COVERED;
use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::picture::Image;

/// A data set: images to train on, and images that training never sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// Seen by training.
    pub train: ImageSet,
    /// Never seen by training.
    pub held_out: ImageSet,
}

impl DataSet {
    /// The images of `split`.
    pub fn split(&self, split: Split) -> &ImageSet {
        match split {
            Split::Train => &self.train,
            Split::HeldOut => &self.held_out,
        }
    }

    /// The stored image of sample `id` of `split`.
    ///
    /// # Errors
    /// An id outside the split; an image that is not in memory and cannot be had.
    pub fn image(&self, split: Split, id: SampleId) -> Result<Image<'_>, DataError> {
        self.check(split, &[id])?;
        self.split(split).image(id)
    }

    /// The stored images of `ids`, read and decoded in parallel on rayon's current pool where they are
    /// not in memory.
    ///
    /// # Errors
    /// As [`image`](Self::image), of the first of `ids` that has one.
    pub fn images(&self, split: Split, ids: &[SampleId]) -> Result<Vec<Image<'_>>, DataError> {
        self.check(split, ids)?;
        let images = self.split(split);
        if !images.is_lazy() {
            return ids.iter().map(|&id| images.image(id)).collect();
        }
        // Into a list first: which error is told may not depend on the threads.
        let decoded: Vec<_> = ids.par_iter().map(|&id| images.image(id)).collect();
        decoded.into_iter().collect()
    }

    /// Refuses an id outside of `split`.
    pub(crate) fn check(&self, split: Split, ids: &[SampleId]) -> Result<(), DataError> {
        let len = self.split(split).len();
        match ids.iter().find(|id| id.0 as usize >= len) {
            None => Ok(()),
            Some(&id) => Err(DataError::UnknownSample { id, split, len }),
        }
    }

    /// The same data in three channels; gray images have three equal ones.
    pub fn in_colour(self) -> Self {
        Self {
            train: self.train.in_colour(),
            held_out: self.held_out.in_colour(),
        }
    }

    /// Both splits' digests as one text, for the run's manifest.
    pub fn digest(&self) -> String {
        format!("{}+{}", self.train.digest(), self.held_out.digest())
    }

    /// What the digest covers, where that is not every pixel.
    pub fn digest_covers(&self) -> Option<&'static str> {
        (self.train.is_lazy() || self.held_out.is_lazy()).then_some(COVERED)
    }
}

/// How many images of each split are used; `None` means all.
///
/// A limit takes the first images of each class in file order, the same for every seed (see
/// [`ImageSet::first_balanced`]); one that is no smaller than the set takes all of it.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub train: Option<usize>,
    /// Held-out images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub held_out: Option<usize>,
}

impl Limits {
    pub(crate) fn apply(
        self,
        data: DataSet,
        notes: &mut Vec<String>,
    ) -> Result<DataSet, DataError> {
        let mut taken = Vec::new();
        let mut cut =
            |images: ImageSet, limit: Option<usize>, split: &str, key: &'static str| match limit {
                None => Ok(images),
                Some(limit) if limit >= images.len() => {
                    if limit > images.len() {
                        notes.push(format!(
                            "{key} is {limit}; all {} images are used, as many as there are",
                            images.len()
                        ));
                    }
                    Ok(images)
                }
                Some(limit) => {
                    let [some, all] = [limit, images.len()].map(grouped);
                    taken.push((format!("{some} of {all} {split}"), key));
                    images
                        .first_balanced(limit)
                        .map_err(|reason| DataError::config(key, reason))
                }
            };
        let train = cut(data.train, self.train, "training", "limits.train")?;
        let held_out = cut(data.held_out, self.held_out, "held-out", "limits.held_out")?;
        if !taken.is_empty() {
            let (parts, keys): (Vec<String>, Vec<&str>) = taken.into_iter().unzip();
            notes.push(format!(
                "takes {} images: {}",
                parts.join(" and "),
                keys.join(", ")
            ));
        }
        Ok(DataSet { train, held_out })
    }
}

/// `count` with a comma between thousands, as in `1,200`.
pub(crate) fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let groups = tail.as_bytes().chunks(3).map(String::from_utf8_lossy);
    let head = Some(head.into()).filter(|_| first > 0);
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        for (count, told) in [
            (0, "0"),
            (999, "999"),
            (1200, "1,200"),
            (60_000, "60,000"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(grouped(count), told);
        }
    }
}
