//! The encoder of one of this project's own records.

use burn::tensor::{Bytes, Device};
use burn_store::burn_pack::Reader;
use burn_store::{ApplyResult, ModuleSnapshot as _};

use super::finite::check;
use crate::compact::{Kept, without_units};
use crate::{AnyEncoder, EncoderConfig, ModelError};

/// Loads the encoder that `config` describes from a model's record, as in a checkpoint's
/// `model.bpk`, where it lies at `place`: `encoder`, or `reference.encoder` for the reference of a
/// pair, and what `kept` leaves of it. Whatever else the record holds (a head, a teacher) is passed
/// over.
///
/// # Errors
/// Bytes that are no record, or one without every parameter of this encoder; values that are not
/// finite.
pub fn from_record(
    record: Vec<u8>,
    place: &str,
    config: &EncoderConfig,
    kept: &Kept,
    device: &Device,
) -> Result<AnyEncoder, ModelError> {
    let failed = |reason: String| ModelError::Record { reason };
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(record))
        .map_err(|error| failed(error.to_string()))?;
    let below = |name: &str| Some(name.strip_prefix(place)?.strip_prefix('.')?.to_owned());
    let mut tensors = reader
        .into_tensors()
        .map_err(|error| failed(error.to_string()))?;
    tensors.retain(|tensor| below(&tensor.name).is_some());
    check(&tensors, None)?;
    let tensors = tensors
        .into_iter()
        .filter_map(|mut tensor| {
            let name = below(&tensor.name)?;
            tensor.name = name;
            // Its ids are numbers within the record: two encoders of one record would share them, and
            // gradients, which are found by id.
            tensor.param_id = None;
            Some(tensor)
        })
        .collect();
    let mut encoder = without_units(&config.init(0, device)?, kept)?;
    let applied = encoder.apply(tensors, None, None, false);
    match applied.unused.as_slice() {
        [] => complete(&applied).map_err(failed)?,
        unknown => return Err(failed(format!("it has values for {}", unknown.join(", ")))),
    }
    Ok(encoder)
}

/// What a model's record says about the images that its encoder takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageShape {
    /// Channels.
    pub channels: usize,
    /// Patches along a side, for an encoder that learned a position for each.
    pub patches: Option<usize>,
}

impl ImageShape {
    /// Reads it off the parameters of the encoder in `record`.
    ///
    /// # Errors
    /// Bytes that are no record, or one without such an encoder.
    pub fn of_record(record: Vec<u8>) -> Result<Self, ModelError> {
        /// The convolutions that read images.
        const FIRST: [&str; 3] = [
            "encoder.prep.conv.weight",
            "encoder.stem.conv.weight",
            "encoder.patch.weight",
        ];
        let failed = |reason: String| ModelError::Record { reason };
        let reader = Reader::from_bytes(Bytes::from_bytes_vec(record))
            .map_err(|error| failed(error.to_string()))?;
        let tensors = reader.into_tensors();
        let tensors = tensors.map_err(|error| failed(error.to_string()))?;
        let length = |names: &[&str]| {
            let named = tensors.iter().find(|t| names.contains(&t.name.as_str()));
            named.and_then(|tensor| tensor.shape.to_vec().get(1).copied())
        };
        Ok(Self {
            channels: length(&FIRST)
                .ok_or_else(|| failed("no convolution reads images".to_owned()))?,
            // One position is the class token's.
            patches: length(&["encoder.position"]).map(|tokens| tokens.saturating_sub(1).isqrt()),
        })
    }
}

/// Whether every parameter was loaded; else why not.
pub(crate) fn complete(applied: &ApplyResult) -> Result<(), String> {
    if let Some(error) = applied.errors.first() {
        return Err(error.to_string());
    }
    if applied.missing.is_empty() {
        return Ok(());
    }
    let paths = applied.missing.iter().map(|(path, _)| path.as_str());
    Err(format!(
        "there are no values for {}",
        paths.collect::<Vec<_>>().join(", ")
    ))
}
