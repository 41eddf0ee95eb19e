//! Settings of the plugin `prune`.

use std::collections::BTreeMap;

use afterimage_hooks::{Site, UnitGroup, glob};
use serde::{Deserialize, Serialize};

use crate::normalise::Normaliser;
use crate::schedule::Schedule;
use crate::score::Score;
use crate::select::{Budget, Direction, Rules, Scope};

/// Units of a group.
const MOST_UNITS: usize = 1 << 20;

/// Images in a forward pass that is timed.
const MOST_IMAGES: usize = 1 << 15;

/// What goes where neither `fraction` nor `fractions` is told.
const FRACTION: f64 = 0.1;

/// How the scores of several sites become one score of the group that they share.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Their mean.
    #[default]
    Mean,
    /// The highest.
    Max,
}

/// When the model is made smaller.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Compacting {
    /// Not at all: pruned units are masked.
    #[default]
    Never,
    /// After the last step of the schedule.
    AtEnd,
    /// After every step of the schedule.
    EachStep,
}

/// Settings of [`Prune`](crate::Prune).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PruneConfig {
    /// What units are chosen by; default `"unitmem"`. The plugin that provides it must be attached.
    pub score: Score,
    /// Which end of the scores goes: `"highest"` (default) or `"lowest"`.
    pub direction: Direction,
    /// What is gone in the end of what was there before, in (0, 1); default 0.1. Beside `fractions`
    /// that of the groups that no pattern matches; without it they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub fraction: Option<f64>,
    /// What is gone in the end of the units of single groups, in [0, 1), by globs over names of groups
    /// and of their sites; none by default. A full name goes before a glob.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fractions: BTreeMap<String, f64>,
    /// Of what: `"units"` (default) or `"macs"`, multiply-accumulate operations.
    pub of: Budget,
    /// The same fraction of each group, `"site"` (default), or of all together, `"global"`.
    pub scope: Scope,
    /// What makes scores of groups comparable for `scope = "global"`: `"none"` (default), `"rank"`,
    /// `"z"`, `"mad"`.
    pub normalise: Normaliser,
    /// Glob over names of groups (of sites where `couple` is off); default `"encoder.*"`.
    pub groups: String,
    /// Globs over names of groups and sites whose units stay; none by default.
    pub protect: Vec<String>,
    /// Units that each group keeps; default 1, at least 1.
    #[schemars(range(min = 1))]
    pub min_units: usize,
    /// Largest part of a group that may go, in (0, 1]; default 1.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub max_fraction: f64,
    /// A group keeps a multiple of as many units, or all; default 1, at least 1.
    #[schemars(range(min = 1))]
    pub round_to: usize,
    /// Units that are tied by residual sums, or make a head, go together; default true. Without, each
    /// site with scores is masked for itself, which leaves units that cannot be taken out.
    pub couple: bool,
    /// How scores of the sites of a group become one: `"mean"` (default) or `"max"`.
    pub aggregate: Aggregate,
    /// For a control: as many units of each group as the scores say, but random ones; default false.
    pub random_units: bool,
    /// When the model is made smaller: `"never"` (default), `"at_end"`, `"each_step"`.
    pub compact: Compacting,
    /// Whether an evaluation follows each step; default false.
    pub evaluate: bool,
    /// Training images in a forward pass of the smaller encoder that is timed after each step and at the end of the
    /// run, as `time/prune/latency`; from 1 to 32768; not timed unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MOST_IMAGES))]
    pub latency: Option<usize>,
    /// When how much of the fraction is reached.
    pub schedule: Schedule,
}

impl Default for PruneConfig {
    fn default() -> Self {
        Self {
            score: Score::default(),
            direction: Direction::default(),
            fraction: Some(FRACTION),
            fractions: BTreeMap::new(),
            of: Budget::default(),
            scope: Scope::default(),
            normalise: Normaliser::default(),
            groups: "encoder.*".to_owned(),
            protect: Vec::new(),
            min_units: 1,
            max_fraction: 1.0,
            round_to: 1,
            couple: true,
            aggregate: Aggregate::default(),
            random_units: false,
            compact: Compacting::default(),
            evaluate: false,
            latency: None,
            schedule: Schedule::OneShot { epoch: 1 },
        }
    }
}

impl PruneConfig {
    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut check = |right: bool, key, advice: &str| {
            if !right {
                problems.push((key, advice.to_owned()));
            }
        };
        check(
            self.fraction
                .is_none_or(|fraction| fraction > 0.0 && fraction < 1.0),
            "fraction",
            "must be above 0 and below 1; every group keeps a unit",
        );
        check(
            self.max_fraction > 0.0 && self.max_fraction <= 1.0,
            "max_fraction",
            "must be above 0 and at most 1",
        );
        check(
            (1..=MOST_UNITS).contains(&self.min_units),
            "min_units",
            "must be from 1 to 1048576",
        );
        check(
            (1..=MOST_UNITS).contains(&self.round_to),
            "round_to",
            "must be from 1 to 1048576",
        );
        check(
            self.couple || self.of == Budget::Units,
            "of",
            "operations follow from whole groups; set `couple = true`, or `of = \"units\"`",
        );
        check(
            self.couple || self.compact == Compacting::Never,
            "compact",
            "only whole groups can be taken out; set `couple = true`, or `compact = \"never\"`",
        );
        check(
            self.latency
                .is_none_or(|images| (1..=MOST_IMAGES).contains(&images)),
            "latency",
            "must be from 1 to 32768",
        );
        check(
            self.couple || self.latency.is_none(),
            "latency",
            "a smaller encoder is timed, and only whole groups can be taken out; set `couple = true`, or leave this key \
             out",
        );
        check(
            self.scope == Scope::Global || self.normalise == Normaliser::None,
            "normalise",
            "has no effect where each group is counted apart; set `scope = \"global\"`, or leave it \
             out",
        );
        check(
            self.fractions.is_empty() || self.of == Budget::Units,
            "of",
            "`fractions` are parts of each group's units; set `of = \"units\"`, or leave them out",
        );
        check(
            self.fractions.is_empty() || self.scope == Scope::Site,
            "scope",
            "`fractions` count each group apart; set `scope = \"site\"`, or leave them out",
        );
        problems.extend(self.schedule.problem().map(|problem| ("schedule", problem)));
        problems
    }

    /// What the schedule will do, a line a step.
    pub fn plan(&self) -> Vec<String> {
        let what = match self.of {
            Budget::Units => "units",
            Budget::Macs => "operations",
        };
        let last = self.schedule.steps().len();
        let steps = self.schedule.steps().into_iter().zip(1..);
        steps
            .map(|(step, number)| {
                let compacts = match self.compact {
                    Compacting::Never => false,
                    Compacting::AtEnd => number == last,
                    Compacting::EachStep => true,
                };
                format!(
                    "after epoch {}: {}{}",
                    step.epoch,
                    self.gone(what, step.share),
                    if compacts {
                        ", and the model is made smaller"
                    } else {
                        ""
                    }
                )
            })
            .collect()
    }

    /// What is gone at a share of the whole, in words.
    fn gone(&self, what: &str, share: f64) -> String {
        if self.fractions.is_empty() {
            return format!(
                "{:.1} % of the {what} are gone",
                100.0 * self.rest() * share
            );
        }
        let mut parts: Vec<String> = self
            .fractions
            .iter()
            .map(|(pattern, fraction)| format!("{:.1} % of {pattern}", 100.0 * fraction * share))
            .collect();
        let rest = self.rest();
        if rest > 0.0 {
            parts.push(format!("{:.1} % of all others", 100.0 * rest * share));
        }
        format!("{} are gone", parts.join(", "))
    }

    /// What goes of the groups that `fractions` does not name.
    pub(crate) fn rest(&self) -> f64 {
        let without = if self.fractions.is_empty() {
            FRACTION
        } else {
            0.0
        };
        self.fraction.unwrap_or(without)
    }

    /// What is decided as one in a model with these `groups` and `sites`: its groups, or each of its
    /// sites where `couple` is off.
    pub fn groups_of(&self, groups: &[UnitGroup], sites: &[Site]) -> Vec<UnitGroup> {
        if self.couple {
            return groups.to_vec();
        }
        let alone = |site: &Site| UnitGroup {
            name: site.name.clone(),
            units: site.units,
            channels: 1,
            sites: vec![site.name.clone()],
            masked_at: vec![site.name.clone()],
            embeds: false,
        };
        sites.iter().map(alone).collect()
    }

    /// Whether a group or site of this name is one to prune.
    pub(crate) fn takes(&self, name: &str) -> bool {
        glob(&self.groups, name)
    }

    /// Whether any of the names of a group is protected.
    pub(crate) fn protects<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> bool {
        let mut names = names.into_iter();
        names.any(|name| self.protect.iter().any(|pattern| glob(pattern, name)))
    }

    /// The rules of selection for a part of the whole fraction.
    pub(crate) fn rules(&self, share: f64) -> Rules {
        Rules {
            fraction: self.rest() * share,
            of: self.of,
            scope: self.scope,
            normaliser: self.normalise,
            direction: self.direction,
            min_units: self.min_units,
            max_fraction: self.max_fraction,
            round_to: self.round_to,
            random: None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn settings_are_read_and_written() {
        let text = "score = \"unitmem-excess\"\nfraction = 0.5\n\
                    schedule = { kind = \"cubic\", begin = 2, end = 8, every = 2 }";
        let config: PruneConfig = toml::from_str(text).unwrap();
        assert_eq!(config.score, Score::UnitmemExcess);
        assert_eq!(config.plan().len(), 3);
        let again: PruneConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
        assert!(!toml::to_string(&config).unwrap().contains("latency"));
        assert!(toml::from_str::<PruneConfig>("fractoin = 0.1").is_err());
        assert!(PruneConfig::default().problems().is_empty());
    }

    #[test]
    fn settings_out_of_range_are_told_by_key() {
        let wrong = PruneConfig {
            fraction: Some(1.0),
            max_fraction: 0.0,
            min_units: 0,
            round_to: 0,
            couple: false,
            of: Budget::Macs,
            compact: Compacting::AtEnd,
            normalise: Normaliser::Z,
            schedule: Schedule::OneShot { epoch: 0 },
            ..PruneConfig::default()
        };
        let keys: Vec<&str> = wrong.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "fraction",
                "max_fraction",
                "min_units",
                "round_to",
                "of",
                "compact",
                "normalise",
                "schedule"
            ]
        );
        for (latency, couple, wrong) in [
            (Some(0), true, 1),
            (Some(MOST_IMAGES + 1), true, 1),
            (Some(64), false, 1),
            (Some(64), true, 0),
        ] {
            let config = PruneConfig {
                latency,
                couple,
                ..PruneConfig::default()
            };
            assert_eq!(config.problems().len(), wrong, "{latency:?} {couple}");
        }
        for fraction in [f64::NAN, 0.0, -0.5] {
            let config = PruneConfig {
                fraction: Some(fraction),
                ..PruneConfig::default()
            };
            assert_eq!(config.problems().len(), 1);
        }
    }
}
