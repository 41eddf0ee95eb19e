//! What has to happen to an image in front of the encoder: `preprocessing.json`.

use afterimage_data::ViewConfig;
use serde::{Deserialize, Serialize};

use crate::error::RunError;

/// How the encoder's images are made, and what comes out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Facts {
    /// One a channel, of values from 0 to 1.
    pub(super) mean: Vec<f32>,
    /// One a channel.
    pub(super) std: Vec<f32>,
    /// Height and width in pixels.
    pub(super) size: [usize; 2],
    /// `RGB` or `gray`.
    pub(super) channel_order: &'static str,
    /// The axes of a batch.
    pub(super) layout: &'static str,
    /// What stored values are divided by, in front of mean and deviation.
    pub(super) divide_by: u32,
    /// How images of another size are scaled.
    pub(super) interpolation: &'static str,
    /// What an embedding is.
    pub(super) embedding: &'static str,
    /// Its length.
    pub(super) embedding_length: usize,
    /// The encoder in a few words.
    pub(super) encoder: String,
}

impl Facts {
    pub(super) fn channels(&self) -> usize {
        self.mean.len()
    }
}

/// The part of a probe's settings that images are normalised by.
#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    views: ViewConfig,
}

/// Mean and deviation a channel, as the settings `text` of an encoder say them.
pub(super) fn normalisation(text: &str, channels: usize) -> Result<(Vec<f32>, Vec<f32>), RunError> {
    let wrong = |what: String| RunError::Export { reason: what };
    let settings: Settings = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let normalize = settings.views.recipe()?.normalize;
    let each = |values: Vec<f32>| match values.as_slice() {
        [one] => vec![*one; channels],
        _ => values,
    };
    let (mean, std) = (each(normalize.mean), each(normalize.std));
    if mean.len() != channels || std.len() != channels {
        return Err(wrong(format!(
            "views are normalised by {} numbers, and the encoder takes images of {channels} channels",
            mean.len()
        )));
    }
    Ok((mean, std))
}
