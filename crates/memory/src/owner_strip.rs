//! The pictures that units answer to, side by side.

use afterimage_hooks::{Fault, Measurement, SampleId, Samples, Split};

use crate::unitmem::UnitMem;

/// Pixels that a pixel becomes in each direction: pictures of 32 pixels are too small to see.
const SCALE: usize = 4;

/// Training pictures of the owners of the `count` units with the highest scores in a row, the
/// highest first, each pixel repeated 4 × 4 times; nothing where no unit has an owner.
///
/// Of equal scores the smaller unit number comes first. A point that owns several of these units is
/// shown several times.
///
/// # Errors
/// A picture that cannot be shown.
pub fn owner_strip(
    scores: &UnitMem,
    samples: &dyn Samples,
    count: usize,
) -> Result<Option<Measurement>, Fault> {
    let pictures = top_owners(scores, count)
        .into_iter()
        .map(|id| samples.picture(Split::Train, id))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(tile(&pictures))
}

/// The pictures of [`owner_strip`] by name, from left to right, one that shows no file by its id alone: a
/// line of Markdown for `site`; nothing where no unit has an owner, or no owner a name.
pub(crate) fn owner_names(
    site: &str,
    scores: &UnitMem,
    samples: &dyn Samples,
    count: usize,
) -> Option<String> {
    let owners = top_owners(scores, count);
    let name = |id: &SampleId| samples.name(Split::Train, *id);
    owners.iter().find_map(name)?;
    let names: Vec<String> = owners
        .iter()
        .map(|id| match name(id) {
            Some(name) => format!("`{name}` (#{})", id.0),
            None => format!("#{}", id.0),
        })
        .collect();
    Some(format!("- **{site}**: {}\n", names.join(", ")))
}

fn top_owners(scores: &UnitMem, count: usize) -> Vec<SampleId> {
    let mut owned: Vec<(f64, SampleId)> = scores
        .scores()
        .iter()
        .zip(scores.owners())
        .filter_map(|(score, owner)| Some((score.value()?, (*owner)?)))
        .collect();
    owned.sort_by(|a, b| b.0.total_cmp(&a.0));
    owned.into_iter().take(count).map(|(_, id)| id).collect()
}

/// Puts pictures (width, height, RGB) side by side, enlarged; black below shorter ones.
pub(crate) fn tile(pictures: &[(u32, u32, Vec<u8>)]) -> Option<Measurement> {
    let height = pictures.iter().map(|p| p.1).max()?;
    let width: u32 = pictures.iter().map(|p| p.0).sum();
    let mut rgb = Vec::with_capacity(width as usize * height as usize * 3 * SCALE * SCALE);
    for y in 0..height as usize {
        let start = rgb.len();
        for (w, _, pixels) in pictures {
            for x in 0..*w as usize {
                let at = 3 * (y * *w as usize + x);
                let pixel = pixels.get(at..at + 3).unwrap_or(&[0; 3]);
                (0..SCALE).for_each(|_| rgb.extend_from_slice(pixel));
            }
        }
        let row = start..rgb.len();
        (1..SCALE).for_each(|_| rgb.extend_from_within(row.clone()));
    }
    Some(Measurement::Image {
        width: width * SCALE as u32,
        height: height * SCALE as u32,
        rgb,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_side_by_side_and_every_pixel_is_a_square() {
        let red_over_green = (1, 2, vec![255, 0, 0, 0, 255, 0]);
        let blue_and_white = (2, 1, vec![0, 0, 255, 255, 255, 255]);
        let Some(Measurement::Image { width, height, rgb }) =
            tile(&[red_over_green, blue_and_white])
        else {
            unreachable!("two pictures make an image")
        };
        assert_eq!((width, height, rgb.len()), (12, 8, 12 * 8 * 3));
        for y in 0..8 {
            for x in 0..12 {
                let expected: [u8; 3] = match (x / 4, y / 4) {
                    (0, 0) => [255, 0, 0],
                    (0, _) => [0, 255, 0],
                    (1, 0) => [0, 0, 255],
                    (2, 0) => [255, 255, 255],
                    _ => [0, 0, 0],
                };
                let at = 3 * (y * 12 + x);
                assert_eq!(rgb[at..at + 3], expected, "({x}, {y})");
            }
        }
        assert_eq!(tile(&[]), None);
    }
}
