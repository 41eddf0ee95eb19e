//! A burn `SupervisedTraining` with its own model and loader (`program.rs`) gains UnitMem, shown in
//! TensorBoard: `cargo run --release -p afterimage --example own_training`

pub mod program;

use std::path::Path;

use afterimage::memory::{StreamingConfig, UnitMemStreaming};
use afterimage::prelude::*;
use burn::optim::AdamConfig;
use burn::tensor::{Device, Tensor, activation::relu};
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ClassificationOutput, Learner, LearningResult, SupervisedTraining};
use program::{Batch, Net, loader, mean};

impl HookedModel for Net {
    fn sites(&self) -> Vec<Site> {
        let site = |name: &str, units| Site {
            name: name.to_owned(),
            kind: SiteKind::Activation,
            units,
            produced_by: Vec::new(),
            consumed_by: Vec::new(),
        };
        vec![site("conv1", 4), site("conv2", 8)]
    }

    fn sample_ids(&self, batch: &Batch) -> Vec<SampleId> {
        batch.numbers.iter().copied().map(SampleId).collect()
    }

    fn forward(&self, batch: Batch, taps: &mut Taps) -> Forward<ClassificationOutput> {
        let embeddings = self.encode(batch.images, taps);
        let output = self.classify(embeddings.clone(), batch.classes);
        Forward {
            embeddings: Some(embeddings),
            per_sample: None,
            loss: output.loss.clone(),
            output,
        }
    }

    fn encode(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        let x = taps.visit4("conv1", relu(self.conv1.forward(images)));
        mean(taps.visit4("conv2", relu(self.conv2.forward(x))))
    }
}

/// Trains in `directory` and leaves TensorBoard's files in `directory/tensorboard`.
pub fn train(directory: &Path, epochs: usize) -> LearningResult<Net> {
    let unitmem = StreamingConfig {
        sites: "conv*".to_owned(),
        ..StreamingConfig::default()
    };
    let afterimage = Afterimage::open(16)
        .plugin(Attached::new(
            "unitmem",
            "unitmem-streaming",
            UnitMemStreaming::new(unitmem),
        ))
        .sink(
            "tensorboard",
            TensorBoard::create(&directory.join("tensorboard"), None),
        );

    let training = SupervisedTraining::new(directory, loader(128, 16), loader(32, 16))
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .num_epochs(epochs);
    let learner = Learner::new(
        Net::new(&Device::default().autodiff()),
        AdamConfig::new().init(),
        1e-2,
    );
    afterimage.attach(training).launch(learner)
}

#[allow(dead_code)] // the tests call `train` alone
fn main() {
    train(Path::new("runs/own-training"), 3);
}
