//! The operations as burn dispatches them.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::ops::ConvOptions;

use crate::Convolution;
use crate::cpu::channels_last::{channels_last, contiguous, plain, sizes, tensor};
use crate::cpu::norm::{self, Affine};
use crate::cpu::pool::{Windows, max_pool};
use crate::cpu::{Geometry, convolution, rows};

/// Operations with kernels of this crate; callers check that there is one.
#[backend_extension(Flex, Autodiff)]
pub trait KernelOps: Backend {
    /// A convolution without bias; see [`Geometry::new`] for what it takes.
    fn kernel_conv2d(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions<2>,
        convolution: Convolution,
    ) -> FloatTensor<Self>;

    /// A convolution with bias.
    fn kernel_conv2d_bias(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
        convolution: Convolution,
    ) -> FloatTensor<Self>;

    /// A convolution with bias, then ReLU.
    fn kernel_conv2d_bias_relu(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
        convolution: Convolution,
    ) -> FloatTensor<Self>;

    /// Batch norm by the statistics of the batch, then ReLU if `relu`: the output, the mean, and
    /// the biased variance.
    fn kernel_norm_train(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Max pooling with windows beside each other.
    fn kernel_max_pool(input: FloatTensor<Self>, window: [usize; 2]) -> FloatTensor<Self>;

    /// The sum of two maps of one shape, then ReLU if `relu`.
    fn kernel_add(
        left: FloatTensor<Self>,
        right: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self>;

    /// The mean over the positions of a map, `[B, C]`.
    fn kernel_space_mean(input: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl KernelOps for Flex {
    fn kernel_conv2d(
        input: FlexTensor,
        weight: FlexTensor,
        options: ConvOptions<2>,
        convolution: Convolution,
    ) -> FlexTensor {
        convolve(&input, &weight, None, &options, convolution, false)
    }

    fn kernel_conv2d_bias(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: ConvOptions<2>,
        convolution: Convolution,
    ) -> FlexTensor {
        convolve(&input, &weight, Some(&bias), &options, convolution, false)
    }

    fn kernel_conv2d_bias_relu(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: ConvOptions<2>,
        convolution: Convolution,
    ) -> FlexTensor {
        convolve(&input, &weight, Some(&bias), &options, convolution, true)
    }

    fn kernel_norm_train(
        input: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
        relu: bool,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [batch, channels, height, width] = sizes(&input);
        let rows = channels_last(&input);
        let (mean, variance) = norm::statistics(&rows, channels);
        let affine = Affine::new(
            &mean,
            &variance,
            &contiguous(&gamma),
            &contiguous(&beta),
            epsilon,
        );
        let output = norm::apply(&rows, &affine, relu);
        (
            tensor(output, [batch, channels, height, width]),
            plain(mean, [channels]),
            plain(variance, [channels]),
        )
    }

    fn kernel_max_pool(input: FlexTensor, window: [usize; 2]) -> FlexTensor {
        let (windows, shape) = windows(&input, window);
        tensor(max_pool(&channels_last(&input), windows).0, shape)
    }

    fn kernel_add(left: FlexTensor, right: FlexTensor, relu: bool) -> FlexTensor {
        let sum = rows::add(&channels_last(&left), &channels_last(&right), relu);
        tensor(sum, sizes(&left))
    }

    fn kernel_space_mean(input: FlexTensor) -> FlexTensor {
        let [batch, channels, height, width] = sizes(&input);
        let means = rows::means(&channels_last(&input), height * width, channels);
        plain(means, [batch, channels])
    }
}

/// The sizes that a kernel works with.
///
/// # Panics
/// If there is no kernel: callers asked [`Geometry::new`] before.
pub(crate) fn geometry(
    input: &FlexTensor,
    weight: &FlexTensor,
    options: &ConvOptions<2>,
) -> Geometry {
    match Geometry::new(sizes(input), sizes(weight), options) {
        Some(geometry) => geometry,
        None => unreachable!("a convolution without a kernel is left to burn"),
    }
}

pub(crate) fn convolve(
    input: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&FlexTensor>,
    options: &ConvOptions<2>,
    convolution: Convolution,
    relu: bool,
) -> FlexTensor {
    let geometry = geometry(input, weight, options);
    let bias = bias.map(contiguous);
    let [height, width] = geometry.output();
    let output = convolution::forward(
        &channels_last(input),
        &contiguous(weight),
        bias.as_deref(),
        relu,
        &geometry,
        convolution,
    );
    tensor(output, [geometry.batch, geometry.outputs, height, width])
}

/// The windows of a pooling, and the shape of its output.
pub(crate) fn windows(input: &FlexTensor, window: [usize; 2]) -> (Windows, [usize; 4]) {
    let [batch, channels, height, width] = sizes(input);
    let windows = Windows {
        channels,
        map: [height, width],
        window,
    };
    let [height, width] = windows.output();
    (windows, [batch, channels, height, width])
}
