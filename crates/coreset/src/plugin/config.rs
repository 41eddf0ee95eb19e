//! Settings of the plugin `coreset`, and the two rules of CRUST as presets.

mod memorization;
mod objective;
mod problems;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::gate::{Fill, Transitions};
use crate::settings::Strategy;
use crate::weights::Weighting;

pub use memorization::MemorizationConfig;

use super::choices::{Grouping, Memory, Mixup, Preset, Proxy, Weights};

/// Settings of [`Coreset`](super::Coreset).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(from = "Told")]
#[schemars(!from, deny_unknown_fields, default)]
pub struct CoresetConfig {
    /// A rule whose settings are the defaults: `none`, `crust-paper` or `crust-released`.
    pub preset: Preset,
    /// What is chosen by, as for `afterimage select`; not used with a gate.
    pub strategy: Strategy,
    /// Part of the training samples that is chosen, in (0, 1]; at most this part with a gate, except
    /// with `gate.fill = "all"`.
    pub fraction: f64,
    /// What stands for a sample.
    pub proxy: Proxy,
    /// Rows of embeddings, one a training sample: npy, CSV or Parquet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embeddings: Option<PathBuf>,
    /// What is chosen from apart.
    pub partition: Grouping,
    /// Clusters of `partition = "cluster"`, and of each group's prototypes.
    pub clusters: usize,
    /// Weights in the loss.
    pub weights: Weights,
    /// Quantile at which cluster sizes are cut, in (0, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<f64>,
    /// Distance of `weights = "radius"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radius: Option<f64>,
    /// Epochs on all samples before the first selection.
    pub warmup: u32,
    /// Epochs from one selection to the next; default 1. With `drift` at most that many, at least 2;
    /// default then without end.
    pub every: u32,
    /// Choose anew once residuals have changed by this part since the last selection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<f64>,
    /// Epochs that training goes on with the coreset before while the next is chosen beside it.
    pub staleness: u32,
    /// Whether proxies are taken from the training's forward passes.
    pub gather: bool,
    /// Part of the samples, those seen longest ago, that a forward pass in evaluation mode refreshes
    /// before a selection; samples that were never seen in any case.
    pub refresh: f64,
    /// Samples in one such forward pass.
    pub batch: usize,
    /// Whether a coreset is read again until the epoch has as many steps as one over all samples.
    pub repeat: bool,
    /// What chosen samples are mixed with.
    pub mixup: Mixup,
    /// Parameters of the Beta distribution of λ, each in (0, 4].
    pub beta: [f64; 2],
    /// How much of a sample's mean loss the loss before counts for, in [0, 1).
    pub decay: f64,
    /// Threads of a selection.
    pub threads: usize,
    /// Memory for distances.
    pub memory: Memory,
    /// Whether every choice is put on record in the table `coreset/chosen`.
    pub table: bool,
    /// What `strategy = "memorization"` leans towards, and `"memorization-alone"` chooses; goes with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memorization: Option<MemorizationConfig>,
    /// Keeps probably mislabelled samples out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateConfig>,
}

/// The gate of a selection: what is known of labels, and what of it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateConfig {
    /// The least probability that a chosen sample's label is right, in [0, 1]; default 0.5.
    pub threshold: f64,
    /// Part of each group that is admitted in any case, in [0, 1]: its most probably right; default
    /// 0.1.
    pub at_least: f64,
    /// Whether each group admits as many in any case as its probabilities add up to; default false.
    pub expected: bool,
    /// What is taken of the admitted: `cover` (default), `random`, or `all`, which `fraction` does not
    /// bound.
    pub fill: Fill,
    /// Whether values out of bag count, which the plugin `oob-value` provides; default false.
    pub values: bool,
    /// Whether a linear classifier of the features judges labels, each by the fit to all other samples,
    /// in place of `neighbours`; default false.
    pub classifier: bool,
    /// Neighbours whose labels are compared, 0 for none; default 50.
    pub neighbours: usize,
    /// Whether what `classifier` or `neighbours` say is read with an estimate of how labels went from
    /// class to class: `none` (default), `free`, or `balanced` where the true classes are known to be
    /// equally frequent.
    pub transitions: Transitions,
    /// Whether mean losses count; default true.
    pub losses: bool,
    /// Whether features are rows of `embeddings` in place of the encoder's output; default false.
    pub frozen: bool,
    /// LayerMem of each training sample: one number a row, NaN-free (npy, CSV or Parquet), or the table
    /// `layermem/points` of a run on the same images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layermem: Option<PathBuf>,
    /// Units that each training sample owns, or another score of UnitMem, likewise; or the table
    /// `unitmem/points` of such a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unitmem: Option<PathBuf>,
    /// Whether signals may be low because a sample is atypical; default true. Only with `layermem` or
    /// `unitmem`.
    pub excuse: bool,
    /// λ: what a most atypical sample is worth beside what it covers; default 0.1. Only with
    /// `layermem` or `unitmem`, and `fill = "cover"`.
    pub bonus: f64,
    /// A falsifier: priors are exchanged at random within each label; default false.
    pub permute: bool,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            at_least: 0.1,
            expected: false,
            fill: Fill::Cover,
            values: false,
            classifier: false,
            neighbours: 50,
            transitions: Transitions::None,
            losses: true,
            frozen: false,
            layermem: None,
            unitmem: None,
            excuse: true,
            bonus: 0.1,
            permute: false,
        }
    }
}

/// The keys as they stand in a config, before a preset fills in what is not told.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Told {
    preset: Preset,
    strategy: Option<Strategy>,
    fraction: Option<f64>,
    proxy: Option<Proxy>,
    embeddings: Option<PathBuf>,
    partition: Option<Grouping>,
    clusters: Option<usize>,
    weights: Option<Weights>,
    cap: Option<f64>,
    radius: Option<f64>,
    warmup: Option<u32>,
    every: Option<u32>,
    drift: Option<f64>,
    staleness: Option<u32>,
    gather: Option<bool>,
    refresh: Option<f64>,
    batch: Option<usize>,
    repeat: Option<bool>,
    mixup: Option<Mixup>,
    beta: Option<[f64; 2]>,
    decay: Option<f64>,
    threads: Option<usize>,
    memory: Option<Memory>,
    table: Option<bool>,
    memorization: Option<MemorizationConfig>,
    gate: Option<GateConfig>,
}

impl From<Told> for CoresetConfig {
    fn from(told: Told) -> Self {
        let (strategy, proxy, partition, weights, mixup, beta) = match told.preset {
            Preset::None => (
                Strategy::FacilityLocation,
                Proxy::Residuals,
                Grouping::Label,
                Weights::None,
                Mixup::None,
                [1.0, 1.0],
            ),
            Preset::CrustPaper => (
                Strategy::FacilityLocation,
                Proxy::Residuals,
                Grouping::Prediction,
                Weights::ClusterSize,
                Mixup::Cluster,
                [1.0, 1.0],
            ),
            Preset::CrustReleased => (
                Strategy::Centrality,
                Proxy::Penultimate,
                Grouping::Label,
                Weights::None,
                Mixup::Label,
                [1.0, 0.1],
            ),
        };
        Self {
            preset: told.preset,
            strategy: told.strategy.unwrap_or(strategy),
            fraction: told.fraction.unwrap_or(0.5),
            proxy: told.proxy.unwrap_or(proxy),
            embeddings: told.embeddings,
            partition: told.partition.unwrap_or(partition),
            clusters: told.clusters.unwrap_or(10),
            // CRAIG is facility location with these weights.
            weights: told.weights.unwrap_or(match (told.strategy, &told.gate) {
                (Some(Strategy::Craig), None) => Weights::ClusterSize,
                _ => weights,
            }),
            cap: told.cap,
            radius: told.radius,
            warmup: told.warmup.unwrap_or(5),
            every: told.every.unwrap_or(match told.drift {
                Some(_) => u32::MAX,
                None => 1,
            }),
            drift: told.drift,
            staleness: told.staleness.unwrap_or(0),
            gather: told.gather.unwrap_or(true),
            refresh: told.refresh.unwrap_or(1.0),
            batch: told.batch.unwrap_or(250),
            repeat: told.repeat.unwrap_or(false),
            mixup: told.mixup.unwrap_or(mixup),
            beta: told.beta.unwrap_or(beta),
            decay: told.decay.unwrap_or(0.7),
            threads: told.threads.unwrap_or(1),
            memory: told.memory.unwrap_or_default(),
            table: told.table.unwrap_or(false),
            memorization: told.memorization,
            gate: told.gate,
        }
    }
}

impl Default for CoresetConfig {
    fn default() -> Self {
        Told::default().into()
    }
}

impl CoresetConfig {
    /// Whether the network's scores of classes are looked at.
    pub(crate) fn knows_classes(&self) -> bool {
        self.by_gradient()
            || self.partition == Grouping::Prediction
            || (self.strategy == Strategy::SmallLoss && self.gate.is_none())
            || self.gate.as_ref().is_some_and(|gate| gate.losses)
    }

    /// Whether samples are compared by gradients, which are made of scores of classes.
    fn by_gradient(&self) -> bool {
        let made_of_scores = matches!(
            self.proxy,
            Proxy::Residuals | Proxy::Penultimate | Proxy::LastLayer
        );
        self.gate.is_none() && self.ranks_points() && made_of_scores
    }

    /// Whether the encoder's output is looked at.
    pub(crate) fn knows_features(&self) -> bool {
        let points = self.gate.is_none()
            && self.ranks_points()
            && matches!(self.proxy, Proxy::Features | Proxy::LastLayer);
        let gated = self.gate.as_ref().is_some_and(|gate| !gate.frozen);
        let clustered = self.partition == Grouping::Cluster && self.proxy != Proxy::Embeddings;
        points || gated || clustered
    }

    /// Whether labels are read.
    pub(crate) fn knows_labels(&self) -> bool {
        self.knows_classes()
            || self.partition == Grouping::Label
            || self.gate.is_some()
            || self.mixup != Mixup::None
    }

    /// Whether the strategy looks at where samples lie.
    pub(crate) fn ranks_points(&self) -> bool {
        !matches!(
            self.strategy,
            Strategy::Random
                | Strategy::Uniform
                | Strategy::SmallLoss
                | Strategy::MemorizationAlone
        )
    }

    /// Whether the choice is the same whatever encoder is trained, and reads no label.
    pub fn asks_no_encoder(&self) -> bool {
        !self.ranks_points() && !self.knows_labels() && self.partition == Grouping::None
    }

    pub(crate) fn weighting(&self) -> Weighting {
        match (self.weights, self.radius) {
            (Weights::ClusterSize, _) => Weighting::ClusterSize { cap: self.cap },
            (Weights::Radius, Some(distance)) => Weighting::Radius { distance },
            _ => Weighting::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that are wrong in a config of these keys.
    fn wrong(json: &str) -> Vec<&'static str> {
        let config: Result<CoresetConfig, _> = serde_json::from_str(json);
        config.map_or(vec!["unreadable"], |config| {
            config.problems().into_iter().map(|(key, _)| key).collect()
        })
    }

    #[test]
    fn a_strategy_without_distances_has_no_clusters_to_weigh_by_or_mix_in() {
        for strategy in ["random", "uniform", "small-loss"] {
            let of = |rest: &str| wrong(&format!(r#"{{"strategy": "{strategy}"{rest}}}"#));
            assert_eq!(of(""), [""; 0]);
            assert_eq!(of(r#", "weights": "cluster-size""#), ["weights"]);
            assert_eq!(of(r#", "weights": "radius", "radius": 1.0"#), ["weights"]);
            assert_eq!(of(r#", "mixup": "cluster""#), ["mixup"]);
            assert_eq!(of(r#", "preset": "crust-paper""#), ["weights", "mixup"]);
            let mended = r#", "preset": "crust-paper", "weights": "none", "mixup": "label""#;
            assert_eq!(of(mended), [""; 0]);
        }
        assert_eq!(wrong(r#"{"preset": "crust-paper"}"#), [""; 0]);
    }

    #[test]
    fn memorization_goes_with_its_strategy_and_reads_no_label() {
        let of = |rest: &str| {
            let embeddings =
                r#""proxy": "embeddings", "embeddings": "rows.npy", "partition": "none""#;
            format!(r#"{{"strategy": "memorization", {embeddings}{rest}}}"#)
        };
        let told =
            of(r#", "memorization": {"unitmem": "u.csv", "prefer": "typical", "bonus": 2.0}"#);
        assert_eq!(wrong(&told), [""; 0]);
        let config: Option<CoresetConfig> = serde_json::from_str(&told).ok();
        assert!(config.is_some_and(|config| !config.knows_labels()));
        assert_eq!(wrong(&of("")), ["memorization"]);
        assert_eq!(wrong(&of(r#", "memorization": {}"#)), ["memorization"]);
        let alone = |rest: &str| {
            let keys = r#""strategy": "memorization-alone", "partition": "none""#;
            let config = format!(r#"{{{keys}{rest}}}"#);
            let blind: Option<CoresetConfig> = serde_json::from_str(&config).ok();
            (
                wrong(&config),
                blind.is_some_and(|config| config.asks_no_encoder()),
            )
        };
        let scores = r#", "memorization": {"layermem": "l.npy", "prefer": "typical"}"#;
        assert_eq!(alone(scores), (vec![], true));
        assert_eq!(alone("").0, ["memorization"]);
        let bonus = r#", "memorization": {"layermem": "l.npy", "bonus": 0.5}"#;
        assert_eq!(alone(bonus).0, ["memorization.bonus"]);
        let weighed = format!(r#"{scores}, "weights": "cluster-size""#);
        assert_eq!(alone(&weighed).0, ["weights"]);
        assert!(!alone(&format!(r#"{scores}, "mixup": "label""#)).1);
        let negative = of(r#", "memorization": {"layermem": "l.npy", "bonus": -1.0}"#);
        assert_eq!(wrong(&negative), ["memorization.bonus"]);
        let unheard = of(r#", "memorization": {"unitmem": "u.csv", "prefer": "loud"}"#);
        assert_eq!(wrong(&unheard), ["unreadable"]);
        let scores = r#""memorization": {"unitmem": "u.csv"}"#;
        assert_eq!(wrong(&format!("{{{scores}}}")), ["memorization"]);
        let gated = of(&format!(r#", {scores}, "gate": {{"frozen": true}}"#));
        assert_eq!(wrong(&gated), ["memorization"]);
    }

    #[test]
    fn drift_triggers_where_not_every_epoch_chooses_anyway() {
        let every = |json: &str| {
            let config: Result<CoresetConfig, _> = serde_json::from_str(json);
            config.map_or(0, |config| config.every)
        };
        assert_eq!(every("{}"), 1);
        assert_eq!(every(r#"{"drift": 0.1}"#), u32::MAX);
        assert_eq!(every(r#"{"drift": 0.1, "every": 4}"#), 4);
        assert_eq!(wrong(r#"{"drift": 0.1}"#), [""; 0]);
        assert_eq!(wrong(r#"{"drift": 0.1, "every": 1}"#), ["every"]);
    }

    #[test]
    fn what_another_setting_leaves_without_effect_is_refused() {
        let embeddings = r#""proxy": "embeddings", "embeddings": "rows.npy""#;
        for (json, key) in [
            (
                r#"{"strategy": "craig", "weights": "none"}"#.to_owned(),
                "weights",
            ),
            (r#"{"strategy": "craig", "cap": 0.9}"#.to_owned(), "cap"),
            (
                r#"{"strategy": "grad-match", "weights": "cluster-size"}"#.to_owned(),
                "weights",
            ),
            (
                r#"{"strategy": "el2n", "proxy": "features"}"#.to_owned(),
                "proxy",
            ),
            (format!(r#"{{{embeddings}, "gate": {{}}}}"#), "gate.frozen"),
            (
                r#"{"gate": {"fill": "all", "bonus": 0.5, "unitmem": "u.csv"}}"#.to_owned(),
                "gate.bonus",
            ),
            (
                r#"{"gate": {"neighbours": 0, "transitions": "free"}}"#.to_owned(),
                "gate.transitions",
            ),
        ] {
            assert_eq!(wrong(&json), [key], "{json}");
        }
        for json in [
            r#"{"strategy": "craig"}"#.to_owned(),
            r#"{"strategy": "craig", "gate": {}}"#.to_owned(),
            r#"{"strategy": "grad-match"}"#.to_owned(),
            r#"{"strategy": "el2n"}"#.to_owned(),
            format!(r#"{{{embeddings}, "gate": {{"frozen": true}}}}"#),
            format!(r#"{{{embeddings}, "partition": "cluster", "gate": {{}}}}"#),
            r#"{"gate": {"fill": "cover", "bonus": 0.5, "unitmem": "u.csv"}}"#.to_owned(),
        ] {
            assert_eq!(wrong(&json), [""; 0], "{json}");
        }
    }
}
