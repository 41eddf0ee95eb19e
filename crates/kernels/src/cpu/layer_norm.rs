//! Layer norm over rows of channels.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Buffer;
use super::lanes::{sum, vectorized};

/// Rows of a task and of a partial sum.
const ROWS: usize = 128;

/// `(x − mean) / √(variance + ε) · γ + β` of every row.
pub(crate) fn forward(x: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32) -> Buffer {
    let channels = gamma.len();
    let mut output = Buffer::take(x.len());
    output
        .par_chunks_mut(ROWS * channels)
        .zip(x.par_chunks(ROWS * channels))
        .for_each(|(output, x)| {
            vectorized(Forward {
                x,
                gamma,
                beta,
                epsilon,
                output,
            });
        });
    output
}

/// Gradients of the three inputs of [`forward`].
pub(crate) struct Gradient {
    pub(crate) input: Buffer,
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
}

/// The gradients from those of the output.
pub(crate) fn gradient(x: &[f32], errors: &[f32], gamma: &[f32], epsilon: f32) -> Gradient {
    let channels = gamma.len();
    let tasks = x.len().div_ceil(ROWS * channels);
    let mut input = Buffer::take(x.len());
    // The sums of a task: of γ's gradient, then of β's.
    let mut partial = vec![0.0; tasks * 2 * channels];
    input
        .par_chunks_mut(ROWS * channels)
        .zip(partial.par_chunks_mut(2 * channels))
        .zip(x.par_chunks(ROWS * channels))
        .zip(errors.par_chunks(ROWS * channels))
        .for_each(|(((input, partial), x), errors)| {
            let (gamma_sum, beta_sum) = partial.split_at_mut(channels);
            vectorized(Backward {
                x,
                errors,
                gamma,
                epsilon,
                input,
                gamma_sum,
                beta_sum,
            });
        });
    let total = |offset: usize| -> Vec<f32> {
        (offset..offset + channels)
            .map(|at| partial[at..].iter().step_by(2 * channels).sum())
            .collect()
    };
    Gradient {
        input,
        gamma: total(0),
        beta: total(channels),
    }
}

/// The mean of a row, and one over its standard deviation.
#[inline(always)]
fn moments(row: &[f32], epsilon: f32) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum(row, |_, x| x) / count;
    let variance = sum(row, |_, x| (x - mean) * (x - mean)) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

struct Forward<'a> {
    x: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    epsilon: f32,
    output: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.gamma.len();
        let (gamma, beta) = (self.gamma, &self.beta[..channels]);
        for (output, x) in self
            .output
            .chunks_exact_mut(channels)
            .zip(self.x.chunks_exact(channels))
        {
            let (mean, scale) = moments(x, self.epsilon);
            for channel in 0..channels {
                output[channel] = (x[channel] - mean) * scale * gamma[channel] + beta[channel];
            }
        }
    }
}

struct Backward<'a> {
    x: &'a [f32],
    errors: &'a [f32],
    gamma: &'a [f32],
    epsilon: f32,
    input: &'a mut [f32],
    gamma_sum: &'a mut [f32],
    beta_sum: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.gamma.len();
        let gamma = self.gamma;
        let gamma_sum = &mut self.gamma_sum[..channels];
        let beta_sum = &mut self.beta_sum[..channels];
        for ((input, x), errors) in self
            .input
            .chunks_exact_mut(channels)
            .zip(self.x.chunks_exact(channels))
            .zip(self.errors.chunks_exact(channels))
        {
            let (mean, scale) = moments(x, self.epsilon);
            let share = 1.0 / channels as f32;
            let offset = sum(errors, |at, error| error * gamma[at]) * share;
            let slope = sum(errors, |at, error| error * gamma[at] * (x[at] - mean)) * scale * share;
            for at in 0..channels {
                let normal = (x[at] - mean) * scale;
                input[at] = scale * (errors[at] * gamma[at] - offset - normal * slope);
                gamma_sum[at] += errors[at] * normal;
                beta_sum[at] += errors[at];
            }
        }
    }
}
