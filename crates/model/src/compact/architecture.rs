//! The architecture of a smaller encoder as data beside its weights.

use std::path::Path;

use afterimage_files::{SMALL, open_input, read_input_text};
use burn::tensor::Device;
use burn_store::{ModuleSnapshot as _, ModuleStore as _, SafetensorsStore};
use serde::{Deserialize, Serialize};

use super::compaction::without_units;
use super::kept::Kept;
use crate::{AnyEncoder, EncoderConfig, Masks, ModelError, safetensors};

/// Version of the layout.
const LAYOUT: u32 = 1;

/// An encoder's configuration, and which units it keeps: `arch.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    layout: u32,
    /// The whole encoder.
    encoder: EncoderConfig,
    /// Channels of the images.
    channels: usize,
    /// Side of the images in pixels that it was made for.
    side: usize,
    /// Units of the whole encoder that are kept, by group; all of a group that is not named.
    groups: Kept,
    /// Units that are there and held at zero, by site.
    #[serde(default, skip_serializing_if = "Masks::is_empty")]
    masks: Masks,
}

impl Architecture {
    /// What `kept` leaves of `encoder` for images with `channels` channels and `side` pixels a side,
    /// with `masks` on what is left.
    pub fn new(
        encoder: EncoderConfig,
        channels: usize,
        side: usize,
        kept: Kept,
        masks: Masks,
    ) -> Self {
        Self {
            layout: LAYOUT,
            encoder: encoder.for_images(channels, side),
            channels,
            side,
            groups: kept,
            masks,
        }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// A file that cannot be read, is of another layout, or describes no encoder.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let wrong = |reason: String| ModelError::Architecture {
            path: path.to_owned(),
            reason,
        };
        let text = read_input_text(path, SMALL).map_err(|error| wrong(error.to_string()))?;
        let mut read: Self =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if read.layout != LAYOUT {
            return Err(wrong(format!(
                "layout {} is not layout {LAYOUT}, which this program reads",
                read.layout
            )));
        }
        // What its configuration leaves to the images stands beside it.
        read.encoder = read.config();
        read.encoder.validate()?;
        Ok(read)
    }

    /// As text.
    ///
    /// # Errors
    /// Values that JSON cannot hold.
    pub fn to_json(&self) -> Result<String, ModelError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| ModelError::Slice {
            reason: error.to_string(),
        })?;
        Ok(text + "\n")
    }

    /// Configuration of the whole encoder.
    pub fn config(&self) -> EncoderConfig {
        self.encoder.clone().for_images(self.channels, self.side)
    }

    /// The units that are kept.
    pub fn kept(&self) -> &Kept {
        &self.groups
    }

    /// Units that are there and held at zero.
    pub fn masks(&self) -> &Masks {
        &self.masks
    }

    /// Side of the images in pixels that it was made for.
    pub fn side(&self) -> usize {
        self.side
    }

    /// The encoder with what is kept of its initial parameters for `seed`.
    ///
    /// # Errors
    /// Units that the encoder does not have.
    pub fn init(&self, seed: u64, device: &Device) -> Result<AnyEncoder, ModelError> {
        without_units(&self.config().init(seed, device)?, &self.groups)
    }
}

/// Writes the parameters and running statistics of `encoder` as safetensors.
///
/// # Errors
/// A file that is there already, or cannot be written.
pub fn save_weights(encoder: &AnyEncoder, path: &Path) -> Result<(), ModelError> {
    let mut tensors = safetensors::Tensors::new();
    for tensor in encoder.collect(None, None, false) {
        let values =
            crate::import::values_of(&tensor).map_err(|reason| ModelError::Unwritable {
                path: path.to_owned(),
                reason,
            })?;
        tensors.insert(tensor.name.clone(), (values, tensor.shape.to_vec()));
    }
    safetensors::write(path, &tensors)
}

/// Reads what [`save_weights`] wrote into `encoder`.
///
/// # Errors
/// A file that cannot be read, or that holds other parameters than the encoder has, or values that
/// are not finite.
pub fn load_weights(encoder: &mut AnyEncoder, path: &Path) -> Result<(), ModelError> {
    let wrong = |reason: String| ModelError::Unreadable {
        path: path.to_owned(),
        reason,
    };
    // The store opens the file by its name, whatever it is.
    open_input(path).map_err(|error| wrong(error.to_string()))?;
    let mut store = SafetensorsStore::from_file(path).allow_partial(true);
    let tensors = store
        .get_all_tensors()
        .map_err(|error| wrong(error.to_string()))?;
    crate::import::check_finite(tensors.values(), Some(path))?;
    let applied = encoder
        .load_from(&mut store)
        .map_err(|error| wrong(error.to_string()))?;
    if !applied.unused.is_empty() {
        return Err(wrong(format!(
            "it has values for {}",
            applied.unused.join(", ")
        )));
    }
    crate::import::complete(&applied).map_err(wrong)
}
