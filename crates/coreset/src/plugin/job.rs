//! One selection, from a snapshot of what is known: runs on a thread of its own.

mod among;
mod frozen;
mod gated;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use frozen::Frozen;

use super::choices::{Grouping, Proxy};
use super::config::CoresetConfig;
use super::rows;
use super::selection::CoresetSelection;
use super::store::Store;
use crate::error::CoresetError;
use crate::evidence::Evidence;
use crate::matrix::Matrix;
use crate::partition::{Budget, Partition};
use crate::points::{LastLayer, Points};
use crate::representation::{penultimate_proxies, residuals};
use crate::select::Selection;
use crate::settings::{Settings, Strategy};

/// Everything that a selection depends on.
pub(super) struct Job {
    pub(super) config: CoresetConfig,
    pub(super) samples: usize,
    /// Epoch at whose end it is made.
    pub(super) epoch: u32,
    pub(super) seed: u64,
    pub(super) store: Store,
    /// Observed labels, where they are read.
    pub(super) labels: Option<Vec<u32>>,
    /// Weight `[classes, width]` of the last layer, where the proxy needs it.
    pub(super) weight: Option<(Vec<f32>, usize)>,
    /// Values out of bag, NaN where not known.
    pub(super) values: Option<Vec<f32>>,
    /// The samples that are chosen from, in ascending order, where these are not all.
    pub(super) members: Option<Vec<usize>>,
    /// What earlier selections of the run have worked out for good.
    pub(super) frozen: Frozen,
}

impl Job {
    /// Chooses; a pure function of the snapshot.
    pub(super) fn run(&self) -> Result<CoresetSelection, CoresetError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.config.threads)
            .build()
            .map_err(|error| CoresetError::setting("threads", error.to_string()))?;
        pool.install(|| match &self.config.gate {
            Some(gate) => self.gated(gate),
            None => match &self.members {
                Some(members) => self.among(members),
                None => self.selected(),
            },
        })
    }

    fn selected(&self) -> Result<CoresetSelection, CoresetError> {
        let points = if self.config.ranks_points() {
            self.points()?
        } else {
            nowhere(self.samples)?
        };
        let groups = self.groups()?;
        let scores = self.memorization()?;
        let settings = self.settings(groups.partition(self.config.clusters));
        let evidence = Evidence {
            losses: (self.config.strategy == Strategy::SmallLoss)
                .then_some(self.store.losses.as_slice()),
            memorization: scores.as_ref().as_deref(),
            ..Evidence::of(&points)
        };
        let selection = Selection::plan(evidence, settings)?;
        tracing::info!("coreset: {}", selection.memory());
        let coreset = selection.run()?;
        let mean = coreset.weights.iter().sum::<f64>() / coreset.weights.len().max(1) as f64;
        let owners: Vec<u32> = coreset
            .owners
            .iter()
            .map(|owner| owner.unwrap_or(u32::MAX))
            .collect();
        let count = groups
            .partition(self.config.clusters)
            .groups(self.samples, self.seed)?;
        let empty = count
            .iter()
            .filter(|ids| ids.iter().all(|id| owners[*id] == u32::MAX))
            .count();
        Ok(CoresetSelection {
            chosen_at: self.epoch,
            ids: coreset.indices.iter().map(|id| *id as u32).collect(),
            weights: coreset.weights.iter().map(|w| (w / mean) as f32).collect(),
            owners: if self.config.ranks_points() {
                owners
            } else {
                Vec::new()
            },
            clean: Vec::new(),
            losses: self.losses(),
            cost: if self.config.ranks_points() {
                coreset.cost
            } else {
                f64::NAN
            },
            separation: f64::NAN,
            empty_groups: empty as u32,
        })
    }

    fn settings<'p>(&self, partition: Partition<'p>) -> Settings<'p> {
        let leaning = self.config.memorization.clone().unwrap_or_default();
        Settings {
            strategy: self.config.strategy,
            partition,
            weighting: self.config.weighting(),
            memory: self.config.memory.bytes,
            clusters: self.config.clusters,
            threads: self.config.threads,
            seed: self.seed,
            prefer: leaning.prefer,
            bonus: leaning.bonus,
            ..Settings::new(Budget::Fraction(self.config.fraction))
        }
    }

    fn points(&self) -> Result<Points<'static>, CoresetError> {
        Ok(match self.config.proxy {
            Proxy::Embeddings => Points::Rows(self.embeddings()?),
            Proxy::Features => Points::Rows(self.features()?),
            Proxy::Residuals => Points::Rows(self.residuals()?),
            Proxy::LastLayer => {
                Points::LastLayer(LastLayer::new(self.residuals()?, self.features()?)?)
            }
            Proxy::Penultimate => {
                let (values, classes) = self.weight.as_ref().ok_or_else(no_classes)?;
                let width = values.len() / (*classes).max(1);
                let weight =
                    Matrix::new("weights of the last layer", *classes, width, values.clone())?;
                Points::Rows(penultimate_proxies(&self.residuals()?, &weight)?)
            }
        })
    }

    fn residuals(&self) -> Result<Matrix, CoresetError> {
        residuals(&self.logits()?, self.labels()?)
    }

    fn logits(&self) -> Result<Matrix, CoresetError> {
        if self.store.classes == 0 {
            return Err(no_classes());
        }
        let Store {
            logits, classes, ..
        } = &self.store;
        Matrix::new("scores of classes", self.samples, *classes, logits.clone())
    }

    fn features(&self) -> Result<Matrix, CoresetError> {
        let Store {
            features, width, ..
        } = &self.store;
        Matrix::new("features", self.samples, *width, features.clone())
    }

    fn embeddings(&self) -> Result<Matrix, CoresetError> {
        let missing = || CoresetError::setting("embeddings", "is not told");
        let path = self.config.embeddings.as_deref().ok_or_else(missing)?;
        rows::read(path, self.samples)
    }

    fn memorization(&self) -> Result<Arc<Option<Vec<f64>>>, CoresetError> {
        let read = || self.config.scores_of_memorization(self.samples);
        self.frozen.memorization(read)
    }

    fn labels(&self) -> Result<&[u32], CoresetError> {
        let missing = || CoresetError::setting("labels", "these samples have none");
        self.labels.as_deref().ok_or_else(missing)
    }

    fn losses(&self) -> Vec<f32> {
        if self.store.classes > 0 {
            self.store.losses.clone()
        } else {
            Vec::new()
        }
    }

    fn finite(&self, what: &'static str, values: &[f32]) -> Result<(), CoresetError> {
        Matrix::new(what, values.len(), 1, values.to_vec()).map(|_| ())
    }

    fn groups(&self) -> Result<Groups, CoresetError> {
        Ok(match self.config.partition {
            Grouping::None => Groups::None,
            Grouping::Label => Groups::Classes(self.labels()?.to_vec()),
            Grouping::Prediction => {
                let logits = self.logits()?;
                let best = |row: &[f32]| {
                    let mut best = (0, f32::NEG_INFINITY);
                    for (class, score) in (0u32..).zip(row) {
                        if *score > best.1 {
                            best = (class, *score);
                        }
                    }
                    best.0
                };
                Groups::Classes(
                    (0..logits.rows())
                        .map(|row| best(logits.row(row)))
                        .collect(),
                )
            }
            Grouping::Cluster if self.config.proxy == Proxy::Embeddings => {
                Groups::Rows(self.embeddings()?)
            }
            Grouping::Cluster => Groups::Rows(self.features()?),
        })
    }
}

/// What a partition refers to.
enum Groups {
    None,
    Classes(Vec<u32>),
    Rows(Matrix),
}

impl Groups {
    fn partition(&self, count: usize) -> Partition<'_> {
        match self {
            Self::None => Partition::None,
            Self::Classes(classes) => Partition::Classes(classes),
            Self::Rows(rows) => Partition::Clusters { rows, count },
        }
    }
}

/// Points of `count` samples for a strategy that does not look at where they lie.
fn nowhere(count: usize) -> Result<Points<'static>, CoresetError> {
    Matrix::new("features", count, 1, vec![0.0; count]).map(Points::Rows)
}

fn no_classes() -> CoresetError {
    CoresetError::setting(
        "proxy",
        "this objective has no scores of classes; set \"features\" or \"embeddings\", and a partition \
         other than \"prediction\"",
    )
}

/// The members of each chosen sample's cluster, by the chosen sample's id.
pub(super) fn clusters(selection: &CoresetSelection) -> BTreeMap<u32, Vec<u32>> {
    let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (sample, owner) in (0u32..).zip(&selection.owners) {
        if let Some(medoid) = selection.ids.get(*owner as usize) {
            members.entry(*medoid).or_default().push(sample);
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::super::choices::Preset;
    use super::super::store::Row;
    use super::*;
    use crate::plugin::config::GateConfig;

    /// Twelve samples of two classes, whose scores and features are formulas of the id.
    fn job(config: CoresetConfig, order: &[usize]) -> Job {
        let mut store = Store::new(order.len());
        let labels: Vec<u32> = order.iter().map(|id| (*id % 2) as u32).collect();
        for (place, id) in order.iter().enumerate() {
            let x = *id as f32;
            let (logits, features) = (
                [(x * 1.7).sin(), (x * 0.9).cos()],
                [(x * 2.3).sin(), x / 12.0],
            );
            let row = Row {
                id: place,
                logits: Some(&logits),
                features: Some(&features),
                label: Some(labels[place]),
            };
            store.put(&row, 1, 0.5);
        }
        Job {
            config,
            samples: order.len(),
            epoch: 3,
            seed: 1,
            store,
            labels: Some(labels),
            weight: Some((vec![1.0, 0.5, -0.25, 2.0], 2)),
            values: None,
            members: None,
            frozen: Frozen::default(),
        }
    }

    fn configs() -> Vec<CoresetConfig> {
        let gate = |fill| GateConfig {
            fill,
            neighbours: 4,
            ..GateConfig::default()
        };
        let with = |gate| CoresetConfig {
            gate,
            ..CoresetConfig::default()
        };
        let of = |preset, proxy| CoresetConfig {
            preset,
            proxy,
            ..CoresetConfig::default()
        };
        vec![
            of(Preset::None, Proxy::Residuals),
            of(Preset::None, Proxy::Penultimate),
            of(Preset::None, Proxy::LastLayer),
            of(Preset::None, Proxy::Features),
            with(Some(gate(crate::gate::Fill::Cover))),
            with(Some(gate(crate::gate::Fill::All))),
        ]
    }

    #[test]
    fn samples_in_another_order_give_the_same_samples() -> Result<(), CoresetError> {
        let straight: Vec<usize> = (0..12).collect();
        let order = [7, 2, 9, 4, 11, 0, 5, 10, 3, 8, 1, 6];
        for config in configs() {
            let first = job(config.clone(), &straight).run()?;
            let other = job(config.clone(), &order).run()?;
            let mut ids: Vec<u32> = first.ids.clone();
            let mut back: Vec<u32> = other
                .ids
                .iter()
                .map(|id| order[*id as usize] as u32)
                .collect();
            ids.sort_unstable();
            back.sort_unstable();
            assert_eq!(ids, back, "{config:?}");
        }
        Ok(())
    }

    #[test]
    fn everything_is_a_coreset_too() -> Result<(), CoresetError> {
        let order: Vec<usize> = (0..12).collect();
        for config in configs().into_iter().filter(|config| config.gate.is_none()) {
            let whole = CoresetConfig {
                fraction: 1.0,
                ..config
            };
            let mut ids = job(whole, &order).run()?.ids;
            ids.sort_unstable();
            assert_eq!(ids, (0..12).collect::<Vec<u32>>());
        }
        Ok(())
    }

    #[test]
    fn scores_that_are_not_finite_are_an_error_with_the_samples() {
        let order: Vec<usize> = (0..12).collect();
        for config in configs() {
            let mut broken = job(config.clone(), &order);
            for id in [3, 8] {
                broken.store.logits[id * 2] = f32::NAN;
                broken.store.features[id * 2 + 1] = f32::INFINITY;
                broken.store.losses[id] = f32::NAN;
            }
            let message = broken.run().map(|_| ()).map_err(|error| error.to_string());
            let message = message.err().unwrap_or_default();
            assert!(
                message.contains("not finite: 3, 8;"),
                "{config:?}: {message}"
            );
        }
    }

    #[test]
    fn a_gate_without_what_its_signals_are_made_of_is_refused() {
        let order: Vec<usize> = (0..12).collect();
        let of = |gate: GateConfig| CoresetConfig {
            gate: Some(GateConfig {
                neighbours: 4,
                ..gate
            }),
            ..CoresetConfig::default()
        };
        let message = |job: &Job| {
            let error = job.run().err();
            error.map(|error| error.to_string()).unwrap_or_default()
        };
        let mut unlabelled = job(of(GateConfig::default()), &order);
        (unlabelled.store.classes, unlabelled.store.logits) = (0, Vec::new());
        unlabelled.store.losses = vec![f32::NAN; 12];
        let text = message(&unlabelled);
        assert!(text.contains("set `gate.losses = false`"), "{text}");

        let valued = GateConfig {
            values: true,
            ..GateConfig::default()
        };
        let mut early = job(of(valued), &order);
        for values in [None, Some(vec![f32::NAN; 12])] {
            early.values = values;
            let text = message(&early);
            assert!(text.contains("no sample has a value yet"), "{text}");
        }
        early.values = Some((0..12).map(|id| id as f32 / 12.0).collect());
        assert_eq!(message(&early), "");
    }

    #[test]
    fn presets_are_the_two_rules() {
        let of = |text: &str| -> Option<CoresetConfig> { serde_json::from_str(text).ok() };
        let released = of(r#"{"preset": "crust-released"}"#);
        let released = released.map(|c| (c.strategy, c.proxy, c.partition, c.beta));
        let expected = (
            Strategy::Centrality,
            Proxy::Penultimate,
            Grouping::Label,
            [1.0, 0.1],
        );
        assert_eq!(released, Some(expected));
        let paper = of(r#"{"preset": "crust-paper", "fraction": 0.3}"#);
        let paper = paper.map(|c| (c.strategy, c.proxy, c.partition, c.fraction));
        let expected = (
            Strategy::FacilityLocation,
            Proxy::Residuals,
            Grouping::Prediction,
            0.3,
        );
        assert_eq!(paper, Some(expected));
        assert_eq!(of(r#"{"preset": "crust-unheard"}"#), None);
        assert_eq!(of(r#"{"fractoin": 0.3}"#), None);
    }
}
