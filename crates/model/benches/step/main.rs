//! The arms of `scripts/bench_step.py` in Rust: seconds of training steps and of inference on the
//! CPU.
//!
//! Reads lines `ENCODER ARM MODE BATCH SIDE` from standard input, and answers each with the seconds
//! of one step: encoder `resnet9`, `resnet18` or `vit-tiny` (patches of 4 pixels); arm `plain`
//! (burn's operations), `direct` or `winograd`; mode `train` (forward, backward, SGD with momentum)
//! or `infer`. The first call of a line warms up and counts too.
#![allow(missing_docs, reason = "a benchmark has no interface")]
#![allow(clippy::print_stdout, reason = "the lines are the result")]

mod plain;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Instant;

use afterimage_kernels::Convolution;
use afterimage_model::{
    AnyEncoder, Encoder, EncoderConfig, ResNet9Config, ResNetConfig, Taps, VitConfig, evaluation,
};
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig, momentum::MomentumConfig};
use burn::tensor::{Device, Distribution, Tensor};

type AnyResult<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> AnyResult<()> {
    let mut runs: BTreeMap<String, Run> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let run = match runs.remove(&line) {
            Some(run) => run,
            None => Run::new(&line)?,
        };
        let (run, seconds) = run.step();
        println!("{seconds}");
        runs.insert(line, run);
    }
    Ok(())
}

/// One encoder with its optimizer and its images.
struct Run {
    plain: bool,
    training: bool,
    model: AnyEncoder,
    optimizer: ModuleOptimizer,
    images: Tensor<4>,
}

impl Run {
    fn new(line: &str) -> AnyResult<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [encoder, arm, mode, batch, side] = words[..] else {
            return Err(format!("ENCODER ARM MODE BATCH SIDE, not {line:?}").into());
        };
        let (batch, side): (usize, usize) = (batch.parse()?, side.parse()?);
        let config = match encoder {
            "resnet9" => EncoderConfig::ResNet9(ResNet9Config::default()),
            "resnet18" => EncoderConfig::ResNet(ResNetConfig::new(18)),
            "vit-tiny" => EncoderConfig::Vit(VitConfig {
                patch: 4,
                ..VitConfig::default()
            }),
            other => return Err(format!("unknown encoder {other:?}").into()),
        };
        let convolution = match arm {
            "direct" => Convolution::Direct,
            "plain" | "winograd" => Convolution::Winograd,
            other => return Err(format!("unknown arm {other:?}").into()),
        };
        let training = mode == "train";
        let device = Device::flex().autodiff();
        let model = config
            .for_images(3, side)
            .with_convolution(convolution)
            .init(1, &device)?;
        let model = if training { model } else { evaluation(&model) };
        let device = if training { device } else { device.inner() };
        Ok(Self {
            plain: arm == "plain",
            training,
            model,
            optimizer: SgdConfig::new()
                .with_momentum(Some(MomentumConfig::new().with_dampening(0.0)))
                .init(),
            images: Tensor::random(
                [batch, 3, side, side],
                Distribution::Normal(0.0, 1.0),
                &device,
            ),
        })
    }

    fn step(mut self) -> (Self, f64) {
        let images = self.images.clone();
        let start = Instant::now();
        let embeddings = match (&self.model, self.plain) {
            (AnyEncoder::ResNet9(model), true) => plain::resnet9(model, images),
            (AnyEncoder::ResNet(model), true) => plain::resnet(model, images),
            (AnyEncoder::Vit(model), true) => plain::vit(model, images),
            (model, _) => model.encode(images, &mut Taps::none()),
        };
        if self.training {
            let loss = embeddings.powf_scalar(2.0).mean();
            let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
            self.model = self.optimizer.step(1e-4, self.model, gradients);
        }
        let seconds = start.elapsed().as_secs_f64();
        (self, seconds)
    }
}
