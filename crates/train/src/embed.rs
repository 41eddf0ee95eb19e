//! Embeddings of images as evaluation sees them.

use afterimage_data::ViewSource;
use afterimage_hooks::{Fault, ModelView, SampleId, TapPlan};
use burn::tensor::{Device, Tensor};

use crate::exchange::taken;
use crate::knn::Embeddings;
use crate::processes::Group;

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
    let alone = Group::default();
    Ok(embed_with_scores(model, source, ids, batch, device, &alone)?.0)
}

/// As [`embed`], with the scores of the classes where the objective has any; the processes of `group` share
/// out the forward passes.
///
/// # Errors
/// As for [`embed`]; a process that failed.
pub(crate) fn embed_with_scores(
    model: &dyn ModelView,
    source: &ViewSource,
    ids: &[SampleId],
    batch: usize,
    device: &Device,
    group: &Group,
) -> Result<(Embeddings, Option<Embeddings>), Fault> {
    let host = |tensor: Tensor<2>| {
        let rows = tensor.try_into_vec_as::<f32>();
        rows.map_err(|error| Fault::new(error.to_string()))
    };
    let mut own = Rows::default();
    let passes: Vec<&[SampleId]> = ids.chunks(batch.max(1)).collect();
    for ids in passes.iter().skip(group.rank()).step_by(group.size()) {
        let images = source
            .plain_batch(ids)
            .map_err(|error| Fault::caused_by("images cannot be rendered", error))?;
        let seen = model.observe(images.into_tensor(device), &TapPlan::default())?;
        own.width = seen.embeddings.dims()[1];
        own.values.extend(host(seen.embeddings)?);
        if let Some(logits) = seen.logits {
            own.classes = logits.dims()[1];
            own.scores.extend(host(logits)?);
        }
    }
    if !group.is_alone() {
        let counts: Vec<usize> = passes.iter().map(|ids| ids.len()).collect();
        let told = group.exchange("an evaluation", &own.bytes());
        let told = told.map_err(|error| Fault::new(error.to_string()))?;
        own = Rows::of_all(&told, &counts).ok_or_else(|| {
            Fault::new("the processes went apart: another one embedded other images")
        })?;
    }
    let scores = (own.classes > 0).then(|| Embeddings::new(own.scores, own.classes));
    Ok((Embeddings::new(own.values, own.width.max(1)), scores))
}

/// What forward passes gave, row by row.
#[derive(Debug, Default, PartialEq)]
struct Rows {
    /// Values of an embedding; 0 before the first pass.
    width: usize,
    values: Vec<f32>,
    /// Scores of a row; 0 where there are none.
    classes: usize,
    scores: Vec<f32>,
}

impl Rows {
    fn bytes(&self) -> Vec<u8> {
        let sizes = [self.width, self.classes].map(|size| (size as u64).to_le_bytes());
        let values = self.values.iter().chain(&self.scores);
        let values = values.flat_map(|value| value.to_le_bytes());
        sizes.into_iter().flatten().chain(values).collect()
    }

    /// The rows of all passes, of `counts` rows each, of which process r of P told those of the passes r,
    /// r + P, and so on; none if these are not what was told.
    fn of_all(told: &[Vec<u8>], counts: &[usize]) -> Option<Self> {
        let mut all = Self::default();
        let mut left = Vec::new();
        for (rank, bytes) in told.iter().enumerate() {
            let (width, bytes) = bytes.split_first_chunk::<8>()?;
            let (classes, bytes) = bytes.split_first_chunk::<8>()?;
            let [width, classes] = [width, classes].map(|size| u64::from_le_bytes(*size) as usize);
            all.width = all.width.max(width);
            all.classes = all.classes.max(classes);
            let rows: usize = counts.iter().skip(rank).step_by(told.len()).sum();
            left.push(bytes.split_at_checked(rows.checked_mul(4 * width)?)?);
        }
        for (pass, rows) in counts.iter().enumerate() {
            let (values, scores) = left.get_mut(pass % told.len())?;
            all.values.extend(taken(values, rows * all.width)?);
            all.scores.extend(taken(scores, rows * all.classes)?);
        }
        let empty = left
            .iter()
            .all(|(values, scores)| values.is_empty() && scores.is_empty());
        empty.then_some(all)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn passes_of_several_processes_are_put_in_order() {
        let rows = |values: &[f32], scores: &[f32]| Rows {
            width: if values.is_empty() { 0 } else { 2 },
            values: values.to_vec(),
            classes: if scores.is_empty() { 0 } else { 1 },
            scores: scores.to_vec(),
        };
        // Three passes of 1, 1 and 1 rows in two processes: the first has the first and the last.
        let told = [
            rows(&[1.0, 2.0, 5.0, 6.0], &[0.1, 0.3]).bytes(),
            rows(&[3.0, 4.0], &[0.2]).bytes(),
        ];
        let all = Rows::of_all(&told, &[1, 1, 1]).unwrap();
        assert_eq!(all, rows(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[0.1, 0.2, 0.3]));
        assert_eq!(Rows::of_all(&told, &[1, 2]), None);
        // One pass, and a process without any.
        let told = [rows(&[1.0, 2.0], &[]).bytes(), rows(&[], &[]).bytes()];
        assert_eq!(Rows::of_all(&told, &[1]).unwrap(), rows(&[1.0, 2.0], &[]));
    }
}
