//! Vector loads and stores that end with the slice.

use pulp::{Arch, Simd, WithSimd};

/// Runs `operation` with the widest vectors that this processor has.
pub(crate) fn vectorized<Op: WithSimd>(operation: Op) -> Op::Output {
    Arch::new().dispatch(operation)
}

/// The first lanes of `data`, zero beyond its end.
#[inline(always)]
pub(crate) fn load<S: Simd>(simd: S, data: &[f32]) -> S::f32s {
    match data.get(..S::F32_LANES) {
        Some(full) => S::as_simd_f32s(full).0[0],
        None => simd.partial_load_f32s(data),
    }
}

/// Writes the lanes of `value` that fit into `data`.
#[inline(always)]
pub(crate) fn store<S: Simd>(simd: S, data: &mut [f32], value: S::f32s) {
    match data.get_mut(..S::F32_LANES) {
        Some(full) => S::as_mut_simd_f32s(full).0[0] = value,
        None => simd.partial_store_f32s(data, value),
    }
}

/// ReLU of every lane; NaN stays, which a maximum would make zero of, so that divergence is seen.
#[inline(always)]
pub(crate) fn rectified<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    rectified_by(simd, value, value)
}

/// Zero where `output` is a number that is not positive, else `value`: the gradient behind a ReLU
/// that put out `output`.
#[inline(always)]
pub(crate) fn rectified_by<S: Simd>(simd: S, output: S::f32s, value: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.less_than_or_equal_f32s(output, zero), zero, value)
}

/// Values that a reduction of [`sum`] or [`maximum`] takes at a time.
const WIDTH: usize = 16;

/// The sum of `term(index, value)` over `values`, in an order that depends on their number alone.
#[inline(always)]
pub(crate) fn sum(values: &[f32], term: impl Fn(usize, f32) -> f32) -> f32 {
    let mut sums = [0.0; WIDTH];
    let chunks = values.chunks_exact(WIDTH);
    let rest = chunks.remainder();
    let start = values.len() - rest.len();
    for (chunk, values) in chunks.enumerate() {
        for lane in 0..WIDTH {
            sums[lane] += term(chunk * WIDTH + lane, values[lane]);
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        sums[lane] += term(start + lane, *value);
    }
    let mut width = WIDTH / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// The largest of `values`.
#[inline(always)]
pub(crate) fn maximum(values: &[f32]) -> f32 {
    let mut largest = [f32::NEG_INFINITY; WIDTH];
    let chunks = values.chunks_exact(WIDTH);
    let rest = chunks.remainder();
    for values in chunks {
        for lane in 0..WIDTH {
            largest[lane] = largest[lane].max(values[lane]);
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        largest[lane] = largest[lane].max(*value);
    }
    largest.into_iter().fold(f32::NEG_INFINITY, f32::max)
}
