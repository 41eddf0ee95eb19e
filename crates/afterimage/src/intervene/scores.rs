//! Scores of an encoder's units.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{ModelView as _, SampleId, Site, Split};
use afterimage_memory::{LayerMem, Measured, chosen_of, layer_mems};
use afterimage_model::EncoderView;
use afterimage_train::TrainError;

use super::rank::UnitRank;
use super::subject::Operated;
use super::taylor::taylor;
use crate::error::RunError;
use crate::registry::Registry;
use crate::unit_points::{self, UnitPoints};

/// Scores by place of the site and unit.
pub(super) type Scores = Vec<Vec<f64>>;

/// What the units answered to points, and what else their scores come from.
pub(super) struct Scorer<'a> {
    operated: &'a Operated,
    sites: Vec<Site>,
    train: Vec<Measured>,
    held_out: Vec<Measured>,
    /// Answers to the points whose owners are asked for, where they are others than `train`.
    owners: Option<Vec<Measured>>,
}

impl<'a> Scorer<'a> {
    /// Measures the units' answers to training and held-out points. `owned_by` are the training points
    /// of [`UnitRank::Ownership`]; the same training points without.
    pub(super) fn new(
        operated: &'a Operated,
        owned_by: Option<&[SampleId]>,
        say: &mut dyn FnMut(&str),
    ) -> Result<Self, RunError> {
        let view = EncoderView::new(&operated.encoder, &operated.masks);
        let points = UnitPoints::new(&operated.prepared, &operated.config, &view)?;
        points.note.iter().for_each(|note| say(note));
        let owners = match owned_by {
            Some(set) => {
                let known: BTreeSet<SampleId> = points.members.iter().copied().collect();
                if let Some(other) = set.iter().find(|id| !known.contains(id)) {
                    return Err(RunError::Ablate {
                        key: "owned-by",
                        reason: format!(
                            "{}: the encoder was not trained on such a point; its training points \
                             are {} of the ids from 0 to {}",
                            other.0,
                            points.members.len(),
                            operated.prepared.data.train.len().saturating_sub(1)
                        ),
                    });
                }
                Some(points.measure(Split::Train, set)?)
            }
            None => None,
        };
        Ok(Self {
            operated,
            sites: points.sites(),
            train: points.train()?,
            held_out: points.held_out()?,
            owners,
        })
    }

    pub(super) fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// Mean activations on training points.
    pub(super) fn activity(&self) -> Scores {
        let mean = |measured: &Measured| {
            let state = measured.points.state();
            let points = state.points() as f64;
            (0..state.units())
                .map(|unit| state.sum(unit) / points)
                .collect()
        };
        self.train.iter().map(mean).collect()
    }

    /// The scores by `rank`; a unit that has none, such as a silent one, counts as 0.
    pub(super) fn scores(&self, rank: UnitRank, registry: &Registry) -> Result<Scores, RunError> {
        Ok(match rank {
            UnitRank::Unitmem => self.train.iter().map(unitmem).collect(),
            UnitRank::UnitmemExcess => {
                let pairs = self.train.iter().zip(&self.held_out);
                pairs
                    .map(|(train, null)| difference(&unitmem(train), &unitmem(null)))
                    .collect()
            }
            UnitRank::Ownership => {
                let own = self.owners.as_ref().unwrap_or(&self.train);
                own.iter()
                    .zip(&self.held_out)
                    .map(|(own, null)| lead(own, null))
                    .collect()
            }
            UnitRank::Layermem | UnitRank::LayermemDelta => self.of_layers(rank)?,
            UnitRank::Magnitude => self.magnitude()?,
            UnitRank::Taylor => taylor(registry, self.operated, &self.sites)?,
            UnitRank::ActivationMean => self.activity(),
            UnitRank::Random => {
                let key = RandomKey::new(self.operated.config.seed, Stream::Layers);
                // Those of controls are numbered from 1.
                let mut generator = key.step(0).generator();
                let mut numbers =
                    |site: &Site| (0..site.units).map(|_| generator.uniform()).collect();
                self.sites.iter().map(&mut numbers).collect()
            }
        })
    }

    /// LayerMem of each unit's layer, or what that adds to the layer right before, at the grain of
    /// all sites.
    fn of_layers(&self, rank: UnitRank) -> Result<Scores, RunError> {
        let Operated {
            prepared, config, ..
        } = self.operated;
        let (Some((reference, masks)), Some(sets)) = (&prepared.reference, &prepared.pair) else {
            return Err(RunError::Ablate {
                key: "score",
                reason: format!(
                    "{rank} compares with a reference encoder, which this run has not trained; give \
                     one with --reference, or another score"
                ),
            });
        };
        let config = (&config.layermem, config.seed);
        let candidates = chosen_of(config.1, Split::Train, &sets.candidates, config.0.points);
        let studied = EncoderView::new(&self.operated.encoder, &self.operated.masks);
        let reference = EncoderView::new(reference, masks);
        let mems = layer_mems(
            &config.0.probe(),
            config.0.form,
            [&studied, &reference],
            &prepared.store,
            Split::Train,
            &candidates,
        )
        .map_err(TrainError::Evaluation)?;
        let by_layer = match rank {
            UnitRank::LayermemDelta => added(&mems),
            _ => mems
                .iter()
                .map(|(layer, mem)| (layer.as_str(), mem.mean))
                .collect(),
        };
        let of = |site: &Site| {
            let score = by_layer.get(site.name.as_str()).copied();
            score.map(|score| vec![score; site.units]).ok_or_else(|| RunError::Ablate {
                key: "score",
                reason: format!(
                    "LayerMem is not measured at {}, as `layermem.sites` and `layermem.kinds` have it",
                    site.name
                ),
            })
        };
        self.sites.iter().map(of).collect()
    }

    fn magnitude(&self) -> Result<Scores, RunError> {
        let view = EncoderView::new(&self.operated.encoder, &self.operated.masks);
        let of = |site: &Site| {
            let parameters = view
                .unit_parameters(&site.name)
                .map_err(TrainError::Evaluation)?;
            parameters
                .map(|parameters| parameters.weight_norm)
                .ok_or_else(|| RunError::Ablate {
                    key: "score",
                    reason: format!("magnitude: {} names no weights", site.name),
                })
        };
        self.sites.iter().map(of).collect()
    }
}

fn unitmem(measured: &Measured) -> Vec<f64> {
    let scores = unit_points::unitmem(measured).into_iter();
    scores.map(|score| score.unwrap_or(0.0)).collect()
}

/// What each layer adds to the LayerMem of the layer right before. Before the first layer are the views
/// themselves, which both encoders are given alike, so that LayerMem is 0 there.
fn added(mems: &[(String, LayerMem)]) -> BTreeMap<&str, f64> {
    let before = std::iter::once(0.0).chain(mems.iter().map(|(_, mem)| mem.mean));
    let pairs = mems.iter().zip(before);
    pairs
        .map(|((layer, mem), before)| (layer.as_str(), mem.mean - before))
        .collect()
}

fn difference(first: &[f64], second: &[f64]) -> Vec<f64> {
    first.iter().zip(second).map(|(a, b)| a - b).collect()
}

/// How far the largest answers to the points of `own` lie above those to the points of `null`.
fn lead(own: &Measured, null: &Measured) -> Vec<f64> {
    let highest = |measured: &Measured| -> Vec<f64> {
        let state = measured.points.state();
        state.highest().iter().map(|a| f64::from(*a)).collect()
    };
    let pairs = highest(own).into_iter().zip(highest(null));
    pairs
        .map(|(a, b)| match a.abs() + b.abs() {
            0.0 => 0.0,
            sum => (a - b) / sum,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use afterimage_memory::LayerForm;

    use super::*;

    #[test]
    fn the_first_layer_adds_all_that_it_has() {
        let mem = |studied| LayerMem::new(LayerForm::Paper, &[studied], &[1.0]).unwrap();
        // LayerMem (1 − F) / (1 + F): 1/3, 0.6, 0.6.
        let mems = [("b", 0.5), ("a", 0.25), ("c", 0.25)];
        let mems = mems.map(|(layer, studied)| (layer.to_owned(), mem(studied)));
        let added = added(&mems);
        for (layer, expected) in [("b", 1.0 / 3.0), ("a", 0.6 - 1.0 / 3.0), ("c", 0.0)] {
            assert!((added[layer] - expected).abs() < 1e-12, "{layer}");
        }
    }
}
