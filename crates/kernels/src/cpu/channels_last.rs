//! Feature maps in memory with the channels of a position beside each other.
//!
//! Tensors keep the logical shape `[B, C, H, W]`; only the strides change, so that burn's own
//! operations understand them too.

use std::borrow::Cow;

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{AllocationProperty, Bytes, DType, Shape};
use rayon::prelude::*;

use super::Buffer;

/// Sizes `[B, C, H, W]`.
pub(crate) fn sizes(tensor: &FlexTensor) -> [usize; 4] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1], shape[2], shape[3]]
}

/// The values of a feature map in the order B, H, W, C; copied unless they already lie so.
pub(crate) fn channels_last(map: &FlexTensor) -> Cow<'_, [f32]> {
    let [batch, channels, height, width] = sizes(map);
    let count = batch * channels * height * width;
    if has_strides(map, strides(channels, height, width)) {
        let start = map.layout().start_offset();
        return Cow::Borrowed(&map.storage::<f32>()[start..start + count]);
    }
    let contiguous = map.to_contiguous();
    let start = contiguous.layout().start_offset();
    let source = &contiguous.storage::<f32>()[start..start + count];
    Cow::Owned(from_planes(source, channels, height * width))
}

/// A tensor `[B, C, H, W]` over values in the order B, H, W, C.
pub(crate) fn tensor(values: Buffer, [batch, channels, height, width]: [usize; 4]) -> FlexTensor {
    debug_assert_eq!(values.len(), batch * channels * height * width);
    let layout = Layout::new(
        Shape::new([batch, channels, height, width]),
        strides(channels, height, width).to_vec(),
        0,
    );
    over(values, layout)
}

/// A contiguous tensor over memory of the pool.
pub(crate) fn pooled(values: Buffer, shape: impl Into<Shape>) -> FlexTensor {
    over(values, Layout::contiguous(shape.into()))
}

fn over(values: Buffer, layout: Layout) -> FlexTensor {
    let bytes = bytes::Bytes::from_owner(values);
    let bytes = Bytes::from_shared(bytes, AllocationProperty::Other);
    FlexTensor::new(bytes, layout, DType::F32)
}

/// The values of a tensor in logical order; copied unless they already lie so.
pub(crate) fn contiguous(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    match tensor.as_slice::<f32>() {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(tensor.to_contiguous().storage::<f32>().to_vec()),
    }
}

/// A contiguous tensor.
pub(crate) fn plain(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(shape.into()),
        DType::F32,
    )
}

fn strides(channels: usize, height: usize, width: usize) -> [isize; 4] {
    [height * width * channels, 1, width * channels, channels].map(|stride| stride as isize)
}

/// Whether the tensor has these strides; axes of one element may have any.
fn has_strides(tensor: &FlexTensor, strides: [isize; 4]) -> bool {
    let layout = tensor.layout();
    (0..4).all(|axis| layout.shape()[axis] == 1 || layout.strides()[axis] == strides[axis])
}

/// Planes `[B, C, P]` as positions `[B, P, C]`.
fn from_planes(source: &[f32], channels: usize, positions: usize) -> Vec<f32> {
    /// Positions that are written while their lines are in the first cache.
    const BLOCK: usize = 64;
    let mut target = vec![0.0; source.len()];
    let image = channels * positions;
    target
        .par_chunks_mut(image)
        .zip(source.par_chunks(image))
        .for_each(|(target, source)| {
            for (block, target) in target.chunks_mut(BLOCK * channels).enumerate() {
                let start = block * BLOCK;
                let end = (start + BLOCK).min(positions);
                for (channel, plane) in source.chunks(positions).enumerate() {
                    for (row, value) in target.chunks_mut(channels).zip(&plane[start..end]) {
                        row[channel] = *value;
                    }
                }
            }
        });
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_survives_the_way_there_and_back() {
        let [batch, channels, height, width] = [2, 3, 9, 11];
        let values: Vec<f32> = (0..batch * channels * height * width)
            .map(|i| i as f32)
            .collect();
        let planes = plain(values.clone(), [batch, channels, height, width]);
        let rows = channels_last(&planes).into_owned();
        assert_eq!(rows[..channels], [0.0, 99.0, 198.0]);
        let mut buffer = Buffer::take(rows.len());
        buffer.copy_from_slice(&rows);
        let map = tensor(buffer, [batch, channels, height, width]);
        assert!(matches!(channels_last(&map), Cow::Borrowed(_)));
        assert_eq!(contiguous(&map).as_ref(), values.as_slice());
    }
}
