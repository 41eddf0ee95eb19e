//! Forward passes in evaluation mode over training samples.

use afterimage_hooks::{
    Fault, LabelAccess, ModelView, SampleId, Samples, Split, TapPlan, share_out,
};
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

    /// Shows what the model makes of the samples `ids`, as evaluation sees them, one after the other;
    /// several processes of a run share the forward passes out.
    ///
    /// # Errors
    /// A model without tapped forward, pictures that cannot be rendered, a device that fails.
    pub(super) fn at(&self, ids: &[usize], mut show: impl FnMut(&Row<'_>)) -> Result<(), Fault> {
        let labels = self.labels()?;
        let passes: Vec<&[usize]> = ids.chunks(self.batch).collect();
        let of = |pass: usize| passes.get(pass).copied().unwrap_or_default();
        let see = |pass| {
            let asked: Vec<SampleId> = of(pass).iter().map(|id| SampleId(*id as u32)).collect();
            let images = self.samples.originals(Split::Train, &asked)?;
            let seen = self.model.observe(images, &TapPlan::default())?;
            let features = rows(seen.embeddings)?;
            let logits = seen.logits.map(rows).transpose()?.unwrap_or_default();
            let mut told = (features.len() as u64).to_le_bytes().to_vec();
            told.extend(features.iter().chain(&logits).flat_map(|x| x.to_le_bytes()));
            Ok(told)
        };
        share_out(
            self.model.peers(),
            "a look at samples",
            passes.len(),
            see,
            |pass, told| {
                let (count, values) = told.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
                let (values, _) = values.as_chunks::<4>();
                let values: Vec<f32> = values.iter().map(|x| f32::from_le_bytes(*x)).collect();
                let count = (u64::from_le_bytes(*count) as usize).min(values.len());
                let (features, logits) = values.split_at(count);
                let ids = of(pass);
                let row = |values: &[f32], place: usize| {
                    let width = values.len() / ids.len().max(1);
                    place * width..(place + 1) * width
                };
                for (place, id) in ids.iter().enumerate() {
                    show(&Row {
                        id: *id,
                        logits: (!logits.is_empty()).then(|| &logits[row(logits, place)]),
                        features: Some(&features[row(features, place)]),
                        label: labels.and_then(|labels| labels.get(*id).copied()),
                    });
                }
                Ok(())
            },
        )
    }
}

fn rows(tensor: Tensor<2>) -> Result<Vec<f32>, Fault> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| Fault::new(error.to_string()))
}
