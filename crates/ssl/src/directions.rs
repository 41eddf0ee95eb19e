//! Rows as directions, and how well views of a sample agree in theirs.

use burn::tensor::Tensor;

/// Added to norms, so that a row of zeros has a finite direction and gradient.
const EPSILON: f64 = 1e-6;

/// Rows of unit length; a row much shorter than [`EPSILON`] stays short.
pub(crate) fn unit_rows(z: Tensor<2>) -> Tensor<2> {
    let norm_r1 = z
        .clone()
        .square()
        .sum_dim(1)
        .add_scalar(EPSILON * EPSILON)
        .sqrt();
    z / norm_r1
}

/// For each sample, the mean over both views of the cosine between a view's row of `predicted` and
/// the other view's row of `target`: `[2B, D]` twice to `[B]`. No gradient reaches `target`.
pub(crate) fn agreement(predicted: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let samples = target.dims()[0] / 2;
    let [first, second] = halves(unit_rows(target.detach()));
    let other = Tensor::cat(vec![second, first], 0);
    (unit_rows(predicted) * other)
        .sum_dim(1)
        .reshape([2, samples])
        .mean_dim(0)
        .reshape([samples])
}

/// The rows of both views, `[2B, D]` to twice `[B, D]`.
///
/// # Panics
/// When the number of rows is odd.
pub(crate) fn halves(z: Tensor<2>) -> [Tensor<2>; 2] {
    let [rows, _] = z.dims();
    assert!(
        rows.is_multiple_of(2),
        "this objective needs two views a sample; got {rows} rows"
    );
    [z.clone().slice(0..rows / 2), z.slice(rows / 2..rows)]
}
