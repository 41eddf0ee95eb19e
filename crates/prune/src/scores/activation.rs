//! The plugin `activation-mean`: how much a unit says.

use std::collections::BTreeMap;

use afterimage_hooks::{
    Declare, EpochEnd, EpochEndCx, Every, Fault, ForwardDone, ForwardDoneCx, Plugin, PluginState,
    Reduce, StepDone, StepDoneCx, TapMode, TapSpec,
};
use serde::{Deserialize, Serialize};

use super::{ActivationScores, SampledConfig, of_sites, tap};

const MODE: TapMode = TapMode::Read(Reduce::MeanSpaceAbs);
/// Version of the layout of the plugin's state.
const STATE: u32 = 1;

/// Publishes the mean absolute activation of each unit over the training views of the epoch.
///
/// A control: units that say little are the first to go elsewhere. The forward pass is that of
/// training, with batch normalisation in training mode and weights that drift during the epoch.
#[derive(Debug)]
pub struct ActivationMean {
    config: SampledConfig,
    sums: BTreeMap<String, Sums>,
}

/// Sums of one site.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    rows: u64,
    units: Vec<f64>,
}

impl Sums {
    /// Adds rows `[rows, units]`; starts anew where the number of units changed.
    fn add(&mut self, values: &[f32], rows: usize) {
        let units = values.len().checked_div(rows).unwrap_or(0);
        if self.units.len() != units {
            *self = Self {
                rows: 0,
                units: vec![0.0; units],
            };
        }
        for row in values.chunks(units.max(1)) {
            let sums = self.units.iter_mut().zip(row);
            sums.for_each(|(sum, value)| *sum += f64::from(*value));
        }
        self.rows += rows as u64;
    }

    fn means(&self) -> Vec<Option<f64>> {
        let mean = |sum: &f64| Some(sum / self.rows.max(1) as f64);
        self.units.iter().map(mean).collect()
    }
}

impl ActivationMean {
    /// A plugin that has seen nothing.
    pub fn new(config: SampledConfig) -> Self {
        Self {
            config,
            sums: BTreeMap::new(),
        }
    }

    fn tap(&self) -> TapSpec {
        tap(&self.config.sites, &self.config.kinds, MODE)
    }

    fn ask(&mut self, cx: &mut ForwardDoneCx<'_>) -> Result<(), Fault> {
        cx.fetch(MODE);
        Ok(())
    }

    fn collect(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        let (tap, rows) = (self.tap(), cx.ids.len() * cx.views);
        for site in cx.model.sites().iter().filter(|site| tap.matches(site)) {
            if let Some(values) = cx.fetched.get(&site.name, MODE) {
                let sums = self.sums.entry(site.name.clone()).or_default();
                sums.add(values, rows);
            }
        }
        Ok(())
    }

    fn publish(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let sums = std::mem::take(&mut self.sums);
        let model = cx.model;
        let scores = of_sites(&cx.scope, model, &self.tap(), |site, units| {
            let means = sums.get(site).map(Sums::means);
            Ok(means.filter(|means| means.len() == units))
        })?;
        if scores.sites.is_empty() {
            // No step of this epoch was due: the last scores stay, with their epoch.
            return Ok(());
        }
        cx.provide(ActivationScores(scores))
    }
}

impl Plugin for ActivationMean {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.taps(self.tap())
            .on::<ForwardDone>(self.config.every, Self::ask)
            .on::<StepDone>(self.config.every, Self::collect)
            .on::<EpochEnd>(Every::Always, Self::publish)
            .provides::<ActivationScores>();
    }

    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(STATE, &self.sums)
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.sums = state.decode(STATE)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_all_rows_and_start_anew_with_other_units() {
        let mut sums = Sums::default();
        sums.add(&[1.0, 10.0, 3.0, 20.0], 2);
        sums.add(&[2.0, 30.0], 1);
        assert_eq!(sums.means(), [Some(2.0), Some(20.0)]);
        sums.add(&[7.0], 1);
        assert_eq!(sums.means(), [Some(7.0)]);
    }
}
