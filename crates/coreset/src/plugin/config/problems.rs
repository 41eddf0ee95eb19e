//! What must hold of the settings of `coreset`, alone and together.

use crate::gate::Transitions;
use crate::settings::Strategy;
use crate::strategy::MOST_BONUS as MOST;

use super::super::choices::{Grouping, Mixup, Proxy, Weights};
use super::super::look::MOST_BATCH;
use super::{CoresetConfig, Fill, GateConfig, MemorizationConfig};

/// What is wrong with settings: keys, each with a sentence.
#[derive(Default)]
struct Problems(Vec<(&'static str, String)>);

impl Problems {
    fn check(&mut self, holds: bool, key: &'static str, advice: String) {
        if !holds {
            self.0.push((key, advice));
        }
    }
}

impl CoresetConfig {
    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Problems::default();
        self.check_numbers(&mut problems);
        self.check_options(&mut problems);
        self.check_strategy(&mut problems);
        self.check_memorization(&mut problems);
        self.check_embeddings(&mut problems);
        if let Some(gate) = &self.gate {
            self.check_gate(gate, &mut problems);
        }
        problems.0
    }

    /// Numbers that every choice has.
    fn check_numbers(&self, problems: &mut Problems) {
        problems.check(
            part(self.fraction),
            "fraction",
            format!("{} is not in (0, 1]", self.fraction),
        );
        problems.check(self.every > 0, "every", "must be at least 1".to_owned());
        problems.check(
            (1..=65536).contains(&self.clusters),
            "clusters",
            "must be from 1 to 65536".to_owned(),
        );
        problems.check(
            (1..=MOST_BATCH).contains(&self.batch),
            "batch",
            format!("must be from 1 to {MOST_BATCH}"),
        );
        problems.check(
            (1..=1024).contains(&self.threads),
            "threads",
            "must be from 1 to 1024".to_owned(),
        );
        problems.check(
            self.staleness <= 8,
            "staleness",
            "must be at most 8; older coresets are another method".to_owned(),
        );
        problems.check(
            (0.0..=1.0).contains(&self.refresh),
            "refresh",
            "must be a part between 0 and 1".to_owned(),
        );
        problems.check(
            (0.0..1.0).contains(&self.decay),
            "decay",
            "must be at least 0 and below 1".to_owned(),
        );
    }

    /// Numbers that go with other settings.
    fn check_options(&self, problems: &mut Problems) {
        problems.check(
            self.drift
                .is_none_or(|drift| drift > 0.0 && drift.is_finite()),
            "drift",
            "must be above 0".to_owned(),
        );
        problems.check(
            self.drift.is_none() || self.knows_classes(),
            "drift",
            "needs residuals; choose a proxy of gradients, or leave it out".to_owned(),
        );
        problems.check(
            self.drift.is_none() || self.every > 1,
            "every",
            "a choice every epoch leaves `drift` nothing to trigger; leave `every` out or raise it"
                .to_owned(),
        );
        problems.check(
            self.cap.is_none_or(part),
            "cap",
            "must be in (0, 1]; 0.99 keeps single medoids from ruling".to_owned(),
        );
        problems.check(
            self.cap.is_none() || self.weights == Weights::ClusterSize,
            "cap",
            "is for `weights = \"cluster-size\"` alone".to_owned(),
        );
        problems.check(
            self.radius.is_some() == (self.weights == Weights::Radius),
            "radius",
            "goes with `weights = \"radius\"`, which needs it".to_owned(),
        );
        problems.check(
            self.radius
                .is_none_or(|radius| radius > 0.0 && radius.is_finite()),
            "radius",
            "must be above 0".to_owned(),
        );
        problems.check(
            self.beta.iter().all(|x| *x > 0.0 && *x <= 4.0),
            "beta",
            "both numbers must be in (0, 4]".to_owned(),
        );
    }

    /// What a strategy has no place for.
    fn check_strategy(&self, problems: &mut Problems) {
        let gate = self.gate.as_ref();
        problems.check(
            self.mixup != Mixup::Cluster || gate.is_none(),
            "mixup",
            "clusters are those of a selection without gate; choose \"label\" or \"none\""
                .to_owned(),
        );
        let unranked = gate.is_none() && !self.ranks_points();
        let strategy = self.strategy.name();
        problems.check(
            !unranked || self.weights == Weights::None,
            "weights",
            format!(
                "`strategy = \"{strategy}\"` knows no distances, and so no clusters to weigh by; set \
                 `weights = \"none\"` (a preset may have set another), or choose another strategy"
            ),
        );
        let weighs_itself = match self.strategy {
            _ if gate.is_some() => None,
            Strategy::Craig => Some(Weights::ClusterSize),
            Strategy::GradMatch => Some(Weights::None),
            _ => None,
        };
        problems.check(
            weighs_itself.is_none_or(|own| self.weights == own),
            "weights",
            format!("`strategy = \"{strategy}\"` has weights of its own; leave `weights` out"),
        );
        problems.check(
            gate.is_some() || self.strategy != Strategy::Craig || self.cap.is_none(),
            "cap",
            "CRAIG cuts no weights; leave it out, or choose \"facility-location\"".to_owned(),
        );
        problems.check(
            gate.is_some()
                || self.strategy != Strategy::El2n
                || matches!(self.proxy, Proxy::Residuals | Proxy::LastLayer),
            "proxy",
            "EL2N is the length of residuals; set `proxy = \"residuals\"`".to_owned(),
        );
        problems.check(
            !unranked || self.mixup != Mixup::Cluster,
            "mixup",
            format!(
                "`strategy = \"{strategy}\"` knows no distances, and so no clusters to mix within; set \
                 `mixup = \"label\"` or \"none\" (a preset may have set another), or choose another \
                 strategy"
            ),
        );
        problems.check(
            !matches!(self.strategy, Strategy::Glister | Strategy::Forgetting) || gate.is_some(),
            "strategy",
            "needs what a run does not have: a validation set, or the history of predictions"
                .to_owned(),
        );
    }

    /// Scores of memorization, and the strategies that they are for.
    fn check_memorization(&self, problems: &mut Problems) {
        let (gate, strategy) = (self.gate.as_ref(), self.strategy.name());
        let leans = gate.is_none() && self.strategy.remembers();
        let memorization = self.memorization.as_ref();
        problems.check(
            leans == memorization.is_some(),
            "memorization",
            match (leans, gate) {
                (true, _) => {
                    format!("name the files of scores that `strategy = \"{strategy}\"` is about")
                }
                (false, Some(_)) => {
                    "a gate has no place for it; name the files under `gate`".to_owned()
                }
                (false, None) => {
                    "is for `strategy = \"memorization\"` and \"memorization-alone\" alone"
                        .to_owned()
                }
            },
        );
        problems.check(
            memorization.is_none_or(|m| m.layermem.is_some() || m.unitmem.is_some()),
            "memorization",
            "needs a score of each sample: `layermem`, `unitmem` or both".to_owned(),
        );
        problems.check(
            memorization.is_none_or(|m| (0.0..=MOST).contains(&m.bonus)),
            "memorization.bonus",
            format!("must be between 0 and {MOST}"),
        );
        problems.check(
            self.strategy != Strategy::MemorizationAlone
                || memorization.is_none_or(|m| m.bonus == MemorizationConfig::default().bonus),
            "memorization.bonus",
            "stands beside what samples cover, at which `memorization-alone` does not look; leave it \
             out, or choose \"memorization\""
                .to_owned(),
        );
    }

    /// Weights behind a gate, and rows of embeddings.
    fn check_embeddings(&self, problems: &mut Problems) {
        let gate = self.gate.as_ref();
        problems.check(
            gate.is_none() || self.weights == Weights::None,
            "weights",
            "a gated selection has equal weights; set \"none\"".to_owned(),
        );
        problems.check(
            self.proxy != Proxy::Embeddings || self.embeddings.is_some(),
            "embeddings",
            "name the file that `proxy = \"embeddings\"` is about".to_owned(),
        );
        problems.check(
            self.embeddings.is_none()
                || self.proxy == Proxy::Embeddings
                || gate.is_some_and(|g| g.frozen),
            "embeddings",
            "nothing looks at it; set `proxy = \"embeddings\"` or `gate.frozen`".to_owned(),
        );
    }

    fn check_gate(&self, gate: &GateConfig, problems: &mut Problems) {
        let atypical = gate.layermem.is_some() || gate.unitmem.is_some();
        problems.check(
            (0.0..=1.0).contains(&gate.threshold),
            "gate.threshold",
            format!("{} is not in [0, 1]", gate.threshold),
        );
        problems.check(
            (0.0..=1.0).contains(&gate.at_least),
            "gate.at_least",
            format!("{} is not in [0, 1]", gate.at_least),
        );
        problems.check(
            gate.values || gate.losses || gate.classifier || gate.neighbours > 0,
            "gate",
            "needs a signal: `values`, `losses`, `classifier` or `neighbours`".to_owned(),
        );
        problems.check(
            !gate.classifier || [0, GateConfig::default().neighbours].contains(&gate.neighbours),
            "gate.neighbours",
            "`classifier` judges labels in their place; leave one of the two out".to_owned(),
        );
        problems.check(
            gate.transitions == Transitions::None || gate.classifier || gate.neighbours > 0,
            "gate.transitions",
            "are estimated from what `classifier` or `neighbours` say; choose one of the two"
                .to_owned(),
        );
        problems.check(
            self.proxy != Proxy::Embeddings
                || gate.frozen
                || self.partition == Grouping::Cluster,
            "gate.frozen",
            "a gate looks at the encoder's output, whatever `proxy` is; set `gate.frozen = true` to \
             look at `embeddings`"
                .to_owned(),
        );
        problems.check(
            !gate.frozen || self.embeddings.is_some(),
            "embeddings",
            "name the file that `gate.frozen` is about".to_owned(),
        );
        problems.check(
            gate.bonus >= 0.0 && gate.bonus.is_finite(),
            "gate.bonus",
            "must be at least 0".to_owned(),
        );
        problems.check(
            gate.fill == Fill::Cover || gate.bonus == 0.1 || gate.bonus == 0.0,
            "gate.bonus",
            "only `fill = \"cover\"` has a place for it; leave it out".to_owned(),
        );
        problems.check(
            atypical || (gate.bonus == 0.1 && gate.excuse),
            "gate",
            "`bonus` and `excuse` are about `layermem` and `unitmem`, of which neither is told"
                .to_owned(),
        );
    }
}

/// Whether `x` is in (0, 1].
fn part(x: f64) -> bool {
    x > 0.0 && x <= 1.0
}
