//! What settings of `coreset` need of the objective and of the run around it.

use crate::settings::Strategy;

use super::super::choices::{Grouping, Mixup};
use super::CoresetConfig;

impl CoresetConfig {
    /// Settings that a run rules out, each with a sentence: `classes` says whether its objective has scores
    /// of classes, `views` how many views of a sample a batch holds. The same is refused in the run, where
    /// it is met.
    pub fn ruled_out(&self, classes: bool, views: usize) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let gate = self.gate.as_ref();
        if !classes {
            let scores = "scores of classes, which this objective does not have; only `objective.kind = \
                          \"supervised\"` has them";
            if self.by_gradient() {
                let told =
                    format!("gradients are made of {scores}; set \"features\" or \"embeddings\"");
                problems.push(("proxy", told));
            }
            if gate.is_none() && self.strategy == Strategy::SmallLoss {
                let told =
                    format!("\"small-loss\" ranks by {scores}; choose \"facility-location\"");
                problems.push(("strategy", told));
            }
            if self.partition == Grouping::Prediction {
                let told =
                    format!("predictions are {scores}; set \"label\", \"cluster\" or \"none\"");
                problems.push(("partition", told));
            }
            if gate.is_some_and(|gate| gate.losses) {
                let told = format!("losses are those of {scores}; set `gate.losses = false`");
                problems.push(("gate.losses", told));
            }
        }
        if self.mixup != Mixup::None && views != 1 {
            let told = format!(
                "mixup is for objectives of one view a sample, and this one has {views}; set \"none\""
            );
            problems.push(("mixup", told));
        } else if self.mixup == Mixup::Cluster && !classes {
            let told = "mixing within clusters mixes labels, by scores of classes, which this objective \
                        does not have; set \"label\" or \"none\"";
            problems.push(("mixup", told.to_owned()));
        }
        problems
    }
}
