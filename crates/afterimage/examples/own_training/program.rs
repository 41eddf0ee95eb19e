//! A program for burn as it was before: data, loader, model and training step of its own.

use std::sync::Arc;

use burn::data::dataloader::{DataLoader, DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, activation::relu};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};

/// Side of an image in pixels.
const SIDE: usize = 8;

/// An image of stripes with its number and its class: 0 for rows, 1 for columns.
#[derive(Debug, Clone)]
pub struct Stripes {
    /// Number of the image.
    pub number: u32,
    /// Brightness, row by row.
    pub pixels: Vec<f32>,
    /// 0 for rows, 1 for columns.
    pub class: i32,
}

impl Stripes {
    /// The image of this number.
    pub fn new(number: u32) -> Self {
        let class = (number % 2) as i32;
        let pixel = |at: usize| {
            let along = if class == 0 { at / SIDE } else { at % SIDE };
            let stripe = (along + number as usize / 2).is_multiple_of(3);
            let speck = (at as u32 * 31 + number * 17).is_multiple_of(7);
            f32::from(u8::from(stripe)) + 0.5 * f32::from(u8::from(speck))
        };
        Self {
            number,
            pixels: (0..SIDE * SIDE).map(pixel).collect(),
            class,
        }
    }
}

/// What the model is trained on.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Numbers of the images.
    pub numbers: Vec<u32>,
    /// Images `[B, 1, H, W]`.
    pub images: Tensor<4>,
    /// Classes `[B]`.
    pub classes: Tensor<1, Int>,
}

/// Puts images side by side.
pub struct Pack;

impl Batcher<Stripes, Batch> for Pack {
    fn batch(&self, items: Vec<Stripes>, device: &Device) -> Batch {
        let pixels: Vec<f32> = items.iter().flat_map(|item| item.pixels.clone()).collect();
        let classes: Vec<i32> = items.iter().map(|item| item.class).collect();
        let images = Tensor::<1>::from_floats(pixels.as_slice(), device);
        Batch {
            numbers: items.iter().map(|item| item.number).collect(),
            images: images.reshape([items.len(), 1, SIDE, SIDE]),
            classes: Tensor::from_ints(classes.as_slice(), device),
        }
    }
}

/// Shuffled batches of the first `images` images.
pub fn loader(images: u32, batch: usize) -> Arc<dyn DataLoader<Batch>> {
    let images = (0..images).map(Stripes::new).collect();
    DataLoaderBuilder::new(Pack)
        .batch_size(batch)
        .shuffle(7)
        .build(InMemDataset::new(images))
}

/// Two convolutions and a linear classifier.
#[derive(Module, Debug)]
pub struct Net {
    /// First convolution.
    pub conv1: Conv2d,
    /// Second convolution.
    pub conv2: Conv2d,
    /// Classifier.
    pub head: Linear,
}

impl Net {
    /// A network with random parameters.
    pub fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 4], [3, 3]).init(device),
            conv2: Conv2dConfig::new([4, 8], [3, 3]).init(device),
            head: LinearConfig::new(8, 2).init(device),
        }
    }

    /// The mean of each feature map of the second convolution.
    pub fn embed(&self, images: Tensor<4>) -> Tensor<2> {
        let x = relu(self.conv1.forward(images));
        mean(relu(self.conv2.forward(x)))
    }

    /// Classes from embeddings, and the loss.
    pub fn classify(&self, embeddings: Tensor<2>, classes: Tensor<1, Int>) -> ClassificationOutput {
        let scores = self.head.forward(embeddings);
        let loss = CrossEntropyLossConfig::new().init(&scores.device());
        let loss = loss.forward(scores.clone(), classes.clone());
        ClassificationOutput::new(loss, scores, classes)
    }
}

/// Mean over positions, `[B, C, H, W]` to `[B, C]`.
pub fn mean(maps: Tensor<4>) -> Tensor<2> {
    let [rows, channels, height, width] = maps.dims();
    maps.reshape([rows, channels, height * width])
        .mean_dim(2)
        .reshape([rows, channels])
}

impl TrainStep for Net {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(self.embed(batch.images), batch.classes);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Net {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        self.classify(self.embed(batch.images), batch.classes)
    }
}
