//! Values that are not finite pass the kernels as they pass burn's own operations: a number that went
//! wrong is seen at the end, forward and backward.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

#[cfg(not(feature = "flex"))]
compile_error!("without `--features flex` these tests would compare burn with burn");

#[allow(dead_code, reason = "other tests need more of it")]
mod measure;

use afterimage_kernels::{
    Convolution, add, add_tokens, attention, batch_norm, conv_norm, conv2d, fork, gelu, layer_norm,
    linear, max_pool2d, space_mean,
};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{BatchNormConfig, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData, activation, module};
use measure::random;

const STRANGE: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
/// More than any vector has lanes, and not a multiple of any: body and tail.
const CHANNELS: usize = 19;
/// One in the body of a vector, one in its tail.
const PLACES: [usize; 2] = [2, CHANNELS - 1];

/// How closely the values that are not finite agree with burn's.
#[derive(Clone, Copy, PartialEq)]
enum Agreement {
    /// NaN, infinity and its sign.
    Kind,
    /// Not a number of burn's is lost; where an infinity takes part, NaN may come of it or reach
    /// further.
    NothingHidden,
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap()
}

fn kind(value: f32) -> u8 {
    match value {
        value if value.is_nan() => 1,
        f32::INFINITY => 2,
        f32::NEG_INFINITY => 3,
        _ => 0,
    }
}

fn agree(what: &str, fast: &[Vec<f32>], plain: &[Vec<f32>], agreement: Agreement) {
    for (index, (fast, plain)) in fast.iter().zip(plain).enumerate() {
        assert_eq!(fast.len(), plain.len());
        for (at, (fast, plain)) in fast.iter().zip(plain).enumerate() {
            let fits = match agreement {
                Agreement::Kind => kind(*fast) == kind(*plain),
                Agreement::NothingHidden => plain.is_finite() || !fast.is_finite(),
            };
            assert!(
                fits,
                "{what}, result {index}, value {at}: {fast}, not {plain}"
            );
        }
    }
}

/// `tensor` with `value` at `[0, place, ...]` of its channels, which are the axis `axis`.
fn with<const D: usize>(tensor: &Tensor<D>, axis: usize, place: usize, value: f32) -> Tensor<D> {
    let shape = tensor.dims();
    let mut all = values(tensor.clone());
    let at = place * shape[axis + 1..].iter().product::<usize>();
    all[at] = value;
    Tensor::from_data(TensorData::new(all, shape), &tensor.device())
}

/// Output and gradient of the input of both functions, with each strange value in the input, and in
/// the gradient of the output.
fn compare<const D: usize, const E: usize>(
    what: &str,
    [axis, output_axis]: [usize; 2],
    x: &Tensor<D>,
    agreement: Agreement,
    fast: &dyn Fn(Tensor<D>) -> Tensor<E>,
    plain: &dyn Fn(Tensor<D>) -> Tensor<E>,
) {
    let loss = random(plain(x.clone()).dims(), &x.device());
    for value in STRANGE {
        for place in PLACES {
            let strange = with(x, axis, place, value);
            let error = with(&loss, output_axis, place, value);
            for (where_, x, loss) in [("input", &strange, &loss), ("error", x, &error)] {
                let run = |function: &dyn Fn(Tensor<D>) -> Tensor<E>| {
                    let x = x.clone().require_grad();
                    let y = function(x.clone());
                    let gradients = (y.clone() * loss.clone()).sum().backward();
                    vec![values(y.inner()), values(x.grad(&gradients).unwrap())]
                };
                let what = format!("{what} with {value} in the {where_}, channel {place}");
                agree(&what, &run(fast), &run(plain), agreement);
            }
        }
    }
}

fn convolution(device: &Device, kernel: usize, stride: usize, bias: bool) -> Conv2d {
    let padding = kernel / 2;
    Conv2dConfig::new([CHANNELS, CHANNELS], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
        ))
        .with_bias(bias)
        .init(device)
}

#[test]
fn convolutions_carry_them() {
    let device = Device::flex().autodiff();
    let x = random([2, CHANNELS, 6, 5], &device);
    for (kernel, stride) in [(1, 1), (1, 2), (3, 1), (3, 2)] {
        for bias in [false, true] {
            let conv = convolution(&device, kernel, stride, bias);
            for (convolution, agreement) in [
                (Convolution::Direct, Agreement::Kind),
                (Convolution::Winograd, Agreement::NothingHidden),
            ] {
                compare(
                    &format!("{convolution:?}, {kernel}×{kernel}, stride {stride}"),
                    [1, 1],
                    &x,
                    agreement,
                    &|x| conv2d(&conv, x, convolution),
                    &|x| conv.forward(x),
                );
            }
        }
    }
}

/// In evaluation, where the ReLU is fused behind convolution and norm.
#[test]
fn folded_norms_and_their_relu_carry_them() {
    let device = Device::flex();
    let x = random([2, CHANNELS, 6, 5], &device);
    let norm = BatchNormConfig::new(CHANNELS).init(&device);
    for (kernel, stride) in [(1, 1), (3, 1), (3, 2)] {
        let conv = convolution(&device, kernel, stride, false);
        for rectified in [false, true] {
            for (convolution, agreement) in [
                (Convolution::Direct, Agreement::Kind),
                (Convolution::Winograd, Agreement::NothingHidden),
            ] {
                let plain = |conv: &Conv2d, x: Tensor<4>| {
                    let y = norm.forward(conv.forward(x));
                    values(if rectified { activation::relu(y) } else { y })
                };
                let fast = |conv: &Conv2d, x: Tensor<4>| {
                    values(conv_norm(conv, &norm, x, convolution, rectified))
                };
                for value in STRANGE {
                    for place in PLACES {
                        let what = format!("{convolution:?}, {kernel}×{kernel}, {value}");
                        let strange = with(&x, 1, place, value);
                        let results = (fast(&conv, strange.clone()), plain(&conv, strange));
                        agree(&what, &[results.0], &[results.1], agreement);
                    }
                }
                // A weight that is not a number, of the last channel alone.
                let mut broken = conv.clone();
                broken.weight = broken.weight.map(|weight| {
                    let mut all = values(weight.clone());
                    *all.last_mut().unwrap() = f32::NAN;
                    Tensor::from_data(TensorData::new(all, weight.dims()), &device)
                });
                let results = (fast(&broken, x.clone()), plain(&broken, x.clone()));
                assert!(results.1.iter().any(|value| value.is_nan()));
                agree(
                    "weight",
                    &[results.0],
                    &[results.1],
                    Agreement::NothingHidden,
                );
            }
        }
    }
}

#[test]
fn norms_carry_them() {
    let device = Device::flex().autodiff();
    let x = random([2, CHANNELS, 6, 5], &device);
    for rectified in [false, true] {
        let norm = || BatchNormConfig::new(CHANNELS).init(&device);
        compare(
            &format!("batch norm, ReLU {rectified}"),
            [1, 1],
            &x,
            Agreement::NothingHidden,
            &|x| batch_norm(&norm(), x, rectified),
            &|x| {
                let y = norm().forward(x);
                if rectified { activation::relu(y) } else { y }
            },
        );
    }
    let gamma = random([CHANNELS], &device);
    let beta = random([CHANNELS], &device);
    let tokens = random([2, 5, CHANNELS], &device);
    compare(
        "layer norm",
        [2, 2],
        &tokens,
        Agreement::NothingHidden,
        &|x| layer_norm(x, gamma.clone(), beta.clone(), 1e-5),
        &|x| module::layer_norm(x, gamma.clone(), Some(beta.clone()), 1e-5),
    );
}

#[test]
fn pooling_sums_and_means_carry_them() {
    let device = Device::flex().autodiff();
    let x = random([2, CHANNELS, 6, 5], &device);
    let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
    compare(
        "max pooling",
        [1, 1],
        &x,
        Agreement::Kind,
        &|x| max_pool2d(&pool, x),
        &|x| pool.forward(x),
    );
    compare("mean", [1, 1], &x, Agreement::Kind, &space_mean, &|x| {
        let [batch, channels, height, width] = x.dims();
        x.reshape([batch, channels, height * width])
            .mean_dim(2)
            .reshape([batch, channels])
    });
    let other = random(x.dims(), &device);
    for rectified in [false, true] {
        compare(
            &format!("sum, ReLU {rectified}"),
            [1, 1],
            &x,
            Agreement::Kind,
            &|x| add(x, other.clone(), rectified),
            &|x| {
                let sum = x + other.clone();
                if rectified {
                    activation::relu(sum)
                } else {
                    sum
                }
            },
        );
    }
    compare(
        "fork",
        [1, 1],
        &x,
        Agreement::Kind,
        &|x| {
            let [a, b] = fork(x);
            a * 2.0 + b
        },
        &|x| x.clone() * 2.0 + x,
    );
}

#[test]
fn tokens_carry_them() {
    let device = Device::flex().autodiff();
    let x = random([2, 5, CHANNELS], &device);
    let layer = LinearConfig::new(CHANNELS, CHANNELS).init(&device);
    compare(
        "linear",
        [2, 2],
        &x,
        Agreement::Kind,
        &|x| linear(&layer, x),
        &|x| layer.forward(x),
    );
    compare(
        "GELU",
        [2, 2],
        &x,
        Agreement::NothingHidden,
        &gelu,
        &activation::gelu,
    );
    let other = random(x.dims(), &device);
    compare(
        "sum",
        [2, 2],
        &x,
        Agreement::Kind,
        &|x| add_tokens(x, other.clone()),
        &|x| x + other.clone(),
    );
    // Queries, keys and values of one head, with the strange value in each of them.
    for tokens in [5, 21] {
        let qkv = random([2, tokens, 3 * CHANNELS], &device);
        for part in 0..3 {
            for value in STRANGE {
                for place in PLACES {
                    let strange = with(&qkv, 2, part * CHANNELS + place, value);
                    let loss = random([2, tokens, CHANNELS], &device);
                    let run = |function: &dyn Fn(Tensor<3>) -> Tensor<3>| {
                        let x = strange.clone().require_grad();
                        let y = function(x.clone());
                        let gradients = (y.clone() * loss.clone()).sum().backward();
                        vec![values(y.inner()), values(x.grad(&gradients).unwrap())]
                    };
                    let what = format!("attention with {value} in part {part}");
                    let fast = run(&|x| attention(x, 1));
                    agree(&what, &fast, &run(&formula), Agreement::NothingHidden);
                }
            }
        }
    }
}

/// Attention of one head as the formula says, by burn's operations.
fn formula(qkv: Tensor<3>) -> Tensor<3> {
    let part = |part: usize| qkv.clone().narrow(2, part * CHANNELS, CHANNELS);
    let scores = part(0).matmul(part(1).transpose()) / (CHANNELS as f64).sqrt();
    activation::softmax(scores, 2).matmul(part(2))
}
