//! Tiles of feature maps to products and back.

use std::marker::PhantomData;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::Tile;
use crate::cpu::lanes::{load, rectified, store};

/// The cut of feature maps into tiles.
#[derive(Clone, Copy)]
pub(crate) struct Grid {
    /// Height and width of a map.
    pub(crate) map: [usize; 2],
    pub(crate) channels: usize,
    /// Tiles down and across a map.
    pub(crate) tiles: [usize; 2],
    /// Positions from one tile to the next.
    pub(crate) step: usize,
    /// Positions by which the first tile begins above and to the left of the map.
    pub(crate) before: [usize; 2],
}

impl Grid {
    /// Tiles of one map.
    pub(crate) fn count(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Where the values of each position of a tile begin in a group of maps; `None` outside.
    #[inline(always)]
    fn offsets<const A: usize>(&self, tile: usize) -> [[Option<usize>; A]; A] {
        let (image, tile) = (tile / self.count(), tile % self.count());
        let (row, column) = (tile / self.tiles[1], tile % self.tiles[1]);
        let [height, width] = self.map;
        let mut offsets = [[None; A]; A];
        for (i, offsets) in offsets.iter_mut().enumerate() {
            let y = (row * self.step + i).wrapping_sub(self.before[0]);
            if y >= height {
                continue;
            }
            for (j, offset) in offsets.iter_mut().enumerate() {
                let x = (column * self.step + j).wrapping_sub(self.before[1]);
                if x < width {
                    *offset = Some(((image * height + y) * width + x) * self.channels);
                }
            }
        }
        offsets
    }
}

/// What a tile's positions hold, and with it the transform to products.
pub(crate) trait Positions<const A: usize> {
    /// Positions a side.
    const SIDE: usize;

    /// One side of the transform.
    fn apply<S: Simd>(simd: S, values: [S::f32s; A]) -> [S::f32s; A];
}

/// Overlapping inputs, `Bᵀ d B`.
pub(crate) struct Data<T>(PhantomData<T>);

/// Disjoint gradients of outputs, `A e Aᵀ`.
pub(crate) struct Gradient<T>(PhantomData<T>);

impl<T: Tile<A>, const A: usize> Positions<A> for Data<T> {
    const SIDE: usize = A;

    #[inline(always)]
    fn apply<S: Simd>(simd: S, values: [S::f32s; A]) -> [S::f32s; A] {
        T::data(simd, values)
    }
}

impl<T: Tile<A>, const A: usize> Positions<A> for Gradient<T> {
    const SIDE: usize = T::OUTPUTS;

    #[inline(always)]
    fn apply<S: Simd>(simd: S, values: [S::f32s; A]) -> [S::f32s; A] {
        T::gradient(simd, values)
    }
}

/// Reads tiles of `map`, and writes their products `[A², tiles, channels]`.
pub(crate) struct ToProducts<'a, P, const A: usize> {
    pub(crate) map: &'a [f32],
    pub(crate) grid: Grid,
    pub(crate) range: Range<usize>,
    pub(crate) products: &'a mut [f32],
    pub(crate) positions: PhantomData<P>,
}

impl<P: Positions<A>, const A: usize> WithSimd for ToProducts<'_, P, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.grid.channels;
        let plane = self.range.len() * channels;
        let zero = simd.splat_f32s(0.0);
        for (index, tile) in self.range.enumerate() {
            let offsets = self.grid.offsets::<A>(tile);
            for start in (0..channels).step_by(S::F32_LANES) {
                // Columns first: `half[i][j]` is product i of column j.
                let mut half = [[zero; A]; A];
                for j in 0..P::SIDE {
                    let mut column = [zero; A];
                    for i in 0..P::SIDE {
                        if let Some(offset) = offsets[i][j] {
                            column[i] = load(simd, &self.map[offset + start..offset + channels]);
                        }
                    }
                    let column = P::apply(simd, column);
                    for i in 0..A {
                        half[i][j] = column[i];
                    }
                }
                for (i, row) in half.into_iter().enumerate() {
                    for (j, value) in P::apply(simd, row).into_iter().enumerate() {
                        let offset = (i * A + j) * plane + index * channels;
                        let target = &mut self.products[offset + start..offset + channels];
                        store(simd, target, value);
                    }
                }
            }
        }
    }
}

/// Reads products `[A², tiles, channels]`, and writes `Aᵀ p A` plus the bias to the tiles of `map`.
pub(crate) struct ToOutputs<'a, T, const A: usize> {
    pub(crate) products: &'a [f32],
    pub(crate) grid: Grid,
    pub(crate) range: Range<usize>,
    pub(crate) map: &'a mut [f32],
    pub(crate) bias: Option<&'a [f32]>,
    /// Whether negative values become 0.
    pub(crate) relu: bool,
    pub(crate) tile: PhantomData<T>,
}

impl<T: Tile<A>, const A: usize> WithSimd for ToOutputs<'_, T, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.grid.channels;
        let plane = self.range.len() * channels;
        let zero = simd.splat_f32s(0.0);
        for (index, tile) in self.range.enumerate() {
            let offsets = self.grid.offsets::<A>(tile);
            for start in (0..channels).step_by(S::F32_LANES) {
                let mut half = [[zero; A]; A];
                for j in 0..A {
                    let mut column = [zero; A];
                    for i in 0..A {
                        let offset = (i * A + j) * plane + index * channels;
                        column[i] = load(simd, &self.products[offset + start..offset + channels]);
                    }
                    let column = T::output(simd, column);
                    for i in 0..T::OUTPUTS {
                        half[i][j] = column[i];
                    }
                }
                let bias = match self.bias {
                    Some(bias) => load(simd, &bias[start..]),
                    None => zero,
                };
                for i in 0..T::OUTPUTS {
                    let row = T::output(simd, half[i]);
                    for j in 0..T::OUTPUTS {
                        let Some(offset) = offsets[i][j] else {
                            continue;
                        };
                        let mut value = simd.add_f32s(row[j], bias);
                        if self.relu {
                            value = rectified(simd, value);
                        }
                        store(
                            simd,
                            &mut self.map[offset + start..offset + channels],
                            value,
                        );
                    }
                }
            }
        }
    }
}
