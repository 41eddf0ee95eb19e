//! The operations as burn dispatches them.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};

use crate::cpu::attention::{self, Heads};
use crate::cpu::channels_last::{contiguous, pooled};
use crate::cpu::{gelu, layer_norm, linear, rows};

/// Operations on tokens `[B, T, C]` with kernels of this crate; callers check that there is one.
#[backend_extension(Flex, Autodiff)]
pub trait TokenOps: Backend {
    /// `x W`.
    fn kernel_linear(input: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `x W + b`.
    fn kernel_linear_bias(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// Layer norm over the channels.
    fn kernel_layer_norm(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;

    /// The sum of two sequences of one shape.
    fn kernel_token_add(left: FloatTensor<Self>, right: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `x · Φ(x)`.
    fn kernel_gelu(input: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Self-attention from queries, keys and values.
    fn kernel_attention(input: FloatTensor<Self>, heads: usize) -> FloatTensor<Self>;
}

/// Sizes of a tensor of three axes.
pub(super) fn sizes(tensor: &FlexTensor) -> [usize; 3] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1], shape[2]]
}

/// The sizes of an attention over `[B, T, 3C]`.
pub(super) fn heads(input: &FlexTensor, heads: usize) -> Heads {
    let [_, tokens, triple] = sizes(input);
    Heads {
        tokens,
        heads,
        size: triple / 3 / heads,
    }
}

fn connect(input: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>) -> FlexTensor {
    let [batch, tokens, inputs] = sizes(input);
    let outputs = weight.layout().shape()[1];
    let bias = bias.map(contiguous);
    let output = linear::forward(
        &contiguous(input),
        &contiguous(weight),
        bias.as_deref(),
        [inputs, outputs],
    );
    pooled(output, [batch, tokens, outputs])
}

impl TokenOps for Flex {
    fn kernel_linear(input: FlexTensor, weight: FlexTensor) -> FlexTensor {
        connect(&input, &weight, None)
    }

    fn kernel_linear_bias(input: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        connect(&input, &weight, Some(&bias))
    }

    fn kernel_layer_norm(
        input: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
    ) -> FlexTensor {
        let output = layer_norm::forward(
            &contiguous(&input),
            &contiguous(&gamma),
            &contiguous(&beta),
            epsilon as f32,
        );
        pooled(output, sizes(&input))
    }

    fn kernel_token_add(left: FlexTensor, right: FlexTensor) -> FlexTensor {
        let sum = rows::add(&contiguous(&left), &contiguous(&right), false);
        pooled(sum, sizes(&left))
    }

    fn kernel_gelu(input: FlexTensor) -> FlexTensor {
        pooled(gelu::gelu(&contiguous(&input)), sizes(&input))
    }

    fn kernel_attention(input: FlexTensor, heads: usize) -> FlexTensor {
        let [batch, tokens, triple] = sizes(&input);
        let output = attention::forward(&contiguous(&input), self::heads(&input, heads));
        pooled(output, [batch, tokens, triple / 3])
    }
}
