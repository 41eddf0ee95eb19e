//! Settings of the strategies `memorization` and `memorization-alone`, and the scores that it and the gate read.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::CoresetConfig;
use crate::error::CoresetError;
use crate::partition::Budget;
use crate::read::memorization;
use crate::settings::{Prefer, Settings};

/// What the strategy `memorization` leans towards or `memorization-alone` chooses, and by which scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MemorizationConfig {
    /// LayerMem of each training sample: one finite number a row (npy, CSV or Parquet), or the table
    /// `layermem/points` of a run on the same images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layermem: Option<PathBuf>,
    /// Units that each training sample owns, or another score of UnitMem, likewise, or the table
    /// `unitmem/points` of such a run; with both, the mean of their ranks counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unitmem: Option<PathBuf>,
    /// Which samples are preferred: `memorized` (default) or `typical`.
    pub prefer: Prefer,
    /// λ: what the most preferred sample is worth beside what it covers, at least 0, in units of what
    /// covering one sample whole is worth; default 0.2. For `memorization` alone.
    pub bonus: f64,
}

impl Default for MemorizationConfig {
    fn default() -> Self {
        let Settings { prefer, bonus, .. } = Settings::new(Budget::Count(1));
        Self {
            layermem: None,
            unitmem: None,
            prefer,
            bonus,
        }
    }
}

impl CoresetConfig {
    /// How much each of `samples` samples was memorized, in [0, 1], from the files that the strategy or
    /// the gate names; `None` if neither does.
    ///
    /// # Errors
    /// As for [`memorization`].
    pub(crate) fn scores_of_memorization(
        &self,
        samples: usize,
    ) -> Result<Option<Vec<f64>>, CoresetError> {
        let files = match (&self.memorization, &self.gate) {
            (Some(leaning), _) => [
                ("memorization.layermem", leaning.layermem.as_deref()),
                ("memorization.unitmem", leaning.unitmem.as_deref()),
            ],
            (None, Some(gate)) => [
                ("gate.layermem", gate.layermem.as_deref()),
                ("gate.unitmem", gate.unitmem.as_deref()),
            ],
            (None, None) => return Ok(None),
        };
        memorization(&files, samples)
    }
}
