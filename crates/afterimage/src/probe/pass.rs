//! The plugins of a probe, driven without a training loop.

use std::collections::BTreeMap;

use afterimage_hooks::{
    Attached, Clock, Column, Desk, Doses, EpochEnd, EpochEndCx, Hooks, ModelView, OnFault,
    PairSets, Plugin, Record, RunInfo, RunStart, RunStartCx, SampleId, Samples, Scope, Site, Split,
    Table,
};
use afterimage_memory::{AlignmentGap, LayerMemProbe, UnitMemProbe};
use afterimage_train::{TrainError, host_of_runs};

use super::ProbeConfig;
use crate::error::RunError;

/// A time before training.
const BEFORE: Clock = Clock {
    epoch: 0,
    step: 0,
    epochs: 1,
    steps: 1,
    epoch_began: None,
};

/// A plugin under the name of its kind; there is nothing to go on with when it fails.
fn attached<P: Plugin>(kind: &str, plugin: P) -> Attached {
    Attached::new(kind, kind, plugin).on_fault(OnFault::Stop)
}

/// One probe of an encoder and of its untrained twin.
pub(super) struct Pass<'a> {
    hooks: Hooks,
    desk: Desk,
    run: RunInfo,
    samples: &'a dyn Samples,
}

impl<'a> Pass<'a> {
    /// A probe with the settings `config`, whose resolved text is `resolved`, of an encoder with
    /// `sites`; with the sets of points in `pair`, of it and a reference encoder.
    pub(super) fn new(
        config: &ProbeConfig,
        resolved: &str,
        sites: Vec<Site>,
        (pair, doses): (Option<PairSets>, Option<Doses>),
        samples: &'a dyn Samples,
    ) -> Result<Self, RunError> {
        let mut plugins = vec![attached(
            "unitmem",
            UnitMemProbe::new(config.unitmem.clone()),
        )];
        if let Some(alignment) = &config.alignment {
            plugins.push(attached(
                "alignment-gap",
                AlignmentGap::new(alignment.clone()),
            ));
        }
        if pair.is_some() {
            plugins.push(attached(
                "layermem",
                LayerMemProbe::new(config.layermem.clone()),
            ));
        }
        let mut desk = Desk::default();
        let host = host_of_runs(sites.clone(), pair.is_some());
        let hooks = Hooks::new(plugins, &host, &mut desk.resources).map_err(TrainError::Plugins)?;
        let run = RunInfo {
            seed: config.seed,
            config: resolved.to_owned(),
            sites,
            parameters: Vec::new(),
            batch_size: config.unitmem.batch,
            views: config.unitmem.views,
            train_samples: samples.len(Split::Train),
            held_out_samples: samples.len(Split::HeldOut),
            pair,
            doses,
        };
        Ok(Self {
            hooks,
            desk,
            run,
            samples,
        })
    }

    /// Puts on record which points are looked at, in the order of the rows of their embeddings.
    pub(super) fn points(&mut self, ids: &[(Split, Vec<SampleId>)]) {
        let rows = || {
            ids.iter()
                .flat_map(|(split, ids)| ids.iter().map(move |id| (split, id)))
        };
        let split = |split: &Split| match split {
            Split::Train => "train".to_owned(),
            Split::HeldOut => "held_out".to_owned(),
        };
        let table = Table {
            columns: vec![
                (
                    "split".to_owned(),
                    Column::Text(rows().map(|(of, _)| split(of)).collect()),
                ),
                (
                    "id".to_owned(),
                    Column::I64(rows().map(|(_, id)| i64::from(id.0)).collect()),
                ),
            ],
        };
        Scope::new(BEFORE, &self.run, &mut self.desk).table("probe/points", table);
    }

    /// Probes the encoder at its initial parameters.
    pub(super) fn untrained(&mut self, model: &dyn ModelView) -> Result<(), RunError> {
        let mut taps = Vec::new();
        let mut cx = RunStartCx {
            scope: Scope::new(BEFORE, &self.run, &mut self.desk),
            model,
            samples: Some(self.samples),
            taps: &mut taps,
        };
        let fired = self.hooks.fire::<RunStart>(&BEFORE, &mut cx);
        Ok(fired.map_err(TrainError::Stopped)?)
    }

    /// Probes the encoder as it stood at `clock`.
    pub(super) fn trained(&mut self, model: &dyn ModelView, clock: Clock) -> Result<(), RunError> {
        let mut cx = EpochEndCx {
            scope: Scope::new(clock, &self.run, &mut self.desk),
            loss: None,
            model,
            samples: Some(self.samples),
        };
        let fired = self.hooks.fire::<EpochEnd>(&clock, &mut cx);
        Ok(fired.map_err(TrainError::Stopped)?)
    }

    /// Puts figures on record, of the encoder as it stood at `clock`, or before training.
    pub(super) fn scalars_at(&mut self, clock: Option<Clock>, figures: Vec<(String, f64)>) {
        let mut scope = Scope::new(clock.unwrap_or(BEFORE), &self.run, &mut self.desk);
        for (tag, value) in figures {
            scope.scalar(tag, value);
        }
    }

    /// The plugins in order.
    pub(super) fn plugins(&self) -> Vec<String> {
        self.hooks
            .manifests()
            .map(|plugin| plugin.id.clone())
            .collect()
    }

    /// Takes the records that no sink has seen.
    pub(super) fn drain(&mut self) -> Vec<Record> {
        self.desk.recorder.drain()
    }

    /// The step in which each of these was measured.
    pub(super) fn measured(&self) -> BTreeMap<String, u64> {
        let latest = self.desk.recorder.latest().iter();
        latest
            .map(|(tag, (step, _))| (tag.clone(), *step))
            .collect()
    }

    /// The last value of every scalar.
    pub(super) fn scalars(&self) -> BTreeMap<String, f64> {
        let latest = self.desk.recorder.latest().iter();
        latest
            .map(|(tag, (_, value))| (tag.clone(), *value))
            .collect()
    }
}
