//! Images as patches: which are hidden, what they show, where they stand.

use afterimage_hooks::SampleId;
use afterimage_hooks::random::{RandomKey, Stream};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Added to variances.
const EPSILON: f64 = 1e-6;

/// Which patches of a batch are hidden: as many of every sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hidden {
    samples: usize,
    /// Patches of a sample.
    patches: usize,
    /// Patches that each sample shows, sample by sample, in their order.
    visible: Vec<Vec<usize>>,
}

impl Hidden {
    /// Hides `patches − visible` patches of each sample of `ids`, at random: a pure function of
    /// (seed, epoch, sample).
    pub(crate) fn draw(
        seed: u64,
        epoch: u32,
        ids: &[SampleId],
        patches: usize,
        visible: usize,
    ) -> Self {
        let key = RandomKey::new(seed, Stream::PatchMask).epoch(epoch);
        let shown = ids.iter().map(|id| {
            let mut order: Vec<usize> = (0..patches).collect();
            key.sample(id.0).generator().shuffle(&mut order);
            order.truncate(visible);
            order.sort_unstable();
            order
        });
        Self {
            samples: ids.len(),
            patches,
            visible: shown.collect(),
        }
    }

    /// The visible patches as rows of `[B · patches]`.
    pub(crate) fn visible_rows(&self, device: &Device) -> Tensor<1, Int> {
        let rows = self
            .visible
            .iter()
            .enumerate()
            .flat_map(|(sample, shown)| shown.iter().map(move |at| sample * self.patches + at));
        indices(rows, device)
    }

    /// The hidden patches as rows of `[B · patches]`.
    pub(crate) fn hidden_rows(&self, device: &Device) -> Tensor<1, Int> {
        let rows = self.visible.iter().enumerate().flat_map(|(sample, shown)| {
            (0..self.patches)
                .filter(|at| shown.binary_search(at).is_err())
                .map(move |at| sample * self.patches + at)
        });
        indices(rows, device)
    }

    /// For each row of `[B · patches]`, its row among the visible ones, or the row behind the last
    /// of them if it is hidden.
    pub(crate) fn places(&self, device: &Device) -> Tensor<1, Int> {
        let each = self.visible.first().map_or(0, Vec::len);
        let behind = self.samples * each;
        let rows = self.visible.iter().enumerate().flat_map(|(sample, shown)| {
            (0..self.patches).map(move |at| {
                shown
                    .binary_search(&at)
                    .map_or(behind, |rank| sample * each + rank)
            })
        });
        indices(rows, device)
    }
}

fn indices(rows: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i64> = rows.map(|row| row as i64).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}

/// The pixels of each patch, `[B, C, H, W]` to `[B · patches, side² · C]`: patches row by row, and in
/// a patch pixels row by row with their channels together.
pub(crate) fn pixels(images: Tensor<4>, side: usize) -> Tensor<2> {
    let [batch, channels, height, width] = images.dims();
    let (rows, columns) = (height / side, width / side);
    images
        .reshape([batch, channels, rows, side, columns, side])
        .permute([0, 2, 4, 3, 5, 1])
        .reshape([batch * rows * columns, side * side * channels])
}

/// Each patch with mean 0 and (unbiased) variance 1.
pub(crate) fn normalised(pixels: Tensor<2>) -> Tensor<2> {
    let [_, length] = pixels.dims();
    let mean = pixels.clone().mean_dim(1);
    let centred = pixels - mean;
    let variance = centred
        .clone()
        .square()
        .sum_dim(1)
        .div_scalar((length as f64 - 1.0).max(1.0));
    centred / variance.add_scalar(EPSILON).sqrt()
}

/// Fixed positions `[1, 1 + rows · columns, channels]` of a class token (zeros) and of patches: sines
/// and cosines of the column in the first half of the channels, of the row in the second.
pub(crate) fn positions(
    [rows, columns]: [usize; 2],
    channels: usize,
    device: &Device,
) -> Tensor<3> {
    let quarter = channels / 4;
    let mut values = vec![0.0f32; channels];
    for row in 0..rows {
        for column in 0..columns {
            for place in [column, row] {
                let angle = |at: usize| {
                    let rate = 10_000f64.powf(-(at as f64) / quarter as f64);
                    place as f64 * rate
                };
                values.extend((0..quarter).map(|at| angle(at).sin() as f32));
                values.extend((0..quarter).map(|at| angle(at).cos() as f32));
            }
        }
    }
    let shape = [1, 1 + rows * columns, channels];
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn rows(tensor: Tensor<1, Int>) -> Vec<usize> {
        let rows: Vec<i64> = tensor.try_into_vec_as::<i64>().unwrap();
        rows.into_iter().map(|row| row as usize).collect()
    }

    proptest! {
        #[test]
        fn every_patch_is_visible_or_hidden_and_places_find_it_again(
            patches in 2usize..70,
            share in 0.0f64..1.0,
            epoch in 1u32..50,
            first in 0u32..1000,
        ) {
            let device = Device::flex();
            let visible = ((patches as f64 * share) as usize).clamp(1, patches - 1);
            let ids: Vec<SampleId> = (first..first + 5).map(SampleId).collect();
            let hidden = Hidden::draw(3, epoch, &ids, patches, visible);
            let shown = rows(hidden.visible_rows(&device));
            prop_assert_eq!(shown.len(), 5 * visible);
            let mut all = shown.clone();
            all.extend(rows(hidden.hidden_rows(&device)));
            all.sort_unstable();
            prop_assert_eq!(all, (0..5 * patches).collect::<Vec<_>>());
            for (row, place) in rows(hidden.places(&device)).into_iter().enumerate() {
                match shown.get(place) {
                    Some(&visible) => prop_assert_eq!(visible, row),
                    None => prop_assert!(place == shown.len() && !shown.contains(&row)),
                }
            }
        }

        #[test]
        fn a_sample_hides_the_same_patches_in_any_batch(sample in 0u32..1000, epoch in 1u32..50) {
            let alone = Hidden::draw(3, epoch, &[SampleId(sample)], 64, 16);
            let beside = Hidden::draw(3, epoch, &[SampleId(sample + 1), SampleId(sample)], 64, 16);
            prop_assert_eq!(&alone.visible[0], &beside.visible[1]);
            let later = Hidden::draw(3, epoch + 1, &[SampleId(sample)], 64, 16);
            prop_assert_ne!(alone, later);
        }
    }

    #[test]
    fn every_patch_is_hidden_as_often_as_another() {
        let ids: Vec<SampleId> = (0..2000).map(SampleId).collect();
        let hidden = Hidden::draw(1, 1, &ids, 16, 4);
        let mut seen = [0u32; 16];
        hidden
            .visible
            .iter()
            .flatten()
            .for_each(|&at| seen[at] += 1);
        // A quarter of 2,000 with a standard deviation of 19.
        assert!(seen.iter().all(|&n| (420..580).contains(&n)), "{seen:?}");
    }

    #[test]
    fn pixels_of_a_patch_stay_together() {
        let device = Device::flex();
        let values: Vec<f32> = (0..2 * 4 * 6).map(|v| v as f32).collect();
        let images = Tensor::<4>::from_data(TensorData::new(values, [1, 2, 4, 6]), &device);
        let patches: Vec<f32> = pixels(images, 2).into_data().try_to_vec().unwrap();
        // The second patch of the first row: columns 2 and 3, both channels.
        assert_eq!(patches[8..16], [2.0, 26.0, 3.0, 27.0, 8.0, 32.0, 9.0, 33.0]);
    }

    #[test]
    fn positions_are_sines_and_cosines_and_differ() {
        let device = Device::flex();
        let values: Vec<f32> = positions([2, 3], 8, &device)
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(values[..8], [0.0; 8]);
        // Row 1, column 2: rates 1 and 0.01.
        let patch = &values[8 * (1 + 5)..];
        let expected = [2.0f64, 0.02, 2.0, 0.02, 1.0, 0.01, 1.0, 0.01];
        for (at, (value, angle)) in patch.iter().zip(expected).enumerate() {
            let expected = if at % 4 < 2 { angle.sin() } else { angle.cos() };
            assert!((f64::from(*value) - expected).abs() < 1e-6, "{at}: {value}");
        }
    }
}
