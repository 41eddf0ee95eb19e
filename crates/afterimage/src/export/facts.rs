//! What has to happen to an image in front of the encoder: `preprocessing.json`.

use afterimage_data::ViewConfig;
use serde::Serialize;

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

/// Mean and deviation a channel, as `views` say them.
pub(super) fn normalisation(
    views: &ViewConfig,
    channels: usize,
) -> Result<(Vec<f32>, Vec<f32>), RunError> {
    let wrong = |what: String| RunError::Export { reason: what };
    let normalize = views.recipe()?.normalize;
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

/// The settings `defaults` of an encoder with the views that its images are made by; to the letter where
/// these are its own.
pub(super) fn settings(defaults: &str, views: &ViewConfig) -> Result<String, RunError> {
    let wrong = |what: String| RunError::Export { reason: what };
    let mut table: toml::Table =
        toml::from_str(defaults).map_err(|error| wrong(error.to_string()))?;
    let own = match table.get("views") {
        Some(own) => own
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| wrong(error.to_string()))?,
        None => ViewConfig::default(),
    };
    if own == *views {
        return Ok(defaults.to_owned());
    }
    let views = toml::Value::try_from(views).map_err(|error| wrong(error.to_string()))?;
    table.insert("views".to_owned(), views);
    toml::to_string(&table).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn settings_say_the_views_that_images_are_made_by() {
        let defaults = "seed = 3\n[views]\nsize = 32\n# a word\n";
        let own: ViewConfig = toml::from_str("size = 32").unwrap();
        assert_eq!(settings(defaults, &own).unwrap(), defaults);
        let other: ViewConfig = toml::from_str("size = 16").unwrap();
        let text = settings(defaults, &other).unwrap();
        assert!(
            text.contains("seed = 3") && text.contains("size = 16"),
            "{text}"
        );
    }
}
