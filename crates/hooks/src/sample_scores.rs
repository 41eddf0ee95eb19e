//! What is known of the training samples, as resources: values, cell values, and the history of
//! losses. They lie here because providers and readers live in crates that do not know each other.

use serde::{Deserialize, Serialize};

use crate::resource::Resource;

/// Out-of-bag values of all training samples, as they stand at the end of an epoch.
///
/// Every vector has one number a training sample, by id. A sample that no model has judged yet is
/// NaN everywhere, and its count 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleValues {
    /// Epoch of the values.
    pub epoch: u32,
    /// Step of the values.
    pub step: u64,
    /// Mean score of the sample's label by models that never trained on the sample, in [0, 1] for
    /// classes; low where the label is doubtful.
    pub values: Vec<f32>,
    /// Standard error of `values`, as if scores were independent.
    pub standard_errors: Vec<f32>,
    /// Number of scores behind each value.
    pub counts: Vec<u32>,
    /// Probability in [0, 1] that the label is right: a prior, not a verdict. It never falls as the
    /// value rises.
    pub clean: Vec<f32>,
}

impl Resource for SampleValues {
    const NAME: &'static str = "values.samples";
}

/// Out-of-bag values of all cells of all training samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellValues {
    /// Epoch of the values.
    pub epoch: u32,
    /// Step of the values.
    pub step: u64,
    /// Rows and columns of the grid of patches, or `[1, cells]` for groups of channels and columns of a table.
    pub grid: [usize; 2],
    /// `[samples, cells]`, cells in reading order; NaN for a cell that was never seen.
    pub values: Vec<f32>,
}

impl Resource for CellValues {
    const NAME: &'static str = "values.cells";
}

/// Loss and probability of the label of every training sample in the last epochs, as training saw
/// them (they are not out of bag).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleHistory {
    /// Step of the last entry.
    pub step: u64,
    /// Epochs, oldest first.
    pub epochs: Vec<EpochHistory>,
}

/// One epoch of a [`SampleHistory`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochHistory {
    /// The epoch, from 1.
    pub epoch: u32,
    /// Loss by sample id; the mean where a sample came more than once, NaN where it did not come.
    pub losses: Vec<f32>,
    /// Probability of the label by sample id, likewise; empty for an objective without classes.
    pub probabilities: Vec<f32>,
}

impl Resource for SampleHistory {
    const NAME: &'static str = "dynamics.history";
}
