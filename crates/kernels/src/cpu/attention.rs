//! Self-attention of tokens, from queries, keys and values that lie beside each other.
//!
//! The weights of an image's head, `[T, T]`, live in scratch memory only: the backward pass makes
//! them again.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Buffer;
use super::exponential::exp;
use super::lanes::{maximum, sum, vectorized};
use super::scratch::with_scratch;
use afterimage_matmul::{Into, Matrix, product, product_strided};

/// The sizes of one attention: `[B, T, 3 · heads · size]` to `[B, T, heads · size]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heads {
    pub(crate) tokens: usize,
    pub(crate) heads: usize,
    /// Channels of a head.
    pub(crate) size: usize,
}

/// Where a head's channels start: queries, keys or values.
#[derive(Clone, Copy)]
enum Part {
    Query,
    Key,
    Value,
}

impl Heads {
    fn channels(&self) -> usize {
        self.heads * self.size
    }

    /// Values of an image in the input.
    fn image(&self) -> usize {
        3 * self.tokens * self.channels()
    }

    fn start(&self, part: Part, head: usize) -> usize {
        let part = match part {
            Part::Query => 0,
            Part::Key => 1,
            Part::Value => 2,
        };
        part * self.channels() + head * self.size
    }

    /// One head's matrix `[T, size]` in an image of the input.
    fn of<'a>(&self, image: &'a [f32], part: Part, head: usize) -> Matrix<'a> {
        let start = self.start(part, head);
        Matrix::strided(
            &image[start..],
            [self.tokens, self.size],
            3 * self.channels(),
        )
    }

    /// One head's matrix `[T, size]` in an image of the output.
    fn of_output<'a>(&self, image: &'a [f32], head: usize) -> Matrix<'a> {
        let start = head * self.size;
        Matrix::strided(&image[start..], [self.tokens, self.size], self.channels())
    }

    /// Writes `softmax(Q Kᵀ / √size)` of one head to `weights` `[T, T]`.
    fn weigh(&self, image: &[f32], head: usize, weights: &mut [f32]) {
        let (query, key) = (
            self.of(image, Part::Query, head),
            self.of(image, Part::Key, head),
        );
        product(weights, query, key.transposed(), Into::Overwrite);
        vectorized(Softmax {
            rows: weights,
            length: self.tokens,
            scale: self.scale(),
        });
    }

    fn scale(&self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }
}

/// The values of every head, weighed.
pub(crate) fn forward(input: &[f32], heads: Heads) -> Buffer {
    let (tokens, channels) = (heads.tokens, heads.channels());
    let mut output = Buffer::take(input.len() / 3);
    output
        .par_chunks_mut(tokens * channels)
        .zip(input.par_chunks(heads.image()))
        .for_each(|(output, image)| {
            with_scratch(tokens * tokens, |weights| {
                for head in 0..heads.heads {
                    heads.weigh(image, head, weights);
                    product_strided(
                        &mut output[head * heads.size..],
                        channels,
                        Matrix::new(weights, tokens, tokens),
                        heads.of(image, Part::Value, head),
                        Into::Overwrite,
                    );
                }
            });
        });
    output
}

/// The gradient of the input from that of the output.
pub(crate) fn gradient(input: &[f32], errors: &[f32], heads: Heads) -> Buffer {
    let (tokens, channels) = (heads.tokens, heads.channels());
    let square = tokens * tokens;
    let mut result = Buffer::take(input.len());
    result
        .par_chunks_mut(heads.image())
        .zip(input.par_chunks(heads.image()))
        .zip(errors.par_chunks(tokens * channels))
        .for_each(|((result, image), errors)| {
            with_scratch(2 * square, |scratch| {
                let (weights, slopes) = scratch.split_at_mut(square);
                for head in 0..heads.heads {
                    let errors = heads.of_output(errors, head);
                    let mut write = |part, left: Matrix<'_>, right: Matrix<'_>| {
                        let target = &mut result[heads.start(part, head)..];
                        product_strided(target, 3 * channels, left, right, Into::Overwrite);
                    };
                    heads.weigh(image, head, weights);
                    let value = heads.of(image, Part::Value, head);
                    product(slopes, errors, value.transposed(), Into::Overwrite);
                    let matrix = Matrix::new(weights, tokens, tokens);
                    write(Part::Value, matrix.transposed(), errors);
                    vectorized(SoftmaxGradient {
                        rows: weights,
                        slopes,
                        length: tokens,
                        scale: heads.scale(),
                    });
                    let slopes = Matrix::new(slopes, tokens, tokens);
                    write(Part::Query, slopes, heads.of(image, Part::Key, head));
                    let query = heads.of(image, Part::Query, head);
                    write(Part::Key, slopes.transposed(), query);
                }
            });
        });
    result
}

/// `softmax(scale · row)` of every row, in place.
struct Softmax<'a> {
    rows: &'a mut [f32],
    length: usize,
    scale: f32,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact_mut(self.length) {
            let largest = maximum(row);
            for value in row.iter_mut() {
                *value = exp((*value - largest) * self.scale);
            }
            let share = 1.0 / sum(row, |_, value| value);
            for value in row.iter_mut() {
                *value *= share;
            }
        }
    }
}

/// `scale · w ∘ (slopes − Σ w · slopes)` of every row, in place of the slopes.
struct SoftmaxGradient<'a> {
    rows: &'a [f32],
    slopes: &'a mut [f32],
    length: usize,
    scale: f32,
}

impl WithSimd for SoftmaxGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (weights, slopes) in self
            .rows
            .chunks_exact(self.length)
            .zip(self.slopes.chunks_exact_mut(self.length))
        {
            let mean = sum(weights, |at, weight| weight * slopes[at]);
            for (slope, weight) in slopes.iter_mut().zip(weights) {
                *slope = self.scale * weight * (*slope - mean);
            }
        }
    }
}
