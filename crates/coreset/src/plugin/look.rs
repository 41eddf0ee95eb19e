//! Forward passes in evaluation mode over training samples.

use afterimage_hooks::{Fault, LabelAccess, ModelView, SampleId, Samples, Split, TapPlan};
use burn::tensor::Tensor;

use super::store::Row;

/// Samples that one forward pass may have.
pub(super) const MOST_BATCH: usize = 1 << 15;

/// Where pictures and scores come from.
pub(super) struct Look<'a> {
    pub(super) model: &'a dyn ModelView,
    pub(super) samples: &'a dyn Samples,
    /// Samples in one forward pass.
    pub(super) batch: usize,
    /// For the loss, where labels are read.
    pub(super) access: Option<LabelAccess>,
}

impl Look<'_> {
    /// The observed labels, where they are read.
    ///
    /// # Errors
    /// Samples without labels.
    pub(super) fn labels(&self) -> Result<Option<&[u32]>, Fault> {
        let Some(access) = &self.access else {
            return Ok(None);
        };
        Ok(Some(self.samples.labels(Split::Train, access)?.of_samples))
    }

    /// Shows what the model makes of the samples `ids`, as evaluation sees them, one after the other.
    ///
    /// # Errors
    /// A model without tapped forward, pictures that cannot be rendered, a device that fails.
    pub(super) fn at(&self, ids: &[usize], mut show: impl FnMut(&Row<'_>)) -> Result<(), Fault> {
        let labels = self.labels()?;
        for ids in ids.chunks(self.batch) {
            let asked: Vec<SampleId> = ids.iter().map(|id| SampleId(*id as u32)).collect();
            let images = self.samples.originals(Split::Train, &asked)?;
            let seen = self.model.observe(images, &TapPlan::default())?;
            let features = rows(seen.embeddings)?;
            let logits = seen.logits.map(rows).transpose()?;
            let width = features.len() / ids.len();
            for (place, id) in ids.iter().enumerate() {
                let row = |values: &'_ [f32]| {
                    let width = values.len() / ids.len();
                    place * width..(place + 1) * width
                };
                show(&Row {
                    id: *id,
                    logits: logits.as_ref().map(|logits| &logits[row(logits)]),
                    features: Some(&features[place * width..][..width]),
                    label: labels.and_then(|labels| labels.get(*id).copied()),
                });
            }
        }
        Ok(())
    }
}

fn rows(tensor: Tensor<2>) -> Result<Vec<f32>, Fault> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| Fault::new(error.to_string()))
}
