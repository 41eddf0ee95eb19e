//! The kernel for each shape.

use super::winograd::{self, Direction, Size};
use super::{Buffer, Geometry, direct};
use crate::Convolution;

/// `[B, H, W, C_in]` to `[B, H', W', C_out]` with the weight `[C_out, C_in, k, k]`.
pub(crate) fn forward(
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    geometry: &Geometry,
    convolution: Convolution,
) -> Buffer {
    convolve(
        input,
        weight,
        bias,
        relu,
        geometry,
        convolution,
        Direction::Forward,
    )
}

/// The gradient of the input `[B, H, W, C_in]` from the gradient of the output.
pub(crate) fn input_gradient(
    gradient: &[f32],
    weight: &[f32],
    geometry: &Geometry,
    convolution: Convolution,
) -> Buffer {
    match geometry.adjoint() {
        Some(adjoint) => convolve(
            gradient,
            weight,
            None,
            false,
            &adjoint,
            convolution,
            Direction::Adjoint,
        ),
        None => direct::input_gradient(gradient, weight, geometry),
    }
}

/// The gradient of the weight `[C_out, C_in, k, k]` from the gradient of the output.
pub(crate) fn weight_gradient(
    input: &[f32],
    gradient: &[f32],
    geometry: &Geometry,
    convolution: Convolution,
) -> Buffer {
    match tile(geometry, convolution) {
        Some(size) => winograd::weight_gradient(size, input, gradient, geometry),
        None => direct::weight_gradient(input, gradient, geometry),
    }
}

fn convolve(
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    geometry: &Geometry,
    convolution: Convolution,
    direction: Direction,
) -> Buffer {
    match tile(geometry, convolution) {
        Some(size) => winograd::convolve(size, input, weight, bias, relu, geometry, direction),
        None => direct::convolve(input, weight, bias, relu, geometry, direction),
    }
}

fn tile(geometry: &Geometry, convolution: Convolution) -> Option<Size> {
    match convolution {
        Convolution::Winograd => Size::choose(geometry),
        Convolution::Direct => None,
    }
}
