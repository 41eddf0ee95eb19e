//! What is measured of an encoder whose units are held at zero.

use std::sync::Arc;

use afterimage_data::ViewSource;
use afterimage_hooks::{SampleId, Split};
use afterimage_numeric::mean_and_deviation;
use afterimage_train::{
    Embeddings, JudgeConfig, LinearProbe, TrainError, balanced, has_classes, named,
};
use burn::tensor::Device;

use super::error::SensitivityError;
use crate::error::RunError;
use crate::probe::Prepared;

/// Judges embeddings of the same images, arm by arm: neighbours and probe come from training images,
/// everything is told on held-out ones.
pub(super) struct Judge {
    config: JudgeConfig,
    bank: Vec<SampleId>,
    bank_labels: Vec<u32>,
    labels: Vec<u32>,
    seed: u64,
    device: Device,
    sources: [Arc<ViewSource>; 2],
    whole: Option<Whole>,
}

/// The encoder with all its units.
struct Whole {
    embeddings: Embeddings,
    right: Vec<bool>,
    linear_probe: f64,
}

/// Figures of one arm on held-out images.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// kNN accuracy, 0 to 1.
    pub knn: f64,
    /// kNN accuracy of the whole encoder less this one.
    pub knn_lost: f64,
    /// Standard error of that over held-out images, which both answer.
    pub knn_lost_se: f64,
    /// Accuracy of a linear probe that was fitted on these embeddings, 0 to 1.
    pub linear_probe: f64,
    /// The same of the whole encoder less this one.
    pub linear_probe_lost: f64,
    /// Mean of 1 − cosine between the embeddings of an image in both, 0 to 2.
    pub cosine_distance: f64,
    /// Length of the difference of all embeddings over that of the whole encoder's, at least 0.
    pub relative_l2: f64,
}

impl Judge {
    /// Judges on the images of `prepared` as the evaluation of a run does.
    pub(super) fn new(prepared: &Prepared, seed: u64) -> Result<Self, SensitivityError> {
        let config = JudgeConfig::default();
        let (train, held_out) = (&prepared.data.train, &prepared.data.held_out);
        if !has_classes(train.labels()) {
            return Err(SensitivityError::OneClass);
        }
        let bank = balanced(train.labels(), train.classes().len(), config.bank);
        let source = |split| {
            let (data, plain) = (Arc::clone(&prepared.data), prepared.plain.clone());
            Arc::new(ViewSource::new(data, split, plain))
        };
        Ok(Self {
            bank_labels: bank
                .iter()
                .map(|id| train.labels()[id.0 as usize])
                .collect(),
            labels: held_out.labels().to_vec(),
            bank,
            config,
            seed,
            device: prepared.device.clone(),
            sources: [source(Split::Train), source(Split::HeldOut)],
            whole: None,
        })
    }

    /// The images that embeddings are judged by, in their order.
    pub(super) fn images(&self) -> [(Arc<ViewSource>, Vec<SampleId>); 2] {
        let [train, held_out] = &self.sources;
        let all = (0..self.labels.len() as u32).map(SampleId).collect();
        [
            (Arc::clone(train), self.bank.clone()),
            (Arc::clone(held_out), all),
        ]
    }

    /// Images of the bank, and held-out ones.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.bank.len(), self.labels.len())
    }

    /// Judges the `embeddings` of the whole encoder, which arms are compared with.
    pub(super) fn whole(&mut self, embeddings: &Embeddings) -> Result<Figures, RunError> {
        let (bank, queries) = self.parts(embeddings);
        let linear_probe = self.linear_probe(&bank, &queries)?;
        let right = self.right(bank, queries.clone());
        self.whole = Some(Whole {
            embeddings: queries,
            right,
            linear_probe,
        });
        self.arm(embeddings)
    }

    /// Judges the `embeddings` of one arm.
    pub(super) fn arm(&self, embeddings: &Embeddings) -> Result<Figures, RunError> {
        let (bank, queries) = self.parts(embeddings);
        let linear_probe = self.linear_probe(&bank, &queries)?;
        let mut figures = Figures {
            knn: f64::NAN,
            knn_lost: f64::NAN,
            knn_lost_se: f64::NAN,
            linear_probe,
            linear_probe_lost: f64::NAN,
            cosine_distance: f64::NAN,
            relative_l2: f64::NAN,
        };
        if let Some(whole) = &self.whole {
            (figures.cosine_distance, figures.relative_l2) = apart(&whole.embeddings, &queries);
            figures.linear_probe_lost = whole.linear_probe - linear_probe;
        }
        let right = self.right(bank, queries);
        figures.knn = share(&right);
        if let Some(whole) = &self.whole {
            (figures.knn_lost, figures.knn_lost_se) = lost(&whole.right, &right);
        }
        Ok(figures)
    }

    fn parts(&self, embeddings: &Embeddings) -> (Embeddings, Embeddings) {
        let width = embeddings.width();
        let (bank, queries) = embeddings.values().split_at(self.bank.len() * width);
        (
            Embeddings::new(bank.to_vec(), width),
            Embeddings::new(queries.to_vec(), width),
        )
    }

    fn linear_probe(&self, bank: &Embeddings, queries: &Embeddings) -> Result<f64, RunError> {
        let accuracy = LinearProbe::default().accuracy(
            (bank, &self.bank_labels),
            (queries, &self.labels),
            self.seed,
            &self.device,
        );
        Ok(accuracy.map_err(TrainError::Evaluation)?)
    }

    /// Whether kNN names each held-out image rightly.
    fn right(&self, bank: Embeddings, queries: Embeddings) -> Vec<bool> {
        let (bank, queries) = (bank.normalized(), queries.normalized());
        let JudgeConfig { k, temperature, .. } = self.config;
        let named = named(&bank, &self.bank_labels, &queries, k, temperature);
        let pairs = named.iter().zip(&self.labels);
        pairs.map(|(named, label)| named == label).collect()
    }
}

fn share(right: &[bool]) -> f64 {
    right.iter().filter(|right| **right).count() as f64 / right.len() as f64
}

/// How much more often `whole` is right than `arm`, with the standard error over images.
fn lost(whole: &[bool], arm: &[bool]) -> (f64, f64) {
    let differences = whole.iter().zip(arm);
    let differences: Vec<f64> = differences
        .map(|(whole, arm)| f64::from(u8::from(*whole)) - f64::from(u8::from(*arm)))
        .collect();
    let (mean, deviation) = mean_and_deviation(&differences);
    (mean, deviation / (differences.len() as f64).sqrt())
}

/// Mean cosine distance of the rows of both, and the length of their difference over that of `whole`.
fn apart(whole: &Embeddings, arm: &Embeddings) -> (f64, f64) {
    let (mut cosines, mut differences, mut squares) = (0.0, 0.0, 0.0);
    for row in 0..whole.len() {
        let (mut product, mut of_whole, mut of_arm) = (0.0, 0.0, 0.0);
        for (a, b) in whole.row(row).iter().zip(arm.row(row)) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            product += a * b;
            of_whole += a * a;
            of_arm += b * b;
            differences += (a - b) * (a - b);
        }
        let norms = (of_whole * of_arm).sqrt();
        // An embedding of zeros has no direction: as far away as one at a right angle.
        let cosine = if norms > 0.0 { product / norms } else { 0.0 };
        // Rounding alone may put it above 1.
        cosines += (1.0 - cosine).max(0.0);
        squares += of_whole;
    }
    let relative = (differences / squares).sqrt();
    (cosines / whole.len() as f64, relative)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_embeddings_are_those_of_their_directions_and_lengths() {
        let whole = Embeddings::new(vec![3.0, 0.0, 0.0, 4.0], 2);
        assert_eq!(apart(&whole, &whole), (0.0, 0.0));
        let half = Embeddings::new(vec![1.5, 0.0, 0.0, 2.0], 2);
        assert_eq!(apart(&whole, &half), (0.0, 0.5));
        let gone = Embeddings::new(vec![3.0, 0.0, 0.0, 0.0], 2);
        assert_eq!(apart(&whole, &gone), (0.5, 0.8));
    }

    #[test]
    fn what_is_lost_is_paired_by_image() {
        let (mean, error) = lost(&[true, true, false, true], &[true, false, false, true]);
        assert_eq!(mean, 0.25);
        // Deviation of 0, 1, 0, 0 is one half; over √4.
        assert!((error - 0.25).abs() < 1e-12, "{error}");
        let (mean, error) = lost(&[true, false], &[false, true]);
        assert_eq!(mean, 0.0);
        assert!(
            error > 0.9,
            "as many gained as lost is not as sure as none: {error}"
        );
    }
}
