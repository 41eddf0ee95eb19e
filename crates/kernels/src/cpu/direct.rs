//! Convolutions as products with the matrix of their inputs, built block by block.

use rayon::prelude::*;

use super::scratch::with_scratch;
use super::winograd::Direction;
use super::{Buffer, Geometry, groups};
use afterimage_matmul::{Into, Matrix, product};

/// Rows of a block, so that its matrix stays in the second cache.
fn block_rows(geometry: &Geometry) -> usize {
    /// Floats of a block: 256 KiB.
    const FLOATS: usize = 64 * 1024;
    (FLOATS / (geometry.taps() + geometry.outputs)).clamp(16, 512)
}

/// The weight `[C_out, C_in, k, k]` as a matrix `[k · k · C_in, C_out]`; for the adjoint the weight
/// `[C_in, C_out, k, k]` of the forward convolution, turned by 180°.
fn kernel_matrix(weight: &[f32], geometry: &Geometry, direction: Direction) -> Buffer {
    let (inputs, outputs) = (geometry.inputs, geometry.outputs);
    let positions = geometry.kernel[0] * geometry.kernel[1];
    let mut matrix = Buffer::take(weight.len());
    matrix
        .par_chunks_mut(outputs)
        .enumerate()
        .for_each(|(row, values)| {
            let (position, input) = (row / inputs, row % inputs);
            for (output, value) in values.iter_mut().enumerate() {
                *value = weight[match direction {
                    Direction::Forward => (output * inputs + input) * positions + position,
                    Direction::Adjoint => {
                        (input * outputs + output) * positions + (positions - 1 - position)
                    }
                }];
            }
        });
    matrix
}

/// Writes the inputs of the output positions from `first` on as rows `[k · k · C_in]`.
fn fill(rows: &mut [f32], first: usize, input: &[f32], geometry: &Geometry) {
    let [out_height, out_width] = geometry.output();
    let channels = geometry.inputs;
    let span = geometry.kernel[1] * channels;
    for (index, row) in rows.chunks_mut(geometry.taps()).enumerate() {
        let position = first + index;
        let (image, y, x) = (
            position / (out_height * out_width),
            position / out_width % out_height,
            position % out_width,
        );
        // The part of the kernel's columns that lies inside of the map.
        let left = x * geometry.stride[1];
        let skip = geometry.before[1]
            .saturating_sub(left)
            .min(geometry.kernel[1]);
        let start = (left + skip).saturating_sub(geometry.before[1]);
        let count = (geometry.kernel[1] - skip).min(geometry.width.saturating_sub(start));
        for (ky, target) in row.chunks_mut(span).enumerate() {
            let source_y = (y * geometry.stride[0] + ky).wrapping_sub(geometry.before[0]);
            if source_y >= geometry.height || count == 0 {
                target.fill(0.0);
                continue;
            }
            let source = ((image * geometry.height + source_y) * geometry.width + start) * channels;
            let (begin, end) = (skip * channels, (skip + count) * channels);
            target[..begin].fill(0.0);
            target[begin..end].copy_from_slice(&input[source..source + count * channels]);
            target[end..].fill(0.0);
        }
    }
}

/// `[B, H, W, C_in]` to `[B, H', W', C_out]`; see [`kernel_matrix`] for the weight.
pub(crate) fn convolve(
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    geometry: &Geometry,
    direction: Direction,
) -> Buffer {
    let (taps, outputs) = (geometry.taps(), geometry.outputs);
    let kernel = kernel_matrix(weight, geometry, direction);
    let block = block_rows(geometry);
    let mut result = Buffer::take(geometry.batch * geometry.positions() * outputs);
    result
        .par_chunks_mut(block * outputs)
        .enumerate()
        .for_each(|(index, result)| {
            let rows = result.len() / outputs;
            let into = match bias {
                Some(bias) => {
                    result
                        .chunks_mut(outputs)
                        .for_each(|row| row.copy_from_slice(bias));
                    Into::Add
                }
                None => Into::Overwrite,
            };
            let kernel = Matrix::new(&kernel, taps, outputs);
            if geometry.is_pointwise() {
                let start = index * block * taps;
                let matrix = Matrix::new(&input[start..start + rows * taps], rows, taps);
                product(result, matrix, kernel, into);
            } else {
                with_scratch(rows * taps, |matrix| {
                    fill(matrix, index * block, input, geometry);
                    product(result, Matrix::new(matrix, rows, taps), kernel, into);
                });
            }
            if relu {
                // A comparison in place of `max`, which makes zero of NaN.
                let rectify = |value: &mut f32| *value = if *value <= 0.0 { 0.0 } else { *value };
                result.iter_mut().for_each(rectify);
            }
        });
    result
}

/// `[C_out, C_in, k, k]` from the input and the gradient of the output.
pub(crate) fn weight_gradient(input: &[f32], gradient: &[f32], geometry: &Geometry) -> Buffer {
    let (taps, inputs, outputs) = (geometry.taps(), geometry.inputs, geometry.outputs);
    let size = taps * outputs;
    let rows = geometry.batch * geometry.positions();
    let block = block_rows(geometry);
    let share = rows
        .div_ceil(groups(size))
        .next_multiple_of(block)
        .min(rows);
    let mut sums = Buffer::take(rows.div_ceil(share) * size);
    sums.par_chunks_mut(size)
        .enumerate()
        .for_each(|(group, sum)| {
            let end = ((group + 1) * share).min(rows);
            for start in (group * share..end).step_by(block) {
                let count = block.min(end - start);
                let into = if start == group * share {
                    Into::Overwrite
                } else {
                    Into::Add
                };
                let errors = Matrix::new(
                    &gradient[start * outputs..(start + count) * outputs],
                    count,
                    outputs,
                );
                if geometry.is_pointwise() {
                    let matrix = &input[start * taps..(start + count) * taps];
                    product(
                        sum,
                        Matrix::new(matrix, count, taps).transposed(),
                        errors,
                        into,
                    );
                } else {
                    with_scratch(count * taps, |matrix| {
                        fill(matrix, start, input, geometry);
                        let matrix = Matrix::new(matrix, count, taps).transposed();
                        product(sum, matrix, errors, into);
                    });
                }
            }
        });
    let positions = geometry.kernel[0] * geometry.kernel[1];
    let mut weight = Buffer::take(size);
    weight
        .par_chunks_mut(taps)
        .enumerate()
        .for_each(|(output, weight)| {
            for (index, value) in weight.iter_mut().enumerate() {
                let (input, position) = (index / positions, index % positions);
                let offset = (position * inputs + input) * outputs + output;
                *value = sums.chunks(size).map(|sum| sum[offset]).sum();
            }
        });
    weight
}

/// `[B, H, W, C_in]` from the gradient of the output where no adjoint convolution exists: the
/// matrix of gradients is added back to where [`fill`] took the inputs from.
pub(crate) fn input_gradient(gradient: &[f32], weight: &[f32], geometry: &Geometry) -> Buffer {
    let (taps, outputs, positions) = (geometry.taps(), geometry.outputs, geometry.positions());
    let kernel = kernel_matrix(weight, geometry, Direction::Forward);
    let block = block_rows(geometry);
    let image = geometry.height * geometry.width * geometry.inputs;
    let mut result = Buffer::take(geometry.batch * image);
    result
        .par_chunks_mut(image)
        .zip(gradient.par_chunks(positions * outputs))
        .for_each(|(result, gradient)| {
            result.fill(0.0);
            with_scratch(block * taps, |matrix| {
                for start in (0..positions).step_by(block) {
                    let count = block.min(positions - start);
                    let errors = &gradient[start * outputs..(start + count) * outputs];
                    let matrix = &mut matrix[..count * taps];
                    product(
                        matrix,
                        Matrix::new(errors, count, outputs),
                        Matrix::new(&kernel, taps, outputs).transposed(),
                        Into::Overwrite,
                    );
                    add_back(matrix, start, result, geometry);
                }
            });
        });
    result
}

/// Adds rows of gradients `[k · k · C_in]` of the positions from `first` on to one map.
fn add_back(rows: &[f32], first: usize, map: &mut [f32], geometry: &Geometry) {
    let [_, out_width] = geometry.output();
    let channels = geometry.inputs;
    for (index, row) in rows.chunks(geometry.taps()).enumerate() {
        let (y, x) = ((first + index) / out_width, (first + index) % out_width);
        for (position, values) in row.chunks(channels).enumerate() {
            let (ky, kx) = (position / geometry.kernel[1], position % geometry.kernel[1]);
            let y = (y * geometry.stride[0] + ky).wrapping_sub(geometry.before[0]);
            let x = (x * geometry.stride[1] + kx).wrapping_sub(geometry.before[1]);
            if y < geometry.height && x < geometry.width {
                let start = (y * geometry.width + x) * channels;
                for (target, value) in map[start..start + channels].iter_mut().zip(values) {
                    *target += value;
                }
            }
        }
    }
}
