//! A smaller encoder that says what the masked one says.

use burn::tensor::Tensor;

use super::kept::Kept;
use super::module::cut;
use crate::{Encoder, Masks, ModelError, Taps, evaluation};

/// The largest difference of two values of an embedding that is taken for rounding, where the largest
/// value is at most 1; else as a share of it.
pub const TOLERANCE: f64 = 1e-5;

/// An encoder without its pruned units.
#[derive(Debug)]
pub struct Compaction<E> {
    /// The smaller encoder, in evaluation mode.
    pub encoder: E,
    /// What it keeps of the one that it was made of.
    pub kept: Kept,
    /// Units that are masked still: those that some reader of theirs sees.
    pub masks: Masks,
    /// Largest difference of two values of embeddings on the probe batch; see [`difference`].
    pub difference: f64,
}

/// Takes the units out of `encoder` that are masked for all who read them.
///
/// With `embedding` the units that the embedding is made of stay. `images` `[B, C, H, W]` is what the
/// smaller encoder is checked on.
///
/// # Errors
/// No such units; masks of another encoder; an encoder that says something else than before, by more
/// than [`TOLERANCE`].
pub fn compact<E: Encoder>(
    encoder: &E,
    masks: &Masks,
    embedding: bool,
    images: Tensor<4>,
) -> Result<Compaction<E>, ModelError> {
    masks.check(&encoder.sites())?;
    let groups = encoder.groups();
    let kept = Kept::without_pruned(&groups, masks, embedding);
    if kept.is_everything() {
        return Err(ModelError::NothingPruned);
    }
    let left = kept.masks(&groups, masks)?;
    let encoder = evaluation(encoder);
    let smaller = without_units(&encoder, &kept)?;
    let see = |encoder: &E, masks: &Masks| {
        encoder.encode(images.clone(), &mut Taps::none().with_masks(masks))
    };
    let (before, after) = (see(&encoder, masks), see(&smaller, &left));
    let lost = groups.iter().find(|group| group.embeds);
    let lost = lost.and_then(|group| kept.get(&group.name));
    let difference = difference(before, after, lost.map(|kept| kept.units.as_slice()))?;
    Ok(Compaction {
        encoder: smaller,
        kept,
        masks: left,
        difference,
    })
}

/// `encoder` without the units that are not `kept`; shares nothing with it.
///
/// # Errors
/// Groups of another encoder.
pub fn without_units<E: Encoder>(encoder: &E, kept: &Kept) -> Result<E, ModelError> {
    let groups = encoder.groups();
    kept.check(&groups)?;
    cut(encoder, &kept.cuts(&groups), |path| {
        Some(format!("encoder.{path}"))
    })
}

/// The largest difference between the embeddings of a masked encoder and of a smaller one, `[B, D]`
/// and `[B, D']`, over the largest value where that is over 1. `dimensions` are the places of the
/// second's in the first; the first must be 0 elsewhere.
///
/// # Errors
/// A difference over [`TOLERANCE`], or one that is not a number; embeddings that do not fit each
/// other.
pub fn difference(
    masked: Tensor<2>,
    smaller: Tensor<2>,
    dimensions: Option<&[usize]>,
) -> Result<f64, ModelError> {
    let [rows, before] = masked.dims();
    let [_, after] = smaller.dims();
    let all: Vec<usize> = (0..before).collect();
    let dimensions = dimensions.unwrap_or(&all);
    let wrong = |reason: String| ModelError::Slice { reason };
    if dimensions.len() != after || dimensions.iter().any(|d| *d >= before) {
        return Err(wrong(format!(
            "embeddings of {after} dimensions are not those of {before} without pruned ones"
        )));
    }
    let host = |tensor: Tensor<2>| {
        tensor
            .try_into_vec_as::<f32>()
            .map_err(|e| wrong(e.to_string()))
    };
    let (masked, smaller) = (host(masked)?, host(smaller)?);
    let mut expected = vec![0.0; masked.len()];
    for row in 0..rows {
        for (from, &to) in dimensions.iter().enumerate() {
            expected[row * before + to] = smaller[row * after + from];
        }
    }
    let (mut largest, mut value) = (0.0_f64, 1.0_f64);
    for (a, b) in masked.iter().zip(&expected) {
        let apart = f64::from(a - b).abs();
        // Not `max`, which passes over what is not a number.
        if apart > largest || apart.is_nan() {
            largest = apart;
        }
        value = value.max(f64::from(a.abs()));
    }
    let difference = largest / value;
    if difference <= TOLERANCE {
        Ok(difference)
    } else {
        Err(ModelError::Differs {
            difference,
            tolerance: TOLERANCE,
        })
    }
}
