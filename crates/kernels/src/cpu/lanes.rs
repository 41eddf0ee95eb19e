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
