//! The operations of transformers on sequences of tokens `[B, T, C]`.

#[cfg(feature = "flex")]
mod autodiff;
#[cfg(feature = "flex")]
mod extension;

use burn::nn::Linear;
use burn::tensor::{Tensor, activation, module};

#[cfg(feature = "flex")]
use crate::flex::{dispatch, is_ours};
#[cfg(feature = "flex")]
use burn::backend::Dispatch;
#[cfg(feature = "flex")]
use extension::TokenOps;

/// [`Linear::forward`]: `[B, T, I]` to `[B, T, O]`.
pub fn linear(layer: &Linear, input: Tensor<3>) -> Tensor<3> {
    #[cfg(feature = "flex")]
    if is_ours(&input) && input.shape().num_elements() > 0 {
        let (input, weight) = (dispatch(&input), dispatch(&layer.weight.val()));
        return Tensor::from_dispatch(match &layer.bias {
            Some(bias) => Dispatch::kernel_linear_bias(input, weight, dispatch(&bias.val())),
            None => Dispatch::kernel_linear(input, weight),
        });
    }
    layer.forward(input)
}

/// Layer norm over the channels: `[B, T, C]` to `[B, T, C]`, with `gamma` and `beta` `[C]`.
pub fn layer_norm(input: Tensor<3>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<3> {
    #[cfg(feature = "flex")]
    if is_ours(&input) && input.shape().num_elements() > 0 {
        let (gamma, beta) = (dispatch(&gamma), dispatch(&beta));
        let output = Dispatch::kernel_layer_norm(dispatch(&input), gamma, beta, epsilon);
        return Tensor::from_dispatch(output);
    }
    module::layer_norm(input, gamma, Some(beta), epsilon)
}

/// The sum of two sequences `[B, T, C]` of one shape: the end of a residual branch.
pub fn add_tokens(left: Tensor<3>, right: Tensor<3>) -> Tensor<3> {
    #[cfg(feature = "flex")]
    if is_ours(&left) && is_ours(&right) && left.dims() == right.dims() {
        let sum = Dispatch::kernel_token_add(dispatch(&left), dispatch(&right));
        return Tensor::from_dispatch(sum);
    }
    left + right
}

/// The Gaussian error linear unit `x · Φ(x)` of every value.
pub fn gelu(input: Tensor<3>) -> Tensor<3> {
    #[cfg(feature = "flex")]
    if is_ours(&input) {
        return Tensor::from_dispatch(Dispatch::kernel_gelu(dispatch(&input)));
    }
    activation::gelu(input)
}

/// Self-attention with `heads` heads: queries, keys and values `[B, T, 3C]` (all heads of the
/// queries first, then of the keys, then of the values) to `[B, T, C]`.
///
/// Source: Vaswani et al., NeurIPS 2017 (arXiv 1706.03762), Eq. 1.
///
/// # Panics
/// If the channels cannot be divided among the heads.
pub fn attention(queries_keys_values: Tensor<3>, heads: usize) -> Tensor<3> {
    let [batch, tokens, triple] = queries_keys_values.dims();
    let channels = triple / 3;
    assert!(
        heads > 0 && triple == 3 * channels && channels.is_multiple_of(heads),
        "{triple} channels are not queries, keys and values of {heads} heads"
    );
    #[cfg(feature = "flex")]
    if is_ours(&queries_keys_values) && queries_keys_values.shape().num_elements() > 0 {
        let output = Dispatch::kernel_attention(dispatch(&queries_keys_values), heads);
        return Tensor::from_dispatch(output);
    }
    let size = channels / heads;
    let parts = queries_keys_values
        .reshape([batch, tokens, 3, heads, size])
        .permute([2, 0, 3, 1, 4]);
    let part = |index: usize| {
        let part = parts.clone().narrow(0, index, 1);
        part.reshape([batch, heads, tokens, size])
    };
    let scores = part(0).matmul(part(1).swap_dims(2, 3)) / (size as f64).sqrt();
    activation::softmax(scores, 3)
        .matmul(part(2))
        .swap_dims(1, 2)
        .reshape([batch, tokens, channels])
}
