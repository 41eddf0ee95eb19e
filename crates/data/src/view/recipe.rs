//! The operations of a view in full: presets resolved, ranges checked.

use super::config::{Blur, Crop, Jitter, Normalize, Preset, Solarize};

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

    /// The numbers outside their ranges: keys below `views`, each with a sentence.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut ranges = Ranges::default();
        if let Some(size) = self.size {
            ranges.ensure((1..=4096).contains(&size), "size", size, "1 to 4096");
        }
        ranges.probability("horizontal_flip", self.horizontal_flip);
        ranges.probability("vertical_flip", self.vertical_flip);
        ranges.probability("grayscale", self.grayscale);
        ranges.probability("invert", self.invert);
        if let Some(crop) = self.crop {
            ranges.crop(crop);
        }
        if let Some(jitter) = self.jitter {
            ranges.jitter(jitter);
        }
        if let Some(Blur { kernel, sigma, p }) = self.blur {
            let fits = kernel % 2 == 1 && kernel <= 4097;
            ranges.ensure(fits, "blur.kernel", kernel, "1, 3, 5, … 4097");
            ranges.above_zero("blur.sigma", sigma);
            ranges.probability("blur.p", p);
        }
        if let Some(Solarize { threshold, p }) = self.solarize {
            ranges.probability("solarize.threshold", threshold);
            ranges.probability("solarize.p", p);
        }
        ranges.normalize(&self.normalize);
        ranges.0
    }
}

/// The numbers outside their ranges, so far.
#[derive(Default)]
struct Ranges(Vec<(&'static str, String)>);

impl Ranges {
    fn ensure(
        &mut self,
        fits: bool,
        key: &'static str,
        found: impl std::fmt::Display,
        range: &str,
    ) {
        if !fits {
            self.0.push((key, format!("{found} is not in {range}")));
        }
    }

    fn probability(&mut self, key: &'static str, p: f64) {
        self.ensure((0.0..=1.0).contains(&p), key, p, "[0, 1]");
    }

    fn above_zero(&mut self, key: &'static str, [low, high]: [f64; 2]) {
        let fits = 0.0 < low && low <= high && high.is_finite();
        let found = format!("[{low}, {high}]");
        self.ensure(fits, key, found, "(0, ∞), smaller number first");
    }

    fn crop(&mut self, crop: Crop) {
        let [low, high] = crop.scale;
        let fits = 0.0 < low && low <= high && high <= 1.0;
        let found = format!("[{low}, {high}]");
        self.ensure(fits, "crop.scale", found, "(0, 1], smaller number first");
        self.above_zero("crop.ratio", crop.ratio);
        self.probability("crop.p", crop.p);
    }

    fn jitter(&mut self, jitter: Jitter) {
        for (key, strength) in [
            ("jitter.brightness", jitter.brightness),
            ("jitter.contrast", jitter.contrast),
            ("jitter.saturation", jitter.saturation),
        ] {
            let fits = strength >= 0.0 && strength.is_finite();
            self.ensure(fits, key, strength, "[0, ∞)");
        }
        let fits = (0.0..=0.5).contains(&jitter.hue);
        self.ensure(fits, "jitter.hue", jitter.hue, "[0, 0.5]");
        self.probability("jitter.p", jitter.p);
    }

    fn normalize(&mut self, Normalize { mean, std }: &Normalize) {
        let fits = mean.len() == std.len() && matches!(mean.len(), 1 | 3);
        if !fits {
            // Names the key beside it: where that could not be read, this says nothing new.
            let found = format!("`mean = {mean:?}` beside `std = {std:?}`");
            let wanted = "each takes one number, or one a channel";
            self.0
                .push(("normalize.mean", format!("{found}; {wanted}")));
        }
        let fits = mean.iter().all(|m| m.is_finite());
        self.ensure(fits, "normalize.mean", format!("{mean:?}"), "(−∞, ∞)");
        let fits = std.iter().all(|&s| s > 0.0 && s.is_finite());
        self.ensure(fits, "normalize.std", format!("{std:?}"), "(0, ∞)");
    }
}
