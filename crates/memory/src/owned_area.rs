//! How well owning units tells training points from held-out ones.

use std::collections::BTreeMap;

use afterimage_hooks::{SampleId, Split};
use afterimage_numeric::Area;

use crate::unit_max::UnitState;

/// Areas of the number of units that a point owns where training and held-out points compete for them:
/// between training and held-out points, and the null between held-out points at even and at odd places.
///
/// A unit belongs to the point that it answers to most, of both sets; one that answers to a point of
/// each alike, or to none, belongs to nobody. `sites` are the states of the same points, training and
/// held-out, at one site or more.
pub(crate) fn owned_areas(
    sites: &[(&UnitState, &UnitState)],
    train: &[SampleId],
    held_out: &[SampleId],
) -> (Area, Area) {
    let mut owned: BTreeMap<(Split, SampleId), u32> = BTreeMap::new();
    for (left, right) in sites {
        for unit in 0..left.units().min(right.units()) {
            let owner = match left.highest()[unit].total_cmp(&right.highest()[unit]) {
                std::cmp::Ordering::Greater => left.owner(unit).map(|id| (Split::Train, id)),
                std::cmp::Ordering::Less => right.owner(unit).map(|id| (Split::HeldOut, id)),
                std::cmp::Ordering::Equal => None,
            };
            if let Some(owner) = owner {
                *owned.entry(owner).or_insert(0) += 1;
            }
        }
    }
    let counts = |split, ids: &[SampleId]| -> Vec<f64> {
        let count = |id: &SampleId| owned.get(&(split, *id)).copied().unwrap_or(0);
        ids.iter().map(|id| f64::from(count(id))).collect()
    };
    let external = counts(Split::HeldOut, held_out);
    let area = Area::between(&counts(Split::Train, train), &external);
    (area, Area::null(&external))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn state(ids: &[u32], rows: &[[f32; 3]]) -> UnitState {
        let mut state = UnitState::new(3);
        let ids: Vec<SampleId> = ids.iter().map(|id| SampleId(*id)).collect();
        state.update(&ids, rows.as_flattened()).unwrap();
        state
    }

    #[test]
    fn units_belong_to_the_point_of_either_set_that_they_answer_to_most() {
        let ids = [SampleId(0), SampleId(1)];
        // Units 0 and 1 belong to training points, unit 2 to a held-out one.
        let train = state(&[0, 1], &[[5.0, 1.0, 0.0], [0.0, 4.0, 1.0]]);
        let held_out = state(&[0, 1], &[[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]);
        let (area, null) = owned_areas(&[(&train, &held_out)], &ids, &ids);
        // Counts 1, 1 against 1, 0.
        assert_eq!((area.area, null.area), (0.75, 1.0));
        // A unit that both answer to alike is nobody's.
        let (even, _) = owned_areas(&[(&train, &train)], &ids, &ids);
        assert_eq!(even.area, 0.5);
    }
}
