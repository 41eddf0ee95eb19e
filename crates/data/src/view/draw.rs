//! What happens to one view, drawn from its random key.

use afterimage_hooks::random::{Generator, RandomKey};

use super::config::Crop;
use super::crop::Rect;
use super::recipe::ViewRecipe;
use crate::picture::Shape;

/// Every choice of one view, drawn; see [`ViewConfig`](super::ViewConfig) for the operations.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnView {
    /// The part of the image that is scaled to the view.
    pub crop: Rect,
    /// Flipped left-right.
    pub horizontal_flip: bool,
    /// Flipped up-down.
    pub vertical_flip: bool,
    /// Colour changes in the order in which they happen; empty without jitter.
    pub jitter: Vec<ColourChange>,
    /// Colours taken away.
    pub grayscale: bool,
    /// Standard deviation of the blur in pixels.
    pub blur: Option<f64>,
    /// Values at or above this are inverted.
    pub solarize: Option<f32>,
    /// All values inverted.
    pub invert: bool,
}

/// One colour change with its factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ColourChange {
    /// Values are multiplied by the factor.
    Brightness(f32),
    /// Values are blended with the mean gray of the picture: 0 is all gray, 1 changes nothing.
    Contrast(f32),
    /// Values are blended with their gray: 0 is all gray, 1 changes nothing.
    Saturation(f32),
    /// The hue is turned by this part of the circle, −0.5 to 0.5.
    Hue(f32),
}

impl DrawnView {
    /// Nothing happens: the whole image, scaled to the view.
    pub(super) fn plain(shape: Shape) -> Self {
        Self {
            crop: Rect {
                top: 0,
                left: 0,
                height: shape.height,
                width: shape.width,
            },
            horizontal_flip: false,
            vertical_flip: false,
            jitter: Vec::new(),
            grayscale: false,
            blur: None,
            solarize: None,
            invert: false,
        }
    }

    /// Draws a view of an image of `shape`.
    ///
    /// Every operation draws its numbers whether it happens or not, and the crop, which may draw
    /// again, draws last: so switching one operation off leaves all others as they were.
    pub(super) fn draw(recipe: &ViewRecipe, shape: Shape, key: RandomKey) -> Self {
        let generator = &mut key.generator();
        let mut drawn = Self::plain(shape);
        drawn.horizontal_flip = generator.chance(recipe.horizontal_flip);
        drawn.vertical_flip = generator.chance(recipe.vertical_flip);
        drawn.jitter = draw_jitter(recipe, generator);
        drawn.grayscale = generator.chance(recipe.grayscale);
        let (chance, share) = (generator.uniform(), generator.uniform());
        drawn.blur = recipe
            .blur
            .filter(|blur| chance < blur.p)
            .map(|blur| blur.sigma[0] + (blur.sigma[1] - blur.sigma[0]) * share);
        let chance = generator.uniform();
        drawn.solarize = recipe
            .solarize
            .filter(|s| chance < s.p)
            .map(|solarize| solarize.threshold as f32);
        drawn.invert = generator.chance(recipe.invert);
        let chance = generator.uniform();
        if let Some(crop) = recipe.crop.filter(|crop| chance < crop.p) {
            drawn.crop = draw_crop(crop, shape, generator);
        }
        drawn
    }
}

fn draw_jitter(recipe: &ViewRecipe, generator: &mut Generator) -> Vec<ColourChange> {
    let chance = generator.uniform();
    let shares = [(); 4].map(|()| generator.uniform());
    let mut order = [0usize, 1, 2, 3];
    generator.shuffle(&mut order);
    let Some(jitter) = recipe.jitter.filter(|jitter| chance < jitter.p) else {
        return Vec::new();
    };
    let factor = |strength: f64, share: f64| {
        let low = (1.0 - strength).max(0.0);
        (low + (1.0 + strength - low) * share) as f32
    };
    let changes = [
        ColourChange::Brightness(factor(jitter.brightness, shares[0])),
        ColourChange::Contrast(factor(jitter.contrast, shares[1])),
        ColourChange::Saturation(factor(jitter.saturation, shares[2])),
        ColourChange::Hue((jitter.hue * (2.0 * shares[3] - 1.0)) as f32),
    ];
    let strengths = [
        jitter.brightness,
        jitter.contrast,
        jitter.saturation,
        jitter.hue,
    ];
    order
        .iter()
        .filter(|&&at| strengths[at] > 0.0)
        .map(|&at| changes[at])
        .collect()
}

/// Draws a crop of random area and ratio; after ten that do not fit into the image, the largest
/// middle part of an allowed ratio is taken (as torchvision does).
fn draw_crop(crop: Crop, shape: Shape, generator: &mut Generator) -> Rect {
    let (full_height, full_width) = (shape.height as f64, shape.width as f64);
    let [narrow, wide] = crop.ratio;
    for _ in 0..10 {
        let area = full_height * full_width * generator.between(crop.scale[0], crop.scale[1]);
        let ratio = generator.between(narrow.ln(), wide.ln()).exp();
        let width = (area * ratio).sqrt().round_ties_even() as usize;
        let height = (area / ratio).sqrt().round_ties_even() as usize;
        if (1..=shape.width).contains(&width) && (1..=shape.height).contains(&height) {
            let top = generator.below((shape.height - height + 1) as u32) as usize;
            let left = generator.below((shape.width - width + 1) as u32) as usize;
            return Rect {
                top,
                left,
                height,
                width,
            };
        }
    }
    let ratio = full_width / full_height;
    let (height, width) = if ratio < narrow {
        (
            (full_width / narrow).round_ties_even() as usize,
            shape.width,
        )
    } else if ratio > wide {
        (
            shape.height,
            (full_height * wide).round_ties_even() as usize,
        )
    } else {
        (shape.height, shape.width)
    };
    let (height, width) = (height.clamp(1, shape.height), width.clamp(1, shape.width));
    Rect {
        top: (shape.height - height) / 2,
        left: (shape.width - width) / 2,
        height,
        width,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use afterimage_hooks::random::Stream;
    use proptest::prelude::*;

    use super::*;
    use crate::view::{Blur, Preset, Solarize};

    fn key(sample: u32) -> RandomKey {
        RandomKey::new(1, Stream::View).sample(sample)
    }

    fn recipe() -> ViewRecipe {
        let mut recipe = ViewRecipe::preset(Preset::Weak);
        recipe.blur = Some(Blur {
            kernel: 5,
            sigma: [0.1, 2.0],
            p: 0.5,
        });
        recipe.solarize = Some(Solarize {
            threshold: 0.5,
            p: 0.3,
        });
        recipe
    }

    proptest! {
        #[test]
        fn crops_lie_inside(height in 1usize..40, width in 1usize..40, sample: u32) {
            let shape = Shape { channels: 3, height, width };
            let Rect { top, left, height: h, width: w } = DrawnView::draw(&recipe(), shape, key(sample)).crop;
            prop_assert!(h >= 1 && w >= 1 && top + h <= height && left + w <= width);
        }

        #[test]
        fn switching_an_operation_off_leaves_the_others_alone(sample: u32) {
            let shape = Shape { channels: 3, height: 32, width: 32 };
            let full = DrawnView::draw(&recipe(), shape, key(sample));
            let mut less = recipe();
            less.jitter = None;
            less.blur = None;
            let drawn = DrawnView::draw(&less, shape, key(sample));
            let expected = DrawnView { jitter: Vec::new(), blur: None, ..full };
            prop_assert_eq!(drawn, expected);
        }
    }

    /// Shares over 4,000 views lie within four standard deviations of the probabilities, and
    /// factors fill their ranges and no more.
    #[test]
    fn draws_have_the_stated_distributions() {
        let shape = Shape {
            channels: 3,
            height: 32,
            width: 32,
        };
        let n = 4000;
        let views: Vec<_> = (0..n)
            .map(|s| DrawnView::draw(&recipe(), shape, key(s)))
            .collect();
        let share = |is: &dyn Fn(&DrawnView) -> bool| {
            views.iter().filter(|v| is(v)).count() as f64 / f64::from(n)
        };
        for (found, p) in [
            (share(&|v| v.horizontal_flip), 0.5),
            (share(&|v| !v.jitter.is_empty()), 0.4),
            (share(&|v| v.grayscale), 0.1),
            (share(&|v| v.blur.is_some()), 0.5),
            (share(&|v| v.solarize.is_some()), 0.3),
            (
                share(&|v| matches!(v.jitter.first(), Some(ColourChange::Hue(_)))),
                0.1,
            ),
        ] {
            let tolerance = 4.0 * (p * (1.0 - p) / f64::from(n)).sqrt();
            assert!((found - p).abs() < tolerance, "{found} {p}");
        }
        let hues: Vec<f32> = views
            .iter()
            .flat_map(|v| &v.jitter)
            .filter_map(|c| match c {
                ColourChange::Hue(turn) => Some(*turn),
                _ => None,
            })
            .collect();
        let extreme = hues
            .iter()
            .copied()
            .fold((f32::MAX, f32::MIN), |(a, b), h| (a.min(h), b.max(h)));
        assert!(extreme.0 >= -0.5 && extreme.0 < -0.49 && extreme.1 <= 0.5 && extreme.1 > 0.49);
        let bright: Vec<f32> = views
            .iter()
            .flat_map(|v| &v.jitter)
            .filter_map(|c| match c {
                ColourChange::Brightness(factor) => Some(*factor),
                _ => None,
            })
            .collect();
        assert!(bright.iter().all(|f| (0.1 - 1e-6..=1.9).contains(f)));
        let mean = bright.iter().sum::<f32>() / bright.len() as f32;
        assert!(
            (mean - 1.0).abs() < 4.0 * 0.52 / (bright.len() as f32).sqrt(),
            "{mean}"
        );
        let area = views
            .iter()
            .map(|v| (v.crop.height * v.crop.width) as f64 / 1024.0)
            .sum::<f64>()
            / f64::from(n);
        assert!((0.46..0.56).contains(&area), "{area}");
    }
}
