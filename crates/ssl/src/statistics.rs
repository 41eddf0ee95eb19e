//! Statistics of a batch's features `[B, D]`.

use burn::tensor::{Bool, Tensor};

/// The features without their means over the batch.
pub(crate) fn centred(z_bd: Tensor<2>) -> Tensor<2> {
    let mean = z_bd.clone().mean_dim(0);
    z_bd - mean
}

/// A square matrix with zeros on its diagonal.
pub(crate) fn off_diagonal(matrix: Tensor<2>) -> Tensor<2> {
    let diagonal = Tensor::<2, Bool>::diag_mask(matrix.dims(), 0, &matrix.device()).bool_not();
    matrix.mask_fill(diagonal, 0.0)
}
