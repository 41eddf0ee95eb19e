//! Embeddings of the points as a NumPy array.

use std::path::Path;

use afterimage_data::ViewSource;
use afterimage_hooks::{ModelView, SampleId, Split};
use afterimage_track::files::write_beside;
use afterimage_train::{Embeddings, TrainError, embed};
use burn::tensor::Device;

use crate::error::RunError;
use crate::finite::check_rows;

/// Images in a forward pass.
const BATCH: usize = 64;

/// Embeddings of the points `ids`, resized and normalised only: rows in the order of `ids`.
///
/// # Errors
/// Images that cannot be rendered, embeddings that are not finite.
pub(crate) fn embeddings(
    model: &dyn ModelView,
    source: impl Fn(Split) -> ViewSource,
    ids: &[(Split, Vec<SampleId>)],
    device: &Device,
) -> Result<Embeddings, RunError> {
    let mut values = Vec::new();
    let mut width = 1;
    for (split, ids) in ids {
        let rows =
            embed(model, &source(*split), ids, BATCH, device).map_err(TrainError::Evaluation)?;
        width = rows.width();
        values.extend_from_slice(rows.values());
    }
    check_rows(&values, width)?;
    Ok(Embeddings::new(values, width))
}

/// Writes `rows` `[N, D]` to `path`, 32-bit floats in version 1.0 of NumPy's format; the file
/// appears whole.
pub(crate) fn write_npy(path: &Path, rows: &Embeddings) -> Result<(), RunError> {
    Ok(write_beside(path, &npy(rows))?)
}

fn npy(rows: &Embeddings) -> Vec<u8> {
    /// Magic bytes, version, and the length of the header in two bytes.
    const FRONT: usize = 10;
    /// Values start at a multiple of it.
    const ALIGNED: usize = 64;
    let mut header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
        rows.len(),
        rows.width()
    );
    let length = (FRONT + header.len() + 1).next_multiple_of(ALIGNED) - FRONT;
    header.push_str(&" ".repeat(length - 1 - header.len()));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    // Two numbers in words of fixed length: the header is 128 bytes at most.
    bytes.extend_from_slice(&(length as u16).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    rows.values()
        .iter()
        .for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_has_the_bytes_that_numpy_writes() {
        // numpy.save of numpy.array([[1, -2, 0.5], [0, 3, 4]], dtype="<f4").
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        let mut expected = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        expected.extend_from_slice(format!("{header:<117}\n").as_bytes());
        for value in [1.0f32, -2.0, 0.5, 0.0, 3.0, 4.0] {
            expected.extend_from_slice(&value.to_le_bytes());
        }
        let rows = Embeddings::new(vec![1.0, -2.0, 0.5, 0.0, 3.0, 4.0], 3);
        assert_eq!(npy(&rows), expected);
    }
}
