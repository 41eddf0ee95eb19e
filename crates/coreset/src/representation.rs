//! What stands for the gradient of a sample.

use afterimage_numeric::{pivoted_cholesky, softmax_by_f32};

use crate::error::CoresetError;
use crate::matrix::Matrix;
use crate::points::{dot, same_length};

/// Residuals p − y `[n, C]` from logits `[n, C]` and labels `[n]`: the gradient of softmax cross
/// entropy by the logits.
///
/// # Errors
/// Unequal lengths, or a label that is no class, with the sample's id.
pub fn residuals(logits: &Matrix, labels: &[u32]) -> Result<Matrix, CoresetError> {
    same_length(("logits", logits.rows()), ("labels", labels.len()))?;
    let mut values = Vec::with_capacity(logits.values().len());
    for (row, label) in labels.iter().enumerate() {
        let label = *label as usize;
        if label >= logits.columns() {
            let reason = format!(
                "sample {row} has label {label}; logits have {} classes, counted from 0",
                logits.columns()
            );
            return Err(CoresetError::setting("labels", reason));
        }
        let mut residual = softmax_by_f32(logits.row(row));
        residual[label] -= 1.0;
        values.extend(residual.iter().map(|r| *r as f32));
    }
    Matrix::new("residuals", logits.rows(), logits.columns(), values)
}

/// Penultimate proxies g = Wᵀ r without their width: rows at the same distances as the rows of
/// r W, `[n, min(C, d)]`, for residuals r `[n, C]` and the last layer's weight W `[C, d]`.
///
/// ‖gᵢ − gⱼ‖² = (rᵢ − rⱼ)ᵀ W Wᵀ (rᵢ − rⱼ), so that Lᵀ r with L Lᵀ = W Wᵀ does: a Cholesky factor
/// with pivots, cut where W has no rank left. With ten classes and 128 features that is a fourteenth
/// of the work. With more classes than features the proxies themselves are returned.
///
/// # Errors
/// A weight whose number of classes is not that of the residuals.
pub fn penultimate_proxies(residuals: &Matrix, weight: &Matrix) -> Result<Matrix, CoresetError> {
    same_length(
        ("residuals' classes", residuals.columns()),
        ("the weight", weight.rows()),
    )?;
    let (classes, width) = (weight.rows(), weight.columns());
    let factor = if classes > width {
        (0..classes)
            .map(|class| weight.row(class).iter().map(|x| f64::from(*x)).collect())
            .collect()
    } else {
        pivoted_cholesky(classes, |i, j| dot(weight.row(i), weight.row(j)))
    };
    let columns = factor.first().map_or(0, Vec::len);
    let mut values = Vec::with_capacity(residuals.rows() * columns);
    for row in 0..residuals.rows() {
        let residual = residuals.row(row);
        values.extend((0..columns).map(|column| {
            let parts = residual
                .iter()
                .zip(&factor)
                .map(|(r, l)| f64::from(*r) * l[column]);
            parts.sum::<f64>() as f32
        }));
    }
    Matrix::new("proxies", residuals.rows(), columns, values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Points;

    #[test]
    fn residuals_sum_to_zero_and_name_a_wrong_label() -> Result<(), CoresetError> {
        let logits = Matrix::new("logits", 2, 3, vec![0.0, 0.0, 0.0, 800.0, 0.0, -800.0])?;
        let r = residuals(&logits, &[1, 0])?;
        let third = 1.0 / 3.0;
        for (value, expected) in r.row(0).iter().zip([third, third - 1.0, third]) {
            assert!((value - expected as f32).abs() < 1e-6);
        }
        assert_eq!(r.row(1), [0.0; 3]);
        let error = residuals(&logits, &[1, 3]).map_err(|e| e.to_string());
        assert!(error.is_err_and(|e| e.contains("sample 1 has label 3")));
        Ok(())
    }

    proptest! {
        #[test]
        fn the_rank_trick_keeps_distances(
            classes in 1usize..7, width in 1usize..7,
            noise in prop::collection::vec(-1f32..1.0, 100),
        ) {
            let residuals = Matrix::new("r", 5, classes, noise[..5 * classes].to_vec())?;
            let weight = Matrix::new("w", classes, width, noise[40..40 + classes * width].to_vec())?;
            let whole: Vec<f32> = (0..5).flat_map(|i| {
                let (r, w) = (residuals.row(i).to_vec(), &weight);
                (0..width).map(move |j| r.iter().enumerate().map(|(c, r)| r * w.row(c)[j]).sum())
            }).collect();
            let whole = Points::Rows(Matrix::new("g", 5, width, whole)?);
            let proxies = penultimate_proxies(&residuals, &weight)?;
            prop_assert!(proxies.columns() <= width.min(classes).max(1));
            let proxies = Points::Rows(proxies);
            for i in 0..5 {
                for j in 0..5 {
                    let (a, b) = (whole.distance(i, j), proxies.distance(i, j));
                    prop_assert!((a - b).abs() < 1e-4, "{} {}", a, b);
                }
            }
        }
    }
}
