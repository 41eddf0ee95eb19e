//! The plugin `coreset-oracle`: a control arm that knows which labels are right, or which images repeat
//! others.

use std::collections::BTreeSet;

use afterimage_hooks::{
    Declare, Dose, Doses, EpochStart, EpochStartCx, Every, Fault, PairSets, Plugin, PluginState,
    RequestKind, RunStart, RunStartCx, SampleId, Split,
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
    /// What it knows of the samples and leaves out: `wrong-labels` (default), or `planted-repeats`, the near
    /// duplicates that `[doses] kind = "copies"` planted beside the picture that they show.
    pub leaves_out: LeavesOut,
}

/// What the oracle leaves out.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LeavesOut {
    /// Samples whose labels are wrong.
    #[default]
    WrongLabels,
    /// Near duplicates, but for the picture that was copied.
    PlantedRepeats,
}

impl Default for CoresetOracleConfig {
    fn default() -> Self {
        Self {
            warmup: 5,
            fraction: 0.5,
            repeat: false,
            leaves_out: LeavesOut::WrongLabels,
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

/// Trains on random samples whose labels are right, or that repeat no other: what no method can do, and
/// what all are compared with. It provides [`CoresetSelection`].
#[derive(Debug)]
pub struct CoresetOracle {
    config: CoresetOracleConfig,
    kept: Kept,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Samples that may be read.
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
        let all = || (0..cx.run().train_samples as u32).map(SampleId).collect();
        let pair = cx.run().pair.as_ref();
        let members: Vec<SampleId> = pair.map_or_else(all, PairSets::members);
        self.kept.samples = members.len() as u32;
        let right: Vec<SampleId> = match self.config.leaves_out {
            LeavesOut::WrongLabels => {
                let samples = cx
                    .samples
                    .ok_or_else(|| Fault::new("this model's host shows no samples"))?;
                let (truth, given) = cx.truth_and_labels(samples, Split::Train)?;
                let is_right = |id: &SampleId| given.get(id.0 as usize) == truth.get(id.0 as usize);
                members.into_iter().filter(is_right).collect()
            }
            LeavesOut::PlantedRepeats => {
                let repeats = cx.run().doses.as_ref().map(repeats).unwrap_or_default();
                if repeats.is_empty() {
                    return Err(Fault::new(
                        "`leaves_out = \"planted-repeats\"` finds no near duplicate; plant some with \
                         `[doses] kind = \"copies\"`",
                    ));
                }
                let stays = |id: &SampleId| !repeats.contains(id);
                members.into_iter().filter(stays).collect()
            }
        };
        self.kept.right = right.iter().map(|id| id.0).collect();
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
                "the {} samples that are left do not fill a batch of {batch}; set `repeat = true`",
                plan.ids().len()
            )));
        }
        cx.scope.scalar("coreset/size", selection.ids.len() as f64);
        cx.scope.provide(selection)?;
        cx.set_plan(plan)
    }
}

/// Near duplicates, but for the first of each picture.
fn repeats(doses: &Doses) -> BTreeSet<SampleId> {
    let copied = |dose| matches!(dose, Dose::Copies(_));
    let groups = doses.groups.iter().filter(|group| copied(group.dose));
    let pictures = groups.flat_map(|group| &group.samples);
    pictures
        .flat_map(|ids| ids.iter().skip(1))
        .copied()
        .collect()
}

impl Plugin for CoresetOracle {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<RunStart>(Every::Always, Self::start)
            .on::<EpochStart>(Every::Always, Self::epoch)
            .oracle()
            .requests(RequestKind::SetPlan)
            .provides::<CoresetSelection>();
        if self.config.leaves_out == LeavesOut::WrongLabels {
            d.reads_labels();
        }
    }

    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(1, &self.kept)
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.kept = state.decode(1)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use afterimage_hooks::DoseGroup;

    use super::*;

    #[test]
    fn a_repeat_is_a_copy_that_is_not_the_picture_itself() {
        let ids = |numbers: &[u32]| numbers.iter().copied().map(SampleId).collect::<Vec<_>>();
        let group = |dose, samples: &[&[u32]]| DoseGroup {
            dose,
            samples: samples.iter().map(|numbers| ids(numbers)).collect(),
            partners: ids(&[90, 91]),
        };
        let doses = Doses {
            groups: vec![
                group(Dose::Copies(3), &[&[7, 2, 9], &[1, 8, 4]]),
                group(Dose::Repeats(4), &[&[5], &[6]]),
                group(Dose::Noise, &[&[3]]),
            ],
            plain: ids(&[0]),
        };
        let expected: BTreeSet<SampleId> = ids(&[2, 4, 8, 9]).into_iter().collect();
        assert_eq!(repeats(&doses), expected);
    }
}
