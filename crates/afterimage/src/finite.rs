//! Whether what an encoder computes is finite: weights that overflow are numbers themselves.

use afterimage_hooks::{ModelView, TapPlan};
use afterimage_train::TrainError;
use burn::tensor::Tensor;

use crate::error::RunError;

/// Checks embeddings `[N, width]`, one row an image.
///
/// # Errors
/// Rows that are not finite, with their number.
pub(crate) fn check_rows(values: &[f32], width: usize) -> Result<(), RunError> {
    let rows = values.chunks(width.max(1));
    let broken = |row: &&[f32]| row.iter().any(|value| !value.is_finite());
    match rows.clone().filter(broken).count() {
        0 => Ok(()),
        count => Err(RunError::Overflow {
            count,
            images: rows.len(),
        }),
    }
}

/// Checks what `model` makes of `images` `[N, C, H, W]`.
///
/// # Errors
/// Embeddings that are not finite, with their number; a device that fails.
pub(crate) fn check_on(model: &dyn ModelView, images: Tensor<4>) -> Result<(), RunError> {
    let failed = |fault| RunError::Train(TrainError::Evaluation(fault));
    let seen = model.observe(images, &TapPlan::default()).map_err(failed)?;
    let width = seen.embeddings.dims()[1];
    let values = seen.embeddings.try_into_vec_as::<f32>();
    let values = values.map_err(|error| failed(afterimage_hooks::Fault::new(error.to_string())))?;
    check_rows(&values, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_not_finite_are_counted() {
        assert!(check_rows(&[1.0, f32::MAX, -1.0, 0.0], 2).is_ok());
        let broken = [1.0, f32::NAN, f32::INFINITY, f32::NAN, 2.0, 3.0];
        let told = check_rows(&broken, 2).map_err(|error| error.to_string());
        assert!(told.is_err_and(|told| told.contains("of 2 of 3 images")));
    }
}
