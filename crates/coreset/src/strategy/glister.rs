//! GLISTER: what lowers a validation loss.

use afterimage_numeric::softmax;

use super::best;
use crate::error::CoresetError;
use crate::matrix::Matrix;
use crate::points::{LastLayer, same_length};

/// A clean validation set, as the last layer sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    features: Matrix,
    logits: Matrix,
    labels: Vec<u32>,
    rate: f64,
}

impl Validation {
    /// Penultimate features `[v, d]`, logits `[v, C]`, true labels `[v]`, and the learning rate of
    /// the step that a selected sample stands for.
    ///
    /// # Errors
    /// Unequal lengths, labels that are no class, a rate that is not positive.
    pub fn new(
        features: Matrix,
        logits: Matrix,
        labels: Vec<u32>,
        rate: f64,
    ) -> Result<Self, CoresetError> {
        let rows = features.rows();
        same_length(("validation features", rows), ("logits", logits.rows()))?;
        same_length(("validation features", rows), ("labels", labels.len()))?;
        if let Some(label) = labels
            .iter()
            .find(|label| **label as usize >= logits.columns())
        {
            let reason = format!("{label} is no class; logits have {}", logits.columns());
            return Err(CoresetError::setting("validation labels", reason));
        }
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(CoresetError::setting(
                "rate",
                format!("{rate} is not positive"),
            ));
        }
        Ok(Self {
            features,
            logits,
            labels,
            rate,
        })
    }
}

/// GLISTER-ONLINE for the last layer (Killamsetty et al. 2021): the sample whose gradient step
/// lowers the validation loss most, to first order, at the weights that the steps of the samples
/// before have led to.
///
/// # Errors
/// Widths that do not belong together.
pub(crate) fn glister(
    layer: &LastLayer,
    ids: &[usize],
    count: usize,
    validation: &Validation,
) -> Result<Vec<usize>, CoresetError> {
    let (residuals, features) = (layer.residuals(), layer.features());
    same_length(
        ("features", features.columns()),
        ("validation features", validation.features.columns()),
    )?;
    same_length(
        ("residuals", residuals.columns()),
        ("validation logits", validation.logits.columns()),
    )?;
    let (classes, width) = (residuals.columns(), features.columns());
    let mut logits: Vec<f64> = validation
        .logits
        .values()
        .iter()
        .map(|x| f64::from(*x))
        .collect();
    let mut taken = vec![false; ids.len()];
    let mut order = Vec::with_capacity(count);
    while order.len() < count {
        // The validation gradient [C, d + 1] at the present weights.
        let mut gradient = vec![0.0; classes * (width + 1)];
        for (row, label) in validation.labels.iter().enumerate() {
            let residual = softmax_residual(&logits[row * classes..][..classes], *label);
            let h = validation.features.row(row);
            for (r, gradient) in residual.iter().zip(gradient.chunks_mut(width + 1)) {
                gradient
                    .iter_mut()
                    .zip(h)
                    .for_each(|(g, h)| *g += r * f64::from(*h));
                gradient[width] += r;
            }
        }
        let score = |id: &usize| {
            let (r, h) = (residuals.row(*id), features.row(*id));
            let parts = r
                .iter()
                .zip(gradient.chunks(width + 1))
                .map(|(r, gradient)| {
                    let along: f64 = gradient.iter().zip(h).map(|(g, h)| g * f64::from(*h)).sum();
                    f64::from(*r) * (along + gradient[width])
                });
            parts.sum::<f64>()
        };
        let Some(next) = best(ids.iter().map(score), &taken) else {
            break;
        };
        taken[next] = true;
        order.push(next);
        let (r, h) = (residuals.row(ids[next]), features.row(ids[next]));
        for (row, logits) in logits.chunks_mut(classes).enumerate() {
            let overlap = 1.0 + crate::points::dot(validation.features.row(row), h);
            for (logit, r) in logits.iter_mut().zip(r) {
                *logit -= validation.rate * overlap * f64::from(*r);
            }
        }
    }
    Ok(order)
}

/// softmax(logits) − one-hot(label).
fn softmax_residual(logits: &[f64], label: u32) -> Vec<f64> {
    let mut residual = logits.to_vec();
    softmax(&mut residual);
    residual[label as usize] -= 1.0;
    residual
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_with_the_right_label_comes_before_one_with_the_wrong() -> Result<(), CoresetError> {
        // Two samples where the validation sample is; one has its label, the other another.
        let residuals = Matrix::new("residuals", 2, 2, vec![0.5, -0.5, -0.5, 0.5])?;
        let features = Matrix::new("features", 2, 1, vec![1.0, 1.0])?;
        let layer = LastLayer::new(residuals, features)?;
        let point = Matrix::new("features", 1, 1, vec![1.0])?;
        let logits = Matrix::new("logits", 1, 2, vec![0.0, 0.0])?;
        let validation = Validation::new(point, logits, vec![0], 0.1)?;
        assert_eq!(glister(&layer, &[0, 1], 2, &validation)?, [1, 0]);
        Ok(())
    }
}
