//! Embeddings of images as evaluation sees them.

use afterimage_data::ViewSource;
use afterimage_hooks::{Fault, ModelView, SampleId, TapPlan};
use burn::tensor::Device;

use crate::knn::Embeddings;

/// Embeddings of the samples `ids` of `source`, resized and normalised only, `batch` images in a
/// forward pass on `device`.
///
/// # Errors
/// An id outside the split, a model without tapped forward, a device that fails.
pub fn embed(
    model: &dyn ModelView,
    source: &ViewSource,
    ids: &[SampleId],
    batch: usize,
    device: &Device,
) -> Result<Embeddings, Fault> {
    let mut values = Vec::new();
    let mut width = 1;
    for ids in ids.chunks(batch.max(1)) {
        let images = source
            .plain_batch(ids)
            .map_err(|error| Fault::caused_by("images cannot be rendered", error))?;
        let seen = model.observe(images.into_tensor(device), &TapPlan::default())?;
        width = seen.embeddings.dims()[1];
        let rows = seen.embeddings.try_into_vec_as::<f32>();
        values.extend(rows.map_err(|error| Fault::new(error.to_string()))?);
    }
    Ok(Embeddings::new(values, width))
}
