//! The plugin `random-scores`: numbers that know nothing of the units.

use afterimage_hooks::{
    Declare, EpochEnd, EpochEndCx, Fault, Plugin, PluginState, Reduce, TapMode, TapSpec,
};

use super::{RandomScores, ScoredConfig, of_sites, tap};

/// Publishes a uniform random number for each unit, drawn anew for each epoch from the run's seed and
/// the plugin's id: the control that says what the loss of any units does.
///
/// With `scope = "site"` the pruned encoder has the widths of any other score. For the same widths
/// under `"global"`, give the pruner the score itself and `random_units = true`.
#[derive(Debug)]
pub struct RandomUnits {
    config: ScoredConfig,
}

impl RandomUnits {
    /// A plugin with these settings.
    pub fn new(config: ScoredConfig) -> Self {
        Self { config }
    }

    fn tap(&self) -> TapSpec {
        let read = TapMode::Read(Reduce::MeanSpace);
        tap(&self.config.sites, &self.config.kinds, read)
    }

    fn epoch(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let mut generator = cx.random().epoch(cx.clock().epoch).generator();
        let model = cx.model;
        let scores = of_sites(&cx.scope, model, &self.tap(), |_, units| {
            Ok(Some(
                (0..units).map(|_| Some(generator.uniform())).collect(),
            ))
        })?;
        cx.provide(RandomScores(scores))
    }
}

impl Plugin for RandomUnits {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        // As in `magnitude`: declared so that a pattern without sites is refused.
        d.taps(self.tap())
            .on::<EpochEnd>(self.config.every, Self::epoch)
            .provides::<RandomScores>();
    }

    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}
