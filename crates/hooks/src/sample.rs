//! Samples by id, the plan of an epoch, and where a plugin gets pictures from.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

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
}
