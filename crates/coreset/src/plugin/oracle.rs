//! The plugin `coreset-oracle`: a control arm that knows which labels are right.

use afterimage_hooks::{
    Declare, EpochStart, EpochStartCx, Every, Fault, Plugin, PluginState, RequestKind, RunStart,
    RunStartCx, Split,
};
use serde::{Deserialize, Serialize};

use super::order;
use super::selection::CoresetSelection;

/// Settings of [`CoresetOracle`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CoresetOracleConfig {
    /// Epochs on all samples before; default 5.
    pub warmup: u32,
    /// The largest part of the training samples that is read in an epoch, in (0, 1]; default 0.5.
    pub fraction: f64,
    /// Whether the samples are read again until the epoch has as many steps as one over all; default
    /// false.
    pub repeat: bool,
}

impl Default for CoresetOracleConfig {
    fn default() -> Self {
        Self {
            warmup: 5,
            fraction: 0.5,
            repeat: false,
        }
    }
}

impl CoresetOracleConfig {
    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let wrong = !(self.fraction > 0.0 && self.fraction <= 1.0);
        let advice = format!("{} is not in (0, 1]", self.fraction);
        wrong.then_some(("fraction", advice)).into_iter().collect()
    }
}

/// Trains on random samples whose labels are right: what no method can do, and what all are compared
/// with. It provides [`CoresetSelection`].
#[derive(Debug)]
pub struct CoresetOracle {
    config: CoresetOracleConfig,
    kept: Kept,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    right: Vec<u32>,
    samples: u32,
}

impl CoresetOracle {
    /// A plugin that knows nothing yet.
    pub fn new(config: CoresetOracleConfig) -> Self {
        Self {
            config,
            kept: Kept::default(),
        }
    }

    fn start(&mut self, cx: &mut RunStartCx<'_>) -> Result<(), Fault> {
        let samples = cx
            .samples
            .ok_or_else(|| Fault::new("this model's host shows no samples"))?;
        let truth = samples
            .true_labels(Split::Train, &cx.truth_access()?)?
            .of_samples;
        let given = samples
            .labels(Split::Train, &cx.label_access()?)?
            .of_samples;
        let each = (0u32..).zip(given.iter().zip(truth));
        self.kept.right = each
            .filter(|(_, (a, b))| a == b)
            .map(|(id, _)| id)
            .collect();
        self.kept.samples = given.len() as u32;
        Ok(())
    }

    fn epoch(&mut self, cx: &mut EpochStartCx<'_>) -> Result<(), Fault> {
        let epoch = cx.clock().epoch;
        if epoch <= self.config.warmup {
            return Ok(());
        }
        let most = (self.config.fraction * f64::from(self.kept.samples)).round() as usize;
        let key = cx.random().epoch(epoch);
        let mut ids = self.kept.right.clone();
        key.step(2).generator().shuffle(&mut ids);
        ids.truncate(most.max(1));
        ids.sort_unstable();
        let selection = CoresetSelection {
            chosen_at: epoch - 1,
            weights: vec![1.0; ids.len()],
            ids,
            cost: f64::NAN,
            separation: f64::NAN,
            ..CoresetSelection::default()
        };
        let batch = cx.run().batch_size;
        let whole = cx.plan.ids().len() / batch * batch;
        let length = self.config.repeat.then_some(whole);
        let plan = order::plan(&selection.ids, &selection.weights, key.step(1), length)?;
        if plan.ids().len() < batch {
            return Err(Fault::new(format!(
                "{} samples with right labels do not fill a batch of {batch}; set `repeat = true`",
                plan.ids().len()
            )));
        }
        cx.scope.scalar("coreset/size", selection.ids.len() as f64);
        cx.scope.provide(selection)?;
        cx.set_plan(plan)
    }
}

impl Plugin for CoresetOracle {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<RunStart>(Every::Always, Self::start)
            .on::<EpochStart>(Every::Always, Self::epoch)
            .reads_labels()
            .oracle()
            .requests(RequestKind::SetPlan)
            .provides::<CoresetSelection>();
    }

    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(1, &self.kept)
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.kept = state.decode(1)?;
        Ok(())
    }
}
