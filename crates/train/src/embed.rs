//! Embeddings of images as evaluation sees them.

use afterimage_data::ViewSource;
use afterimage_hooks::{Fault, ModelView, SampleId, TapPlan};
use burn::tensor::{Device, Tensor};

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
    Ok(embed_with_scores(model, source, ids, batch, device)?.0)
}

/// As [`embed`], with the scores of the classes where the objective has any.
///
/// # Errors
/// As for [`embed`].
pub(crate) fn embed_with_scores(
    model: &dyn ModelView,
    source: &ViewSource,
    ids: &[SampleId],
    batch: usize,
    device: &Device,
) -> Result<(Embeddings, Option<Embeddings>), Fault> {
    let host = |tensor: Tensor<2>| {
        let rows = tensor.try_into_vec_as::<f32>();
        rows.map_err(|error| Fault::new(error.to_string()))
    };
    let (mut values, mut width) = (Vec::new(), 1);
    let (mut scores, mut classes) = (Vec::new(), None);
    for ids in ids.chunks(batch.max(1)) {
        let images = source
            .plain_batch(ids)
            .map_err(|error| Fault::caused_by("images cannot be rendered", error))?;
        let seen = model.observe(images.into_tensor(device), &TapPlan::default())?;
        width = seen.embeddings.dims()[1];
        values.extend(host(seen.embeddings)?);
        if let Some(logits) = seen.logits {
            classes = Some(logits.dims()[1]);
            scores.extend(host(logits)?);
        }
    }
    let scores = classes.map(|classes| Embeddings::new(scores, classes));
    Ok((Embeddings::new(values, width), scores))
}
