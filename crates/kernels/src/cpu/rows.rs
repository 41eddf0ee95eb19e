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

/// The sum of two maps.
pub(crate) fn add(left: &[f32], right: &[f32]) -> Buffer {
    /// Values of a task: 256 KiB.
    const BLOCK: usize = 64 * 1024;
    let mut sum = Buffer::take(left.len());
    sum.par_chunks_mut(BLOCK)
        .zip(left.par_chunks(BLOCK).zip(right.par_chunks(BLOCK)))
        .for_each(|(sum, (left, right))| {
            for (sum, (left, right)) in sum.iter_mut().zip(left.iter().zip(right)) {
                *sum = left + right;
            }
        });
    sum
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
