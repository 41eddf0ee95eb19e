//! Batch norm, alone or with a ReLU behind it, over rows of channels.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Buffer;
use super::lanes::{load, rectified, rectified_by, store, vectorized};

/// Rows that one task works on: few enough to be read twice from the second cache.
fn block_rows(channels: usize) -> usize {
    /// Floats of a block: 64 KiB.
    const FLOATS: usize = 16 * 1024;
    (FLOATS / channels).max(16)
}

/// The affine map of one channel each: `y = x · scale + shift`.
#[derive(Debug, Clone)]
pub(crate) struct Affine {
    pub(crate) scale: Vec<f32>,
    pub(crate) shift: Vec<f32>,
}

impl Affine {
    /// `γ (x − mean) / √(variance + ε) + β`.
    pub(crate) fn new(
        mean: &[f32],
        variance: &[f32],
        gamma: &[f32],
        beta: &[f32],
        epsilon: f64,
    ) -> Self {
        let scale: Vec<f32> = gamma
            .iter()
            .zip(inverse_deviation(variance, epsilon))
            .map(|(gamma, inverse)| gamma * inverse)
            .collect();
        let shift = beta
            .iter()
            .zip(mean.iter().zip(&scale))
            .map(|(beta, (mean, scale))| beta - mean * scale)
            .collect();
        Self { scale, shift }
    }
}

fn inverse_deviation(variance: &[f32], epsilon: f64) -> impl Iterator<Item = f32> {
    variance
        .iter()
        .map(move |variance| 1.0 / (variance + epsilon as f32).sqrt())
}

/// Mean and biased variance of each channel of `[rows, channels]`.
///
/// Each block has its own mean and squared deviations; blocks are merged in their order, in double
/// precision (Chan, Golub and LeVeque, 1979).
pub(crate) fn statistics(rows: &[f32], channels: usize) -> (Vec<f32>, Vec<f32>) {
    let blocks: Vec<Vec<f32>> = rows
        .par_chunks(block_rows(channels) * channels)
        .map(|rows| {
            let mut moments = vec![0.0; 2 * channels];
            vectorized(Moments {
                rows,
                channels,
                moments: &mut moments,
            });
            moments
        })
        .collect();
    let (mut mean, mut squares) = (vec![0f64; channels], vec![0f64; channels]);
    let mut seen = 0.0;
    for (block, rows) in blocks
        .iter()
        .zip(rows.chunks(block_rows(channels) * channels))
    {
        let count = (rows.len() / channels) as f64;
        let total = seen + count;
        for channel in 0..channels {
            let delta = f64::from(block[channel]) - mean[channel];
            mean[channel] += delta * count / total;
            squares[channel] +=
                f64::from(block[channels + channel]) + delta * delta * seen * count / total;
        }
        seen = total;
    }
    (
        mean.into_iter().map(|value| value as f32).collect(),
        squares
            .into_iter()
            .map(|value| (value / seen) as f32)
            .collect(),
    )
}

/// Means, and sums of squared deviations from them, of a block of rows.
struct Moments<'a> {
    rows: &'a [f32],
    channels: usize,
    moments: &'a mut [f32],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.channels;
        let share = simd.splat_f32s(1.0 / (self.rows.len() / channels) as f32);
        let (means, squares) = self.moments.split_at_mut(channels);
        for start in (0..channels).step_by(S::F32_LANES) {
            let mut sum = simd.splat_f32s(0.0);
            for row in self.rows.chunks_exact(channels) {
                sum = simd.add_f32s(sum, load(simd, &row[start..]));
            }
            let mean = simd.mul_f32s(sum, share);
            let mut square = simd.splat_f32s(0.0);
            for row in self.rows.chunks_exact(channels) {
                let deviation = simd.sub_f32s(load(simd, &row[start..]), mean);
                square = simd.mul_add_e_f32s(deviation, deviation, square);
            }
            store(simd, &mut means[start..], mean);
            store(simd, &mut squares[start..], square);
        }
    }
}

/// `[rows, channels]` through an affine map, and through a ReLU if `relu`.
pub(crate) fn apply(rows: &[f32], affine: &Affine, relu: bool) -> Buffer {
    let channels = affine.scale.len();
    let block = block_rows(channels) * channels;
    let mut result = Buffer::take(rows.len());
    result
        .par_chunks_mut(block)
        .zip(rows.par_chunks(block))
        .for_each(|(result, rows)| {
            vectorized(Apply {
                rows,
                affine,
                relu,
                result,
            })
        });
    result
}

struct Apply<'a> {
    rows: &'a [f32],
    affine: &'a Affine,
    relu: bool,
    result: &'a mut [f32],
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.affine.scale.len();
        for start in (0..channels).step_by(S::F32_LANES) {
            let scale = load(simd, &self.affine.scale[start..]);
            let shift = load(simd, &self.affine.shift[start..]);
            for (row, result) in self
                .rows
                .chunks_exact(channels)
                .zip(self.result.chunks_exact_mut(channels))
            {
                let mut value = simd.mul_add_e_f32s(load(simd, &row[start..]), scale, shift);
                if self.relu {
                    value = rectified(simd, value);
                }
                store(simd, &mut result[start..], value);
            }
        }
    }
}

/// What the backward pass of a batch norm knows of the forward pass.
#[derive(Debug, Clone)]
pub(crate) struct Normalized {
    pub(crate) mean: Vec<f32>,
    pub(crate) variance: Vec<f32>,
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
    pub(crate) epsilon: f64,
    pub(crate) relu: bool,
}

/// Gradients of a batch norm.
pub(crate) struct NormGradient {
    pub(crate) input: Buffer,
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
}

/// The gradients from the input and the gradient of the output, both `[rows, channels]`.
///
/// With `x̂ = (x − mean)/√(variance + ε)`: `dβ = Σ e`, `dγ = Σ e·x̂`, and
/// `dx = γ/√(variance + ε) · (e − dβ/n − x̂·dγ/n)`, where `e` is the gradient of the norm's output:
/// zero where a ReLU behind it was not positive.
pub(crate) fn gradient(rows: &[f32], errors: &[f32], forward: &Normalized) -> NormGradient {
    let channels = forward.mean.len();
    let affine = Affine::new(
        &forward.mean,
        &forward.variance,
        &forward.gamma,
        &forward.beta,
        forward.epsilon,
    );
    let inverse: Vec<f32> = inverse_deviation(&forward.variance, forward.epsilon).collect();
    let block = block_rows(channels) * channels;
    let partial: Vec<Vec<f32>> = rows
        .par_chunks(block)
        .zip(errors.par_chunks(block))
        .map(|(rows, errors)| {
            let mut sums = vec![0.0; 2 * channels];
            vectorized(Sums {
                rows,
                errors,
                mean: &forward.mean,
                affine: &affine,
                relu: forward.relu,
                sums: &mut sums,
            });
            sums
        })
        .collect();
    let mut sums = vec![0f64; 2 * channels];
    for partial in &partial {
        for (sum, value) in sums.iter_mut().zip(partial) {
            *sum += f64::from(*value);
        }
    }
    let beta: Vec<f32> = sums[..channels].iter().map(|sum| *sum as f32).collect();
    let gamma: Vec<f32> = sums[channels..]
        .iter()
        .zip(&inverse)
        .map(|(sum, inverse)| *sum as f32 * inverse)
        .collect();
    let share = 1.0 / (rows.len() / channels) as f32;
    // dx = scale · e + slope · (x − mean) + offset
    let slope: Vec<f32> = (0..channels)
        .map(|c| -affine.scale[c] * inverse[c] * gamma[c] * share)
        .collect();
    let offset: Vec<f32> = (0..channels)
        .map(|c| -affine.scale[c] * beta[c] * share)
        .collect();
    let mut input = Buffer::take(rows.len());
    input
        .par_chunks_mut(block)
        .zip(rows.par_chunks(block).zip(errors.par_chunks(block)))
        .for_each(|(result, (rows, errors))| {
            vectorized(InputGradient {
                rows,
                errors,
                mean: &forward.mean,
                affine: &affine,
                slope: &slope,
                offset: &offset,
                relu: forward.relu,
                result,
            });
        });
    NormGradient { input, gamma, beta }
}

/// The error of the norm's output: zero where the ReLU behind it was.
#[inline(always)]
fn passed<S: Simd>(simd: S, relu: bool, error: S::f32s, output: S::f32s) -> S::f32s {
    match relu {
        true => rectified_by(simd, output, error),
        false => error,
    }
}

/// `Σ e` and `Σ e·(x − mean)` of a block of rows.
struct Sums<'a> {
    rows: &'a [f32],
    errors: &'a [f32],
    mean: &'a [f32],
    affine: &'a Affine,
    relu: bool,
    sums: &'a mut [f32],
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.mean.len();
        let (errors, products) = self.sums.split_at_mut(channels);
        for start in (0..channels).step_by(S::F32_LANES) {
            let mean = load(simd, &self.mean[start..]);
            let scale = load(simd, &self.affine.scale[start..]);
            let shift = load(simd, &self.affine.shift[start..]);
            let mut sum = simd.splat_f32s(0.0);
            let mut product = sum;
            for (row, error) in self
                .rows
                .chunks_exact(channels)
                .zip(self.errors.chunks_exact(channels))
            {
                let x = load(simd, &row[start..]);
                let output = simd.mul_add_e_f32s(x, scale, shift);
                let error = passed(simd, self.relu, load(simd, &error[start..]), output);
                sum = simd.add_f32s(sum, error);
                product = simd.mul_add_e_f32s(error, simd.sub_f32s(x, mean), product);
            }
            store(simd, &mut errors[start..], sum);
            store(simd, &mut products[start..], product);
        }
    }
}

/// `scale · e + slope · (x − mean) + offset` of a block of rows.
struct InputGradient<'a> {
    rows: &'a [f32],
    errors: &'a [f32],
    mean: &'a [f32],
    affine: &'a Affine,
    slope: &'a [f32],
    offset: &'a [f32],
    relu: bool,
    result: &'a mut [f32],
}

impl WithSimd for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.mean.len();
        for start in (0..channels).step_by(S::F32_LANES) {
            let mean = load(simd, &self.mean[start..]);
            let scale = load(simd, &self.affine.scale[start..]);
            let shift = load(simd, &self.affine.shift[start..]);
            let slope = load(simd, &self.slope[start..]);
            let offset = load(simd, &self.offset[start..]);
            for ((row, error), result) in self
                .rows
                .chunks_exact(channels)
                .zip(self.errors.chunks_exact(channels))
                .zip(self.result.chunks_exact_mut(channels))
            {
                let x = load(simd, &row[start..]);
                let output = simd.mul_add_e_f32s(x, scale, shift);
                let error = passed(simd, self.relu, load(simd, &error[start..]), output);
                let value = simd.mul_add_e_f32s(slope, simd.sub_f32s(x, mean), offset);
                store(
                    simd,
                    &mut result[start..],
                    simd.mul_add_e_f32s(scale, error, value),
                );
            }
        }
    }
}
