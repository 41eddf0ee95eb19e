//! The plugins `magnitude` and `bn-gamma`: what the parameters of a unit are like.

use afterimage_hooks::{
    Declare, EpochEnd, EpochEndCx, Every, Fault, Plugin, PluginState, Reduce, RunStart, RunStartCx,
    TapMode, UnitParameters,
};

use super::{GammaScores, MagnitudeScores, ScoredConfig, of_sites, tap};

/// Publishes the Euclidean norm of the weights that make each unit, of all that make a sum.
///
/// A control: the most common score of structured pruning (Li et al., ICLR 2017, arXiv 1608.08710,
/// there with the sum of absolute values). Sites that name no weights have no scores.
#[derive(Debug)]
pub struct Magnitude {
    config: ScoredConfig,
}

/// Publishes the absolute scale γ of the batch norm behind each unit, the mean of all behind a sum.
///
/// A control (Liu et al., ICCV 2017, arXiv 1708.06519, there trained with a penalty on γ, here
/// without). Sites without norm have no scores.
#[derive(Debug)]
pub struct BnGamma {
    config: ScoredConfig,
}

fn some(values: Vec<f64>) -> Vec<Option<f64>> {
    values.into_iter().map(Some).collect()
}

/// A plugin without state that reads parameters.
macro_rules! of_parameters {
    ($plugin:ident, $resource:ident, $values:expr) => {
        impl $plugin {
            /// A plugin with these settings.
            pub fn new(config: ScoredConfig) -> Self {
                Self { config }
            }

            fn start(&mut self, cx: &mut RunStartCx<'_>) -> Result<(), Fault> {
                let model = cx.model;
                self.look(&mut cx.scope, model)
            }

            fn epoch(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
                let model = cx.model;
                self.look(&mut cx.scope, model)
            }

            fn look(
                &self,
                scope: &mut afterimage_hooks::Scope<'_>,
                model: &dyn afterimage_hooks::ModelView,
            ) -> Result<(), Fault> {
                let values: fn(UnitParameters) -> Option<Vec<f64>> = $values;
                let tap = self.tap();
                let scores = of_sites(scope, model, &tap, |site, _| {
                    let parameters = model.unit_parameters(site)?;
                    Ok(parameters.and_then(values).map(some))
                })?;
                scope.provide($resource(scores))
            }

            fn tap(&self) -> afterimage_hooks::TapSpec {
                let read = TapMode::Read(Reduce::MeanSpace);
                tap(&self.config.sites, &self.config.kinds, read)
            }
        }

        impl Plugin for $plugin {
            fn declare(&self, d: &mut Declare<'_, Self>) {
                // The tap is never on, since no handler is due in a step; declared, a pattern that
                // matches no site is refused before the run.
                d.taps(self.tap())
                    .on::<RunStart>(Every::Always, Self::start)
                    .on::<EpochEnd>(self.config.every, Self::epoch)
                    .provides::<$resource>();
            }

            fn state(&self) -> Result<PluginState, Fault> {
                Ok(PluginState::none())
            }

            fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
                state.expect_none()
            }
        }
    };
}

of_parameters!(Magnitude, MagnitudeScores, |p| Some(p.weight_norm));
of_parameters!(BnGamma, GammaScores, |p| p.scale);
