//! Patches of stored images as cells.

use afterimage_hooks::{Fault, SampleId, Samples, Split};

use crate::online::{Moments, Scaling};

/// The patches of the images of a data set, in reading order; patches at the right and lower edge
/// may be smaller.
#[derive(Debug, Clone)]
pub(crate) struct Patches {
    side: usize,
    colour: bool,
    /// Rows and columns of patches.
    grid: [usize; 2],
    scaling: Scaling,
}

impl Patches {
    /// Patches of `side` pixels, scaled by mean and deviation over all training images: a pure
    /// function of the data, so that no checkpoint keeps it.
    pub fn new(side: usize, colour: bool, samples: &dyn Samples) -> Result<Self, Fault> {
        let grid = grid(side, samples)?;
        let mut patches = Self {
            side,
            colour,
            grid,
            scaling: Moments::new(0).scaling(),
        };
        let numbers = grid[0] * grid[1] * patches.numbers();
        let mut moments = Moments::new(numbers);
        for id in 0..samples.len(Split::Train) as u32 {
            moments.add(&patches.raw(samples, SampleId(id))?);
        }
        patches.scaling = moments.scaling();
        Ok(patches)
    }

    /// Numbers of a patch.
    pub fn numbers(&self) -> usize {
        if self.colour { 3 } else { 1 }
    }

    /// Number of patches.
    pub fn count(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// Scaled patches of the training images `ids`, `[ids, patches · numbers]`.
    pub fn of(&self, samples: &dyn Samples, ids: &[SampleId]) -> Result<Vec<f32>, Fault> {
        let mut all = Vec::with_capacity(ids.len() * self.count() * self.numbers());
        for &id in ids {
            let mut row = self.raw(samples, id)?;
            self.scaling.apply(&mut row);
            all.extend_from_slice(&row);
        }
        Ok(all)
    }

    fn raw(&self, samples: &dyn Samples, id: SampleId) -> Result<Vec<f32>, Fault> {
        let (width, height, rgb) = samples.picture(Split::Train, id)?;
        let (width, height) = (width as usize, height as usize);
        if [height, width].map(|pixels| pixels.div_ceil(self.side)) != self.grid {
            return Err(Fault::new(format!(
                "image {} has {width} × {height} pixels, the first has others; patches need images \
                 of one size",
                id.0
            )));
        }
        if rgb.len() != 3 * width * height {
            return Err(Fault::new(format!(
                "image {} has {} bytes in place of 3 · {width} · {height}",
                id.0,
                rgb.len()
            )));
        }
        Ok(means(&rgb, [height, width], self.side, self.colour))
    }
}

/// Rows and columns of patches of `side` pixels in each training image.
pub(crate) fn grid(side: usize, samples: &dyn Samples) -> Result<[usize; 2], Fault> {
    let (width, height, _) = samples.picture(Split::Train, SampleId(0))?;
    Ok([height, width].map(|pixels| (pixels as usize).div_ceil(side)))
}

/// Means of the patches of an image (8-bit RGB, row-major), in [0, 255]; of each channel, or of all.
fn means(rgb: &[u8], [height, width]: [usize; 2], side: usize, colour: bool) -> Vec<f32> {
    let [rows, columns] = [height, width].map(|pixels| pixels.div_ceil(side));
    let mut sums = vec![[0u32; 3]; rows * columns];
    for (y, line) in rgb.chunks_exact(3 * width).enumerate() {
        let patches = &mut sums[y / side * columns..][..columns];
        for (sum, pixels) in patches.iter_mut().zip(line.chunks(3 * side)) {
            for pixel in pixels.chunks_exact(3) {
                let channels = sum.iter_mut().zip(pixel);
                channels.for_each(|(sum, &value)| *sum += u32::from(value));
            }
        }
    }
    let area = |patch: usize| {
        let tall = side.min(height - patch / columns * side);
        let wide = side.min(width - patch % columns * side);
        (tall * wide) as f32
    };
    let sums = sums.iter().enumerate();
    if colour {
        sums.flat_map(|(at, sum)| sum.map(|value| value as f32 / area(at)))
            .collect()
    } else {
        sums.map(|(at, sum)| sum.iter().sum::<u32>() as f32 / (3.0 * area(at)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_means_of_their_pixels_at_the_edges_too() {
        // 3 × 5 pixels, red = 10·y + x, green 30, blue 0.
        let rgb: Vec<u8> = (0..3u8)
            .flat_map(|y| (0..5u8).flat_map(move |x| [10 * y + x, 30, 0]))
            .collect();
        let colours = means(&rgb, [3, 5], 2, true);
        let red: Vec<f32> = colours.chunks_exact(3).map(|c| c[0]).collect();
        assert_eq!(red, [5.5, 7.5, 9.0, 20.5, 22.5, 24.0]);
        assert!(colours.chunks_exact(3).all(|c| c[1..] == [30.0, 0.0]));
        let grey = means(&rgb, [3, 5], 2, false);
        assert_eq!(
            grey,
            red.iter().map(|r| (r + 30.0) / 3.0).collect::<Vec<_>>()
        );
    }
}
