//! The points that each unit answers to most, beyond its owner.

use afterimage_hooks::SampleId;

use crate::error::MemoryError;

/// Points kept for each unit.
pub const TOP_POINTS: usize = 5;

/// For each unit of a site the [`TOP_POINTS`] points with the largest activations, the largest
/// first; of equal ones the smaller id comes first.
///
/// They tell a unit that answers to one point from one that answers to a rare concept. O(units)
/// memory; order and sharding of the points leave no trace. Values that are not finite are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct TopPoints {
    /// `[units][TOP_POINTS]`; −∞ where there are fewer points.
    values: Vec<[f32; TOP_POINTS]>,
    points: Vec<[SampleId; TOP_POINTS]>,
}

impl TopPoints {
    /// A site with `units` units before any point.
    pub fn new(units: usize) -> Self {
        Self {
            values: vec![[f32::NEG_INFINITY; TOP_POINTS]; units],
            points: vec![[SampleId(u32::MAX); TOP_POINTS]; units],
        }
    }

    /// Adds points: their ids, and their mean activations `[points, units]` in row-major order. Each
    /// point may be given once.
    ///
    /// # Errors
    /// A number of values that is not points · units.
    pub fn update(&mut self, ids: &[SampleId], values: &[f32]) -> Result<(), MemoryError> {
        let units = self.values.len();
        if values.len() != ids.len() * units {
            return Err(MemoryError::BlockSize {
                rows: ids.len(),
                units,
                values: values.len(),
            });
        }
        if units > 0 {
            for (id, row) in ids.iter().zip(values.chunks_exact(units)) {
                for (unit, value) in row.iter().enumerate() {
                    self.take(unit, *id, *value);
                }
            }
        }
        Ok(())
    }

    /// Adds the points of another state, which must be other points of the same site.
    ///
    /// # Errors
    /// Another number of units.
    pub fn merge(&mut self, other: &Self) -> Result<(), MemoryError> {
        MemoryError::same_units(self.values.len(), other.values.len())?;
        for unit in 0..self.values.len() {
            for (id, value) in other.of(unit) {
                self.take(unit, id, value);
            }
        }
        Ok(())
    }

    fn take(&mut self, unit: usize, id: SampleId, value: f32) {
        let last = TOP_POINTS - 1;
        let (values, points) = (&mut self.values[unit], &mut self.points[unit]);
        let comes_first =
            |other: f32, point: SampleId| value > other || (value == other && id < point);
        if !value.is_finite() || !comes_first(values[last], points[last]) {
            return;
        }
        let mut place = last;
        while place > 0 && comes_first(values[place - 1], points[place - 1]) {
            (values[place], points[place]) = (values[place - 1], points[place - 1]);
            place -= 1;
        }
        // Turns −0 into +0, which are equal.
        (values[place], points[place]) = (value + 0.0, id);
    }

    /// The points that `unit` answers to most with its activations, at most [`TOP_POINTS`].
    pub fn of(&self, unit: usize) -> impl Iterator<Item = (SampleId, f32)> + '_ {
        let pairs = self.points[unit].iter().zip(&self.values[unit]);
        pairs
            .map(|(id, value)| (*id, *value))
            .take_while(|(_, value)| value.is_finite())
    }

    /// The point in `place` of `unit`, from 0, and its activation.
    pub fn get(&self, unit: usize, place: usize) -> Option<(SampleId, f32)> {
        self.of(unit).nth(place)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fewer_points_leave_places_empty_and_equals_stand_by_id() {
        let mut top = TopPoints::new(2);
        let ids = [9, 4, 6].map(SampleId);
        top.update(&ids, &[1.0, f32::NAN, 1.0, -0.0, 2.0, 0.0])
            .unwrap();
        let of = |unit| top.of(unit).collect::<Vec<_>>();
        assert_eq!(
            of(0),
            [(SampleId(6), 2.0), (SampleId(4), 1.0), (SampleId(9), 1.0)]
        );
        assert_eq!(of(1), [(SampleId(4), 0.0), (SampleId(6), 0.0)]);
        assert_eq!(top.get(0, 1), Some((SampleId(4), 1.0)));
        assert_eq!(top.get(1, 2), None);
        assert!(top.update(&ids, &[0.0; 5]).is_err());
        assert!(top.merge(&TopPoints::new(1)).is_err());
    }

    proptest! {
        #[test]
        fn they_are_the_head_of_the_sorted_column_in_any_order_and_sharding(
            (values, order, cut) in (1usize..30).prop_flat_map(|n| (
                prop::collection::vec(prop_oneof![0.0f32..3.0, Just(0.0), Just(1.5)], n),
                Just((0..n).collect::<Vec<_>>()).prop_shuffle(),
                0..=n,
            )),
        ) {
            let filled = |order: &[usize]| {
                let mut top = TopPoints::new(1);
                for at in order {
                    top.update(&[SampleId(*at as u32)], &[values[*at]]).unwrap();
                }
                top
            };
            let mut top = filled(&order[..cut]);
            top.merge(&filled(&order[cut..])).unwrap();
            let mut column: Vec<(SampleId, f32)> =
                values.iter().enumerate().map(|(at, v)| (SampleId(at as u32), *v)).collect();
            column.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            column.truncate(TOP_POINTS);
            prop_assert_eq!(top.of(0).collect::<Vec<_>>(), column);
        }
    }
}
