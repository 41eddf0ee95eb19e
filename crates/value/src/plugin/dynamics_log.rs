//! Settings of the plugin `dynamics`, and what it keeps of each sample.

use afterimage_hooks::{EpochHistory, Every};
use serde::{Deserialize, Serialize};

use crate::dynamics::{Dynamics, Observation};

/// Epochs of history that can be kept.
const MOST_EPOCHS: usize = 1_000_000;

/// Settings of [`DynamicsProbe`](crate::DynamicsProbe).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicsConfig {
    /// At the end of which epochs to publish scores; default `"1 epochs"`.
    pub every: Every,
    /// Whether loss and probability of each sample are written at the end of each epoch; default
    /// `true`.
    pub log: bool,
    /// Epochs of losses and probabilities that other plugins get to read; default 10, at least 1.
    pub history: usize,
    /// Held-out images that In-Run Data Shapley compares with; 0, the default, for no such values.
    /// It needs an objective with a classifier.
    pub validation: usize,
    /// Steps between two looks at the held-out images; default 10, at least 1. In between the last
    /// look serves.
    pub validation_every: u64,
    /// Whether the probabilities of all classes at the last visit are kept and written; default
    /// `true`.
    pub probabilities: bool,
}

impl Default for DynamicsConfig {
    fn default() -> Self {
        Self {
            every: Every::epochs::<1>(),
            log: true,
            history: 10,
            validation: 0,
            validation_every: 10,
            probabilities: true,
        }
    }
}

impl DynamicsConfig {
    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=MOST_EPOCHS).contains(&self.history) {
            let told = format!("must be from 1 to {MOST_EPOCHS} epochs");
            problems.push(("history", told));
        }
        if self.validation_every == 0 {
            problems.push(("validation_every", "must be at least 1 step".to_owned()));
        }
        problems
    }

    /// Settings that an objective without scores of classes (`classes` is false) rules out, each with a
    /// sentence.
    pub fn ruled_out(&self, classes: bool) -> Vec<(&'static str, String)> {
        if classes || self.validation == 0 {
            return Vec::new();
        }
        let told = "in-run values need a linear classifier on the embedding, which this objective does \
                    not have; set 0, or `objective.kind = \"supervised\"`";
        vec![("validation", told.to_owned())]
    }
}

/// What was seen of a sample in the epoch under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Epoch {
    visits: u32,
    loss: f64,
    observed: u32,
    probability: f64,
}

/// What was seen of all samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Log {
    pub samples: Vec<Seen>,
    /// Probabilities of the classes at the last visit, `[samples, classes]`, NaN before the first;
    /// nothing where they are not kept.
    pub probabilities: Vec<f32>,
    pub classes: usize,
}

/// What was seen of one sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub visits: u32,
    pub loss: f64,
    pub scores: Dynamics,
    /// Sum of In-Run Data Shapley values, and in how many steps.
    pub shapley: f64,
    pub shapley_steps: u32,
    epoch: Epoch,
}

impl Seen {
    /// Mean loss over all visits; NaN before the first.
    pub fn mean_loss(&self) -> f64 {
        self.loss / f64::from(self.visits)
    }
}

impl Log {
    /// A log of `samples` samples.
    pub fn new(samples: usize) -> Self {
        Self {
            samples: vec![Seen::default(); samples],
            ..Self::default()
        }
    }

    /// The objective's loss of a sample.
    pub fn loss(&mut self, sample: usize, loss: f64) {
        let seen = &mut self.samples[sample];
        seen.visits += 1;
        seen.loss += loss;
        seen.epoch.visits += 1;
        seen.epoch.loss += loss;
    }

    /// What the classifier says of a sample.
    pub fn observe(&mut self, sample: usize, observation: &Observation) {
        let seen = &mut self.samples[sample];
        seen.scores.add(observation);
        seen.epoch.observed += 1;
        seen.epoch.probability += observation.probability;
    }

    /// Keeps the probabilities of the classes.
    pub fn keep(&mut self, sample: usize, probabilities: &[f32]) {
        self.classes = probabilities.len();
        let size = self.samples.len() * self.classes;
        if self.probabilities.len() != size {
            self.probabilities = vec![f32::NAN; size];
        }
        self.probabilities[sample * self.classes..][..self.classes].copy_from_slice(probabilities);
    }

    /// The kept probabilities of a sample; `None` before its first visit.
    pub fn kept(&self, sample: usize) -> Option<&[f32]> {
        let row = self
            .probabilities
            .chunks_exact(self.classes.max(1))
            .nth(sample)?;
        row.iter().all(|p| p.is_finite()).then_some(row)
    }

    /// Closes the epoch: means over its visits.
    pub fn end_epoch(&mut self, epoch: u32) -> EpochHistory {
        let epochs: Vec<Epoch> = self
            .samples
            .iter_mut()
            .map(|seen| std::mem::take(&mut seen.epoch))
            .collect();
        let mean = |sum: f64, count: u32| (sum / f64::from(count)) as f32;
        let observed = epochs.iter().any(|one| one.observed > 0);
        let probability = |one: &Epoch| mean(one.probability, one.observed);
        EpochHistory {
            epoch,
            losses: epochs
                .iter()
                .map(|one| mean(one.loss, one.visits))
                .collect(),
            probabilities: if observed {
                epochs.iter().map(probability).collect()
            } else {
                Vec::new()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_holds_means_over_its_own_visits() {
        let mut log = Log::new(3);
        log.loss(0, 1.0);
        log.loss(0, 3.0);
        log.loss(2, 5.0);
        let first = log.end_epoch(1);
        assert_eq!((first.losses[0], first.losses[2]), (2.0, 5.0));
        assert!(first.losses[1].is_nan() && first.probabilities.is_empty());
        log.loss(0, 8.0);
        assert_eq!(log.end_epoch(2).losses[0], 8.0);
        assert_eq!(log.samples[0].mean_loss(), 4.0);
        assert!(log.samples[1].mean_loss().is_nan());
    }

    #[test]
    fn probabilities_are_those_of_the_last_visit() {
        let mut log = Log::new(2);
        assert_eq!(log.kept(0), None);
        log.keep(1, &[0.25, 0.75]);
        log.keep(1, &[0.5, 0.5]);
        assert_eq!(log.kept(0), None);
        assert_eq!(log.kept(1), Some(&[0.5, 0.5][..]));
    }
}
