//! Held-out samples at the input of the last layer, for In-Run Data Shapley.

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{Fault, Labels, ModelView, SampleId, Samples, Split, TapPlan};
use afterimage_numeric::softmax_by_f32;
use serde::{Deserialize, Serialize};

use crate::dynamics::{LastLayer, in_run_shapley};
use crate::plugin::on_host;

/// What the last layer sees of some held-out samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HeldOut {
    features: Vec<f32>,
    residuals: Vec<f32>,
    samples: usize,
}

impl HeldOut {
    /// A look at `count` held-out samples, always the same, in evaluation mode.
    pub fn look(
        model: &dyn ModelView,
        samples: &dyn Samples,
        labels: Labels<'_>,
        seed: u64,
        count: usize,
    ) -> Result<Self, Fault> {
        let available = samples.len(Split::HeldOut);
        if available < count {
            return Err(Fault::new(format!(
                "dynamics is to compare with {count} held-out images and there are {available}; lower \
                 `validation`, or set it to 0"
            )));
        }
        let ids = chosen(seed, available, count);
        let images = samples.originals(Split::HeldOut, &ids)?;
        let seen = model.observe(images, &TapPlan::default())?;
        let logits = seen.logits.ok_or_else(no_classifier)?;
        let classes = logits.dims()[1];
        let labels = ids
            .iter()
            .map(|id| labels.of_samples[id.0 as usize] as usize);
        Ok(Self {
            features: on_host(seen.embeddings)?,
            residuals: residuals(&on_host(logits)?, classes, labels),
            samples: count,
        })
    }

    /// Values of the samples of a step; `rate` is the learning rate over the size of the batch.
    pub fn values(
        &self,
        features: &[f32],
        residuals: &[f32],
        samples: usize,
        rate: f64,
    ) -> Result<Vec<f64>, Fault> {
        let batch = LastLayer {
            features,
            residuals,
            samples,
        };
        let held_out = LastLayer {
            features: &self.features,
            residuals: &self.residuals,
            samples: self.samples,
        };
        in_run_shapley(batch, held_out, rate)
            .map_err(|e| Fault::caused_by("in-run values cannot be computed", e))
    }
}

pub(crate) fn no_classifier() -> Fault {
    Fault::new(
        "in-run values need an objective with a linear classifier on the embedding; set \
         `validation = 0`",
    )
}

/// softmax(logits) − onehot(label), row by row.
pub(crate) fn residuals(
    logits: &[f32],
    classes: usize,
    labels: impl Iterator<Item = usize>,
) -> Vec<f32> {
    let mut residuals = Vec::with_capacity(logits.len());
    for (row, label) in logits.chunks_exact(classes).zip(labels) {
        let from = residuals.len();
        residuals.extend(softmax(row));
        if let Some(own) = residuals.get_mut(from + label) {
            *own -= 1.0;
        }
    }
    residuals
}

/// Probabilities of the classes.
pub(crate) fn softmax(logits: &[f32]) -> Vec<f32> {
    softmax_by_f32(logits).iter().map(|p| *p as f32).collect()
}

fn chosen(seed: u64, available: usize, count: usize) -> Vec<SampleId> {
    let mut ids: Vec<SampleId> = (0..available as u32).map(SampleId).collect();
    let key = RandomKey::new(seed, Stream::ProbePoints).view(1);
    key.generator().shuffle(&mut ids);
    ids.truncate(count);
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residuals_sum_to_zero_and_are_negative_at_the_label() {
        let found = residuals(&[0.0, 0.0, 1.0, -1.0], 2, [1, 0].into_iter());
        assert_eq!(found[..2], [0.5, -0.5]);
        assert!(found[2] < 0.0 && (found[2] + found[3]).abs() < 1e-7);
    }

    #[test]
    fn the_held_out_samples_are_always_the_same() {
        assert_eq!(chosen(1, 50, 10), chosen(1, 50, 10));
        assert_ne!(chosen(1, 50, 10), chosen(2, 50, 10));
        assert!(chosen(1, 50, 10).is_sorted());
    }
}
