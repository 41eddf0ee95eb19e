//! The plugin `coreset`: training on samples chosen by what the network makes of them.

mod choices;
mod config;
mod embeddings;
mod job;
mod look;
mod mix;
mod mixing;
mod oracle;
mod order;
mod quality;
mod rows;
mod selection;
mod store;
mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use afterimage_hooks::{
    BatchReady, Declare, EpochEnd, EpochEndCx, EpochStart, EpochStartCx, Every, Fault, ForwardDone,
    ForwardDoneCx, LossReady, ModelView, PairSets, Plugin, PluginState, RequestKind, RunStart,
    RunStartCx, SampleValues, Samples, Scope, Split, StepDone, StepDoneCx, Write,
};
use serde::{Deserialize, Serialize};

pub use choices::{Grouping, Memory, Mixup, Preset, Proxy, Weights};
pub use config::{CoresetConfig, GateConfig, MemorizationConfig};
pub use embeddings::{EmbeddingTable, EmbeddingTableConfig};
use job::{Frozen, Job};
use look::Look;
use mixing::Mixed;
pub use oracle::{CoresetOracle, CoresetOracleConfig, LeavesOut};
pub use quality::{CoresetQuality, CoresetQualityConfig};
pub use selection::CoresetSelection;
use store::{Row, Store};
use waiting::Waiting;

use crate::error::CoresetError;
use crate::quality::overlap;

/// Layout of the state.
const STATE: u32 = 1;
/// Samples by which drift is measured.
const PROBED: usize = 256;

/// Trains each epoch on a coreset, chosen anew as the network changes.
///
/// After `warmup` epochs on all samples it snapshots what is known of the samples at the end of an
/// epoch, chooses on a thread of its own, and puts the choice in force at the start of the next epoch,
/// or `staleness` epochs later. Scores and features come from the training's own forward passes; before
/// a selection those seen longest ago are refreshed by a forward pass in evaluation mode.
///
/// Scalars `coreset/size`, `coreset/age`, and with each new choice `coreset/cost`, `coreset/overlap`,
/// `coreset/empty_groups`, `coreset/separation` and `coreset/expected_clean` (the last two with a gate);
/// `coreset/drift` with a drift trigger; `time/coreset/sweep` and `time/coreset/select` in seconds; the
/// table `coreset/chosen` if asked for. It provides [`CoresetSelection`].
///
/// Sources: CRUST, NeurIPS 2020, Eq. 5 and algorithm 1; what its code does instead is the strategy
/// `centrality`.
#[derive(Debug)]
pub struct Coreset {
    config: CoresetConfig,
    kept: Kept,
    waiting: VecDeque<Waiting>,
    mixed: Option<Mixed>,
    /// What samples are mixed with: members of each chosen sample's cluster, or samples of each label.
    pools: BTreeMap<u32, Vec<u32>>,
    /// The epoch whose labels are in the pools.
    pooled: Option<u32>,
    /// What no epoch changes.
    frozen: Frozen,
}

/// What a resumed run must find again.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    store: Store,
    current: Option<CoresetSelection>,
    /// Epoch at whose end the last selection was begun.
    last: Option<u32>,
    /// Residuals of the probed samples at that time.
    probed: Vec<Vec<f64>>,
}

impl Coreset {
    /// A plugin that has chosen nothing.
    pub fn new(config: CoresetConfig) -> Self {
        Self {
            config,
            kept: Kept::default(),
            waiting: VecDeque::new(),
            mixed: None,
            pools: BTreeMap::new(),
            pooled: None,
            frozen: Frozen::default(),
        }
    }

    fn looks(&self) -> bool {
        self.config.knows_classes() || self.config.knows_features()
    }

    fn start(&mut self, cx: &mut RunStartCx<'_>) -> Result<(), Fault> {
        if let Some((key, problem)) = self.config.problems().into_iter().next() {
            return Err(Fault::new(format!("`{key}`: {problem}")));
        }
        if cx.run().pair.is_some() && !self.config.asks_no_encoder() {
            return Err(Fault::new(
                "a coreset that is chosen by one encoder would not be the other's; remove the table \
                 `[pair]`, or set `partition = \"none\"` and `strategy` to \"random\" or \
                 \"memorization-alone\", without `gate` and `mixup`",
            ));
        }
        // What is wrong with a file is told before epochs are spent on the warm-up.
        let broken = |error: CoresetError| Fault::new(error.to_string());
        // A pair's scores are of all images, also of those that the reference encoder alone sees.
        let of_pair = |pair: &PairSets| pair.members().len() + pair.independent.len();
        let pair = cx.run().pair.as_ref();
        let samples = pair.map_or(cx.run().train_samples, of_pair);
        let scores = || self.config.scores_of_memorization(samples);
        self.frozen.memorization(scores).map_err(broken)?;
        if let Some(path) = &self.config.embeddings {
            let read = || rows::read(path, samples);
            if self.config.gate.as_ref().is_some_and(|gate| gate.frozen) {
                self.frozen.embeddings(read).map_err(broken)?;
            } else {
                read().map_err(broken)?;
            }
        }
        self.kept.store = Store::new(samples);
        if self.config.warmup == 0 {
            let (model, samples) = (cx.model, cx.samples);
            self.select(&mut cx.scope, model, samples)?;
        }
        Ok(())
    }

    fn epoch_end(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let (model, samples) = (cx.model, cx.samples);
        self.select(&mut cx.scope, model, samples)
    }

    /// Begins a selection, if one is due and an epoch is left for it.
    fn select(
        &mut self,
        scope: &mut Scope<'_>,
        model: &dyn ModelView,
        samples: Option<&dyn Samples>,
    ) -> Result<(), Fault> {
        let clock = scope.clock();
        let (epoch, due) = (clock.epoch, clock.epoch + 1 + self.config.staleness);
        if epoch < self.config.warmup || due > clock.epochs {
            return Ok(());
        }
        let samples = samples.ok_or_else(|| {
            Fault::new("a coreset is chosen out of samples, which this model's host does not show")
        })?;
        let access = self
            .config
            .knows_labels()
            .then(|| scope.label_access())
            .transpose()?;
        let look = Look {
            model,
            samples,
            batch: self.config.batch,
            access,
        };
        let mut is_due = self
            .kept
            .last
            .is_none_or(|last| epoch - last >= self.config.every);
        if let (Some(least), Some(_)) = (self.config.drift, self.kept.last) {
            let drift = self.drift(&look)?;
            scope.scalar("coreset/drift", drift);
            is_due |= drift >= least;
        }
        if !is_due {
            return Ok(());
        }
        if self.looks() {
            let began = Instant::now();
            let count = (self.config.refresh * self.kept.store.seen.len() as f64).ceil() as usize;
            let ids = self.kept.store.oldest(count);
            let (store, decay, step) = (&mut self.kept.store, self.config.decay, clock.step);
            look.at(&ids, |row| store.put(row, step, decay))?;
            scope.scalar("time/coreset/sweep", began.elapsed().as_secs_f64());
        }
        let labels = look.labels()?.map(<[u32]>::to_vec);
        self.kept.last = Some(epoch);
        self.kept.probed = match self.config.drift {
            Some(_) => self.residuals(&look)?,
            None => Vec::new(),
        };
        let weight = match (self.config.proxy, &self.config.gate) {
            (Proxy::Penultimate, None) if self.config.ranks_points() => {
                let layer = model.classifier()?;
                layer.map(|layer| (layer.weight, layer.bias.len()))
            }
            _ => None,
        };
        let reads_values = self.config.gate.as_ref().is_some_and(|gate| gate.values);
        let values = if reads_values {
            values_of(scope)?
        } else {
            None
        };
        let job = Job {
            config: self.config.clone(),
            samples: self.kept.store.seen.len(),
            epoch,
            seed: scope.random().epoch(epoch).bits(),
            store: self.kept.store.clone(),
            labels,
            weight,
            values,
            members: scope.run().pair.as_ref().map(|pair| {
                let members = pair.members();
                members.iter().map(|id| id.0 as usize).collect()
            }),
            frozen: self.frozen.clone(),
        };
        self.waiting.push_back(Waiting::start(due, job)?);
        Ok(())
    }

    /// Residuals of the probed samples by the present model.
    fn residuals(&self, look: &Look<'_>) -> Result<Vec<Vec<f64>>, Fault> {
        let samples = self.kept.store.seen.len();
        let step = samples.div_ceil(PROBED).max(1);
        let ids: Vec<usize> = (0..samples).step_by(step).collect();
        let mut now = Store::new(samples);
        let mut labels = Vec::new();
        look.at(&ids, |row| {
            now.put(row, 0, 0.0);
            labels.push(row.label.unwrap_or_default());
        })?;
        let each = ids.iter().zip(&labels);
        Ok(each
            .filter_map(|(id, label)| now.residual(*id, *label))
            .collect())
    }

    /// How far residuals are from those of the last selection, in parts of their length then.
    fn drift(&self, look: &Look<'_>) -> Result<f64, Fault> {
        let now = self.residuals(look)?;
        let length = |row: &mut dyn Iterator<Item = f64>| row.map(|x| x * x).sum::<f64>().sqrt();
        let (mut moved, mut before) = (0.0, 0.0);
        for (new, old) in now.iter().zip(&self.kept.probed) {
            moved += length(&mut new.iter().zip(old).map(|(a, b)| a - b));
            before += length(&mut old.iter().copied());
        }
        Ok(if before > 0.0 { moved / before } else { 0.0 })
    }

    fn epoch_start(&mut self, cx: &mut EpochStartCx<'_>) -> Result<(), Fault> {
        let clock = cx.clock();
        while self
            .waiting
            .front()
            .is_some_and(|waiting| waiting.due <= clock.epoch)
        {
            if let Some(waiting) = self.waiting.pop_front() {
                self.adopt(&mut cx.scope, waiting)?;
            }
        }
        let Some(current) = &self.kept.current else {
            return Ok(());
        };
        cx.scope.scalar("coreset/size", current.ids.len() as f64);
        cx.scope.scalar(
            "coreset/age",
            f64::from(clock.epoch - 1 - current.chosen_at),
        );
        let batch = cx.run().batch_size;
        let whole = cx.plan.ids().len() / batch * batch;
        let length = self.config.repeat.then_some(whole);
        let key = cx.random().epoch(clock.epoch).step(1);
        let plan = order::plan(&current.ids, &current.weights, key, length)?;
        if plan.ids().len() < batch {
            return Err(Fault::new(format!(
                "the coreset of {} samples does not fill a batch of {batch}; set `repeat = true`, or \
                 choose more",
                plan.ids().len()
            )));
        }
        cx.set_plan(plan)
    }

    /// Puts a choice in force.
    fn adopt(&mut self, scope: &mut Scope<'_>, waiting: Waiting) -> Result<(), Fault> {
        let (selection, seconds) = waiting.wait()?;
        if let Some(seconds) = seconds {
            scope.scalar("time/coreset/select", seconds);
        }
        if selection.cost.is_finite() {
            scope.scalar("coreset/cost", selection.cost);
        }
        scope.scalar("coreset/empty_groups", f64::from(selection.empty_groups));
        if selection.separation.is_finite() {
            scope.scalar("coreset/separation", selection.separation);
        }
        if !selection.clean.is_empty() {
            let sum: f64 = selection.clean.iter().map(|c| f64::from(*c)).sum();
            scope.scalar("coreset/expected_clean", sum / selection.clean.len() as f64);
        }
        let places = |ids: &[u32]| -> Vec<usize> { ids.iter().map(|id| *id as usize).collect() };
        if let Some(before) = &self.kept.current {
            let overlap = overlap(&places(&before.ids), &places(&selection.ids));
            scope.scalar("coreset/overlap", overlap);
        }
        if self.config.table {
            scope.table("coreset/chosen", selection.table());
        }
        if self.config.mixup == Mixup::Cluster {
            self.pools = job::clusters(&selection);
        }
        scope.provide(selection.clone())?;
        self.kept.current = Some(selection);
        Ok(())
    }

    fn ask(&mut self, cx: &mut ForwardDoneCx<'_>) -> Result<(), Fault> {
        cx.fetch_embeddings();
        cx.fetch_logits();
        Ok(())
    }

    fn collect(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        let labels = match (self.config.knows_labels(), cx.samples) {
            (true, Some(samples)) => {
                let access = cx.label_access()?;
                Some(samples.labels(Split::Train, &access)?.of_samples)
            }
            _ => None,
        };
        // The first view of each sample; rows are view-major.
        let rows = cx.ids.len() * cx.views;
        let step = cx.clock().step;
        // Mixed pictures say nothing of the samples that they were made of.
        if self.mixed.is_some() {
            return Ok(());
        }
        for (place, id) in cx.ids.iter().enumerate() {
            let row = Row {
                id: id.0 as usize,
                logits: row_of(cx.outputs.logits.as_ref(), rows, place),
                features: row_of(cx.outputs.embeddings.as_ref(), rows, place),
                label: labels.and_then(|labels| labels.get(id.0 as usize).copied()),
            };
            self.kept.store.put(&row, step, self.config.decay);
        }
        Ok(())
    }
}

/// Row `place` of `rows` rows.
fn row_of(values: Option<&Vec<f32>>, rows: usize, place: usize) -> Option<&[f32]> {
    let values = values?;
    let width = values.len() / rows.max(1);
    values.get(place * width..(place + 1) * width)
}

/// Values out of bag, NaN where a sample was never judged.
fn values_of(scope: &Scope<'_>) -> Result<Option<Vec<f32>>, Fault> {
    let values = scope.resource::<SampleValues>()?;
    Ok(values.map(|values| {
        let each = values.values.iter().zip(&values.counts);
        each.map(|(value, count)| if *count > 0 { *value } else { f32::NAN })
            .collect()
    }))
}

impl Plugin for Coreset {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<RunStart>(Every::Always, Self::start)
            .on::<EpochStart>(Every::Always, Self::epoch_start)
            .on::<EpochEnd>(Every::Always, Self::epoch_end)
            .requests(RequestKind::SetPlan)
            .provides::<CoresetSelection>();
        if self.config.knows_labels() {
            d.reads_labels();
        }
        if self.config.gather && self.looks() {
            d.on::<ForwardDone>(Every::Always, Self::ask)
                .on::<StepDone>(Every::Always, Self::collect);
        }
        if self.config.mixup != Mixup::None {
            d.on::<BatchReady>(Every::Always, Self::mix)
                .writes(Write::Views);
        }
        if self.config.mixup == Mixup::Cluster {
            d.on::<LossReady>(Every::Always, Self::mix_labels)
                .writes(Write::LossWeights)
                .writes(Write::LossTerms);
        }
        if self.config.gate.as_ref().is_some_and(|gate| gate.values) {
            d.reads::<SampleValues>();
        }
        if self.config.warmup > 0 {
            // What is gathered of the samples, and what they are mixed with, before anything is chosen.
            let CoresetConfig {
                mixup, beta, decay, ..
            } = &self.config;
            let gathers = self.config.gather && self.looks();
            let until_then = (mixup, beta, decay, gathers, self.config.knows_labels());
            d.begins(self.config.warmup, &until_then);
        }
    }

    fn state(&self) -> Result<PluginState, Fault> {
        let waiting: Vec<waiting::Found> = self
            .waiting
            .iter()
            .map(Waiting::found)
            .collect::<Result<_, _>>()?;
        PluginState::encode(STATE, &(&self.kept, waiting))
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        let (kept, waiting): (Kept, Vec<waiting::Found>) = state.decode(STATE)?;
        self.waiting = waiting.into_iter().map(Waiting::restored).collect();
        if let (Mixup::Cluster, Some(current)) = (self.config.mixup, &kept.current) {
            self.pools = job::clusters(current);
        }
        self.kept = kept;
        Ok(())
    }
}
