//! The kernels against burn's own operations, values and gradients, over shapes.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

#[cfg(not(feature = "flex"))]
compile_error!("without `--features flex` these tests would compare burn with burn");

mod measure;

use afterimage_kernels::{Convolution, add, batch_norm, conv2d, max_pool2d};
use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation::relu};
use measure::{deviation, deviation_of_sums, random};
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Shape {
    batch: usize,
    inputs: usize,
    outputs: usize,
    map: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 4],
    bias: bool,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let kernel = prop_oneof![
        4 => Just([3, 3]),
        1 => Just([1, 1]),
        1 => [1..5_usize, 1..5_usize],
    ];
    let stride = prop_oneof![3 => Just([1, 1]), 1 => [1..4_usize, 1..4_usize]];
    (
        1..5_usize,
        1..40_usize,
        1..40_usize,
        [1..14_usize, 1..14_usize],
        kernel,
        stride,
        [0..3_usize, 0..3_usize, 0..3_usize, 0..3_usize],
        any::<bool>(),
    )
        .prop_map(
            |(batch, inputs, outputs, map, kernel, stride, padding, bias)| Shape {
                batch,
                inputs,
                outputs,
                // A map that the kernel fits into.
                map: [map[0].max(kernel[0]), map[1].max(kernel[1])],
                kernel,
                stride,
                padding,
                bias,
            },
        )
}

/// Output and gradients (input, weight, bias) of one convolution under a random linear loss.
fn convolved(
    conv: &Conv2d,
    x: &Tensor<4>,
    loss: &Tensor<4>,
    run: impl Fn(&Conv2d, Tensor<4>) -> Tensor<4>,
) -> (Tensor<4>, Tensor<4>, Tensor<4>, Option<Tensor<1>>) {
    let x = x.clone().require_grad();
    let y = run(conv, x.clone());
    let gradients = (y.clone() * loss.clone()).sum().backward();
    (
        y.inner(),
        x.grad(&gradients).unwrap(),
        conv.weight.val().grad(&gradients).unwrap(),
        conv.bias
            .as_ref()
            .map(|bias| bias.val().grad(&gradients).unwrap()),
    )
}

fn check(shape: &Shape, convolution: Convolution, bound: f32) {
    let device = Device::flex().autodiff();
    let [top, left, bottom, right] = shape.padding;
    let conv = Conv2dConfig::new([shape.inputs, shape.outputs], shape.kernel)
        .with_stride(shape.stride)
        .with_padding(PaddingConfig2d::Explicit(top, left, bottom, right))
        .with_bias(shape.bias)
        .init(&device);
    let x = random(
        [shape.batch, shape.inputs, shape.map[0], shape.map[1]],
        &device,
    );
    let loss = random(conv.forward(x.clone()).dims(), &device);
    let expected = convolved(&conv, &x, &loss, Conv2d::forward);
    let actual = convolved(&conv, &x, &loss, |conv, x| conv2d(conv, x, convolution));
    for (what, value) in [
        ("output", deviation(actual.0, expected.0)),
        ("input gradient", deviation(actual.1, expected.1)),
        ("weight gradient", deviation(actual.2, expected.2)),
    ] {
        assert!(value <= bound, "{what} is off by {value:e} for {shape:?}");
    }
    if let (Some(actual), Some(expected)) = (actual.3, expected.3) {
        assert!(deviation_of_sums(actual, expected) <= 1e-5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn direct_convolutions_agree_within_1e_5(shape in shapes()) {
        check(&shape, Convolution::Direct, 1e-5);
    }

    #[test]
    fn winograd_convolutions_agree_within_1e_4(shape in shapes()) {
        check(&shape, Convolution::Winograd, 1e-4);
    }

    #[test]
    fn pooling_and_sums_agree_to_the_bit(
        [batch, channels, height, width] in [1..4_usize, 1..20_usize, 2..9_usize, 2..9_usize],
        window in 1..3_usize,
        rectified in any::<bool>(),
    ) {
        let device = Device::flex().autodiff();
        let pool = MaxPool2dConfig::new([window, window]).with_strides([window, window]).init();
        let x = random([batch, channels, height, width], &device);
        let other = random([batch, channels, height, width], &device);
        let loss = random(pool.forward(x.clone()).dims(), &device);
        let run = |fast: bool| {
            let (x, other) = (x.clone().require_grad(), other.clone().require_grad());
            let y = if fast {
                max_pool2d(&pool, add(x.clone(), other.clone(), rectified))
            } else {
                let sum = x.clone() + other.clone();
                pool.forward(if rectified { relu(sum) } else { sum })
            };
            let gradients = (y.clone() * loss.clone()).sum().backward();
            (y.inner(), x.grad(&gradients).unwrap(), other.grad(&gradients).unwrap())
        };
        let (fast, plain) = (run(true), run(false));
        fast.0.into_data().assert_eq(&plain.0.into_data(), true);
        fast.1.into_data().assert_eq(&plain.1.into_data(), true);
        fast.2.into_data().assert_eq(&plain.2.into_data(), true);
    }

    #[test]
    fn batch_norm_agrees(
        [batch, channels, height, width] in [2..6_usize, 1..40_usize, 1..9_usize, 1..9_usize],
        rectified in any::<bool>(),
    ) {
        let device = Device::flex().autodiff();
        let x = random([batch, channels, height, width], &device) * 3.0 + 5.0;
        let loss = random(x.dims(), &device);
        let gamma = random([channels], &device);
        let beta = random([channels], &device);
        let run = |forward: &dyn Fn(&BatchNorm, Tensor<4>) -> Tensor<4>| {
            let mut norm = BatchNormConfig::new(channels).init(&device);
            norm.gamma = Param::from_tensor(gamma.clone());
            norm.beta = Param::from_tensor(beta.clone());
            let x = x.clone().require_grad();
            let y = forward(&norm, x.clone());
            let gradients = (y.clone() * loss.clone()).sum().backward();
            (
                y.inner(),
                x.grad(&gradients).unwrap(),
                norm.gamma.val().grad(&gradients).unwrap(),
                norm.beta.val().grad(&gradients).unwrap(),
                norm.running_mean.value_sync().inner(),
                norm.running_var.value_sync().inner(),
            )
        };
        let fast = run(&|norm, x| batch_norm(norm, x, rectified));
        let apart = run(&|norm, x| {
            let y = batch_norm(norm, x, false);
            if rectified { relu(y) } else { y }
        });
        let plain = run(&|norm, x| {
            let y = norm.forward(x);
            if rectified { relu(y) } else { y }
        });
        // One operation or two: the same bits, so that a tap between them changes nothing.
        fast.0.clone().into_data().assert_eq(&apart.0.into_data(), true);
        fast.1.clone().into_data().assert_eq(&apart.1.into_data(), true);
        fast.2.clone().into_data().assert_eq(&apart.2.into_data(), true);
        prop_assert!(deviation(fast.0, plain.0) < 1e-5);
        // A gradient beside a kink of the ReLU may fall to the other side; two values a channel
        // leave a variance of nearly nothing to divide by.
        if !rectified && batch * height * width > 8 {
            prop_assert!(deviation(fast.1, plain.1) < 1e-4);
            prop_assert!(deviation_of_sums(fast.2, plain.2) < 1e-4);
            prop_assert!(deviation_of_sums(fast.3, plain.3) < 1e-5);
        }
        prop_assert!(deviation(fast.4, plain.4) < 1e-5);
        prop_assert!(deviation(fast.5, plain.5) < 1e-5);
    }
}

/// Losses and gradients of a block of each kind of operation on `threads` threads.
fn bits(threads: usize, convolution: Convolution) -> Vec<Vec<f32>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(|| {
        let device = Device::flex().autodiff();
        let values = |shape: [usize; 4], step: f32| {
            let count = shape.iter().product::<usize>();
            let values: Vec<f32> = (0..count).map(|i| (i as f32 * step).sin()).collect();
            Tensor::<4>::from_data(burn::tensor::TensorData::new(values, shape), &device)
        };
        let conv = |step, [outputs, inputs]: [usize; 2]| {
            let mut conv = Conv2dConfig::new([inputs, outputs], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_bias(false)
                .init(&device);
            conv.weight = Param::from_tensor(values([outputs, inputs, 3, 3], step));
            conv
        };
        let (wide, deep) = (conv(0.37, [48, 32]), conv(0.53, [48, 48]));
        let norm = BatchNormConfig::new(48).init(&device);
        let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        let x = values([67, 32, 11, 11], 0.71).require_grad();
        let y = batch_norm(&norm, conv2d(&wide, x.clone(), convolution), true);
        let y = max_pool2d(&pool, y);
        let y = add(conv2d(&deep, y.clone(), convolution), y, false);
        let gradients = (y.clone() * y.clone()).mean().backward();
        let plain = |tensor: Tensor<4>| tensor.into_data().try_to_vec::<f32>().unwrap();
        vec![
            plain(y.inner()),
            plain(x.grad(&gradients).unwrap()),
            plain(wide.weight.val().grad(&gradients).unwrap()),
            plain(deep.weight.val().grad(&gradients).unwrap()),
            norm.gamma
                .val()
                .grad(&gradients)
                .unwrap()
                .into_data()
                .try_to_vec::<f32>()
                .unwrap(),
            norm.running_var
                .value_sync()
                .into_data()
                .try_to_vec::<f32>()
                .unwrap(),
        ]
    })
}

#[test]
fn one_two_and_four_threads_give_the_same_bits() {
    for convolution in [Convolution::Winograd, Convolution::Direct] {
        let one = bits(1, convolution);
        for threads in [1, 2, 4] {
            assert!(
                one == bits(threads, convolution),
                "{convolution:?} on {threads} threads"
            );
        }
    }
}

/// The derivative along a direction against the difference quotient, for the whole kernel chain.
#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let device = Device::flex().autodiff();
    for (convolution, shape) in [
        (Convolution::Winograd, [3, 12, 6, 5]),
        (Convolution::Direct, [3, 5, 6, 5]),
    ] {
        let inputs = shape[1];
        let conv = Conv2dConfig::new([inputs, 10], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(&device);
        let norm = BatchNormConfig::new(10).init(&device);
        let (x, along) = (random(shape, &device), random(shape, &device));
        let (w, turn) = (conv.weight.val(), random([10, inputs, 3, 3], &device));
        let target = random([3, 10, 6, 5], &device);
        // Without the ReLU, whose kinks no difference quotient sees.
        let loss = |x: Tensor<4>, w: Tensor<4>| {
            let mut conv = conv.clone();
            conv.weight = Param::from_tensor(w.detach());
            let y = batch_norm(&norm, conv2d(&conv, x, convolution), false);
            (y * target.clone()).mean()
        };
        let tracked = x.clone().require_grad();
        let y = batch_norm(&norm, conv2d(&conv, tracked.clone(), convolution), false);
        let gradients = (y * target.clone()).mean().backward();
        let slope = (tracked.grad(&gradients).unwrap() * along.clone().inner()).sum()
            + (w.grad(&gradients).unwrap() * turn.clone().inner()).sum();
        let slope = slope.into_scalar::<f32>();
        let step = 2e-3_f32;
        let at = |sign: f32| {
            let (x, w) = (
                x.clone() + along.clone() * (sign * step),
                w.clone() + turn.clone() * (sign * step),
            );
            loss(x, w).into_scalar::<f32>()
        };
        let quotient = (at(1.0) - at(-1.0)) / (2.0 * step);
        assert!(
            (slope - quotient).abs() <= 2e-2 * slope.abs().max(1e-2),
            "{convolution:?}: slope {slope}, difference quotient {quotient}"
        );
    }
}

#[test]
fn shapes_at_the_edges_agree() {
    let plain = Shape {
        batch: 1,
        inputs: 1,
        outputs: 1,
        map: [1, 1],
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1, 1, 1],
        bias: true,
    };
    let shapes = [
        plain.clone(),
        Shape {
            inputs: 16,
            outputs: 24,
            ..plain.clone()
        },
        Shape {
            inputs: 32,
            outputs: 32,
            map: [2, 2],
            batch: 33,
            ..plain.clone()
        },
        Shape {
            inputs: 24,
            outputs: 20,
            map: [28, 28],
            batch: 3,
            ..plain.clone()
        },
        // A patch embedding.
        Shape {
            inputs: 3,
            outputs: 48,
            map: [16, 16],
            kernel: [4, 4],
            stride: [4, 4],
            padding: [0; 4],
            ..plain.clone()
        },
        // A strided projection and a strided 3×3 of a residual network.
        Shape {
            inputs: 16,
            outputs: 32,
            map: [8, 8],
            kernel: [1, 1],
            stride: [2, 2],
            padding: [0; 4],
            bias: false,
            ..plain.clone()
        },
        Shape {
            inputs: 16,
            outputs: 32,
            map: [9, 8],
            stride: [2, 2],
            bias: false,
            ..plain
        },
    ];
    for shape in shapes {
        check(&shape, Convolution::Direct, 1e-5);
        check(&shape, Convolution::Winograd, 1e-4);
    }
}
