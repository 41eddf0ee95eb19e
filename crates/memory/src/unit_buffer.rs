//! All activations of a probe, for the form of UnitMem that one pass cannot give.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use afterimage_hooks::SampleId;
use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::unit_score::{Extent, UnitScore};

/// Units transposed at a time.
const LANES: usize = 16;

/// Mean activations of every point and unit, `points · units` values of 4 bytes.
///
/// Rows are kept by id, so that the order in which points arrive leaves no trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitBuffer {
    units: usize,
    rows: BTreeMap<SampleId, Vec<f32>>,
}

impl UnitBuffer {
    /// An empty buffer for a site with `units` units.
    pub fn new(units: usize) -> Self {
        Self {
            units,
            rows: BTreeMap::new(),
        }
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Number of points.
    pub fn points(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Adds points: their ids, and their mean activations `[points, units]` in row-major order.
    ///
    /// # Errors
    /// A number of values that is not points · units; a point that is there already. Points before
    /// it in the block are then in the buffer.
    pub fn update(&mut self, ids: &[SampleId], values: &[f32]) -> Result<(), MemoryError> {
        if values.len() != ids.len() * self.units {
            let (rows, units) = (ids.len(), self.units);
            return Err(MemoryError::BlockSize {
                rows,
                units,
                values: values.len(),
            });
        }
        for (at, id) in ids.iter().enumerate() {
            self.insert(*id, values[at * self.units..][..self.units].to_vec())?;
        }
        Ok(())
    }

    /// Adds the points of another buffer.
    ///
    /// # Errors
    /// Another number of units; a point that is in both.
    pub fn merge(&mut self, other: &Self) -> Result<(), MemoryError> {
        MemoryError::same_units(self.units, other.units)?;
        for (id, row) in &other.rows {
            self.insert(*id, row.clone())?;
        }
        Ok(())
    }

    fn insert(&mut self, id: SampleId, row: Vec<f32>) -> Result<(), MemoryError> {
        match self.rows.entry(id) {
            Entry::Vacant(place) => {
                place.insert(row);
                Ok(())
            }
            Entry::Occupied(_) => Err(MemoryError::Repeated { id: id.0 }),
        }
    }

    /// The point with the largest finite activation of each unit; of equals, the smallest id.
    pub fn owners(&self) -> Vec<Option<SampleId>> {
        let mut owners = vec![None; self.units];
        let mut highest = vec![f32::NEG_INFINITY; self.units];
        for (id, row) in &self.rows {
            for ((owner, highest), value) in owners.iter_mut().zip(&mut highest).zip(row) {
                if value.is_finite() && *value > *highest {
                    (*owner, *highest) = (Some(*id), *value);
                }
            }
        }
        owners
    }

    /// UnitMem of each unit as the authors' code computes it, with the median of the other points
    /// in place of their mean. Silent for more than half of the points, a unit scores 1.
    pub fn scores(&self) -> Vec<UnitScore> {
        let mut scores = Vec::with_capacity(self.units);
        let mut columns = vec![Vec::new(); LANES];
        for start in (0..self.units).step_by(LANES) {
            let width = LANES.min(self.units - start);
            columns.iter_mut().for_each(Vec::clear);
            for row in self.rows.values() {
                for (column, value) in columns.iter_mut().zip(&row[start..start + width]) {
                    column.push(*value);
                }
            }
            scores.extend(columns[..width].iter_mut().map(|column| score(column)));
        }
        scores
    }
}

/// The score of one unit; reorders its activations.
fn score(column: &mut [f32]) -> UnitScore {
    let finite = || column.iter().copied().filter(|v| v.is_finite());
    let extent = Extent {
        points: column.len() as u64,
        not_finite: (column.len() - finite().count()) as u64,
        lowest: finite().fold(f32::INFINITY, f32::min),
        highest: finite().fold(f32::NEG_INFINITY, f32::max),
    };
    extent.score(|| {
        let max = f64::from(extent.highest);
        let rest = median_of_all_but_the_largest(column);
        (max - rest, max + rest)
    })
}

/// `median(sort(column)[:-1])`, for at least two finite values.
fn median_of_all_but_the_largest(column: &mut [f32]) -> f64 {
    let others = column.len() - 1;
    let (below, middle, _) = column.select_nth_unstable_by(others / 2, f32::total_cmp);
    let middle = f64::from(*middle);
    if others.is_multiple_of(2) {
        let before = below.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
        0.5 * (f64::from(before) + middle)
    } else {
        middle
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use afterimage_hooks::PluginState;
    use proptest::prelude::*;

    use super::*;

    fn filled(order: &[usize], units: usize, values: &[f32]) -> UnitBuffer {
        let mut buffer = UnitBuffer::new(units);
        for at in order {
            buffer
                .update(&[SampleId(*at as u32)], &values[at * units..][..units])
                .unwrap();
        }
        buffer
    }

    #[test]
    fn a_mostly_silent_unit_scores_one_and_halves_are_averaged() {
        let buffer = filled(
            &[0, 1, 2, 3, 4],
            2,
            &[0.0, 1.0, 0.0, 2.0, 0.0, 3.0, 2.0, 5.0, 8.0, 4.0],
        );
        // Others of the second unit: 1, 2, 3, 4; the median is 2.5.
        assert_eq!(
            buffer.scores(),
            [UnitScore::Valid(1.0), UnitScore::Valid(2.5 / 7.5)]
        );
        assert_eq!(buffer.owners(), [Some(SampleId(4)), Some(SampleId(3))]);
    }

    #[test]
    fn repeated_points_and_other_shapes_are_refused() {
        let mut buffer = filled(&[0], 2, &[1.0, 2.0]);
        let error = buffer.update(&[SampleId(0)], &[1.0, 2.0]).unwrap_err();
        assert_eq!(error, MemoryError::Repeated { id: 0 });
        assert!(buffer.clone().merge(&buffer).is_err());
        assert!(buffer.merge(&UnitBuffer::new(3)).is_err());
        assert!(buffer.update(&[SampleId(1)], &[1.0]).is_err());
    }

    proptest! {
        #[test]
        fn order_leaves_no_trace_and_the_median_is_that_of_a_sorted_column(
            (values, order) in (2usize..30).prop_flat_map(|n| (
                prop::collection::vec(prop_oneof![0.0f32..4.0, Just(0.0), Just(2.0)], 20 * n),
                Just((0..n).collect::<Vec<_>>()).prop_shuffle(),
            )),
        ) {
            let n = order.len();
            let straight = filled(&(0..n).collect::<Vec<_>>(), 20, &values);
            let mut shuffled = filled(&order[n / 2..], 20, &values);
            shuffled.merge(&filled(&order[..n / 2], 20, &values)).unwrap();
            prop_assert_eq!(
                PluginState::encode(1, &shuffled).unwrap(),
                PluginState::encode(1, &straight).unwrap()
            );
            for (unit, score) in shuffled.scores().into_iter().enumerate() {
                let mut column: Vec<f64> = (0..n).map(|p| f64::from(values[p * 20 + unit])).collect();
                column.sort_unstable_by(f64::total_cmp);
                let (max, others) = (column[n - 1], &column[..n - 1]);
                let m = others.len();
                let median = 0.5 * (others[(m - 1) / 2] + others[m / 2]);
                match score {
                    UnitScore::Dead => prop_assert_eq!(max, 0.0),
                    UnitScore::Valid(got) => {
                        prop_assert!((got - (max - median) / (max + median)).abs() < 1e-12);
                    }
                    UnitScore::Invalid(why) => prop_assert!(false, "{why:?}"),
                }
            }
        }
    }
}
