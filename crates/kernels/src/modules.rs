//! The operations on burn's tensors and modules.

use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::tensor::{Tensor, activation::relu};

use crate::Convolution;
#[cfg(feature = "flex")]
use crate::flex;

/// [`Conv2d::forward`]: `[B, C_in, H, W]` to `[B, C_out, H', W']`.
pub fn conv2d(conv: &Conv2d, input: Tensor<4>, convolution: Convolution) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if let Some(output) = flex::conv2d(conv, &input, convolution) {
        return output;
    }
    let _ = convolution;
    conv.forward(input)
}

/// [`BatchNorm::forward`] on `[B, C, H, W]`, and the ReLU of it if `rectified`.
///
/// In training the running statistics are updated as burn does. Whether the two operations run as
/// one or apart, the bits are the same.
pub fn batch_norm(norm: &BatchNorm, input: Tensor<4>, rectified: bool) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if let Some(output) = flex::batch_norm(norm, &input, rectified) {
        return output;
    }
    let output = norm.forward(input);
    if rectified { relu(output) } else { output }
}

/// A convolution and its batch norm, and the ReLU of it if `rectified`, `[B, C_in, H, W]` to
/// `[B, C_out, H', W']`, of which nobody needs what lies between.
///
/// In evaluation on the CPU the norm is folded into the weights, which rounds differently: within
/// 1e-5 of the operations apart, relative to the largest output. In training it is [`conv2d`] and
/// [`batch_norm`], to the bit.
pub fn conv_norm(
    conv: &Conv2d,
    norm: &BatchNorm,
    input: Tensor<4>,
    convolution: Convolution,
    rectified: bool,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if let Some(output) = flex::conv_norm(conv, norm, &input, convolution, rectified) {
        return output;
    }
    batch_norm(norm, conv2d(conv, input, convolution), rectified)
}

/// [`MaxPool2d::forward`] on `[B, C, H, W]`.
pub fn max_pool2d(pool: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if let Some(output) = flex::max_pool2d(pool, &input) {
        return output;
    }
    pool.forward(input)
}

/// The sum of two feature maps `[B, C, H, W]` of one shape, and the ReLU of it if `rectified`: the
/// end of a residual branch.
pub fn add(left: Tensor<4>, right: Tensor<4>, rectified: bool) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if let Some(sum) = flex::add(&left, &right, rectified) {
        return sum;
    }
    let sum = left + right;
    if rectified { relu(sum) } else { sum }
}

/// A tensor for two readers: `[B, C, H, W]`, or any other rank.
///
/// What a residual connection reads twice. Values and gradients are those of two clones, to the bit,
/// if nobody else reads `input`: with a third reader the order of the sum differs. On the CPU the
/// gradients of both are added up in one parallel pass.
pub fn fork<const D: usize>(input: Tensor<D>) -> [Tensor<D>; 2] {
    #[cfg(feature = "flex")]
    if let Some(both) = flex::fork(&input) {
        return both;
    }
    [input.clone(), input]
}

/// The mean over the positions of each feature map: `[B, C, H, W]` to `[B, C]`.
pub fn space_mean(input: Tensor<4>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(means) = flex::space_mean(&input) {
        return means;
    }
    let [batch, channels, height, width] = input.dims();
    // One contiguous row a unit: the layout in which a sum over rows is one SIMD loop.
    input
        .reshape([batch * channels, height * width])
        .mean_dim(1)
        .reshape([batch, channels])
}
