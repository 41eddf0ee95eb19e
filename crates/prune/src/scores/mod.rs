//! Scores to compare memorization with: what units are pruned by elsewhere, and random numbers.

mod activation;
mod random;
mod taylor;
mod weights;

use afterimage_hooks::{Every, Fault, ModelView, Resource, Scope, SiteKind, TapMode, TapSpec};
use serde::{Deserialize, Serialize};

use crate::score::SiteValues;

pub use activation::ActivationMean;
pub use random::RandomUnits;
pub use taylor::Taylor;
pub use weights::{BnGamma, Magnitude};

/// A resource of scores under its own name, so that each has one producer.
macro_rules! resources {
    ($($(#[$about:meta])* $type:ident = $name:literal;)*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct $type(pub SiteValues);

        impl Resource for $type {
            const NAME: &'static str = $name;
        }
    )*};
}

resources! {
    /// What [`Magnitude`] found last.
    MagnitudeScores = "magnitude.scores";
    /// What [`BnGamma`] found last.
    GammaScores = "bn-gamma.scores";
    /// What [`Taylor`] found last.
    TaylorScores = "taylor.scores";
    /// What [`ActivationMean`] found last.
    ActivationScores = "activation-mean.scores";
    /// What [`RandomUnits`] drew last.
    RandomScores = "random-scores.scores";
}

/// Settings of a score that is read off the model at the ends of epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScoredConfig {
    /// At the end of which epochs; default `"1 epochs"`.
    pub every: Every,
    /// Glob over site names; default `"encoder.*"`.
    pub sites: String,
    /// Kinds of sites; default `["activation"]`, the outputs of blocks; empty for all.
    pub kinds: Vec<SiteKind>,
}

impl Default for ScoredConfig {
    fn default() -> Self {
        Self {
            every: Every::epochs::<1>(),
            sites: "encoder.*".to_owned(),
            kinds: vec![SiteKind::Activation],
        }
    }
}

/// Settings of a score that is gathered in training steps and published at the end of each epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SampledConfig {
    /// In which steps to look; default `"10 steps"`.
    pub every: Every,
    /// Glob over site names; default `"encoder.*"`.
    pub sites: String,
    /// Kinds of sites; default `["activation"]`, the outputs of blocks; empty for all.
    pub kinds: Vec<SiteKind>,
}

impl Default for SampledConfig {
    fn default() -> Self {
        Self {
            every: Every::steps::<10>(),
            sites: "encoder.*".to_owned(),
            kinds: vec![SiteKind::Activation],
        }
    }
}

fn tap(sites: &str, kinds: &[SiteKind], mode: TapMode) -> TapSpec {
    TapSpec {
        pattern: sites.to_owned(),
        kinds: kinds.to_vec(),
        mode,
    }
}

/// Scores by site of `model` in forward order, of the time of `scope`.
fn of_sites(
    scope: &Scope<'_>,
    model: &dyn ModelView,
    tap: &TapSpec,
    mut score: impl FnMut(&str, usize) -> Result<Option<Vec<Option<f64>>>, Fault>,
) -> Result<SiteValues, Fault> {
    let mut sites = Vec::new();
    for site in model.sites().iter().filter(|site| tap.matches(site)) {
        if let Some(values) = score(&site.name, site.units)? {
            sites.push((site.name.clone(), values));
        }
    }
    let clock = scope.clock();
    Ok(SiteValues {
        epoch: clock.epoch,
        step: clock.step,
        sites,
    })
}
