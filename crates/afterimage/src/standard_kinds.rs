//! The plugins of the project, by what they are about.

use afterimage_coreset::plugin::{
    Coreset, CoresetConfig, CoresetOracle, CoresetOracleConfig, CoresetQuality,
    CoresetQualityConfig, EmbeddingTable, EmbeddingTableConfig,
};
use afterimage_hooks::Plugin;
use afterimage_memory::{
    AlignmentGap, AlignmentGapConfig, ClassMemConfig, ClassMemProbe, LayerMemConfig, LayerMemProbe,
    OwnershipConfig, OwnershipProbe, StreamingConfig, UnitMemConfig, UnitMemProbe,
    UnitMemStreaming,
};
use afterimage_prune::{
    ActivationMean, BnGamma, Magnitude, Prune, PruneConfig, RandomUnits, SampledConfig,
    ScoredConfig, Taylor,
};
use afterimage_track::{Watch, WatchConfig};
use afterimage_value::{
    DynamicsConfig, DynamicsProbe, OobValue, OobValueConfig, ValueQuality, ValueQualityConfig,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::chaos::{Chaos, ChaosConfig};
use crate::config::{KeyPath, Report};
use crate::registry::PluginKind;

/// Every kind of plugin of the project.
pub(crate) fn standard_kinds() -> Vec<PluginKind> {
    [memorization(), values(), coresets(), pruning(), watching()]
        .into_iter()
        .flatten()
        .collect()
}

/// What measures memorization.
fn memorization() -> Vec<PluginKind> {
    vec![
        described(
            "unitmem",
            "UnitMem of every unit before training and every few epochs, with its nulls",
            |config: &UnitMemConfig, report| tell(config.problems(), report),
            UnitMemProbe::new,
        )
        .reporting(&["unitmem", "doses"]),
        described(
            "classmem",
            "ClassMem and class selectivity of every unit, with a null, beside UnitMem",
            |config: &ClassMemConfig, report| tell(config.problems(), report),
            ClassMemProbe::new,
        )
        .reporting(&["classmem"]),
        described(
            "unitmem-streaming",
            "UnitMem from the training views, at no extra forward: shows changes, not levels",
            |_: &StreamingConfig, _| {},
            UnitMemStreaming::new,
        )
        .reporting(&["unitmem_streaming"]),
        described(
            "layermem",
            "LayerMem of every layer against a reference encoder (`[pair]`), with its controls",
            |config: &LayerMemConfig, report| tell(config.problems(), report),
            LayerMemProbe::new,
        )
        .reporting(&["layermem", "doses"]),
        described(
            "ownership",
            "share of units that belong to points trained on, in both encoders of a `[pair]`",
            |config: &OwnershipConfig, report| tell(config.problems(), report),
            OwnershipProbe::new,
        )
        .reporting(&["ownership"]),
        described(
            "alignment-gap",
            "held-out less training distance between views, by layer; needs no reference",
            |config: &AlignmentGapConfig, report| tell(config.problems(), report),
            AlignmentGap::new,
        )
        .reporting(&["alignment", "doses"]),
    ]
}

/// What values samples, and watches how they train.
fn values() -> Vec<PluginKind> {
    vec![
        described(
            "oob-value",
            "values of samples and their cells, out of bag, by a bank of heads beside the model",
            |config: &OobValueConfig, report| tell(config.problems(), report),
            OobValue::new,
        )
        .reporting(&["value"]),
        described(
            "value-quality",
            "how well values of samples find labels that were made wrong on purpose",
            |_: &ValueQualityConfig, _| {},
            ValueQuality::new,
        )
        .reporting(&["value_quality"]),
        described(
            "dynamics",
            "loss and probability of every sample as it trains: margin, forgetting, EL2N, Shapley",
            |config: &DynamicsConfig, report| tell(config.problems(), report),
            DynamicsProbe::new,
        )
        .reporting(&["dynamics"]),
    ]
}

/// What trains on a part of the samples, and what such parts are chosen by and judged by.
fn coresets() -> Vec<PluginKind> {
    vec![
        described(
            "coreset",
            "trains on samples chosen by what the network makes of them, behind a gate or not",
            |config: &CoresetConfig, report| tell(config.problems(), report),
            Coreset::new,
        )
        .reporting(&["coreset"]),
        described(
            "coreset-oracle",
            "a control arm: trains on samples whose labels are right, which no method knows",
            |config: &CoresetOracleConfig, report| tell(config.problems(), report),
            CoresetOracle::new,
        )
        .reporting(&["coreset"]),
        described(
            "coreset-quality",
            "how many labels of the coreset are right, and which samples it leaves out",
            |_: &CoresetQualityConfig, _| {},
            CoresetQuality::new,
        )
        .reporting(&["coreset"]),
        described(
            "embeddings",
            "the encoder's output for all training samples as a table, when the run ends",
            |config: &EmbeddingTableConfig, report| tell(config.problems(), report),
            EmbeddingTable::new,
        )
        .reporting(&[]),
    ]
}

/// What prunes units, and scores to prune by.
fn pruning() -> Vec<PluginKind> {
    vec![
        described(
            "prune",
            "masks units on a schedule, by scores of other plugins, and makes the model smaller",
            prune_settings,
            Prune::new,
        )
        .reporting(&["prune"]),
        described(
            "magnitude",
            "norm of the weights that make each unit, as a score for `prune`",
            |_: &ScoredConfig, _| {},
            Magnitude::new,
        )
        .reporting(&[]),
        described(
            "bn-gamma",
            "scale of the batch norm behind each unit, as a score for `prune`",
            |_: &ScoredConfig, _| {},
            BnGamma::new,
        )
        .reporting(&[]),
        described(
            "taylor",
            "first-order change of the loss without each unit, as a score for `prune`",
            |_: &SampledConfig, _| {},
            Taylor::new,
        )
        .reporting(&[]),
        described(
            "activation-mean",
            "mean absolute activation of each unit in training, as a score for `prune`",
            |_: &SampledConfig, _| {},
            ActivationMean::new,
        )
        .reporting(&[]),
        described(
            "random-scores",
            "random numbers as a score for `prune`, to compare other scores with",
            |_: &ScoredConfig, _| {},
            RandomUnits::new,
        )
        .reporting(&[]),
    ]
}

/// What watches parameters, and what breaks on purpose.
fn watching() -> Vec<PluginKind> {
    vec![
        described(
            "watch",
            "norms and histograms of parameters, gradients and updates, layer by layer",
            |_: &WatchConfig, _| {},
            Watch::new,
        )
        .reporting(&["watch"]),
        described(
            "chaos",
            "fails on purpose, to see what a broken plugin does to a run",
            ChaosConfig::check,
            Chaos::new,
        )
        .reporting(&[]),
    ]
}

fn prune_settings(config: &PruneConfig, report: &mut Report<'_>) {
    tell(config.problems(), report);
    for fault in config.fraction_problems() {
        let key = KeyPath::root().key("fractions").key(&fault.pattern);
        report.error(&key.to_string(), fault.message);
    }
}

/// A kind whose settings say what they mean.
fn described<C, P>(
    name: &'static str,
    about: &'static str,
    check: impl Fn(&C, &mut Report<'_>) + 'static,
    make: impl Fn(C) -> P + 'static,
) -> PluginKind
where
    C: Default + Serialize + DeserializeOwned + schemars::JsonSchema,
    P: Plugin,
{
    PluginKind::new(name, about, check, make).described::<C>()
}

fn tell(problems: Vec<(&'static str, String)>, report: &mut Report<'_>) {
    problems
        .into_iter()
        .for_each(|(key, advice)| report.error(key, advice));
}
