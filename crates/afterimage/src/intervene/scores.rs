//! Scores of an encoder's units.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{ModelView as _, SampleId, Samples as _, Site, Split};
use afterimage_memory::{Measured, Probe, chosen_of, layer_mems, points_of_both};
use afterimage_model::EncoderView;
use afterimage_train::TrainError;

use super::rank::UnitRank;
use super::subject::Operated;
use super::taylor::taylor;
use crate::error::RunError;
use crate::points::Available;
use crate::registry::Registry;

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
        let config = &operated.config.unitmem;
        let probe = Probe {
            tap: config.tap(),
            form: config.form,
            views: config.views,
            batch: config.batch,
        };
        let store = &operated.prepared.store;
        let view = EncoderView::new(&operated.encoder, &operated.masks);
        let sites: Vec<Site> = probe.sites(&view).into_iter().cloned().collect();
        if sites.is_empty() {
            return Err(RunError::NoUnits {
                pattern: config.sites.clone(),
            });
        }
        let members = operated.prepared.members();
        let count = store.len(Split::HeldOut);
        let held_out: Vec<SampleId> = (0..count as u32).map(SampleId).collect();
        let points = points_of_both(config.points, members.len(), count);
        if points < 2 {
            return Err(RunError::FewPoints {
                points: config.points,
                train: members.len(),
            });
        }
        let available = Available::new(members.len(), count, None);
        available
            .both("UnitMem", config.points)
            .iter()
            .for_each(|note| say(note));
        let seed = operated.config.seed;
        let measure = |split, ids: &[SampleId]| {
            probe
                .measure(&view, store, split, ids)
                .map_err(TrainError::Evaluation)
        };
        let ids = |split, from: &[SampleId]| chosen_of(seed, split, from, points);
        let owners = match owned_by {
            Some(set) => {
                let known: BTreeSet<SampleId> = members.iter().copied().collect();
                if let Some(other) = set.iter().find(|id| !known.contains(id)) {
                    return Err(RunError::Ablate {
                        key: "owned-by",
                        reason: format!(
                            "{}: the encoder was not trained on such a point; its training points \
                             are {} of the ids from 0 to {}",
                            other.0,
                            members.len(),
                            operated.prepared.data.train.len().saturating_sub(1)
                        ),
                    });
                }
                Some(measure(Split::Train, set)?)
            }
            None => None,
        };
        Ok(Self {
            operated,
            sites,
            train: measure(Split::Train, &ids(Split::Train, &members))?,
            held_out: measure(Split::HeldOut, &ids(Split::HeldOut, &held_out))?,
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
        let mut before = 0.0;
        let mut by_layer = BTreeMap::new();
        for (layer, mem) in mems {
            let score = match rank {
                UnitRank::LayermemDelta => mem.mean - before,
                _ => mem.mean,
            };
            before = mem.mean;
            by_layer.insert(layer, score);
        }
        let of = |site: &Site| {
            let score = by_layer.get(&site.name).copied();
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
    let scored = measured.points.unitmem();
    let scores = scored.scores().iter();
    scores.map(|score| score.value().unwrap_or(0.0)).collect()
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
