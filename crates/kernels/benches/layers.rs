//! What share of the machine's matrix product rate each convolution of ResNet-9 reaches:
//!
//!     cargo bench -p afterimage-kernels --features flex --bench layers -- [BATCH] [ROUNDS]
//!
//! FLOPs are those of the direct sum, so that Winograd's algorithm may exceed the rate. `forward`
//! is the convolution alone; `all` adds the gradients of input, weight and bias.

#![allow(missing_docs, reason = "a benchmark has no interface")]
#![allow(clippy::print_stdout, reason = "the lines are the result")]

mod clock;

use afterimage_kernels::{Convolution, conv2d};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Distribution, Tensor};
use clock::median;

/// Input channels, output channels and side of the map, for images of 32².
const LAYERS: [(&str, usize, usize, usize); 8] = [
    ("prep", 3, 32, 32),
    ("layer1", 32, 64, 16),
    ("res1a", 64, 64, 8),
    ("res1b", 64, 64, 8),
    ("layer2", 64, 128, 8),
    ("layer3", 128, 256, 4),
    ("res2a", 256, 256, 2),
    ("res2b", 256, 256, 2),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().filter_map(|word| word.parse::<usize>().ok());
    let batch = numbers.next().unwrap_or(250);
    let rounds = numbers.next().unwrap_or(15);
    let device = Device::flex();
    let square = || Tensor::<2>::random([1024, 1024], Distribution::Normal(0.0, 1.0), &device);
    let (a, b) = (square(), square());
    let seconds = median(rounds, || {
        a.clone().matmul(b.clone());
    });
    let rate = 2.0 * 1024.0_f64.powi(3) / seconds / 1e9;
    println!(
        "{} threads, batch {batch}, sgemm of 1024²: {rate:.0} GFLOP/s",
        rayon::current_num_threads()
    );
    println!("layer    arm        forward ms  of sgemm    all ms  of sgemm");
    for (name, inputs, outputs, side) in LAYERS {
        let device = device.clone().autodiff();
        let conv = Conv2dConfig::new([inputs, outputs], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(&device);
        let shape = [batch, inputs, side, side];
        let images = Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device);
        // Through a convolution first, so that maps lie as they do between layers.
        let images = conv2d(&identity(inputs, &device), images, Convolution::Direct).detach();
        let flops = 2.0 * (batch * side * side * 9 * inputs * outputs) as f64;
        for (arm, convolution) in [
            ("plain", None),
            ("direct", Some(Convolution::Direct)),
            ("winograd", Some(Convolution::Winograd)),
        ] {
            let run = |conv: &Conv2d, x: Tensor<4>| match convolution {
                None => conv.forward(x),
                Some(convolution) => conv2d(conv, x, convolution),
            };
            let inner = images.clone().inner();
            let fixed = {
                let mut fixed = conv.clone();
                fixed.weight = fixed.weight.map(|weight| weight.inner());
                fixed.bias = fixed.bias.map(|bias| bias.map(|bias| bias.inner()));
                fixed
            };
            let forward = median(rounds, || {
                run(&fixed, inner.clone());
            });
            let loss = run(&conv, images.clone()).detach();
            let all = median(rounds, || {
                let x = images.clone().require_grad();
                (run(&conv, x) * loss.clone()).sum().backward();
            });
            let share = |flops: f64, seconds: f64| 100.0 * flops / seconds / 1e9 / rate;
            println!(
                "{name:9}{arm:9}{:12.2}{:9.0} %{:10.2}{:9.0} %",
                forward * 1e3,
                share(flops, forward),
                all * 1e3,
                share(3.0 * flops, all)
            );
        }
    }
    Ok(())
}

/// A convolution 1×1 from `channels` to as many.
fn identity(channels: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([channels, channels], [1, 1])
        .with_bias(false)
        .init(device)
}
