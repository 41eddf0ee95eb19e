//! Sums over and of rows of channels.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Buffer;
use super::lanes::{load, store, vectorized};

/// The sums over `[rows, channels]`: the gradient of a bias.
pub(crate) fn sums(rows: &[f32], channels: usize) -> Vec<f32> {
    /// Rows of a partial sum.
    const ROWS: usize = 1024;
    let partial: Vec<f32> = rows
        .par_chunks(ROWS * channels)
        .flat_map_iter(|rows| sum(rows, channels, 1.0))
        .collect();
    sum(&partial, channels, 1.0)
}

/// The means over the positions of each map of `[maps, positions, channels]`.
pub(crate) fn means(maps: &[f32], positions: usize, channels: usize) -> Vec<f32> {
    maps.par_chunks(positions * channels)
        .flat_map_iter(|rows| sum(rows, channels, 1.0 / positions as f32))
        .collect()
}

/// Values of a task of an elementwise operation: 256 KiB.
const BLOCK: usize = 64 * 1024;

/// The sum of two maps, then ReLU if `relu`.
pub(crate) fn add(left: &[f32], right: &[f32], relu: bool) -> Buffer {
    let mut sum = Buffer::take(left.len());
    sum.par_chunks_mut(BLOCK)
        .zip(left.par_chunks(BLOCK).zip(right.par_chunks(BLOCK)))
        .for_each(|(sum, (left, right))| {
            for (sum, (left, right)) in sum.iter_mut().zip(left.iter().zip(right)) {
                let value = left + right;
                // NaN stays, so that divergence is seen.
                let kept = !relu || value > 0.0 || value.is_nan();
                *sum = if kept { value } else { 0.0 };
            }
        });
    sum
}

/// The gradients in front of a ReLU from those behind it: zero where the ReLU put out zero.
pub(crate) fn rectified_gradient(errors: &[f32], output: &[f32]) -> Buffer {
    let mut gradient = Buffer::take(errors.len());
    gradient
        .par_chunks_mut(BLOCK)
        .zip(errors.par_chunks(BLOCK).zip(output.par_chunks(BLOCK)))
        .for_each(|(gradient, (errors, output))| {
            for (gradient, (error, output)) in gradient.iter_mut().zip(errors.iter().zip(output)) {
                // A mask in place of a branch, which half of the values would take by surprise.
                let passed = u32::from(*output > 0.0) | u32::from(output.is_nan());
                *gradient = f32::from_bits(error.to_bits() & passed.wrapping_neg());
            }
        });
    gradient
}

/// The gradients in front of [`means`] from those behind it, `[maps, channels]`.
pub(crate) fn means_gradient(errors: &[f32], positions: usize, channels: usize) -> Buffer {
    let share = 1.0 / positions as f32;
    let mut gradient = Buffer::take(errors.len() * positions);
    gradient
        .par_chunks_mut(positions * channels)
        .zip(errors.par_chunks(channels))
        .for_each(|(map, errors)| {
            for row in map.chunks_mut(channels) {
                for (value, error) in row.iter_mut().zip(errors) {
                    *value = error * share;
                }
            }
        });
    gradient
}

/// The sum over rows, times `factor`.
fn sum(rows: &[f32], channels: usize, factor: f32) -> Vec<f32> {
    let mut sums = vec![0.0; channels];
    vectorized(Sum {
        rows,
        factor,
        sums: &mut sums,
    });
    sums
}

struct Sum<'a> {
    rows: &'a [f32],
    factor: f32,
    sums: &'a mut [f32],
}

impl WithSimd for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.sums.len();
        for start in (0..channels).step_by(S::F32_LANES) {
            let mut sum = simd.splat_f32s(0.0);
            for row in self.rows.chunks_exact(channels) {
                sum = simd.add_f32s(sum, load(simd, &row[start..]));
            }
            let sum = simd.mul_f32s(sum, simd.splat_f32s(self.factor));
            store(simd, &mut self.sums[start..], sum);
        }
    }
}
