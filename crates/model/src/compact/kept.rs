//! Which units a smaller model keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::group::Group;
use super::slicing::{overwrite, places, selected};
use crate::{Masks, ModelError};

/// The units that a group keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptUnits {
    /// Number of units of the whole model.
    pub of: usize,
    /// Their numbers in the whole model, ascending; at least one.
    pub units: Vec<usize>,
}

/// The units that a smaller model keeps, by group; a group that is not named keeps all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kept {
    groups: BTreeMap<String, KeptUnits>,
}

impl Kept {
    /// Everything but the units that are pruned for all who read them under `masks`.
    ///
    /// A group keeps at least one unit. With `embedding` the units that the embedding is made of
    /// stay, so that heads and probes find the length that they know.
    pub fn without_pruned(groups: &[Group], masks: &Masks, embedding: bool) -> Self {
        let mut kept = BTreeMap::new();
        for group in groups.iter().filter(|group| !(embedding && group.embeds)) {
            let mut units: Vec<usize> = (0..group.units)
                .filter(|&unit| !group.is_pruned(masks, unit))
                .collect();
            if units.is_empty() {
                units.push(0);
            }
            if units.len() < group.units {
                let of = group.units;
                kept.insert(group.name.clone(), KeptUnits { of, units });
            }
        }
        Self { groups: kept }
    }

    /// Whether every unit is kept.
    pub fn is_everything(&self) -> bool {
        self.groups.is_empty()
    }

    /// The units of the group called `name`, if it loses any.
    pub fn get(&self, name: &str) -> Option<&KeptUnits> {
        self.groups.get(name)
    }

    /// Groups that lose units, in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &KeptUnits)> {
        self.groups.iter().map(|(name, kept)| (name.as_str(), kept))
    }

    /// Number of units that are gone.
    pub fn removed(&self) -> usize {
        self.groups.values().map(|k| k.of - k.units.len()).sum()
    }

    /// What is kept of the whole model after `later`, which counts units of the model that `self`
    /// keeps.
    ///
    /// # Errors
    /// A unit that `self` does not keep.
    pub fn then(&self, later: &Self) -> Result<Self, ModelError> {
        let mut groups = self.groups.clone();
        for (name, next) in &later.groups {
            let now = match groups.get(name) {
                None => next.clone(),
                Some(before) => KeptUnits {
                    of: before.of,
                    units: next
                        .units
                        .iter()
                        .map(|&unit| before.units.get(unit).copied())
                        .collect::<Option<_>>()
                        .ok_or_else(|| ModelError::Slice {
                            reason: format!("group `{name}` does not keep all units asked for"),
                        })?,
                },
            };
            groups.insert(name.clone(), now);
        }
        Ok(Self { groups })
    }

    /// What is kept of the model that `earlier` keeps, counting its units: `earlier.then(&since)` is
    /// `self`.
    ///
    /// # Errors
    /// A unit that `earlier` does not keep, or a group that loses units there and none here.
    pub fn since(&self, earlier: &Self) -> Result<Self, ModelError> {
        let wrong = |name: &str| ModelError::Slice {
            reason: format!("group `{name}` has units again that were taken out before"),
        };
        if let Some(name) = earlier.groups.keys().find(|&name| self.get(name).is_none()) {
            return Err(wrong(name));
        }
        let mut groups = BTreeMap::new();
        for (name, now) in &self.groups {
            let later = match earlier.get(name) {
                None => now.clone(),
                Some(before) => {
                    let place = |unit: &usize| before.units.binary_search(unit).ok();
                    let units: Option<Vec<usize>> = now.units.iter().map(place).collect();
                    KeptUnits {
                        of: before.units.len(),
                        units: units.ok_or_else(|| wrong(name))?,
                    }
                }
            };
            if later.units.len() < later.of {
                groups.insert(name.clone(), later);
            }
        }
        Ok(Self { groups })
    }

    /// Checks that a model with `groups` can be cut like this.
    ///
    /// # Errors
    /// A group that it does not have, or with other units.
    pub fn check(&self, groups: &[Group]) -> Result<(), ModelError> {
        for (name, kept) in &self.groups {
            let wrong = |reason: String| Err(ModelError::Slice { reason });
            let Some(group) = groups.iter().find(|group| group.name == *name) else {
                return wrong(format!("the model has no group `{name}`"));
            };
            if group.units != kept.of {
                return wrong(format!(
                    "group `{name}` has {} units, not {}",
                    group.units, kept.of
                ));
            }
            let ascends = kept.units.windows(2).all(|pair| pair[0] < pair[1]);
            let last = kept.units.last().is_some_and(|last| *last < kept.of);
            if !(ascends && last) {
                return wrong(format!(
                    "group `{name}` keeps units {:?} of {}; it takes ascending numbers, at least \
                     one",
                    kept.units, kept.of
                ));
            }
        }
        Ok(())
    }

    /// The axes of tensors that lose units, with the places that they keep.
    pub fn cuts(&self, groups: &[Group]) -> Cuts {
        let mut cuts = BTreeMap::<String, Vec<(usize, usize, Vec<usize>)>>::new();
        for group in groups {
            let Some(kept) = self.groups.get(&group.name) else {
                continue;
            };
            for slice in group.slices() {
                let at = places(&kept.units, group.units, group.channels, slice.repeats);
                let length = group.units * group.channels * slice.repeats;
                let cut = cuts.entry(slice.path.clone()).or_default();
                cut.push((slice.axis, length, at));
            }
        }
        Cuts { cuts }
    }

    /// What is left of `masks` for the smaller model.
    ///
    /// # Errors
    /// Masks of another model.
    pub fn masks(&self, groups: &[Group], masks: &Masks) -> Result<Masks, ModelError> {
        let mut left = Masks::none();
        for (site, mask) in masks.iter() {
            let group = groups.iter().find(|g| g.sites.iter().any(|s| s == site));
            let kept = group.and_then(|g| Some((g, self.groups.get(&g.name)?)));
            let mask = match kept {
                None => mask.to_vec(),
                Some((group, kept)) => {
                    let at = places(&kept.units, group.units, group.channels, 1);
                    selected(mask, &[mask.len()], 0, &at)?
                }
            };
            if mask.contains(&false) {
                left.set(site, mask);
            }
        }
        Ok(left)
    }
}

/// Values in row-major order, and the tensor's shape.
pub type WithShape<T> = (Vec<T>, Vec<usize>);

/// Places along axes of tensors, by path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cuts {
    /// By path: axis, length of the axis in the whole model, places.
    cuts: BTreeMap<String, Vec<(usize, usize, Vec<usize>)>>,
}

impl Cuts {
    /// The places in tensors that have no effect under `masks`.
    pub fn without_effect(groups: &[Group], masks: &Masks) -> Self {
        let mut cuts = BTreeMap::<String, Vec<(usize, usize, Vec<usize>)>>::new();
        for group in groups {
            for (slice, units) in group.without_effect(masks) {
                let at = places(&units, group.units, group.channels, slice.repeats);
                let length = group.units * group.channels * slice.repeats;
                let cut = cuts.entry(slice.path.clone()).or_default();
                cut.push((slice.axis, length, at));
            }
        }
        Self { cuts }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// The tensor at `path` cut down to its places, with its new shape; `None` where the path is not
    /// named, or a tensor that goes with the parameter has another shape than it.
    ///
    /// # Errors
    /// Values that are no tensor of `shape`.
    pub fn cut<T: Copy>(
        &self,
        path: &str,
        values: &[T],
        shape: &[usize],
    ) -> Result<Option<WithShape<T>>, ModelError> {
        let Some(cuts) = self.of(path, shape) else {
            return Ok(None);
        };
        let (mut values, mut shape) = (values.to_vec(), shape.to_vec());
        for (axis, _, at) in cuts {
            values = selected(&values, &shape, *axis, at)?;
            shape[*axis] = at.len();
        }
        Ok(Some((values, shape)))
    }

    /// Puts `value` at the places of the tensor at `path`; false as for `None` of [`Cuts::cut`].
    ///
    /// # Errors
    /// Values that are no tensor of `shape`.
    pub fn fill<T: Copy>(
        &self,
        path: &str,
        values: &mut [T],
        shape: &[usize],
        value: T,
    ) -> Result<bool, ModelError> {
        let Some(cuts) = self.of(path, shape) else {
            return Ok(false);
        };
        for (axis, _, at) in cuts {
            overwrite(values, shape, *axis, at, value)?;
        }
        Ok(true)
    }

    fn of(&self, path: &str, shape: &[usize]) -> Option<&[(usize, usize, Vec<usize>)]> {
        let cuts = self.cuts.get(path)?;
        let fits =
            |(axis, length, _): &(usize, usize, Vec<usize>)| shape.get(*axis) == Some(length);
        cuts.iter().all(fits).then_some(cuts.as_slice())
    }
}
