//! The reference encoder of a run, as the config asks for it.

use afterimage_hooks::{PairChoice, PairSets};
use serde::{Deserialize, Serialize};

use crate::error::RunError;

/// A reference encoder, trained beside the encoder under study with the same initial parameters,
/// order and view seeds, but with independent points in the places of the candidates. A step then
/// costs twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairConfig {
    /// Training images that the encoder under study alone sees, and as many that its reference
    /// alone sees; at least 1, fewer than half of the training images.
    #[schemars(range(min = 1))]
    pub candidates: usize,
    /// `random`, by the seed (the default), or `last`: the last ones in file order, as in the
    /// authors' code.
    #[serde(default)]
    pub choice: PairChoice,
}

impl PairConfig {
    /// The sets of points out of `samples` training images.
    ///
    /// # Errors
    /// More candidates than the data set has room for.
    pub fn sets(self, samples: usize, seed: u64) -> Result<PairSets, RunError> {
        PairSets::choose(samples, self.candidates, self.choice, seed).map_err(RunError::Pair)
    }
}
