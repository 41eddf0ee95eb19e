//! How unequal the losses of the samples are.

use afterimage::PluginKind;
use afterimage::prelude::*;
use serde::{Deserialize, Serialize};

/// Settings of [`LossSpread`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossSpreadConfig {
    /// How often a step is looked at; default "10 steps".
    pub every: Every,
}

impl Default for LossSpreadConfig {
    fn default() -> Self {
        Self {
            every: Every::steps::<10>(),
        }
    }
}

/// The kind of plugin that configs call `loss-spread`.
pub fn kind() -> PluginKind {
    PluginKind::new(
        "loss-spread",
        "standard deviation of the losses of an epoch's samples",
        // Types and unknown keys are checked already; ranges would be checked here, by
        // `report.check(holds, "key", || advice)`.
        |_: &LossSpreadConfig, _| {},
        LossSpread::new,
    )
}

/// Count, mean and sum of squared deviations of the numbers so far (Welford 1962).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Spread {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn add(&mut self, x: f64) {
        self.count += 1;
        let before = x - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (x - self.mean);
    }

    /// Standard deviation; `None` for fewer than two numbers.
    fn deviation(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / (self.count - 1) as f64).sqrt())
    }
}

/// Publishes the standard deviation of the per-sample losses of each epoch.
#[derive(Debug)]
pub struct LossSpread {
    config: LossSpreadConfig,
    spread: Spread,
}

impl LossSpread {
    /// A plugin that has seen nothing.
    pub fn new(config: LossSpreadConfig) -> Self {
        let spread = Spread::default();
        Self { config, spread }
    }

    fn ask(&mut self, cx: &mut LossReadyCx<'_>) -> Result<(), Fault> {
        cx.fetch_per_sample();
        Ok(())
    }

    fn collect(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        let losses = cx.per_sample_loss.ok_or_else(|| {
            Fault::new("this objective has no per-sample loss; remove the plugin")
        })?;
        losses
            .iter()
            .for_each(|&loss| self.spread.add(f64::from(loss)));
        Ok(())
    }

    fn publish(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        if let Some(deviation) = std::mem::take(&mut self.spread).deviation() {
            cx.scalar("loss/spread", deviation);
        }
        Ok(())
    }
}

impl Plugin for LossSpread {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<LossReady>(self.config.every, Self::ask)
            .on::<StepDone>(self.config.every, Self::collect)
            .on::<EpochEnd>(Every::Always, Self::publish);
    }

    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(1, &self.spread)
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.spread = state.decode(1)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_deviation_is_that_of_the_textbook() {
        let mut spread = Spread::default();
        assert_eq!(spread.deviation(), None);
        [1.0, 2.0, 4.0, 9.0].iter().for_each(|&x| spread.add(x));
        // mean 4; squares 9 + 4 + 0 + 25 = 38; 38 / 3
        assert!((spread.deviation().unwrap_or(f64::NAN) - (38.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }
}

#[cfg(test)]
mod conformance {
    afterimage_testkit::plugin_conformance!(super::kind(), "every = \"2 steps\"");
}
