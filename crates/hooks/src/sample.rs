//! Samples by id, the plan of an epoch, and where a plugin gets pictures from.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::random::RandomKey;

/// Identity of a sample: its position in its split's files, for the whole life of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SampleId(pub u32);

/// Which part of the data a sample belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Seen by training.
    Train,
    /// Never seen by training.
    HeldOut,
}

/// The samples of one epoch in the order of training, each with its loss weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    ids: Vec<SampleId>,
    weights: Vec<f32>,
}

impl Plan {
    /// A plan over `ids`, every weight 1.
    pub fn uniform(ids: Vec<SampleId>) -> Self {
        let weights = vec![1.0; ids.len()];
        Self { ids, weights }
    }

    /// A plan with one weight a sample.
    ///
    /// # Errors
    /// Lengths that differ, and weights that are negative, infinite or not a number.
    pub fn weighted(ids: Vec<SampleId>, weights: Vec<f32>) -> Result<Self, Fault> {
        if ids.len() != weights.len() {
            return Err(Fault::new(format!(
                "a plan needs one weight a sample; got {} samples and {} weights",
                ids.len(),
                weights.len()
            )));
        }
        if let Some(at) = weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
            return Err(Fault::new(format!(
                "the weight of sample {} is {}; weights are finite and at least 0",
                ids[at].0, weights[at]
            )));
        }
        Ok(Self { ids, weights })
    }

    /// Sample ids in order.
    pub fn ids(&self) -> &[SampleId] {
        &self.ids
    }

    /// Loss weights, one a sample.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }
}

/// Permission to see labels, given by [`Scope::label_access`](crate::Scope::label_access) to plugins
/// that declare that they read them.
#[derive(Debug)]
pub struct LabelAccess(pub(crate) ());

/// Permission to see labels as they were before label noise, given by
/// [`Scope::truth_access`](crate::Scope::truth_access) to plugins that declare that they measure by
/// them.
#[derive(Debug)]
pub struct TruthAccess(pub(crate) ());

/// The classes of a split's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labels<'a> {
    /// Class of every sample by id, an index of `classes`.
    pub of_samples: &'a [u32],
    /// Name of every class.
    pub classes: &'a [String],
}

/// Where plugins get pictures and augmented views from; the same for every caller and time.
pub trait Samples: Send + Sync {
    /// Number of samples in `split`; ids run from 0.
    fn len(&self, split: Split) -> usize;

    /// Whether `split` holds nothing.
    fn is_empty(&self, split: Split) -> bool {
        self.len(split) == 0
    }

    /// Augmented views for probes, `[ids · views, C, H, W]`, sample-major: all views of the first
    /// sample, then of the second. A pure function of (seed, split, id, view).
    ///
    /// # Errors
    /// An id outside the split.
    fn probe_views(&self, split: Split, ids: &[SampleId], views: usize)
    -> Result<Tensor<4>, Fault>;

    /// The samples as evaluation sees them, `[ids, C, H, W]`: resized and normalised, with no
    /// augmentation.
    ///
    /// # Errors
    /// An id outside the split.
    fn originals(&self, split: Split, ids: &[SampleId]) -> Result<Tensor<4>, Fault>;

    /// The picture as stored, 8-bit RGB in row-major order: (width, height, bytes).
    ///
    /// # Errors
    /// An id outside the split.
    fn picture(&self, split: Split, id: SampleId) -> Result<(u32, u32, Vec<u8>), Fault>;

    /// The file, or the image in a file, that a sample shows, on one line without control characters;
    /// none if it is not known, or shows none, as noise does.
    fn name(&self, _split: Split, _id: SampleId) -> Option<String> {
        None
    }

    /// The labels of `split` as training has them: where some were made wrong on purpose, the wrong
    /// ones.
    ///
    /// # Errors
    /// Samples without labels.
    fn labels(&self, _split: Split, _access: &LabelAccess) -> Result<Labels<'_>, Fault> {
        Err(Fault::new("these samples have no labels"))
    }

    /// The labels of `split` before some were made wrong on purpose; those of
    /// [`labels`](Self::labels) where none were.
    ///
    /// # Errors
    /// Samples without labels.
    fn true_labels(&self, _split: Split, _access: &TruthAccess) -> Result<Labels<'_>, Fault> {
        Err(Fault::new("these samples have no labels"))
    }

    /// One augmented view of each of `ids`, `[ids, C, H, W]`, made with the caller's own random key:
    /// a pure function of key, split and id.
    ///
    /// # Errors
    /// An id outside the split, or samples that cannot be augmented.
    fn augmented(
        &self,
        _split: Split,
        _ids: &[SampleId],
        _key: RandomKey,
    ) -> Result<Tensor<4>, Fault> {
        Err(Fault::new("these samples cannot be augmented"))
    }
}
