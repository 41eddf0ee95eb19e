//! What may happen to a view, as the experiment's config says it.

use serde::{Deserialize, Serialize};

use super::recipe::ViewRecipe;
use crate::error::DataError;

/// A named list of augmentations.
///
/// `Weak`, `Normal`, `Strong` and `Independent` are the sets of "Localizing Memorization in SSL
/// Vision Encoders" (arXiv 2409.19069), appendix B, with torchvision's default crop (scale 0.08 to
/// 1, ratio 3/4 to 4/3). Every set normalises with mean 0.5 and standard deviation 0.5.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Nothing but resizing and normalising.
    None,
    /// Crop, horizontal flip (p 0.5), jitter 0.9/0.9/0.9/0.5 (p 0.4), grayscale (p 0.1).
    Weak,
    /// Crop, horizontal flip (always), jitter 0.8/0.8/0.8/0.2 (p 0.8), grayscale (p 0.2).
    #[default]
    Normal,
    /// Crop, both flips (always), jitter 0.8/0.8/0.8/0.2 (p 0.9), grayscale (p 0.5).
    Strong,
    /// For probes whose augmentations training did not use: crop, vertical flip (always), Gaussian
    /// blur with σ 0.1 to 5 (p 0.8), inversion (p 0.2). The paper's kernel of 4 pixels has no
    /// middle; 5 is taken.
    Independent,
    /// SimCLR's set for 32×32 images (arXiv 2002.05709, appendix B.9): crop, horizontal flip
    /// (p 0.5), jitter 0.4/0.4/0.4/0.1 (p 0.8), grayscale (p 0.2).
    Simclr,
}

/// Random resized crop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// Share of the image's area, uniform between both; in (0, 1].
    pub scale: [f64; 2],
    /// Width over height, log-uniform between both; above 0.
    pub ratio: [f64; 2],
    /// Probability; otherwise the whole image is taken. 1 unless told.
    #[serde(default = "always")]
    #[schemars(range(min = 0, max = 1))]
    pub p: f64,
}

fn always() -> f64 {
    1.0
}

/// Colour jitter: four operations in random order.
///
/// The factors of the first three are uniform in `[max(0, 1 − x), 1 + x]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// Strength of brightness, at least 0.
    #[schemars(range(min = 0))]
    pub brightness: f64,
    /// Strength of contrast, at least 0.
    #[schemars(range(min = 0))]
    pub contrast: f64,
    /// Strength of saturation, at least 0; no effect on gray images.
    #[schemars(range(min = 0))]
    pub saturation: f64,
    /// Largest turn of the hue in either direction, 0 to 0.5 of the circle; no effect on gray
    /// images.
    #[schemars(range(min = 0, max = 0.5))]
    pub hue: f64,
    /// Probability that the image is jittered at all.
    #[schemars(range(min = 0, max = 1))]
    pub p: f64,
}

/// Gaussian blur.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blur {
    /// Side of the kernel in pixels, odd.
    #[schemars(range(min = 1, max = 4097))]
    pub kernel: usize,
    /// Standard deviation in pixels, uniform between both; above 0.
    pub sigma: [f64; 2],
    /// Probability.
    #[schemars(range(min = 0, max = 1))]
    pub p: f64,
}

/// Solarization: inverts all values at or above a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Solarize {
    /// Threshold in `[0, 1]`.
    #[schemars(range(min = 0, max = 1))]
    pub threshold: f64,
    /// Probability.
    #[schemars(range(min = 0, max = 1))]
    pub p: f64,
}

/// Normalisation: `(value − mean) / std`, values in `[0, 1]` before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    /// One number for all channels, or one a channel.
    pub mean: Vec<f32>,
    /// One number for all channels, or one a channel; above 0.
    pub std: Vec<f32>,
}

/// Augmentations of a view: a preset, and operations that replace the preset's.
///
/// An operation that is given replaces the preset's as a whole; `p = 0` switches it off. Whatever
/// the order in the file, operations happen in this order: crop, flips, jitter, grayscale, blur,
/// solarize, invert, normalise.
///
/// # Examples
/// ```
/// let config: afterimage_data::ViewConfig = toml::from_str(
///     "preset = 'normal'\nhorizontal_flip = 0.5\nblur = { kernel = 3, sigma = [0.1, 2.0], p = 0.5 }",
/// )?;
/// assert_eq!(config.recipe()?.horizontal_flip, 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ViewConfig {
    /// The list to start from.
    pub preset: Preset,
    /// Side of the square view in pixels; the stored image's size unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub size: Option<usize>,
    /// Random resized crop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<Crop>,
    /// Probability of a left-right flip.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub horizontal_flip: Option<f64>,
    /// Probability of an up-down flip.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub vertical_flip: Option<f64>,
    /// Colour jitter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// Probability of taking the colours away; no effect on gray images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub grayscale: Option<f64>,
    /// Gaussian blur.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blur: Option<Blur>,
    /// Solarization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solarize: Option<Solarize>,
    /// Probability of inverting all values.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub invert: Option<f64>,
    /// Normalisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalize: Option<Normalize>,
}

impl ViewConfig {
    /// A preset as it is.
    pub fn preset(preset: Preset) -> Self {
        Self {
            preset,
            ..Self::default()
        }
    }

    /// The numbers outside their ranges: keys below `views`, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        self.replaced().problems()
    }

    /// The preset with its replacements, checked.
    ///
    /// # Errors
    /// The first number outside its range; the error names the key.
    pub fn recipe(&self) -> Result<ViewRecipe, DataError> {
        let recipe = self.replaced();
        match recipe.problems().into_iter().next() {
            Some((key, reason)) => Err(DataError::config(format!("views.{key}"), reason)),
            None => Ok(recipe),
        }
    }

    fn replaced(&self) -> ViewRecipe {
        let base = ViewRecipe::preset(self.preset);
        ViewRecipe {
            size: self.size,
            crop: self.crop.or(base.crop),
            horizontal_flip: self.horizontal_flip.unwrap_or(base.horizontal_flip),
            vertical_flip: self.vertical_flip.unwrap_or(base.vertical_flip),
            jitter: self.jitter.or(base.jitter),
            grayscale: self.grayscale.unwrap_or(base.grayscale),
            blur: self.blur.or(base.blur),
            solarize: self.solarize.or(base.solarize),
            invert: self.invert.unwrap_or(base.invert),
            normalize: self.normalize.clone().unwrap_or(base.normalize),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn fault(text: &str) -> String {
        toml::from_str::<ViewConfig>(text)
            .unwrap()
            .recipe()
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn every_number_has_a_range_and_the_error_names_its_key() {
        for (text, key) in [
            ("size = 0", "views.size"),
            (
                "crop = { scale = [0.0, 1.0], ratio = [1.0, 1.0] }",
                "views.crop.scale",
            ),
            (
                "crop = { scale = [0.5, 0.2], ratio = [1.0, 1.0] }",
                "views.crop.scale",
            ),
            (
                "crop = { scale = [0.5, 1.0], ratio = [-1.0, 1.0] }",
                "views.crop.ratio",
            ),
            (
                "crop = { scale = [0.5, 1.0], ratio = [1.0, 1.0], p = 2.0 }",
                "views.crop.p",
            ),
            ("horizontal_flip = 1.5", "views.horizontal_flip"),
            ("vertical_flip = nan", "views.vertical_flip"),
            ("grayscale = -0.1", "views.grayscale"),
            ("invert = 7.0", "views.invert"),
            (
                "jitter = { brightness = -1.0, contrast = 0.0, saturation = 0.0, hue = 0.0, p = 1.0 }",
                "views.jitter.brightness",
            ),
            (
                "jitter = { brightness = 0.0, contrast = 0.0, saturation = 0.0, hue = 0.6, p = 1.0 }",
                "views.jitter.hue",
            ),
            (
                "blur = { kernel = 4, sigma = [0.1, 5.0], p = 0.8 }",
                "views.blur.kernel",
            ),
            (
                "blur = { kernel = 3, sigma = [0.0, 5.0], p = 0.8 }",
                "views.blur.sigma",
            ),
            (
                "solarize = { threshold = 1.5, p = 0.5 }",
                "views.solarize.threshold",
            ),
            (
                "normalize = { mean = [0.5], std = [0.0] }",
                "views.normalize.std",
            ),
            (
                "normalize = { mean = [0.5, 0.5], std = [1.0] }",
                "views.normalize.mean",
            ),
        ] {
            let message = fault(text);
            assert!(message.starts_with(key), "{text}: {message}");
        }
    }

    #[test]
    fn unknown_keys_are_refused_at_every_level() {
        for text in [
            "flip = 0.5",
            "preset = 'stronk'",
            "jitter = { brightness = 0.4 }",
            "solarize = { threshold = 0.5, p = 0.5, q = 1.0 }",
        ] {
            assert!(toml::from_str::<ViewConfig>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_config_goes_round_through_toml() {
        let mut config = ViewConfig::preset(Preset::Strong);
        config.crop = Some(Crop {
            scale: [0.2, 1.0],
            ratio: [0.75, 1.25],
            p: 1.0,
        });
        config.normalize = Some(Normalize {
            mean: vec![0.25],
            std: vec![0.5],
        });
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<ViewConfig>(&text).unwrap(), config);
        assert_eq!(
            toml::from_str::<ViewConfig>("").unwrap(),
            ViewConfig::default()
        );
    }
}
