//! The choice of an objective by name.

use afterimage_model::{AnyEncoder, ProjectionHeadConfig};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::any_objective::AnyObjective;
use crate::barlow_twins::BarlowTwinsConfig;
use crate::byol::ByolConfig;
use crate::dino::DinoConfig;
use crate::error::SslError;
use crate::mae::MaeConfig;
use crate::objective::{LocalViews, RunFacts};
use crate::sim_siam::SimSiamConfig;
use crate::simclr::SimClrConfig;
use crate::supervised::SupervisedConfig;
use crate::vicreg::VicRegConfig;

/// Which objective, chosen by `kind`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ObjectiveConfig {
    /// SimCLR: two views attract each other and repel all other views of the batch.
    Simclr(SimClrConfig),
    /// SimSiam: each view's prediction of the other, without gradient through the other.
    Simsiam(SimSiamConfig),
    /// VICReg: views of a sample come close while features keep their spread and do not repeat
    /// each other.
    Vicreg(VicRegConfig),
    /// Barlow Twins: each feature correlates with itself across views and with no other.
    BarlowTwins(BarlowTwinsConfig),
    /// BYOL: predict what a slow-moving copy of the network says of the other view.
    Byol(ByolConfig),
    /// DINO: tell from small and large views what a slow-moving copy of the network sees in large
    /// ones.
    Dino(DinoConfig),
    /// MAE: paint the patches that were hidden from a vision transformer.
    Mae(MaeConfig),
    /// Cross entropy of the labels, for comparison.
    Supervised(SupervisedConfig),
}

impl ObjectiveConfig {
    /// The objective for `encoder`, with its head as `projection` says (the default head if it
    /// says nothing), its parameters drawn for the run's seed.
    ///
    /// # Errors
    /// The first setting out of range.
    pub fn init(
        &self,
        projection: Option<&ProjectionHeadConfig>,
        encoder: &AnyEncoder,
        run: &RunFacts,
        device: &Device,
    ) -> Result<AnyObjective, SslError> {
        if let Some(error) = self.problems().into_iter().next() {
            return Err(error);
        }
        let projection = projection.cloned().unwrap_or_default();
        projection.validate()?;
        let head = &projection;
        Ok(match self {
            Self::Simclr(config) => AnyObjective::SimClr(config.init(head, encoder, run, device)),
            Self::Simsiam(config) => AnyObjective::SimSiam(config.init(head, encoder, run, device)),
            Self::Vicreg(config) => AnyObjective::VicReg(config.init(head, encoder, run, device)),
            Self::BarlowTwins(config) => {
                AnyObjective::BarlowTwins(config.init(head, encoder, run, device))
            }
            Self::Byol(config) => AnyObjective::Byol(config.init(head, encoder, run, device)),
            Self::Dino(config) => AnyObjective::Dino(config.init(head, encoder, run, device)),
            Self::Mae(config) => AnyObjective::Mae(config.init(encoder, run, device)?),
            Self::Supervised(config) => AnyObjective::Supervised(config.init(encoder, run, device)),
        })
    }

    /// Number of augmented views of each sample in a batch.
    pub fn views(&self) -> usize {
        match self {
            Self::Mae(_) | Self::Supervised(_) => 1,
            _ => 2,
        }
    }

    /// Smaller views of each sample beside these.
    pub fn local_views(&self) -> Option<LocalViews> {
        match self {
            Self::Dino(config) => config.local_views(),
            _ => None,
        }
    }

    /// Whether the objective learns from labels.
    pub fn needs_labels(&self) -> bool {
        matches!(self, Self::Supervised(_))
    }

    /// Whether the objective has a linear classifier on the embedding, and so scores of classes.
    pub fn has_classifier(&self) -> bool {
        matches!(self, Self::Supervised(_))
    }

    /// Whether the objective hides tokens, so that the encoder must be a transformer.
    pub fn needs_transformer(&self) -> bool {
        matches!(self, Self::Mae(_))
    }

    /// Whether a projection head stands between encoder and objective.
    pub fn has_projection(&self) -> bool {
        !matches!(self, Self::Mae(_) | Self::Supervised(_))
    }

    /// Whether the loss compares the samples of a batch with each other, beyond what norms do.
    pub fn compares_samples(&self) -> bool {
        matches!(
            self,
            Self::Simclr(_) | Self::Vicreg(_) | Self::BarlowTwins(_)
        )
    }

    /// Whether a slow-moving copy of the encoder stands beside it.
    pub fn has_teacher(&self) -> bool {
        matches!(self, Self::Byol(_) | Self::Dino(_))
    }

    /// The word for it in configs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Simclr(_) => "simclr",
            Self::Simsiam(_) => "simsiam",
            Self::Vicreg(_) => "vicreg",
            Self::BarlowTwins(_) => "barlow_twins",
            Self::Byol(_) => "byol",
            Self::Dino(_) => "dino",
            Self::Mae(_) => "mae",
            Self::Supervised(_) => "supervised",
        }
    }

    /// Every setting out of range; empty when the config can be used.
    pub fn problems(&self) -> Vec<SslError> {
        match self {
            Self::Simclr(config) => config.problems(),
            Self::Simsiam(config) => config.problems(),
            Self::Vicreg(config) => config.problems(),
            Self::BarlowTwins(config) => config.problems(),
            Self::Byol(config) => config.problems(),
            Self::Dino(config) => config.problems(),
            Self::Mae(config) => config.problems(),
            Self::Supervised(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn kinds_are_read_from_text_and_unknown_keys_are_refused() {
        let config: ObjectiveConfig = toml::from_str("kind = \"simclr\"").unwrap();
        assert_eq!(config, ObjectiveConfig::Simclr(SimClrConfig::default()));
        assert_eq!(config.views(), 2);
        for text in [
            "kind = \"simclr\"\ntemperatur = 0.1",
            "kind = \"simclrr\"",
            "temperature = 0.1",
        ] {
            assert!(toml::from_str::<ObjectiveConfig>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_temperature_that_divides_by_nothing_is_refused() {
        for temperature in [0.0, -0.5, f64::NAN, f64::INFINITY] {
            let config = ObjectiveConfig::Simclr(SimClrConfig { temperature });
            let error = config.problems().remove(0);
            assert!(error.to_string().contains("temperature"), "{error}");
        }
    }
}
