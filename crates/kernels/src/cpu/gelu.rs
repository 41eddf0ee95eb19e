//! The Gaussian error linear unit, `x · Φ(x)`.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Buffer;
use super::exponential::exp;
use super::lanes::vectorized;

/// Values of a task: 64 KiB.
const BLOCK: usize = 16 * 1024;

/// `x · Φ(x)` of every value.
pub(crate) fn gelu(input: &[f32]) -> Buffer {
    let mut output = Buffer::take(input.len());
    output
        .par_chunks_mut(BLOCK)
        .zip(input.par_chunks(BLOCK))
        .for_each(|(output, input)| vectorized(Forward { input, output }));
    output
}

/// `errors · (Φ(x) + x · φ(x))`.
pub(crate) fn gelu_gradient(input: &[f32], errors: &[f32]) -> Buffer {
    let mut gradient = Buffer::take(input.len());
    gradient
        .par_chunks_mut(BLOCK)
        .zip(input.par_chunks(BLOCK).zip(errors.par_chunks(BLOCK)))
        .for_each(|(gradient, (input, errors))| {
            vectorized(Backward {
                input,
                errors,
                gradient,
            });
        });
    gradient
}

/// `Φ(x)` and `exp(−x²/2)`.
///
/// Source of the approximation: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26;
/// its error is at most 1.5e-7.
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    const TERMS: [f32; 5] = [
        1.061_405_4,
        -1.453_152,
        1.421_413_8,
        -0.284_496_72,
        0.254_829_6,
    ];
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut series = 0.0;
    for term in TERMS {
        series = (series + term) * t;
    }
    let density = exp(-z * z);
    let upper = 0.5 * series * density;
    (if x < 0.0 { upper } else { 1.0 - upper }, density)
}

struct Forward<'a> {
    input: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (output, x) in self.output.iter_mut().zip(self.input) {
            *output = x * normal(*x).0;
        }
    }
}

struct Backward<'a> {
    input: &'a [f32],
    errors: &'a [f32],
    gradient: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        /// 1 / √(2π)
        const SCALE: f32 = 0.398_942_3;
        for (gradient, (x, error)) in self
            .gradient
            .iter_mut()
            .zip(self.input.iter().zip(self.errors))
        {
            let (below, density) = normal(*x);
            *gradient = error * (below + x * density * SCALE);
        }
    }
}
