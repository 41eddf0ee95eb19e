//! One arm of `scripts/bench_step.py`: seconds of training steps and of inference on the CPU.
//!
//! Reads lines `ENCODER ARM MODE BATCH SIDE` from standard input, and answers each with the seconds
//! of one step: arm `plain` (burn's operations), `direct` or `winograd`; mode `train` (forward,
//! backward, SGD with momentum) or `infer`. The first call of a line warms up and counts too.
#![allow(clippy::print_stdout, reason = "a benchmark reports on the terminal")]

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Instant;

use afterimage_kernels::Convolution;
use afterimage_model::{ConvBlock, ResNet9, ResNet9Config, Taps, evaluation, seeded};
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig, momentum::MomentumConfig};
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Distribution, Tensor, activation::relu};

fn main() {
    let mut runs: BTreeMap<String, Run> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line of text");
        let run = runs.entry(line.clone()).or_insert_with(|| Run::new(&line));
        println!("{}", run.step());
    }
}

/// One encoder with its optimizer and its images.
struct Run {
    arm: String,
    training: bool,
    model: Option<ResNet9>,
    optimizer: ModuleOptimizer,
    images: Tensor<4>,
}

impl Run {
    fn new(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_encoder, arm, mode, batch, side] = words[..] else {
            panic!("ENCODER ARM MODE BATCH SIDE, not {line:?}")
        };
        let size = |text: &str| text.parse::<usize>().expect("a whole number");
        let training = mode == "train";
        let device = Device::flex().autodiff();
        let convolution = match arm {
            "direct" => Convolution::Direct,
            _ => Convolution::Winograd,
        };
        let config = ResNet9Config {
            convolution,
            ..ResNet9Config::default()
        };
        let model = seeded(&device, 1, || config.init(&device));
        let model = if training { model } else { evaluation(&model) };
        let device = if training { device } else { device.inner() };
        let shape = [size(batch), 3, size(side), size(side)];
        Self {
            arm: arm.to_owned(),
            training,
            model: Some(model),
            optimizer: SgdConfig::new()
                .with_momentum(Some(MomentumConfig::new().with_dampening(0.0)))
                .init(),
            images: Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device),
        }
    }

    fn step(&mut self) -> f64 {
        let model = self.model.take().expect("a model between steps");
        let images = self.images.clone();
        let start = Instant::now();
        let embeddings = match self.arm.as_str() {
            "plain" => plain(&model, images),
            "direct" | "winograd" => model.forward(images, &mut Taps::none()),
            arm => panic!("unknown arm {arm:?}"),
        };
        let model = if self.training {
            let loss = embeddings.powf_scalar(2.0).mean();
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            self.optimizer.step(1e-4, model, gradients)
        } else {
            model
        };
        let seconds = start.elapsed().as_secs_f64();
        self.model = Some(model);
        seconds
    }
}

/// The same network by burn's own operations.
fn plain(model: &ResNet9, images: Tensor<4>) -> Tensor<2> {
    let block = |block: &ConvBlock, x: Tensor<4>| {
        let x = relu(block.norm.forward(block.conv.forward(x)));
        match &block.pool {
            Some(pool) => pool.forward(x),
            None => x,
        }
    };
    let a = block(&model.layer1, block(&model.prep, images));
    let x = block(&model.res1b, block(&model.res1a, a.clone())) + a;
    let b = block(&model.layer3, block(&model.layer2, x));
    let x = block(&model.res2b, block(&model.res2a, b.clone())) + b;
    let [rows, units, height, width] = x.dims();
    max_pool2d(x, MaxPoolOptions::new([height, width])).reshape([rows, units])
}
