//! UnitMem with its owner chosen in one half of the views and measured in the other.

use std::collections::BTreeMap;

use afterimage_hooks::SampleId;
use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::unit_max::UnitState;
use crate::unit_score::{Extent, UnitScore};

/// Extremes and sums of every unit in two folds of views, each with what the *other* fold says of
/// its owner: O(units) memory, whatever the number of points.
///
/// The largest of N noisy activations is large because of its noise too, which lifts UnitMem where
/// nothing is memorized. The noise of the other fold did not take part in the choice: the owner's
/// activation there is unbiased. Order and sharding of the points leave no trace, as in
/// [`UnitState`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossFit {
    folds: [UnitState; 2],
    /// For each fold and unit, the activation of the fold's owner in the other fold.
    elsewhere: [Vec<f32>; 2],
}

impl CrossFit {
    /// The state of a site with `units` units before any point.
    pub fn new(units: usize) -> Self {
        Self {
            folds: [UnitState::new(units), UnitState::new(units)],
            elsewhere: [vec![0.0; units], vec![0.0; units]],
        }
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.folds[0].units()
    }

    /// Number of points seen.
    pub fn points(&self) -> u64 {
        self.folds[0].points()
    }

    /// Adds points: their ids, and for each fold their mean activations `[points, units]` in
    /// row-major order ([`fold_means`](crate::fold_means)).
    ///
    /// # Errors
    /// A number of values that is not points · units; a point that is there twice. The state is
    /// then as it was.
    pub fn update(&mut self, ids: &[SampleId], values: [&[f32]; 2]) -> Result<(), MemoryError> {
        let units = self.units();
        if values[0].len() != values[1].len() {
            return Err(MemoryError::BlockSize {
                rows: ids.len(),
                units,
                values: values[1].len(),
            });
        }
        let before = self.owners();
        for (fold, values) in self.folds.iter_mut().zip(values) {
            fold.update(ids, values)?;
        }
        let rows: BTreeMap<SampleId, usize> = ids.iter().copied().zip(0..).collect();
        self.follow(&before, |fold, unit, owner| {
            let row = rows.get(&owner)?;
            Some(values[1 - fold][row * units + unit])
        });
        Ok(())
    }

    /// Adds the points of another state, which must be other points of the same site.
    ///
    /// # Errors
    /// Another number of units.
    pub fn merge(&mut self, other: &Self) -> Result<(), MemoryError> {
        let before = self.owners();
        for (fold, other) in self.folds.iter_mut().zip(&other.folds) {
            fold.merge(other)?;
        }
        self.follow(&before, |fold, unit, _| Some(other.elsewhere[fold][unit]));
        Ok(())
    }

    /// Takes what `elsewhere` says of the owners that are new since `before`.
    fn follow(
        &mut self,
        before: &[Vec<Option<SampleId>>; 2],
        elsewhere: impl Fn(usize, usize, SampleId) -> Option<f32>,
    ) {
        for (fold, before) in before.iter().enumerate() {
            for (unit, before) in before.iter().enumerate() {
                let owner = self.folds[fold].owner(unit);
                if owner != *before
                    && let Some(value) = owner.and_then(|owner| elsewhere(fold, unit, owner))
                {
                    // What is not finite makes the unit invalid, and must not part equal states;
                    // nor must the sign of a zero.
                    let finite = value.is_finite();
                    self.elsewhere[fold][unit] = if finite { value + 0.0 } else { 0.0 };
                }
            }
        }
    }

    /// In each fold, the point that each unit answers to most; nobody before any point.
    pub fn owners(&self) -> [Vec<Option<SampleId>>; 2] {
        let of = |fold: &UnitState| (0..fold.units()).map(|unit| fold.owner(unit)).collect();
        [of(&self.folds[0]), of(&self.folds[1])]
    }

    /// Cross-fitted UnitMem of each unit, in [−1, 1]: (M − R) / (M + R), where M is the mean of both
    /// owners' activations in the other fold, and R the mean over the other points there.
    ///
    /// Where nothing is memorized M and R have the same expectation. The ratio is concave in M, so
    /// that its own expectation is then a little below 0: by (relative variance of a view's
    /// activation) / (4 · views). A unit that fires in single views only scores −1. A point that the
    /// noise of a fold hides is not measured there: weak memorization is underrated.
    pub fn scores(&self) -> Vec<UnitScore> {
        (0..self.units()).map(|unit| self.score(unit)).collect()
    }

    fn score(&self, unit: usize) -> UnitScore {
        let [first, second] = [0, 1].map(|fold| self.folds[fold].extent(unit));
        let extent = Extent {
            points: first.points,
            not_finite: first.not_finite + second.not_finite,
            lowest: first.lowest.min(second.lowest),
            highest: first.highest.max(second.highest),
        };
        extent.score(|| {
            let others = (self.points() - 1) as f64;
            let mut owners = 0.0;
            let mut rest = 0.0;
            for fold in 0..2 {
                let owner = f64::from(self.elsewhere[fold][unit]);
                owners += owner / 2.0;
                rest += (self.folds[1 - fold].sum(unit) - owner) / others / 2.0;
            }
            (owners - rest, owners + rest)
        })
    }

    /// Whether the owner of each unit is the same point in both folds; nothing for units without a
    /// ratio. One in N is expected where owners are chance.
    pub fn agreed(&self) -> Vec<Option<bool>> {
        let [first, second] = self.owners();
        let owners = first.into_iter().zip(second);
        let scored = self.scores().into_iter().zip(owners);
        scored
            .map(|(score, (first, second))| {
                matches!(score, UnitScore::Valid(_)).then(|| first == second)
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "cross_fit_tests.rs"]
mod tests;
