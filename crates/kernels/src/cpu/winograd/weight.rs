//! The gradient of the kernels.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::{
    Data, Four, Gradient, Size, Tile, ToProducts, Two, block_tiles, filter_gradient, grid,
};
use crate::cpu::lanes::vectorized;
use crate::cpu::scratch::with_scratch;
use crate::cpu::{Buffer, Geometry, groups};
use afterimage_matmul::{Into, Matrix, product};

/// `[C_out, C_in, 3, 3]` from the input `[B, H, W, C_in]` and the gradient of the output
/// `[B, H', W', C_out]`.
pub(crate) fn weight_gradient(
    size: Size,
    input: &[f32],
    gradient: &[f32],
    geometry: &Geometry,
) -> Buffer {
    match size {
        Size::Two => tiled::<Two, 4>(input, gradient, geometry),
        Size::Four => tiled::<Four, 6>(input, gradient, geometry),
    }
}

fn tiled<T: Tile<A>, const A: usize>(
    input: &[f32],
    gradient: &[f32],
    geometry: &Geometry,
) -> Buffer {
    let (inputs, outputs) = (geometry.inputs, geometry.outputs);
    let map = [geometry.height, geometry.width];
    let output = geometry.output();
    let data_grid = grid(map, inputs, output, T::OUTPUTS, geometry.before);
    let gradient_grid = grid(output, outputs, output, T::OUTPUTS, [0, 0]);
    let tiles = geometry.batch * data_grid.count();
    let block = block_tiles(A * A * (inputs + outputs));
    let size = A * A * inputs * outputs;
    // Each group of tiles has a sum of its own; the sums are added in the order of the groups.
    let share = tiles
        .div_ceil(groups(size))
        .next_multiple_of(block)
        .min(tiles);
    let mut sums = Buffer::take(tiles.div_ceil(share) * size);
    sums.par_chunks_mut(size)
        .enumerate()
        .for_each(|(group, sums)| {
            let end = ((group + 1) * share).min(tiles);
            with_scratch(A * A * block * (inputs + outputs), |scratch| {
                let (data, errors) = scratch.split_at_mut(A * A * block * inputs);
                for start in (group * share..end).step_by(block) {
                    let range = start..(start + block).min(end);
                    let rows = range.len();
                    let data = &mut data[..A * A * rows * inputs];
                    let errors = &mut errors[..A * A * rows * outputs];
                    vectorized(ToProducts::<Data<T>, A> {
                        map: input,
                        grid: data_grid,
                        range: range.clone(),
                        products: data,
                        positions: PhantomData,
                    });
                    vectorized(ToProducts::<Gradient<T>, A> {
                        map: gradient,
                        grid: gradient_grid,
                        range,
                        products: errors,
                        positions: PhantomData,
                    });
                    let into = if start == group * share {
                        Into::Overwrite
                    } else {
                        Into::Add
                    };
                    for ((sum, data), errors) in sums
                        .chunks_mut(inputs * outputs)
                        .zip(data.chunks(rows * inputs))
                        .zip(errors.chunks(rows * outputs))
                    {
                        product(
                            sum,
                            Matrix::new(data, rows, inputs).transposed(),
                            Matrix::new(errors, rows, outputs),
                            into,
                        );
                    }
                }
            });
        });
    filter_gradient::<T, A>(&sums, [outputs, inputs])
}
