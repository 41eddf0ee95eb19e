//! From readings of augmented views to one activation per point: μ_u(x), the mean over views.

use std::ops::Range;

use crate::error::MemoryError;

/// How the rows of a reading run over points and views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// All views of the first point, then of the second; the order of probe views.
    SampleMajor,
    /// All points in view 0, then all points in view 1; the order of training batches.
    ViewMajor,
}

/// Means over views, `[points, units]` in row-major order, of `rows` `[points · views, units]`.
///
/// Summed in double precision in the order of the views and rounded once, so that a point's value
/// depends neither on its neighbours nor on its place in the batch.
///
/// # Errors
/// A number of values that is not points · views · units.
pub fn point_means(
    rows: &[f32],
    points: usize,
    views: usize,
    units: usize,
    order: RowOrder,
) -> Result<Vec<f32>, MemoryError> {
    means_over(rows, points, views, 0..views, units, order)
}

/// Means over the first half of the views (the larger half of an odd number) and over the rest, each
/// as [`point_means`] gives it. One view leaves the second half without numbers: NaN.
///
/// # Errors
/// A number of values that is not points · views · units.
pub fn fold_means(
    rows: &[f32],
    points: usize,
    views: usize,
    units: usize,
    order: RowOrder,
) -> Result<[Vec<f32>; 2], MemoryError> {
    let half = views.div_ceil(2);
    Ok([
        means_over(rows, points, views, 0..half, units, order)?,
        means_over(rows, points, views, half..views, units, order)?,
    ])
}

fn means_over(
    rows: &[f32],
    points: usize,
    views: usize,
    which: Range<usize>,
    units: usize,
    order: RowOrder,
) -> Result<Vec<f32>, MemoryError> {
    if rows.len() != points * views * units {
        return Err(MemoryError::BlockSize {
            rows: points * views,
            units,
            values: rows.len(),
        });
    }
    let mut means = Vec::with_capacity(points * units);
    let mut sums = vec![0.0f64; units];
    let count = which.len() as f64;
    for point in 0..points {
        sums.fill(0.0);
        for view in which.clone() {
            let row = match order {
                RowOrder::SampleMajor => point * views + view,
                RowOrder::ViewMajor => view * points + point,
            };
            for (sum, value) in sums.iter_mut().zip(&rows[row * units..][..units]) {
                *sum += f64::from(*value);
            }
        }
        means.extend(sums.iter().map(|sum| (sum / count) as f32));
    }
    Ok(means)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of (point, view, unit) tells all three apart.
    fn reading(order: RowOrder) -> Vec<f32> {
        let value =
            |point: usize, view: usize, unit: usize| (100 * point + 10 * unit + view) as f32;
        let mut rows = Vec::new();
        match order {
            RowOrder::SampleMajor => {
                for (point, view) in (0..2).flat_map(|p| (0..3).map(move |v| (p, v))) {
                    rows.extend((0..4).map(|unit| value(point, view, unit)));
                }
            }
            RowOrder::ViewMajor => {
                for (view, point) in (0..3).flat_map(|v| (0..2).map(move |p| (v, p))) {
                    rows.extend((0..4).map(|unit| value(point, view, unit)));
                }
            }
        }
        rows
    }

    #[test]
    fn views_are_averaged_and_units_stay_apart() -> Result<(), MemoryError> {
        for order in [RowOrder::SampleMajor, RowOrder::ViewMajor] {
            let means = point_means(&reading(order), 2, 3, 4, order)?;
            assert_eq!(means, [1.0, 11.0, 21.0, 31.0, 101.0, 111.0, 121.0, 131.0]);
        }
        let mixed = point_means(
            &reading(RowOrder::ViewMajor),
            2,
            3,
            4,
            RowOrder::SampleMajor,
        )?;
        assert_ne!(mixed[0], 1.0);
        Ok(())
    }

    #[test]
    fn folds_are_the_means_of_the_first_and_the_last_views() -> Result<(), MemoryError> {
        for order in [RowOrder::SampleMajor, RowOrder::ViewMajor] {
            let [first, second] = fold_means(&reading(order), 2, 3, 4, order)?;
            assert_eq!(first, [0.5, 10.5, 20.5, 30.5, 100.5, 110.5, 120.5, 130.5]);
            assert_eq!(second, [2.0, 12.0, 22.0, 32.0, 102.0, 112.0, 122.0, 132.0]);
        }
        Ok(())
    }

    #[test]
    fn a_point_does_not_depend_on_its_batch() -> Result<(), MemoryError> {
        let rows: Vec<f32> = (0..24).map(|i| 1.0 / (1.0 + i as f32)).collect();
        let together = point_means(&rows, 2, 3, 4, RowOrder::SampleMajor)?;
        let alone = point_means(&rows[12..], 1, 3, 4, RowOrder::SampleMajor)?;
        assert_eq!(together[4..], alone);
        Ok(())
    }

    #[test]
    fn readings_of_another_shape_are_refused() {
        assert!(point_means(&[0.0; 23], 2, 3, 4, RowOrder::SampleMajor).is_err());
    }
}
