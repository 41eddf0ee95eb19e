//! The convolution itself, which with [`Direction::Adjoint`] is also the gradient of the input.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::{
    Data, Direction, Four, Size, Tile, ToOutputs, ToProducts, Two, block_tiles, filter, grid,
};
use crate::cpu::lanes::vectorized;
use crate::cpu::scratch::with_scratch;
use crate::cpu::{Buffer, Geometry};
use afterimage_matmul::{Into, Matrix, product};

/// `[B, H, W, C_in]` to `[B, H', W', C_out]`, with the kernels of `weight`, which is
/// `[C_out, C_in, 3, 3]` for [`Direction::Forward`] and `[C_in, C_out, 3, 3]` for the adjoint.
pub(crate) fn convolve(
    size: Size,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    geometry: &Geometry,
    direction: Direction,
) -> Buffer {
    match size {
        Size::Two => tiled::<Two, 4>(input, weight, bias, relu, geometry, direction),
        Size::Four => tiled::<Four, 6>(input, weight, bias, relu, geometry, direction),
    }
}

fn tiled<T: Tile<A>, const A: usize>(
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    geometry: &Geometry,
    direction: Direction,
) -> Buffer {
    let (inputs, outputs) = (geometry.inputs, geometry.outputs);
    let channels = match direction {
        Direction::Forward => [outputs, inputs],
        Direction::Adjoint => [inputs, outputs],
    };
    let kernels = filter::<T, A>(weight, channels, direction);
    let map = [geometry.height, geometry.width];
    let output = geometry.output();
    let reads = grid(map, inputs, output, T::OUTPUTS, geometry.before);
    let writes = grid(output, outputs, output, T::OUTPUTS, [0, 0]);
    let block = block_tiles(A * A * (inputs + outputs));
    // The group of maps that one task works on: at least one block of tiles.
    let images = block.div_ceil(reads.count());
    let mut result = Buffer::take(geometry.batch * geometry.positions() * outputs);
    result
        .par_chunks_mut(images * geometry.positions() * outputs)
        .zip(input.par_chunks(images * geometry.height * geometry.width * inputs))
        .for_each(|(result, input)| {
            let tiles = result.len() / (geometry.positions() * outputs) * reads.count();
            let block = block.min(tiles);
            with_scratch(A * A * block * (inputs + outputs), |scratch| {
                let (data, products) = scratch.split_at_mut(A * A * block * inputs);
                for start in (0..tiles).step_by(block) {
                    let range = start..(start + block).min(tiles);
                    let rows = range.len();
                    let data = &mut data[..A * A * rows * inputs];
                    let products = &mut products[..A * A * rows * outputs];
                    vectorized(ToProducts::<Data<T>, A> {
                        map: input,
                        grid: reads,
                        range: range.clone(),
                        products: data,
                        positions: PhantomData,
                    });
                    for ((products, data), kernel) in products
                        .chunks_mut(rows * outputs)
                        .zip(data.chunks(rows * inputs))
                        .zip(kernels.chunks(inputs * outputs))
                    {
                        product(
                            products,
                            Matrix::new(data, rows, inputs),
                            Matrix::new(kernel, inputs, outputs),
                            Into::Overwrite,
                        );
                    }
                    vectorized(ToOutputs::<T, A> {
                        products,
                        grid: writes,
                        range,
                        map: result,
                        bias,
                        relu,
                        tile: PhantomData,
                    });
                }
            });
        });
    result
}
