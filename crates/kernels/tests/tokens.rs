//! The kernels of transformers against burn's own operations, values and gradients, over shapes.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

#[cfg(not(feature = "flex"))]
compile_error!("without `--features flex` these tests would compare burn with burn");

mod measure;

use afterimage_kernels::{add_tokens, attention, gelu, layer_norm, linear};
use burn::module::Param;
use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor, TensorData, activation, module};
use measure::{deviation, deviation_of_sums, random};
use proptest::prelude::*;

/// The output, and the gradients of `inputs`, of a function whose output is weighed at random.
fn run<const N: usize>(
    inputs: &[Tensor<3>; N],
    loss: &Tensor<3>,
    function: impl Fn(&[Tensor<3>; N]) -> Tensor<3>,
) -> Vec<Tensor<3>> {
    let inputs = inputs.clone().map(|input| input.require_grad());
    let output = function(&inputs);
    let gradients = (output.clone() * loss.clone()).sum().backward();
    let of_inputs = inputs.iter().map(|input| input.grad(&gradients).unwrap());
    std::iter::once(output.inner()).chain(of_inputs).collect()
}

/// Attention as the formula says, by burn's operations.
fn formula(qkv: Tensor<3>, heads: usize) -> Tensor<3> {
    let [batch, tokens, triple] = qkv.dims();
    let size = triple / 3 / heads;
    let split = |part: usize| {
        let start = part * triple / 3;
        qkv.clone()
            .narrow(2, start, triple / 3)
            .reshape([batch, tokens, heads, size])
            .swap_dims(1, 2)
    };
    let scores = split(0).matmul(split(1).transpose()) / (size as f64).sqrt();
    activation::softmax(scores, 3)
        .matmul(split(2))
        .swap_dims(1, 2)
        .reshape([batch, tokens, triple / 3])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn linear_agrees(
        [batch, tokens] in [1..5_usize, 1..80_usize],
        [inputs, outputs] in [1..70_usize, 1..70_usize],
        bias in any::<bool>(),
    ) {
        let device = Device::flex().autodiff();
        let x = random([batch, tokens, inputs], &device);
        let loss = random([batch, tokens, outputs], &device);
        let layer = LinearConfig::new(inputs, outputs).with_bias(bias).init(&device);
        let weight = layer.weight.val().inner();
        let run = |fast: bool| {
            let mut layer = layer.clone();
            layer.weight = Param::from_tensor(Tensor::from_inner(weight.clone()));
            let x = x.clone().require_grad();
            let y = if fast { linear(&layer, x.clone()) } else { layer.forward(x.clone()) };
            let gradients = (y.clone() * loss.clone()).sum().backward();
            (
                y.inner(),
                x.grad(&gradients).unwrap(),
                layer.weight.val().grad(&gradients).unwrap(),
                layer.bias.map(|bias| bias.val().grad(&gradients).unwrap()),
            )
        };
        let (fast, plain) = (run(true), run(false));
        prop_assert!(deviation(fast.0, plain.0) < 1e-5);
        prop_assert!(deviation(fast.1, plain.1) < 1e-5);
        prop_assert!(deviation(fast.2, plain.2) < 1e-5);
        if let (Some(fast), Some(plain)) = (fast.3, plain.3) {
            prop_assert!(deviation_of_sums(fast, plain) < 1e-5);
        }
    }

    #[test]
    fn layer_norm_agrees([batch, tokens, channels] in [1..5_usize, 1..80_usize, 2..70_usize]) {
        let device = Device::flex().autodiff();
        let x = random([batch, tokens, channels], &device) * 3.0 + 5.0;
        let loss = random([batch, tokens, channels], &device);
        let gamma = random([channels], &device);
        let beta = random([channels], &device);
        let run = |fast: bool| {
            let x = x.clone().require_grad();
            let (gamma, beta) = (gamma.clone().require_grad(), beta.clone().require_grad());
            // An ε that two channels of nearly one value cannot divide by nothing with.
            let y = if fast {
                layer_norm(x.clone(), gamma.clone(), beta.clone(), 1e-2)
            } else {
                module::layer_norm(x.clone(), gamma.clone(), Some(beta.clone()), 1e-2)
            };
            let gradients = (y.clone() * loss.clone()).sum().backward();
            (
                y.inner(),
                x.grad(&gradients).unwrap(),
                gamma.grad(&gradients).unwrap(),
                beta.grad(&gradients).unwrap(),
            )
        };
        let (fast, plain) = (run(true), run(false));
        prop_assert!(deviation(fast.0, plain.0) < 1e-5);
        // Of a few channels, mean and slope take away nearly all of the gradient: what is left is
        // rounding.
        if channels > 8 {
            prop_assert!(deviation(fast.1, plain.1) < 1e-4);
        }
        prop_assert!(deviation_of_sums(fast.2, plain.2) < 1e-5);
        prop_assert!(deviation_of_sums(fast.3, plain.3) < 1e-5);
    }

    #[test]
    fn gelu_and_sums_agree([batch, tokens, channels] in [1..5_usize, 1..80_usize, 1..70_usize]) {
        let device = Device::flex().autodiff();
        let shape = [batch, tokens, channels];
        let inputs = [random(shape, &device) * 3.0, random(shape, &device)];
        let loss = random(shape, &device);
        let fast = run(&inputs, &loss, |[x, y]| gelu(add_tokens(x.clone(), y.clone())));
        let plain = run(&inputs, &loss, |[x, y]| activation::gelu(x.clone() + y.clone()));
        for (fast, plain) in fast.into_iter().zip(plain) {
            prop_assert!(deviation(fast, plain) < 1e-5);
        }
    }

    #[test]
    fn attention_agrees(
        [batch, tokens] in [1..5_usize, 1..40_usize],
        [heads, size] in [1..4_usize, 1..20_usize],
    ) {
        let device = Device::flex().autodiff();
        let inputs = [random([batch, tokens, 3 * heads * size], &device)];
        let loss = random([batch, tokens, heads * size], &device);
        let fast = run(&inputs, &loss, |[x]| attention(x.clone(), heads));
        let plain = run(&inputs, &loss, |[x]| formula(x.clone(), heads));
        for (fast, plain) in fast.into_iter().zip(plain) {
            prop_assert!(deviation(fast, plain) < 1e-5);
        }
    }
}

#[test]
fn one_two_and_four_threads_give_the_same_bits() {
    let bits = |threads: usize| -> Vec<Vec<u32>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let device = Device::flex().autodiff();
            let values = |shape: [usize; 3], step: f32| {
                let count = shape.iter().product::<usize>();
                let values: Vec<f32> = (0..count).map(|i| (i as f32 * step).sin()).collect();
                Tensor::<3>::from_data(TensorData::new(values, shape), &device)
            };
            let mut layer = LinearConfig::new(48, 96).init(&device);
            layer.weight = Param::from_tensor(values([1, 48, 96], 0.37).reshape([48, 96]));
            layer.bias = Some(Param::from_tensor(values([1, 1, 96], 0.11).reshape([96])));
            let gamma = values([1, 1, 32], 0.3).reshape([32]).require_grad();
            let beta = values([1, 1, 32], 0.9).reshape([32]).require_grad();
            let x = values([37, 29, 48], 0.71).require_grad();
            let y = attention(gelu(linear(&layer, x.clone())), 4);
            let y = layer_norm(y, gamma.clone(), beta, 1e-6);
            let gradients = (y.clone() * y.clone() * values([37, 29, 32], 0.5))
                .sum()
                .backward();
            let bits = |data: TensorData| -> Vec<u32> {
                let values = data.try_to_vec::<f32>().unwrap();
                values.into_iter().map(f32::to_bits).collect()
            };
            vec![
                bits(y.inner().into_data()),
                bits(x.grad(&gradients).unwrap().into_data()),
                bits(layer.weight.val().grad(&gradients).unwrap().into_data()),
                bits(gamma.grad(&gradients).unwrap().into_data()),
            ]
        })
    };
    let one = bits(1);
    for threads in [1, 2, 4] {
        assert!(bits(threads) == one, "{threads} threads");
    }
}
