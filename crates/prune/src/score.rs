//! Which resource the pruner reads.

use afterimage_hooks::{Declare, Fault, HooksState, Plugin, Scope};
use afterimage_memory::{ClassScores, LayerScores, UnitScore, UnitScores};
use serde::{Deserialize, Serialize};

use crate::scores::{ActivationScores, GammaScores, MagnitudeScores, RandomScores, TaylorScores};

/// A score of units, each provided by a plugin of its own.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// UnitMem on training points (plugin `unitmem`).
    #[default]
    Unitmem,
    /// UnitMem on training points less that on as many held-out points (plugin `unitmem`).
    UnitmemExcess,
    /// ClassMem on training points (plugin `classmem`).
    Classmem,
    /// LayerMem of the unit's layer, the same for all its units (plugin `layermem`).
    Layermem,
    /// What the unit's layer adds to LayerMem, the same for all its units (plugin `layermem`).
    LayermemDelta,
    /// Norm of the weights that make the unit (plugin `magnitude`).
    Magnitude,
    /// Absolute scale of the norm behind the unit (plugin `bn-gamma`).
    BnGamma,
    /// How much the loss would change without the unit, to first order (plugin `taylor`).
    Taylor,
    /// Mean absolute activation (plugin `activation-mean`).
    ActivationMean,
    /// Random numbers (plugin `random-scores`).
    Random,
}

/// Scores of units at sites.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteValues {
    /// Epoch at whose end they were published; 0 before training.
    pub epoch: u32,
    /// Step of the same.
    pub step: u64,
    /// Scores by site, in forward order; none for a unit without one.
    pub sites: Vec<(String, Vec<Option<f64>>)>,
}

impl SiteValues {
    /// The scores at `site`.
    pub fn get(&self, site: &str) -> Option<&[Option<f64>]> {
        let mut sites = self.sites.iter();
        sites
            .find(|(name, _)| name == site)
            .map(|(_, values)| values.as_slice())
    }
}

impl Score {
    /// The word for it in configs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unitmem => "unitmem",
            Self::UnitmemExcess => "unitmem-excess",
            Self::Classmem => "classmem",
            Self::Layermem => "layermem",
            Self::LayermemDelta => "layermem-delta",
            Self::Magnitude => "magnitude",
            Self::BnGamma => "bn-gamma",
            Self::Taylor => "taylor",
            Self::ActivationMean => "activation-mean",
            Self::Random => "random",
        }
    }

    /// Whether all units of a layer have one score.
    pub fn of_layers(self) -> bool {
        matches!(self, Self::Layermem | Self::LayermemDelta)
    }

    /// The plugin that provides it.
    pub fn provider(self) -> &'static str {
        match self {
            Self::Unitmem | Self::UnitmemExcess => "unitmem",
            Self::Classmem => "classmem",
            Self::Layermem | Self::LayermemDelta => "layermem",
            Self::Magnitude => "magnitude",
            Self::BnGamma => "bn-gamma",
            Self::Taylor => "taylor",
            Self::ActivationMean => "activation-mean",
            Self::Random => "random-scores",
        }
    }

    /// Declares that `P` reads the resource.
    pub(crate) fn declare<P: Plugin>(self, d: &mut Declare<'_, P>) {
        match self {
            Self::Unitmem | Self::UnitmemExcess => d.reads::<UnitScores>(),
            Self::Classmem => d.reads::<ClassScores>(),
            Self::Layermem | Self::LayermemDelta => d.reads::<LayerScores>(),
            Self::Magnitude => d.reads::<MagnitudeScores>(),
            Self::BnGamma => d.reads::<GammaScores>(),
            Self::Taylor => d.reads::<TaylorScores>(),
            Self::ActivationMean => d.reads::<ActivationScores>(),
            Self::Random => d.reads::<RandomScores>(),
        };
    }

    /// The scores as they are now; `units` tells the number of units of a site.
    ///
    /// # Errors
    /// A resource that is not declared.
    pub(crate) fn read(
        self,
        scope: &Scope<'_>,
        units: &dyn Fn(&str) -> usize,
    ) -> Result<Option<SiteValues>, Fault> {
        let own = |values: Option<&SiteValues>| values.cloned();
        Ok(match self {
            Self::Unitmem | Self::UnitmemExcess => scope
                .resource::<UnitScores>()?
                .map(|scores| self.of_unit_scores(scores)),
            Self::Classmem => scope.resource::<ClassScores>()?.map(of_class_scores),
            Self::Layermem | Self::LayermemDelta => {
                scope.resource::<LayerScores>()?.map(|scores| {
                    let layer = |layer: &afterimage_memory::LayerScore| {
                        let score = match self {
                            Self::Layermem => Some(layer.candidates.mean),
                            _ => layer.delta,
                        };
                        (layer.layer.clone(), vec![score; units(&layer.layer)])
                    };
                    SiteValues {
                        epoch: scores.epoch,
                        step: scores.step,
                        sites: scores.layers.iter().map(layer).collect(),
                    }
                })
            }
            Self::Magnitude => own(scope.resource::<MagnitudeScores>()?.map(|s| &s.0)),
            Self::BnGamma => own(scope.resource::<GammaScores>()?.map(|s| &s.0)),
            Self::Taylor => own(scope.resource::<TaylorScores>()?.map(|s| &s.0)),
            Self::ActivationMean => own(scope.resource::<ActivationScores>()?.map(|s| &s.0)),
            Self::Random => own(scope.resource::<RandomScores>()?.map(|s| &s.0)),
        })
    }
}

impl Score {
    /// The word for a score in configs, if it is one.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|score| score.word() == word)
    }

    /// All scores.
    pub const ALL: [Self; 10] = [
        Self::Unitmem,
        Self::UnitmemExcess,
        Self::Classmem,
        Self::Layermem,
        Self::LayermemDelta,
        Self::Magnitude,
        Self::BnGamma,
        Self::Taylor,
        Self::ActivationMean,
        Self::Random,
    ];

    /// What a checkpoint holds of the score: what its plugin provided last. `None` where no plugin did,
    /// and for scores of whole layers, which tell no unit from another.
    ///
    /// # Errors
    /// Damaged bytes.
    pub fn recorded(self, state: &HooksState) -> Result<Option<SiteValues>, Fault> {
        Ok(match self {
            Self::Unitmem | Self::UnitmemExcess => state
                .resource::<UnitScores>()?
                .map(|scores| self.of_unit_scores(&scores)),
            Self::Classmem => state
                .resource::<ClassScores>()?
                .map(|scores| of_class_scores(&scores)),
            Self::Layermem | Self::LayermemDelta => None,
            Self::Magnitude => state.resource::<MagnitudeScores>()?.map(|s| s.0),
            Self::BnGamma => state.resource::<GammaScores>()?.map(|s| s.0),
            Self::Taylor => state.resource::<TaylorScores>()?.map(|s| s.0),
            Self::ActivationMean => state.resource::<ActivationScores>()?.map(|s| s.0),
            Self::Random => state.resource::<RandomScores>()?.map(|s| s.0),
        })
    }

    /// UnitMem, or what of it is more than on held-out points.
    fn of_unit_scores(self, scores: &UnitScores) -> SiteValues {
        let site = |site: &afterimage_memory::SiteScores| {
            let train = values(site.train.scores());
            let score = match self {
                Self::UnitmemExcess => excess(train, values(site.held_out.scores())),
                _ => train,
            };
            (site.site.clone(), score)
        };
        SiteValues {
            epoch: scores.epoch,
            step: scores.step,
            sites: scores.sites.iter().map(site).collect(),
        }
    }
}

/// A score less its null, for units that have both.
pub fn excess(train: Vec<Option<f64>>, null: Vec<Option<f64>>) -> Vec<Option<f64>> {
    let pairs = train.into_iter().zip(null);
    pairs.map(|(train, null)| Some(train? - null?)).collect()
}

fn of_class_scores(scores: &ClassScores) -> SiteValues {
    let site =
        |(site, mem): &(String, afterimage_memory::UnitMem)| (site.clone(), values(mem.scores()));
    SiteValues {
        epoch: scores.epoch,
        step: scores.step,
        sites: scores.sites.iter().map(site).collect(),
    }
}

fn values(scores: &[UnitScore]) -> Vec<Option<f64>> {
    scores.iter().map(|score| score.value()).collect()
}
