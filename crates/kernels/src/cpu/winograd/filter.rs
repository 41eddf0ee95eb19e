//! Kernels of 3×3 weights in the space of products, and gradients back from it.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Tile;
use crate::cpu::Buffer;
use crate::cpu::lanes::{load, store, vectorized};

/// Which convolution a kernel is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the input's channels (rows) to the output's (columns).
    Forward,
    /// From the output's channels (rows) to the input's (columns), with the kernel turned by 180°.
    Adjoint,
}

/// `G g Gᵀ` of every 3×3 kernel of `weight` `[C_out, C_in, 3, 3]`, as `[A², rows, columns]`.
pub(crate) fn filter<T: Tile<A>, const A: usize>(
    weight: &[f32],
    [outputs, inputs]: [usize; 2],
    direction: Direction,
) -> Buffer {
    let (rows, columns, row_stride, column_stride) = match direction {
        Direction::Forward => (inputs, outputs, 9, inputs * 9),
        Direction::Adjoint => (outputs, inputs, inputs * 9, 9),
    };
    // Half of the way, `G g`, as [row, A · 3, column].
    let mut half = Buffer::take(rows * A * 3 * columns);
    half.par_chunks_mut(A * 3 * columns)
        .enumerate()
        .for_each(|(row, half)| {
            for column in 0..columns {
                let start = row * row_stride + column * column_stride;
                let kernel = &weight[start..start + 9];
                for (i, [g0, g1, g2]) in T::FILTER.into_iter().enumerate() {
                    for x in 0..3 {
                        let at = |y: usize| match direction {
                            Direction::Forward => kernel[y * 3 + x],
                            Direction::Adjoint => kernel[8 - (y * 3 + x)],
                        };
                        half[(i * 3 + x) * columns + column] = g0 * at(0) + g1 * at(1) + g2 * at(2);
                    }
                }
            }
        });
    let mut full = Buffer::take(A * A * rows * columns);
    full.par_chunks_mut(rows * columns)
        .enumerate()
        .for_each(|(product, plane)| {
            let (i, j) = (product / A, product % A);
            for (row, target) in plane.chunks_mut(columns).enumerate() {
                let start = (row * A + i) * 3 * columns;
                vectorized(Combine {
                    terms: &half[start..start + 3 * columns],
                    factors: T::FILTER[j],
                    target,
                });
            }
        });
    full
}

/// `target = Σ_x factors[x] · terms[x]`.
struct Combine<'a> {
    terms: &'a [f32],
    factors: [f32; 3],
    target: &'a mut [f32],
}

impl WithSimd for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let columns = self.target.len();
        for start in (0..columns).step_by(S::F32_LANES) {
            let mut sum = simd.splat_f32s(0.0);
            for (x, factor) in self.factors.into_iter().enumerate() {
                let term = load(simd, &self.terms[x * columns + start..(x + 1) * columns]);
                sum = simd.mul_add_e_f32s(simd.splat_f32s(factor), term, sum);
            }
            store(simd, &mut self.target[start..], sum);
        }
    }
}

/// `Gᵀ p G` of the sum of `groups`, each `[A², C_in, C_out]`, as `[C_out, C_in, 3, 3]`.
pub(crate) fn filter_gradient<T: Tile<A>, const A: usize>(
    groups: &[f32],
    [outputs, inputs]: [usize; 2],
) -> Buffer {
    let size = A * A * inputs * outputs;
    let mut by_input = Buffer::take(inputs * 9 * outputs);
    by_input
        .par_chunks_mut(9 * outputs)
        .enumerate()
        .for_each(|(input, target)| {
            vectorized(Fold::<T, A> {
                groups,
                size,
                inputs,
                input,
                outputs,
                target,
                tile: PhantomData,
            });
        });
    let mut weight = Buffer::take(outputs * inputs * 9);
    weight
        .par_chunks_mut(inputs * 9)
        .enumerate()
        .for_each(|(output, weight)| {
            for (value, source) in weight.iter_mut().zip(by_input.chunks(outputs)) {
                *value = source[output];
            }
        });
    weight
}

/// The gradients of one input channel's kernels, as `[9, C_out]`.
struct Fold<'a, T, const A: usize> {
    groups: &'a [f32],
    size: usize,
    inputs: usize,
    input: usize,
    outputs: usize,
    target: &'a mut [f32],
    tile: PhantomData<T>,
}

impl<T: Tile<A>, const A: usize> WithSimd for Fold<'_, T, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let zero = simd.splat_f32s(0.0);
        for start in (0..self.outputs).step_by(S::F32_LANES) {
            let mut sums = [[zero; 3]; 3];
            for i in 0..A {
                let mut row = [zero; 3];
                for j in 0..A {
                    let offset = ((i * A + j) * self.inputs + self.input) * self.outputs;
                    let mut product = zero;
                    for group in self.groups.chunks_exact(self.size) {
                        let value = load(simd, &group[offset + start..offset + self.outputs]);
                        product = simd.add_f32s(product, value);
                    }
                    for x in 0..3 {
                        let factor = simd.splat_f32s(T::FILTER[j][x]);
                        row[x] = simd.mul_add_e_f32s(factor, product, row[x]);
                    }
                }
                for y in 0..3 {
                    let factor = simd.splat_f32s(T::FILTER[i][y]);
                    for x in 0..3 {
                        sums[y][x] = simd.mul_add_e_f32s(factor, row[x], sums[y][x]);
                    }
                }
            }
            for (k, sum) in sums.into_iter().flatten().enumerate() {
                let end = (k + 1) * self.outputs;
                store(simd, &mut self.target[k * self.outputs + start..end], sum);
            }
        }
    }
}
