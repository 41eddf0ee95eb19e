//! A forked tensor against two clones of it: values and gradients to the bit.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

#[cfg(not(feature = "flex"))]
compile_error!("without `--features flex` these tests would compare burn with burn");

#[allow(dead_code, reason = "other tests need more of it")]
mod measure;

use afterimage_kernels::{Convolution, conv2d, fork};
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor};
use measure::random;
use proptest::prelude::*;

fn twice<const D: usize>(x: Tensor<D>, forked: bool) -> [Tensor<D>; 2] {
    if forked { fork(x) } else { [x.clone(), x] }
}

/// Two readers that want different gradients, one of which reads through another fork.
fn loss<const D: usize>(x: Tensor<D>, weights: &[Tensor<D>; 3], forked: bool) -> Tensor<1> {
    let [a, b] = twice(x, forked);
    let [b, c] = twice(b * 2.0, forked);
    let [u, v, w] = weights.clone();
    (a * u + b * v + c * w).sum()
}

fn check<const D: usize>(shape: [usize; D]) {
    let device = Device::flex().autodiff();
    let x = random(shape, &device);
    let weights = [(); 3].map(|()| random(shape, &device));
    // A leaf, and what was computed from one.
    for factor in [None, Some(3.0)] {
        let [plain, forked] = [false, true].map(|forked| {
            let leaf = x.clone().require_grad();
            let read = match factor {
                Some(factor) => leaf.clone() * factor,
                None => leaf.clone(),
            };
            let loss = loss(read, &weights, forked);
            let gradients = loss.clone().backward();
            (
                loss.inner().into_data(),
                leaf.grad(&gradients).unwrap().into_data(),
            )
        });
        plain.0.assert_eq(&forked.0, true);
        plain.1.assert_eq(&forked.1, true);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn gradients_are_those_of_two_clones(
        [a, b, c, d] in [1..5_usize, 1..20_usize, 1..9_usize, 1..9_usize],
    ) {
        check([a, b, c, d]);
        check([a, b, c]);
        check([a, b]);
    }

    #[test]
    fn maps_of_convolutions_keep_their_gradients(
        [batch, channels, side] in [1..4_usize, 1..20_usize, 1..9_usize],
    ) {
        let device = Device::flex().autodiff();
        let conv = Conv2dConfig::new([3, channels], [1, 1]).init(&device);
        let x = random([batch, 3, side, side], &device);
        let weight = random([batch, channels, side, side], &device);
        let [plain, forked] = [false, true].map(|forked| {
            let leaf = x.clone().require_grad();
            let map = conv2d(&conv, leaf.clone(), Convolution::Direct);
            let [a, b] = twice(map, forked);
            let gradients = (a.clone() * b * weight.clone() + a).sum().backward();
            leaf.grad(&gradients).unwrap().into_data()
        });
        plain.assert_eq(&forked, true);
    }
}

#[test]
fn a_reader_that_does_not_reach_the_loss_adds_nothing() {
    let device = Device::flex().autodiff();
    let x = random([2, 3, 4, 5], &device).require_grad();
    for side in 0..2 {
        let both = fork(x.clone() * 2.0);
        let gradients = both[side].clone().sum().backward();
        let gradient = x.grad(&gradients).unwrap();
        gradient.into_data().assert_eq(
            &Tensor::<4>::full([2, 3, 4, 5], 2.0, &device.clone().inner()).into_data(),
            true,
        );
    }
}

#[test]
fn without_gradients_both_are_the_tensor() {
    let x = random([2, 3, 4, 5], &Device::flex());
    for side in fork(x.clone()) {
        side.into_data().assert_eq(&x.clone().into_data(), true);
    }
}
