//! What each memory-bound kernel is worth: batch norm with ReLU, pooling, residual sums, and norms
//! folded into convolutions, on the maps of ResNet-9, against burn's operations:
//!
//!     cargo bench -p afterimage-kernels --features flex --bench passes -- [BATCH] [ROUNDS]
//!
//! `forward` is in evaluation for the folded norm and in training for the others; `all` adds the
//! gradients. burn's operations get maps in burn's layout, the kernels in theirs.

#![allow(missing_docs, reason = "a benchmark has no interface")]
#![allow(clippy::print_stdout, reason = "the lines are the result")]

mod clock;

use afterimage_kernels::{
    Convolution, add, batch_norm, conv_norm, conv2d, fork, max_pool2d, space_mean,
};
use burn::module::Module;
use burn::nn::BatchNormConfig;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::{Device, Distribution, Tensor, activation::relu};
use clock::median;

/// Channels and side of the maps behind the convolutions of ResNet-9, for images of 32².
const MAPS: [(usize, usize); 4] = [(32, 32), (64, 16), (128, 8), (256, 4)];

type Operation<'a> = Box<dyn Fn(Tensor<4>) -> Tensor<4> + 'a>;

fn main() {
    let mut numbers = std::env::args().filter_map(|word| word.parse::<usize>().ok());
    let batch = numbers.next().unwrap_or(250);
    let rounds = numbers.next().unwrap_or(15);
    let device = Device::flex().autodiff();
    println!(
        "kernel            map         forward ms: burn   ours   ratio   all ms: burn   ours   ratio"
    );
    for (channels, side) in MAPS {
        let shape = [batch, channels, side, side];
        let plain = Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let identity = Conv2dConfig::new([channels, channels], [1, 1]).init(&device);
        let ours = conv2d(&identity, plain.clone(), Convolution::Direct).detach();
        let norm = BatchNormConfig::new(channels).init(&device);
        let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        let kernels: [(&str, Operation<'_>, Operation<'_>); 3] = [
            (
                "norm and ReLU",
                Box::new(|x| relu(norm.forward(x))),
                Box::new(|x| batch_norm(&norm, x, true)),
            ),
            (
                "max pooling",
                Box::new(|x| pool.forward(x)),
                Box::new(|x| max_pool2d(&pool, x)),
            ),
            (
                "sum and ReLU",
                Box::new(|x| relu(x.clone() + x)),
                Box::new(|x| {
                    let [left, right] = fork(x);
                    add(left, right, true)
                }),
            ),
        ];
        for (name, theirs, own) in &kernels {
            let forward = [(theirs, &plain), (own, &ours)].map(|(run, x)| {
                median(rounds, || {
                    run(x.clone());
                })
            });
            // Each arm ends in a reduction that suits its layout.
            let theirs = median(rounds, || {
                theirs(plain.clone().require_grad()).sum().backward();
            });
            let own = median(rounds, || {
                space_mean(own(ours.clone().require_grad()))
                    .sum()
                    .backward();
            });
            let all = [theirs, own];
            line(name, channels, side, forward, Some(all));
        }
        let (conv, norm) = (convolution(channels, &device).valid(), norm.valid());
        let (plain, ours) = (plain.inner(), ours.inner());
        let apart = median(rounds, || {
            let x = conv2d(&conv, ours.clone(), Convolution::Winograd);
            batch_norm(&norm, x, true);
        });
        let folded = median(rounds, || {
            conv_norm(&conv, &norm, ours.clone(), Convolution::Winograd, true);
        });
        drop(plain);
        line("folded norm", channels, side, [apart, folded], None);
    }
}

/// The folded norm is compared with the kernels apart, so that the convolution is the same.
fn line(name: &str, channels: usize, side: usize, forward: [f64; 2], all: Option<[f64; 2]>) {
    let map = format!("{channels} x {side}²");
    let three = |[theirs, ours]: [f64; 2]| {
        format!(
            "{:8.2}{:8.2}{:7.1} x",
            theirs * 1e3,
            ours * 1e3,
            theirs / ours
        )
    };
    let all = all.map(three).unwrap_or_default();
    println!("{name:18}{map:12}      {}      {all}", three(forward));
}

fn convolution(channels: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([channels, channels], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(device)
}
