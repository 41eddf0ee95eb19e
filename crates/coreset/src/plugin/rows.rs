//! Rows of embeddings that a config names.

use std::path::Path;

use crate::error::CoresetError;
use crate::matrix::Matrix;
use crate::read::{matrix, missing};

/// The rows of `path`, one for each of `samples` training samples.
///
/// # Errors
/// What [`matrix`] refuses, or another number of rows.
pub(super) fn read(path: &Path, samples: usize) -> Result<Matrix, CoresetError> {
    let rows = matrix(path, "embeddings")
        .map_err(|error| missing(error, "embeddings", "a row for each training sample"))?;
    if rows.rows() == samples {
        return Ok(rows);
    }
    let reason = format!(
        "has {} rows; the run trains on {samples} samples, and needs one row of each",
        rows.rows()
    );
    Err(CoresetError::format(path, reason))
}
