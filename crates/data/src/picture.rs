//! One image and its shape.

use std::borrow::Cow;

use afterimage_hooks::SampleId;

use crate::error::DataError;
use crate::image_set::ImageSet;

/// Channels, height and width of every image of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// 1 (gray) or 3 (red, green, blue).
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

impl Shape {
    /// Bytes of one image.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether an image has no pixels.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One stored image: 8-bit planes, `[C, H, W]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageRef<'a> {
    /// `C · H · W` bytes, channel planes one after the other.
    pub pixels: &'a [u8],
    /// What the bytes are.
    pub shape: Shape,
}

/// The image of a sample: borrowed where the set is in memory, decoded for the caller where not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image<'a> {
    /// `C · H · W` bytes, channel planes one after the other.
    pub pixels: Cow<'a, [u8]>,
    /// What the bytes are.
    pub shape: Shape,
}

impl Image<'_> {
    /// The image for [`Views`](crate::Views).
    pub fn view(&self) -> ImageRef<'_> {
        ImageRef {
            pixels: &self.pixels,
            shape: self.shape,
        }
    }
}

impl ImageSet {
    /// The image of sample `id` as 8-bit RGB in row-major order, `H · W · 3` bytes.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn picture(&self, id: SampleId) -> Result<Vec<u8>, DataError> {
        let shape = self.shape();
        let image = self.image(id)?;
        let plane = shape.height * shape.width;
        let step = if shape.channels == 3 { plane } else { 0 };
        let rgb = |at: usize| [0, step, 2 * step].map(|offset| image.pixels[offset + at]);
        Ok((0..plane).flat_map(rgb).collect())
    }
}
