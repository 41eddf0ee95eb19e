//! Scores of samples from what a network says of them while it trains.
//!
//! They come for nothing beside the training pass, and they are *not* out of bag: a network that has
//! memorized a sample scores it well.

use serde::{Deserialize, Serialize};

use crate::error::ValueError;

/// What one pass of a sample through the network says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Cross-entropy of the label.
    pub loss: f64,
    /// Probability of the label.
    pub probability: f64,
    /// Logit of the label minus the largest other logit (Pleiss et al., NeurIPS 2020).
    pub logit_margin: f64,
    /// Probability of the label minus the largest other probability.
    pub margin: f64,
    /// ‖p − onehot(y)‖₂ (Paul, Ganguli and Dziugaite, NeurIPS 2021).
    pub el2n: f64,
    /// Whether the label has the largest logit; of equal ones the first counts as predicted.
    pub correct: bool,
}

impl Observation {
    /// Reads `logits`, one a class, for a sample of class `label`.
    ///
    /// # Errors
    /// Fewer than two logits, a label without a logit, a logit that is not finite.
    pub fn new(logits: &[f32], label: usize) -> Result<Self, ValueError> {
        if logits.len() < 2 || label >= logits.len() {
            return Err(ValueError::Setting(format!(
                "a label of class {label} needs a logit for it and one for another class; there are \
                 {}",
                logits.len()
            )));
        }
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(ValueError::Setting(
                "a logit is not finite; the training has diverged".to_owned(),
            ));
        }
        let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // The softmax of `numeric`, written out: its sum serves the loss, too.
        let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        let probability = |class: usize| (logits[class] - largest).exp() / sum;
        let others = || (0..logits.len()).filter(|&class| class != label);
        let other = others()
            .map(|class| logits[class])
            .fold(f64::NEG_INFINITY, f64::max);
        let squares: f64 = others().map(|class| probability(class).powi(2)).sum();
        let before = logits[..label].iter().all(|logit| *logit < logits[label]);
        Ok(Self {
            loss: largest + sum.ln() - logits[label],
            probability: probability(label),
            logit_margin: logits[label] - other,
            margin: probability(label) - (other - largest).exp() / sum,
            el2n: (squares + (1.0 - probability(label)).powi(2)).sqrt(),
            correct: before && logits[label] >= other,
        })
    }
}

/// Scores of one sample over the observations so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Dynamics {
    count: u32,
    loss: f64,
    probability: f64,
    squares: f64,
    logit_margin: f64,
    margin: f64,
    el2n: f64,
    forgotten: u32,
    learned: bool,
    correct: bool,
}

impl Dynamics {
    /// Adds the next observation in the order of training.
    pub fn add(&mut self, seen: &Observation) {
        self.count += 1;
        self.loss += seen.loss;
        self.probability += seen.probability;
        self.squares += seen.probability.powi(2);
        self.logit_margin += seen.logit_margin;
        self.margin += seen.margin;
        self.el2n += seen.el2n;
        self.forgotten += u32::from(self.correct && !seen.correct);
        self.learned |= seen.correct;
        self.correct = seen.correct;
    }

    /// Number of observations.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Mean loss; as all means here, NaN before the first observation.
    pub fn mean_loss(&self) -> f64 {
        self.mean(self.loss)
    }

    /// Mean probability of the label, "confidence" in dataset cartography (Swayamdipta et al., EMNLP
    /// 2020).
    pub fn confidence(&self) -> f64 {
        self.mean(self.probability)
    }

    /// Standard deviation of that probability, "variability" there.
    pub fn variability(&self) -> f64 {
        if self.count == 0 {
            return f64::NAN;
        }
        let mean = self.confidence();
        (self.mean(self.squares) - mean * mean).max(0.0).sqrt()
    }

    /// Area under the margin: the mean margin of logits. Low where the label is wrong.
    pub fn area_under_margin(&self) -> f64 {
        self.mean(self.logit_margin)
    }

    /// Mean margin of probabilities.
    pub fn mean_margin(&self) -> f64 {
        self.mean(self.margin)
    }

    /// Mean EL2N; its paper takes observations of the first epochs of several runs.
    pub fn el2n(&self) -> f64 {
        self.mean(self.el2n)
    }

    /// How often the sample was right and then wrong (Toneva et al., ICLR 2019); `None` if it was
    /// never right, which counts as infinitely often there.
    pub fn forgetting_events(&self) -> Option<u32> {
        self.learned.then_some(self.forgotten)
    }

    fn mean(&self, sum: f64) -> f64 {
        sum / f64::from(self.count)
    }
}

/// Samples at the input of a network's last layer: a linear layer with bias, then cross-entropy.
#[derive(Debug, Clone, Copy)]
pub struct LastLayer<'a> {
    /// Inputs of the layer, `[samples, features]`.
    pub features: &'a [f32],
    /// softmax(logits) − onehot(label), `[samples, classes]`.
    pub residuals: &'a [f32],
    /// Number of samples.
    pub samples: usize,
}

impl<'a> LastLayer<'a> {
    /// Features and classes, if the sizes fit.
    fn sizes(&self) -> Option<(usize, usize)> {
        let width = |all: &[f32]| {
            let fits =
                self.samples > 0 && !all.is_empty() && all.len().is_multiple_of(self.samples);
            fits.then(|| all.len() / self.samples)
        };
        Some((width(self.features)?, width(self.residuals)?))
    }

    /// Features and residuals of each sample.
    fn rows(
        &self,
        features: usize,
        classes: usize,
    ) -> impl Iterator<Item = (&'a [f32], &'a [f32])> {
        let residuals = self.residuals.chunks_exact(classes);
        self.features.chunks_exact(features).zip(residuals)
    }
}

/// How much each sample of a step lowers the validation loss, to first order and through the last
/// layer alone: In-Run Data Shapley (Wang et al., arXiv 2406.11011, with the sign turned, so that
/// good samples are positive).
///
/// `rate` is what a sample's gradient is multiplied by in the step: the learning rate over the size
/// of the batch. With g = r·(h, 1)ᵀ the gradient of a sample, its value is rate · ⟨g, mean of the
/// validation samples' g⟩. Values of steps add up.
///
/// # Errors
/// No samples; sizes that do not fit.
pub fn in_run_shapley(
    batch: LastLayer<'_>,
    validation: LastLayer<'_>,
    rate: f64,
) -> Result<Vec<f64>, ValueError> {
    let (Some((features, classes)), true) = (batch.sizes(), batch.sizes() == validation.sizes())
    else {
        return Err(ValueError::Setting(
            "batch and validation samples need the same numbers of features and classes, and at \
             least one sample each"
                .to_owned(),
        ));
    };
    let mut mean = vec![0.0f64; classes * (features + 1)];
    for (inputs, residuals) in validation.rows(features, classes) {
        for (line, &residual) in mean.chunks_exact_mut(features + 1).zip(residuals) {
            let factor = f64::from(residual) / validation.samples as f64;
            for (sum, &input) in line.iter_mut().zip(inputs) {
                *sum += factor * f64::from(input);
            }
            line[features] += factor;
        }
    }
    let value = |inputs: &[f32], residuals: &[f32]| {
        let lines = mean.chunks_exact(features + 1).zip(residuals);
        let terms = lines.map(|(line, &residual)| {
            let dot: f64 = line
                .iter()
                .zip(inputs)
                .map(|(m, &x)| m * f64::from(x))
                .sum();
            f64::from(residual) * (dot + line[features])
        });
        rate * terms.sum::<f64>()
    };
    let rows = batch.rows(features, classes);
    Ok(rows
        .map(|(inputs, residuals)| value(inputs, residuals))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_observation_is_what_the_formulas_say() {
        let ln = |x: f32| x.ln();
        // Probabilities 0.5, 0.25, 0.25.
        let seen = Observation::new(&[ln(2.0), ln(1.0), ln(1.0)], 1).unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        close(seen.loss, 4f64.ln());
        close(seen.probability, 0.25);
        close(seen.logit_margin, -(2f64.ln()));
        close(seen.margin, -0.25);
        close(seen.el2n, (0.25 + 0.0625 + 0.5625f64).sqrt());
        assert!(!seen.correct);
        // Of equal logits the first is the prediction.
        assert!(Observation::new(&[1.0, 1.0], 0).unwrap().correct);
        assert!(!Observation::new(&[1.0, 1.0], 1).unwrap().correct);
        // Large logits do not overflow.
        let sure = Observation::new(&[1000.0, 0.0], 0).unwrap();
        assert_eq!((sure.loss, sure.probability), (0.0, 1.0));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (logits, label) in [(&[1.0][..], 0), (&[1.0, 2.0], 2), (&[1.0, f32::NAN], 0)] {
            assert!(Observation::new(logits, label).is_err());
        }
    }

    #[test]
    fn forgetting_is_right_then_wrong() {
        let right = Observation::new(&[2.0, 0.0], 0).unwrap();
        let wrong = Observation::new(&[0.0, 1.0], 0).unwrap();
        let over = |seen: &[&Observation]| {
            let mut sample = Dynamics::default();
            seen.iter().for_each(|one| sample.add(one));
            sample
        };
        assert_eq!(over(&[&wrong, &wrong]).forgetting_events(), None);
        assert_eq!(over(&[&wrong, &right, &right]).forgetting_events(), Some(0));
        let twice = over(&[&right, &wrong, &wrong, &right, &wrong]);
        assert_eq!(twice.forgetting_events(), Some(2));
        assert!((twice.area_under_margin() - (2.0 * 2.0 - 3.0) / 5.0).abs() < 1e-12);
        let none = Dynamics::default();
        assert!(none.mean_loss().is_nan() && none.variability().is_nan());
        let (p, q) = (right.probability, wrong.probability);
        let both = over(&[&right, &wrong]);
        assert!((both.variability() - (p - q).abs() / 2.0).abs() < 1e-12);
    }

    #[test]
    fn in_run_values_are_the_change_of_the_validation_loss_to_first_order() {
        // A layer of 2 features and 2 classes, weights 0: residuals are 0.5 and −0.5.
        let residual = |label: usize| {
            if label == 0 {
                [-0.5f32, 0.5]
            } else {
                [0.5, -0.5]
            }
        };
        let features = [1.0f32, 2.0, -1.0, 0.5, 0.3, -0.7];
        let residuals: Vec<f32> = [0, 1, 1].into_iter().flat_map(residual).collect();
        let held = ([0.8f32, 1.5], residual(0));
        let batch = LastLayer {
            features: &features,
            residuals: &residuals,
            samples: 3,
        };
        let validation = LastLayer {
            features: &held.0,
            residuals: &held.1,
            samples: 1,
        };
        let rate = 1e-6;
        let values = in_run_shapley(batch, validation, rate).unwrap();
        for sample in 0..3 {
            // One step on this sample alone, and the loss of the validation sample by hand.
            let x = &features[sample * 2..][..2];
            let step: Vec<f64> = residuals[sample * 2..][..2]
                .iter()
                .map(|&r| {
                    let dot: f64 = x.iter().zip(&held.0).map(|(a, b)| f64::from(a * b)).sum();
                    -rate * f64::from(r) * (dot + 1.0)
                })
                .collect();
            let loss = (step[0].exp() + step[1].exp()).ln() - step[0];
            let lowered = 2f64.ln() - loss;
            assert!(
                (values[sample] - lowered).abs() < 1e-11,
                "{} {lowered}",
                values[sample]
            );
            assert!(values[sample].abs() > 1e-8);
        }
        assert!(
            in_run_shapley(
                batch,
                LastLayer {
                    samples: 0,
                    ..validation
                },
                rate
            )
            .is_err()
        );
    }
}
