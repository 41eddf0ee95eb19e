//! Crop, resize and flip in one pass.

/// A part of an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Number of rows, at least 1.
    pub height: usize,
    /// Number of columns, at least 1.
    pub width: usize,
}

/// Where the points of one output axis lie between two points of the input.
#[derive(Debug, Default)]
pub(super) struct Axis {
    taps: Vec<Tap>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tap {
    low: u32,
    high: u32,
    weight: f32,
}

impl Axis {
    /// Fills the table for scaling `extent` points to `size`, bilinear with aligned borders (not
    /// corners) and no antialiasing; `flipped` runs backwards.
    pub(super) fn fill(&mut self, extent: usize, size: usize, flipped: bool) {
        let scale = extent as f32 / size as f32;
        self.taps.clear();
        self.taps.extend((0..size).map(|at| {
            let at = if flipped { size - 1 - at } else { at };
            let position = ((at as f32 + 0.5) * scale - 0.5).max(0.0);
            let low = (position as usize).min(extent - 1);
            let high = (low + 1).min(extent - 1);
            Tap {
                low: low as u32,
                high: high as u32,
                weight: position - low as f32,
            }
        }));
    }
}

/// Reusable memory of [`resample`].
#[derive(Debug, Default)]
pub(super) struct CropScratch {
    columns: Axis,
    rows: Axis,
    row: Vec<f32>,
    narrow: Vec<f32>,
}

/// Scales the part `rect` of each plane of `pixels` (`[C, full_height, full_width]`, 8-bit) to
/// `[C, height, width]` in `[0, 1]`, flipped as asked.
///
/// Bilinear without antialiasing: a view is seldom smaller than its crop, and then equal to
/// torchvision's with and without antialiasing.
pub(super) fn resample(
    pixels: &[u8],
    full: (usize, usize),
    rect: Rect,
    flips: (bool, bool),
    size: (usize, usize),
    scratch: &mut CropScratch,
    out: &mut [f32],
) {
    let (full_height, full_width) = full;
    let (height, width) = size;
    let CropScratch {
        columns,
        rows,
        row,
        narrow,
    } = scratch;
    columns.fill(rect.width, width, flips.0);
    rows.fill(rect.height, height, flips.1);
    row.resize(rect.width, 0.0);
    narrow.resize(rect.height * width, 0.0);
    let planes = pixels.chunks_exact(full_height * full_width);
    for (plane, out) in planes.zip(out.chunks_exact_mut(height * width)) {
        let sources = plane.chunks_exact(full_width).skip(rect.top);
        for (source, target) in sources.zip(narrow.chunks_exact_mut(width)) {
            for (value, &byte) in row
                .iter_mut()
                .zip(&source[rect.left..rect.left + rect.width])
            {
                *value = f32::from(byte) * (1.0 / 255.0);
            }
            for (value, tap) in target.iter_mut().zip(&columns.taps) {
                let (a, b) = (row[tap.low as usize], row[tap.high as usize]);
                *value = a + (b - a) * tap.weight;
            }
        }
        for (target, tap) in out.chunks_exact_mut(width).zip(&rows.taps) {
            let low = &narrow[tap.low as usize * width..][..width];
            let high = &narrow[tap.high as usize * width..][..width];
            for ((value, &a), &b) in target.iter_mut().zip(low).zip(high) {
                *value = a + (b - a) * tap.weight;
            }
        }
    }
}
