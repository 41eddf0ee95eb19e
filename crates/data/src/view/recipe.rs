//! The operations of a view in full: presets resolved, ranges checked.

use super::config::{Blur, Crop, Jitter, Normalize, Preset, Solarize};
use crate::error::DataError;

/// Every operation that a view may go through; see [`ViewConfig`](super::ViewConfig) for each.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewRecipe {
    /// Side of the square view; `None` keeps the stored image's size.
    pub size: Option<usize>,
    /// Random resized crop; `None` takes the whole image.
    pub crop: Option<Crop>,
    /// Probability of a left-right flip.
    pub horizontal_flip: f64,
    /// Probability of an up-down flip.
    pub vertical_flip: f64,
    /// Colour jitter.
    pub jitter: Option<Jitter>,
    /// Probability of taking the colours away.
    pub grayscale: f64,
    /// Gaussian blur.
    pub blur: Option<Blur>,
    /// Solarization.
    pub solarize: Option<Solarize>,
    /// Probability of inverting all values.
    pub invert: f64,
    /// Normalisation, the last operation.
    pub normalize: Normalize,
}

const CROP: Crop = Crop {
    scale: [0.08, 1.0],
    ratio: [3.0 / 4.0, 4.0 / 3.0],
    p: 1.0,
};

fn jitter(strength: f64, hue: f64, p: f64) -> Option<Jitter> {
    Some(Jitter {
        brightness: strength,
        contrast: strength,
        saturation: strength,
        hue,
        p,
    })
}

impl ViewRecipe {
    /// The operations of a preset.
    pub fn preset(preset: Preset) -> Self {
        let none = Self {
            size: None,
            crop: None,
            horizontal_flip: 0.0,
            vertical_flip: 0.0,
            jitter: None,
            grayscale: 0.0,
            blur: None,
            solarize: None,
            invert: 0.0,
            normalize: Normalize {
                mean: vec![0.5],
                std: vec![0.5],
            },
        };
        let crop = Some(CROP);
        match preset {
            Preset::None => none,
            Preset::Weak => Self {
                crop,
                horizontal_flip: 0.5,
                jitter: jitter(0.9, 0.5, 0.4),
                grayscale: 0.1,
                ..none
            },
            Preset::Normal => Self {
                crop,
                horizontal_flip: 1.0,
                jitter: jitter(0.8, 0.2, 0.8),
                grayscale: 0.2,
                ..none
            },
            Preset::Strong => Self {
                crop,
                horizontal_flip: 1.0,
                vertical_flip: 1.0,
                jitter: jitter(0.8, 0.2, 0.9),
                grayscale: 0.5,
                ..none
            },
            Preset::Independent => Self {
                crop,
                vertical_flip: 1.0,
                blur: Some(Blur {
                    kernel: 5,
                    sigma: [0.1, 5.0],
                    p: 0.8,
                }),
                invert: 0.2,
                ..none
            },
            Preset::Simclr => Self {
                crop,
                horizontal_flip: 0.5,
                jitter: jitter(0.4, 0.1, 0.8),
                grayscale: 0.2,
                ..none
            },
        }
    }

    pub(super) fn check(&self) -> Result<(), DataError> {
        if let Some(size) = self.size {
            ensure((1..=4096).contains(&size), "size", size, "1 to 4096")?;
        }
        probability("horizontal_flip", self.horizontal_flip)?;
        probability("vertical_flip", self.vertical_flip)?;
        probability("grayscale", self.grayscale)?;
        probability("invert", self.invert)?;
        if let Some(Crop {
            scale: [low, high],
            ratio: [narrow, wide],
            p,
        }) = self.crop
        {
            let scale_fits = 0.0 < low && low <= high && high <= 1.0;
            ensure(
                scale_fits,
                "crop.scale",
                format!("[{low}, {high}]"),
                "(0, 1], smaller number first",
            )?;
            let ratio_fits = 0.0 < narrow && narrow <= wide && wide.is_finite();
            ensure(
                ratio_fits,
                "crop.ratio",
                format!("[{narrow}, {wide}]"),
                "(0, ∞), smaller number first",
            )?;
            probability("crop.p", p)?;
        }
        if let Some(jitter) = self.jitter {
            for (key, strength) in [
                ("jitter.brightness", jitter.brightness),
                ("jitter.contrast", jitter.contrast),
                ("jitter.saturation", jitter.saturation),
            ] {
                ensure(
                    strength >= 0.0 && strength.is_finite(),
                    key,
                    strength,
                    "[0, ∞)",
                )?;
            }
            ensure(
                (0.0..=0.5).contains(&jitter.hue),
                "jitter.hue",
                jitter.hue,
                "[0, 0.5]",
            )?;
            probability("jitter.p", jitter.p)?;
        }
        if let Some(Blur {
            kernel,
            sigma: [low, high],
            p,
        }) = self.blur
        {
            let fits = kernel % 2 == 1 && kernel <= 4097;
            ensure(fits, "blur.kernel", kernel, "1, 3, 5, … 4097")?;
            let sigma_fits = 0.0 < low && low <= high && high.is_finite();
            ensure(
                sigma_fits,
                "blur.sigma",
                format!("[{low}, {high}]"),
                "(0, ∞), smaller number first",
            )?;
            probability("blur.p", p)?;
        }
        if let Some(Solarize { threshold, p }) = self.solarize {
            ensure(
                (0.0..=1.0).contains(&threshold),
                "solarize.threshold",
                threshold,
                "[0, 1]",
            )?;
            probability("solarize.p", p)?;
        }
        let Normalize { mean, std } = &self.normalize;
        let lengths = mean.len() == std.len() && matches!(mean.len(), 1 | 3);
        ensure(
            lengths,
            "normalize.mean",
            format!("{mean:?} beside {std:?}"),
            "one number each, or one a channel",
        )?;
        let mean_fits = mean.iter().all(|m| m.is_finite());
        ensure(mean_fits, "normalize.mean", format!("{mean:?}"), "(−∞, ∞)")?;
        let std_fits = std.iter().all(|&s| s > 0.0 && s.is_finite());
        ensure(std_fits, "normalize.std", format!("{std:?}"), "(0, ∞)")
    }
}

fn probability(key: &str, p: f64) -> Result<(), DataError> {
    ensure((0.0..=1.0).contains(&p), key, p, "[0, 1]")
}

fn ensure(
    fits: bool,
    key: &str,
    found: impl std::fmt::Display,
    range: &str,
) -> Result<(), DataError> {
    if fits {
        return Ok(());
    }
    Err(DataError::config(
        format!("views.{key}"),
        format!("{found} is not in {range}"),
    ))
}
