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
        [("encoder.conv1", 4), ("encoder.conv2", 8)]
            .map(|(name, units)| Site::new(name, SiteKind::Activation, units))
            .to_vec()
    }

    fn sample_ids(&self, batch: &Batch) -> Vec<SampleId> {
        batch.numbers.iter().copied().map(SampleId).collect()
    }

    fn forward(&self, batch: Batch, taps: &mut Taps) -> Forward<ClassificationOutput> {
        let embeddings = self.encode(batch.images, taps);
        let output = self.classify(embeddings.clone(), batch.classes);
        Forward::new(output.loss.clone(), output).with_embeddings(embeddings)
    }

    fn encode(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        let x = taps.visit4("encoder.conv1", relu(self.conv1.forward(images)));
        mean(taps.visit4("encoder.conv2", relu(self.conv2.forward(x))))
    }
}

/// Trains in `directory` and leaves TensorBoard's files in `directory/tensorboard`.
pub fn train(directory: &Path, epochs: usize) -> LearningResult<Net> {
    let unitmem = UnitMemStreaming::new(StreamingConfig::default());
    let plugin = Attached::new("unitmem", "unitmem-streaming", unitmem);
    let board = TensorBoard::create(&directory.join("tensorboard"), None);
    let afterimage = Afterimage::open(16)
        .plugin(plugin)
        .sink("tensorboard", board);

    let training = SupervisedTraining::new(directory, loader(128, 16), loader(32, 16))
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .num_epochs(epochs);
    let model = Net::new(&Device::default().autodiff());
    let learner = Learner::new(model, AdamConfig::new().init(), 1e-2);
    afterimage.attach(training).launch(learner)
}

#[allow(dead_code)] // the tests call `train` alone
fn main() {
    train(Path::new("runs/own-training"), 3);
}
