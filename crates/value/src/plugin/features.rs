//! Outputs of the encoder as cells: groups of neighbouring channels.

use afterimage_hooks::{Fault, HostOutputs, ModelView, SampleId, Samples, Split, TapPlan};
use serde::{Deserialize, Serialize};

use crate::online::Moments;
use crate::plugin::on_host;

/// A row weighs at least one over this in the running scale, as the encoder changes.
const FADING: f64 = 10_000.0;

/// What is kept of the encoder's outputs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Features {
    moments: Moments,
    /// Running means of each sample's outputs, `[samples, channels]`, NaN before the first; nothing
    /// where outputs are taken as they are.
    averages: Vec<f32>,
}

impl Features {
    /// `channels` outputs of `samples` samples.
    pub fn new(channels: usize, samples: usize, average: f64) -> Self {
        let kept = if average > 0.0 { samples * channels } else { 0 };
        Self {
            moments: Moments::fading(channels, FADING),
            averages: vec![f32::NAN; kept],
        }
    }

    /// Channels of an output.
    pub fn channels(&self) -> usize {
        self.moments.width()
    }

    /// The outputs `[ids, channels]` averaged with what was before, and scaled.
    pub fn take(&mut self, ids: &[SampleId], mut outputs: Vec<f32>, average: f64) -> Vec<f32> {
        let channels = self.channels();
        for (id, row) in ids.iter().zip(outputs.chunks_exact_mut(channels)) {
            let kept = self.averages.chunks_exact_mut(channels);
            if let Some(kept) = kept.skip(id.0 as usize).take(1).next() {
                for (before, now) in kept.iter_mut().zip(row.iter_mut()) {
                    if before.is_finite() {
                        *now = (average * f64::from(*before) + (1.0 - average) * f64::from(*now))
                            as f32;
                    }
                    *before = *now;
                }
            }
            self.moments.add(row);
        }
        let scaling = self.moments.scaling();
        let rows = outputs.chunks_exact_mut(channels);
        rows.for_each(|row| scaling.apply(row));
        outputs
    }
}

/// The encoder's outputs `[ids, channels]` for the training images `ids` without augmentation, by a
/// forward pass of its own.
pub(crate) fn own_pass(
    model: &dyn ModelView,
    samples: &dyn Samples,
    ids: &[SampleId],
) -> Result<Vec<f32>, Fault> {
    let images = samples.originals(Split::Train, ids)?;
    finite(
        on_host(model.observe(images, &TapPlan::default())?.embeddings)?,
        ids,
    )
}

/// The outputs `[ids, channels]` of the step's forward pass, each the mean over the views of a sample.
pub(crate) fn training_pass(
    outputs: &HostOutputs,
    views: usize,
    ids: &[SampleId],
) -> Result<Vec<f32>, Fault> {
    let of_views = outputs.embeddings.as_ref().ok_or_else(|| {
        Fault::new("this model shows no outputs of its training pass; set `pass = \"own\"`")
    })?;
    let mut of_views = of_views.chunks_exact((of_views.len() / views.max(1)).max(1));
    let mut means = of_views.next().unwrap_or_default().to_vec();
    for view in of_views {
        means.iter_mut().zip(view).for_each(|(sum, x)| *sum += x);
    }
    means.iter_mut().for_each(|sum| *sum /= views as f32);
    finite(means, ids)
}

fn finite(outputs: Vec<f32>, ids: &[SampleId]) -> Result<Vec<f32>, Fault> {
    match outputs.iter().position(|x| !x.is_finite()) {
        None => Ok(outputs),
        Some(at) => Err(Fault::new(format!(
            "an output of the encoder for sample {} is not finite",
            ids[at * ids.len() / outputs.len()].0
        ))),
    }
}

/// How many channels each of `groups` groups has: as equal as can be, in order.
pub(crate) fn group_sizes(channels: usize, groups: usize) -> Vec<usize> {
    let groups = groups.clamp(1, channels.max(1));
    (0..groups)
        .map(|group| (group + 1) * channels / groups - group * channels / groups)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_share_all_channels() {
        assert_eq!(group_sizes(8, 4), [2; 4]);
        assert_eq!(group_sizes(7, 3), [2, 2, 3]);
        assert_eq!(group_sizes(3, 10), [1; 3]);
    }

    #[test]
    fn outputs_of_views_are_averaged_sample_by_sample() -> Result<(), Fault> {
        let ids = [SampleId(4), SampleId(9)];
        let mut outputs = HostOutputs::default();
        assert!(training_pass(&outputs, 2, &ids).is_err());
        outputs.embeddings = Some(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(training_pass(&outputs, 2, &ids)?, [3.0, 4.0, 5.0, 6.0]);
        outputs.embeddings = Some(vec![0.0, 0.0, f32::NAN, 0.0]);
        let error = training_pass(&outputs, 1, &ids).map_err(|fault| fault.to_string());
        assert!(error.is_err_and(|error| error.contains("sample 9")));
        Ok(())
    }

    #[test]
    fn averages_are_of_each_sample_alone() {
        let mut features = Features::new(1, 3, 0.5);
        let ids = [SampleId(0), SampleId(2)];
        features.take(&ids, vec![4.0, 8.0], 0.5);
        features.take(&ids[..1], vec![0.0], 0.5);
        assert_eq!(features.averages[0], 2.0);
        assert!(features.averages[1].is_nan());
        assert_eq!(features.averages[2], 8.0);
    }
}
