//! From a stored image and a random key to one normalised view.

use afterimage_hooks::random::RandomKey;

use super::blur::{BlurScratch, blur};
use super::colour;
use super::config::ViewConfig;
use super::crop::{CropScratch, resample};
use super::draw::DrawnView;
use super::recipe::ViewRecipe;
use crate::error::DataError;
use crate::picture::{ImageRef, Shape};

/// Reusable memory for rendering views; make one a thread.
#[derive(Debug, Default)]
pub struct Scratch {
    crop: CropScratch,
    blur: BlurScratch,
}

/// Renders views of the images of one set.
///
/// The pixels of a view are a pure function of image, recipe and random key; the same bits on every
/// thread and in every order.
#[derive(Debug, Clone, PartialEq)]
pub struct Views {
    recipe: ViewRecipe,
    seed: u64,
    image: Shape,
    out: Shape,
    /// Mean and reciprocal standard deviation of each channel.
    normalize: Vec<(f32, f32)>,
}

impl Views {
    /// Views of images of shape `image` under `config`; `seed` is the run's.
    ///
    /// # Errors
    /// A number outside its range, a blur larger than the view, or a normalisation for another
    /// number of channels; the error names the key.
    pub fn new(config: &ViewConfig, image: Shape, seed: u64) -> Result<Self, DataError> {
        let recipe = config.recipe()?;
        let out = match recipe.size {
            Some(size) => Shape {
                height: size,
                width: size,
                ..image
            },
            None => image,
        };
        if let Some(blur) = recipe.blur
            && blur.kernel / 2 >= out.height.min(out.width)
        {
            return Err(DataError::config(
                "views.blur.kernel",
                format!(
                    "{} pixels are too many for views of {}×{}",
                    blur.kernel, out.height, out.width
                ),
            ));
        }
        let (mean, std) = (&recipe.normalize.mean, &recipe.normalize.std);
        if mean.len() != 1 && mean.len() != image.channels {
            return Err(DataError::config(
                "views.normalize",
                format!(
                    "{} numbers for images of {} channels",
                    mean.len(),
                    image.channels
                ),
            ));
        }
        let last = mean.len() - 1;
        let normalize = (0..image.channels)
            .map(|c| (mean[c.min(last)], 1.0 / std[c.min(last)]))
            .collect();
        Ok(Self {
            recipe,
            seed,
            image,
            out,
            normalize,
        })
    }

    /// The same views under another seed.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The operations.
    pub fn recipe(&self) -> &ViewRecipe {
        &self.recipe
    }

    /// The run's seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Shape of a view.
    pub fn shape(&self) -> Shape {
        self.out
    }

    /// What happens to the view of `key`.
    pub fn draw(&self, key: RandomKey) -> DrawnView {
        DrawnView::draw(&self.recipe, self.image, key)
    }

    /// Renders the view of `key`: writes `out` `[C, H, W]`, normalised.
    ///
    /// # Panics
    /// If `image` or `out` has another shape than this set's.
    pub fn render(
        &self,
        image: ImageRef<'_>,
        key: RandomKey,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        self.render_drawn(image, &self.draw(key), scratch, out);
    }

    /// Renders the image as evaluation sees it: resized and normalised, nothing else.
    ///
    /// # Panics
    /// As for [`render`](Self::render).
    pub fn plain(&self, image: ImageRef<'_>, scratch: &mut Scratch, out: &mut [f32]) {
        self.render_drawn(image, &DrawnView::plain(self.image), scratch, out);
    }

    /// Renders a view that is already drawn.
    ///
    /// # Panics
    /// As for [`render`](Self::render).
    pub fn render_drawn(
        &self,
        image: ImageRef<'_>,
        drawn: &DrawnView,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        assert_eq!(
            image.shape, self.image,
            "the image is not of the set that these views are for"
        );
        assert_eq!(out.len(), self.out.len(), "a view has {:?}", self.out);
        let Shape {
            channels,
            height,
            width,
        } = self.out;
        resample(
            image.pixels,
            (image.shape.height, image.shape.width),
            drawn.crop,
            (drawn.horizontal_flip, drawn.vertical_flip),
            (height, width),
            &mut scratch.crop,
            out,
        );
        for &change in &drawn.jitter {
            colour::change(out, channels, change);
        }
        if drawn.grayscale && channels == 3 {
            colour::grayscale(out);
        }
        if let (Some(sigma), Some(config)) = (drawn.blur, self.recipe.blur) {
            blur(
                out,
                (height, width),
                config.kernel,
                sigma,
                &mut scratch.blur,
            );
        }
        if let Some(threshold) = drawn.solarize {
            colour::solarize(out, threshold);
        }
        if drawn.invert {
            colour::invert(out);
        }
        for (plane, &(mean, scale)) in out.chunks_exact_mut(height * width).zip(&self.normalize) {
            plane.iter_mut().for_each(|v| *v = (*v - mean) * scale);
        }
    }
}
