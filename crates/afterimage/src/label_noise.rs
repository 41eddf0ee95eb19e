//! Labels of the training images made wrong on purpose.

use afterimage_coreset::{Matrix, noise};
use afterimage_data::{DataSet, ImageSet};
use afterimage_hooks::SampleId;
use serde::{Deserialize, Serialize};

use crate::config::Report;
use crate::error::RunError;
use crate::room::{self, Part};

/// Label noise on the training images; held-out images keep their labels. What was right before is
/// shown to measurements alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelNoiseConfig {
    /// How labels are replaced.
    pub kind: NoiseKind,
    /// Probability that a label is replaced, in [0, 1]; of the classes that the map moves, for
    /// `cifar10-pairs` and `fashion-mnist-pairs`.
    #[schemars(range(min = 0, max = 1))]
    pub fraction: f64,
    /// Seed of the noise; the run's unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// How labels are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseKind {
    /// By any other class, each as likely.
    Symmetric,
    /// By the next class, the last one by the first.
    Pair,
    /// Truck by car, bird by plane, deer by horse, cat and dog by each other; other classes keep
    /// theirs (Patrini et al. 2017).
    Cifar10Pairs,
    /// Ankle boot by sneaker, sneaker by sandal, pullover by shirt, coat and dress by each other; other
    /// classes keep theirs (Zhang and Sabuncu 2018).
    FashionMnistPairs,
    /// By the class that a random map without fixed points has for it, as in the released CRUST.
    Derangement,
    /// By the class that random projections of the picture favour, at a rate of the picture's own
    /// (Xia et al. 2020).
    InstanceDependent,
}

impl LabelNoiseConfig {
    /// Reports what is wrong with the settings, by key.
    pub(crate) fn validate(&self, report: &mut Report<'_>) {
        report.check(
            (0.0..=1.0).contains(&self.fraction),
            "label_noise.fraction",
            || format!("{} is not in [0, 1]; write for example 0.4", self.fraction),
        );
    }

    /// `data` with noisy labels in its training split; `seed` is the run's.
    ///
    /// # Errors
    /// A kind that does not fit the classes of `data`.
    pub fn apply(&self, data: DataSet, seed: u64) -> Result<DataSet, RunError> {
        let noisy = self.labels(&data.train, self.seed.unwrap_or(seed))?;
        let train = data.train.relabelled(noisy).map_err(RunError::LabelNoise)?;
        Ok(DataSet { train, ..data })
    }

    fn labels(&self, images: &ImageSet, seed: u64) -> Result<Vec<u32>, RunError> {
        let (labels, rate) = (images.labels(), self.fraction);
        let classes = images.classes().len() as u32;
        let noisy = match self.kind {
            NoiseKind::Symmetric => noise::symmetric(labels, classes, rate, seed),
            NoiseKind::Pair => noise::mapped(labels, &noise::next_class(classes), rate, seed),
            NoiseKind::Cifar10Pairs => noise::mapped(labels, &noise::CIFAR10_PAIRS, rate, seed),
            NoiseKind::FashionMnistPairs => {
                noise::mapped(labels, &noise::FASHION_MNIST_PAIRS, rate, seed)
            }
            NoiseKind::Derangement => noise::derangement(classes, seed)
                .and_then(|map| noise::mapped(labels, &map, rate, seed)),
            NoiseKind::InstanceDependent => {
                noise::instance_dependent(labels, &pixels(images)?, classes, rate, seed)
            }
        };
        noisy.map_err(|error| RunError::LabelNoise(error.to_string()))
    }
}

/// Pixels of all images in [-1, 1], one row an image.
fn pixels(images: &ImageSet) -> Result<Matrix, RunError> {
    let columns = images.shape().len();
    let bytes = 4 * columns as u64 * images.len() as u64;
    room::check(
        images,
        bytes,
        Part::Half,
        "the pixels of all images at once",
    )
    .map_err(|why| {
        RunError::LabelNoise(format!(
            "\"instance-dependent\": {why}; choose another kind, or lower limits.train"
        ))
    })?;
    let mut values = Vec::with_capacity(images.len() * columns);
    for id in 0..images.len() as u32 {
        let image = images.image(SampleId(id))?;
        values.extend(
            image
                .pixels
                .iter()
                .map(|byte| f32::from(*byte) / 127.5 - 1.0),
        );
    }
    Matrix::new("pixels", images.len(), columns, values)
        .map_err(|error| RunError::LabelNoise(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use afterimage_data::{DataSource, Limits};

    use super::*;

    fn data() -> DataSet {
        let limits = Limits {
            train: Some(1000),
            held_out: Some(50),
        };
        DataSource::Embedded {}.load(limits).unwrap()
    }

    #[test]
    fn every_kind_has_its_rate_and_leaves_the_held_out_split_alone() {
        let clean = data();
        for kind in [
            NoiseKind::Symmetric,
            NoiseKind::Pair,
            NoiseKind::Derangement,
            NoiseKind::InstanceDependent,
        ] {
            let config = LabelNoiseConfig {
                kind,
                fraction: 0.4,
                seed: None,
            };
            let noisy = config.apply(clean.clone(), 3).unwrap();
            let wrong = (noisy.train.labels().iter())
                .zip(noisy.train.true_labels())
                .filter(|(noisy, truth)| noisy != truth)
                .count();
            assert!((350..=450).contains(&wrong), "{kind:?}: {wrong} of 1000");
            assert_eq!(noisy.train.true_labels(), clean.train.labels());
            assert_eq!(noisy.held_out, clean.held_out);
            assert_eq!(noisy, config.apply(clean.clone(), 3).unwrap());
            assert_ne!(noisy, config.apply(clean.clone(), 4).unwrap());
            let seeded = LabelNoiseConfig {
                seed: Some(3),
                ..config
            };
            assert_eq!(noisy, seeded.apply(clean.clone(), 9).unwrap());
        }
    }

    #[test]
    fn the_maps_of_cifar_and_fashion_mnist_move_five_classes() {
        for (kind, map) in [
            (NoiseKind::Cifar10Pairs, noise::CIFAR10_PAIRS),
            (NoiseKind::FashionMnistPairs, noise::FASHION_MNIST_PAIRS),
        ] {
            let config = LabelNoiseConfig {
                kind,
                fraction: 1.0,
                seed: None,
            };
            let noisy = config.apply(data(), 3).unwrap().train;
            for (label, truth) in noisy.labels().iter().zip(noisy.true_labels()) {
                assert_eq!(*label, map[*truth as usize]);
            }
            let moved = (0u32..10).zip(map).filter(|(from, to)| from != to);
            assert_eq!(moved.count(), 5, "{kind:?}");
        }
    }

    #[test]
    fn the_map_of_fashion_mnist_goes_by_its_names() {
        let data = data();
        let names = data.train.classes();
        let moved = (0..10).filter(|class| noise::FASHION_MNIST_PAIRS[*class] as usize != *class);
        let moved: Vec<String> = moved
            .map(|class| {
                let to = &names[noise::FASHION_MNIST_PAIRS[class] as usize];
                format!("{} to {to}", names[class])
            })
            .collect();
        let expected = [
            "Pullover to Shirt",
            "Dress to Coat",
            "Coat to Dress",
            "Sneaker to Sandal",
            "Ankle boot to Sneaker",
        ];
        assert_eq!(moved, expected);
    }
}
