//! Pictures with the values of their patches laid over.

use afterimage_hooks::Measurement;
use afterimage_numeric::mean;

/// A picture: width, height, 8-bit RGB.
pub(crate) type Picture = (u32, u32, Vec<u8>);

/// Pixels that a pixel becomes in each direction.
const SCALE: usize = 4;
/// How much of the picture is left under the strongest colour.
const SEEN: f64 = 0.35;

/// Pictures in a row above the same with their cells coloured: red where a cell speaks against the
/// label, blue where it speaks for it, compared with the other cells of the picture; as it is where a
/// cell has no value. Without `grid` (rows and columns of cells) only the pictures are shown.
pub(crate) fn strip(
    pictures: &[(Picture, Vec<f64>)],
    side: usize,
    grid: Option<[usize; 2]>,
) -> Option<Measurement> {
    let height = pictures.iter().map(|((_, h, _), _)| *h as usize).max()?;
    let width: usize = pictures.iter().map(|((w, _, _), _)| *w as usize).sum();
    let bands = if grid.is_some() { 2 } else { 1 };
    let (wide, tall) = (width * SCALE, height * SCALE * bands);
    let mut rgb = vec![0u8; wide * tall * 3];
    let mut left = 0;
    for ((w, h, pixels), cells) in pictures {
        let strength = strengths(cells);
        for y in 0..*h as usize {
            for x in 0..*w as usize {
                let at = 3 * (y * *w as usize + x);
                let Some(&[r, g, b]) = pixels.get(at..at + 3) else {
                    continue;
                };
                square(&mut rgb, wide, [left + x, y], [r, g, b]);
                if let Some([_, columns]) = grid {
                    let cell = strength.get(y / side * columns + x / side);
                    let colour = blend([r, g, b], cell.copied().unwrap_or(f64::NAN));
                    square(&mut rgb, wide, [left + x, height + y], colour);
                }
            }
        }
        left += *w as usize;
    }
    Some(Measurement::Image {
        width: wide as u32,
        height: tall as u32,
        rgb,
    })
}

/// From −1 (lowest) to 1 (highest) around the mean.
fn strengths(cells: &[f64]) -> Vec<f64> {
    let there: Vec<f64> = cells.iter().copied().filter(|v| v.is_finite()).collect();
    let mean = mean(&there);
    let largest = there.iter().map(|v| (v - mean).abs()).fold(1e-12, f64::max);
    cells.iter().map(|v| (v - mean) / largest).collect()
}

fn blend(pixel: [u8; 3], strength: f64) -> [u8; 3] {
    if !strength.is_finite() {
        return pixel;
    }
    let share = strength.abs().min(1.0) * (1.0 - SEEN);
    let colour = if strength < 0.0 {
        [220.0, 30.0, 30.0]
    } else {
        [40.0, 90.0, 230.0]
    };
    let mut mixed = [0; 3];
    for ((mixed, pixel), colour) in mixed.iter_mut().zip(pixel).zip(colour) {
        *mixed = (f64::from(pixel) * (1.0 - share) + colour * share).round() as u8;
    }
    mixed
}

fn square(rgb: &mut [u8], wide: usize, [x, y]: [usize; 2], colour: [u8; 3]) {
    for row in y * SCALE..(y + 1) * SCALE {
        for column in x * SCALE..(x + 1) * SCALE {
            let at = 3 * (row * wide + column);
            rgb[at..at + 3].copy_from_slice(&colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_cells_are_red_high_ones_blue_and_missing_ones_as_they_were() {
        let grey = (3, 1, vec![100; 9]);
        let shown = strip(&[(grey, vec![0.1, 0.9, f64::NAN])], 1, Some([1, 3]));
        let Some(Measurement::Image { width, height, rgb }) = shown else {
            unreachable!("a picture makes an image")
        };
        assert_eq!((width, height), (12, 8));
        let pixel = |x: usize, y: usize| &rgb[3 * (y * 12 + x)..][..3];
        assert_eq!(pixel(0, 0), [100; 3]);
        assert!(pixel(0, 4)[0] > 150 && pixel(0, 4)[2] < 100);
        assert!(pixel(5, 7)[2] > 150 && pixel(5, 7)[0] < 100);
        assert_eq!(pixel(9, 5), [100; 3]);
        assert_eq!(strip(&[], 1, Some([1, 3])), None);
    }
}
