//! Which calls the kernels of this crate take, and the way into them.

use burn::backend::{Dispatch, DispatchTensor, DispatchTensorKind};
use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Tensor};

use crate::Convolution;
use crate::cpu::Geometry;
use crate::extension::KernelOps;
use crate::fork::ForkOps;

/// Whether a tensor of 32-bit floats is on the `flex` device, with or without autodiff.
pub(crate) fn is_ours<const D: usize>(tensor: &Tensor<D>) -> bool {
    #[allow(unreachable_patterns)] // Other devices are there only with their features.
    fn on_flex(kind: &DispatchTensorKind) -> bool {
        match kind {
            DispatchTensorKind::Flex(_) => true,
            DispatchTensorKind::Autodiff(inner) => on_flex(inner),
            _ => false,
        }
    }
    tensor.dtype() == DType::F32 && on_flex(&tensor.clone().into_dispatch().kind)
}

/// Zeros above and below, and left and right; `None` where they depend on the input's size.
fn pairs(padding: &PaddingConfig2d) -> Option<[(usize, usize); 2]> {
    match padding {
        PaddingConfig2d::Valid => Some([(0, 0); 2]),
        PaddingConfig2d::Explicit(top, left, bottom, right) => {
            Some([(*top, *bottom), (*left, *right)])
        }
        PaddingConfig2d::Same => None,
    }
}

pub(crate) fn dispatch<const D: usize>(tensor: &Tensor<D>) -> DispatchTensor {
    tensor.clone().into_dispatch()
}

/// The options of a convolution that has a kernel.
fn options(conv: &Conv2d, input: &Tensor<4>, weight: &Tensor<4>) -> Option<ConvOptions<2>> {
    if !is_ours(input) || !is_ours(weight) {
        return None;
    }
    let options = ConvOptions::new_with_padding(
        conv.stride,
        pairs(&conv.padding)?,
        conv.dilation,
        conv.groups,
    );
    Geometry::new(input.dims(), weight.dims(), &options).map(|_| options)
}

pub(crate) fn conv2d(
    conv: &Conv2d,
    input: &Tensor<4>,
    convolution: Convolution,
) -> Option<Tensor<4>> {
    let weight = conv.weight.val();
    let options = options(conv, input, &weight)?;
    let (input, weight) = (dispatch(input), dispatch(&weight));
    Some(Tensor::from_dispatch(match &conv.bias {
        Some(bias) => {
            Dispatch::kernel_conv2d_bias(input, weight, dispatch(&bias.val()), options, convolution)
        }
        None => Dispatch::kernel_conv2d(input, weight, options, convolution),
    }))
}

pub(crate) fn conv_norm(
    conv: &Conv2d,
    norm: &BatchNorm,
    input: &Tensor<4>,
    convolution: Convolution,
    rectified: bool,
) -> Option<Tensor<4>> {
    let weight = conv.weight.val();
    let options = options(conv, input, &weight)?;
    if input.device().is_autodiff() {
        return None;
    }
    let scale = norm.gamma.val() / (norm.running_var.value() + norm.epsilon).sqrt();
    let mut shift = -norm.running_mean.value();
    if let Some(bias) = &conv.bias {
        shift = shift + bias.val();
    }
    let shift = shift * scale.clone() + norm.beta.val();
    let [outputs] = scale.dims();
    let weight = weight * scale.reshape([outputs, 1, 1, 1]);
    let (input, weight, shift) = (dispatch(input), dispatch(&weight), dispatch(&shift));
    Some(Tensor::from_dispatch(if rectified {
        Dispatch::kernel_conv2d_bias_relu(input, weight, shift, options, convolution)
    } else {
        Dispatch::kernel_conv2d_bias(input, weight, shift, options, convolution)
    }))
}

pub(crate) fn batch_norm(
    norm: &BatchNorm,
    input: &Tensor<4>,
    rectified: bool,
) -> Option<Tensor<4>> {
    let training = input.device().is_autodiff() && norm.training.is_enabled();
    if !is_ours(input) || input.shape().num_elements() == 0 || !training {
        return None;
    }
    let (output, mean, variance) = Dispatch::kernel_norm_train(
        dispatch(input),
        dispatch(&norm.gamma.val()),
        dispatch(&norm.beta.val()),
        norm.epsilon,
        rectified,
    );
    let blend = |state: Tensor<1>, batch| {
        let batch: Tensor<1> = Tensor::from_dispatch(batch);
        (state * (1.0 - norm.momentum) + batch.detach() * norm.momentum).detach()
    };
    norm.running_mean
        .update(blend(norm.running_mean.value_sync(), mean));
    norm.running_var
        .update(blend(norm.running_var.value_sync(), variance));
    Some(Tensor::from_dispatch(output))
}

pub(crate) fn max_pool2d(pool: &MaxPool2d, input: &Tensor<4>) -> Option<Tensor<4>> {
    let [_, _, height, width] = input.dims();
    let [rows, columns] = pool.kernel_size;
    let plain = pool.stride == pool.kernel_size
        && pairs(&pool.padding) == Some([(0, 0); 2])
        && pool.dilation == [1, 1]
        && !pool.ceil_mode
        && rows * columns <= usize::from(u8::MAX)
        && rows <= height
        && columns <= width;
    (plain && is_ours(input) && input.shape().num_elements() > 0).then(|| {
        Tensor::from_dispatch(Dispatch::kernel_max_pool(dispatch(input), pool.kernel_size))
    })
}

pub(crate) fn add(left: &Tensor<4>, right: &Tensor<4>, rectified: bool) -> Option<Tensor<4>> {
    (is_ours(left) && is_ours(right) && left.dims() == right.dims()).then(|| {
        Tensor::from_dispatch(Dispatch::kernel_add(
            dispatch(left),
            dispatch(right),
            rectified,
        ))
    })
}

pub(crate) fn fork<const D: usize>(input: &Tensor<D>) -> Option<[Tensor<D>; 2]> {
    is_ours(input).then(|| {
        let (left, right) = Dispatch::kernel_fork(dispatch(input));
        [left, right].map(Tensor::from_dispatch)
    })
}

pub(crate) fn space_mean(input: &Tensor<4>) -> Option<Tensor<2>> {
    (is_ours(input) && input.shape().num_elements() > 0)
        .then(|| Tensor::from_dispatch(Dispatch::kernel_space_mean(dispatch(input))))
}
