//! Fully connected layers on rows of values.

use rayon::prelude::*;

use super::Buffer;
use afterimage_matmul::{Into, Matrix, product};

/// Rows of a task: eight tasks, or a multiple of eight where there are many rows, so that every
/// usual number of threads has equal shares.
fn block_rows(rows: usize) -> usize {
    const TASKS: usize = 8;
    /// The result of a task and its inputs should stay in the second cache.
    const LARGEST: usize = 1024;
    let tasks = TASKS * rows.div_ceil(TASKS * LARGEST);
    rows.div_ceil(tasks).next_multiple_of(16)
}

/// `x W + b`: `[R, I]` and `[I, O]` to `[R, O]`.
pub(crate) fn forward(
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    [inputs, outputs]: [usize; 2],
) -> Buffer {
    let rows = x.len() / inputs;
    let block = block_rows(rows);
    let mut result = Buffer::take(rows * outputs);
    result
        .par_chunks_mut(block * outputs)
        .zip(x.par_chunks(block * inputs))
        .for_each(|(result, x)| {
            let into = match bias {
                Some(bias) => {
                    for row in result.chunks_mut(outputs) {
                        row.copy_from_slice(bias);
                    }
                    Into::Add
                }
                None => Into::Overwrite,
            };
            let x = Matrix::new(x, x.len() / inputs, inputs);
            product(result, x, Matrix::new(weight, inputs, outputs), into);
        });
    result
}

/// `errors Wᵀ`: `[R, O]` and `[I, O]` to `[R, I]`.
pub(crate) fn input_gradient(
    errors: &[f32],
    weight: &[f32],
    [inputs, outputs]: [usize; 2],
) -> Buffer {
    let rows = errors.len() / outputs;
    let block = block_rows(rows);
    let mut result = Buffer::take(rows * inputs);
    result
        .par_chunks_mut(block * inputs)
        .zip(errors.par_chunks(block * outputs))
        .for_each(|(result, errors)| {
            let errors = Matrix::new(errors, errors.len() / outputs, outputs);
            let weight = Matrix::new(weight, inputs, outputs).transposed();
            product(result, errors, weight, Into::Overwrite);
        });
    result
}

/// `xᵀ errors`: `[R, I]` and `[R, O]` to `[I, O]`.
pub(crate) fn weight_gradient(x: &[f32], errors: &[f32], [inputs, outputs]: [usize; 2]) -> Buffer {
    /// Partial sums: few enough for memory, many enough for the threads.
    const GROUPS: usize = 8;
    let size = inputs * outputs;
    let rows = x.len() / inputs;
    let share = rows.div_ceil(GROUPS).max(1);
    let mut sums = Buffer::take(rows.div_ceil(share) * size);
    sums.par_chunks_mut(size)
        .zip(x.par_chunks(share * inputs))
        .zip(errors.par_chunks(share * outputs))
        .for_each(|((sum, x), errors)| {
            let rows = x.len() / inputs;
            let x = Matrix::new(x, rows, inputs).transposed();
            product(sum, x, Matrix::new(errors, rows, outputs), Into::Overwrite);
        });
    /// Values of a task of the sum: 16 KiB.
    const BLOCK: usize = 4 * 1024;
    let mut weight = Buffer::take(size);
    weight
        .par_chunks_mut(BLOCK)
        .enumerate()
        .for_each(|(index, weight)| {
            weight.fill(0.0);
            for sum in sums.chunks(size) {
                for (value, part) in weight.iter_mut().zip(&sum[index * BLOCK..]) {
                    *value += part;
                }
            }
        });
    weight
}
