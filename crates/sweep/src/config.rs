//! The schema of a sweep file.

use std::collections::BTreeSet;
use std::path::PathBuf;

use afterimage_config::{Locations, Report, Validate};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::aims::Aim;
use crate::compare::{self, Compare};
use crate::memory::MemoryBound;
use crate::name::{MOST, check_plain};
use crate::overrides::{Override, leaves};
use crate::reference::Selector;
use crate::slurm::SlurmConfig;
use crate::space::ranges;
use crate::stage::{Part, Stage, check_references};

/// A sweep as it was read, with where its keys were set.
#[derive(Debug, Clone, Copy)]
pub struct SweepFile<'a> {
    /// The sweep.
    pub value: &'a SweepConfig,
    /// Where each key was set.
    pub locations: &'a Locations,
}

/// Keys of the experiment, in the schema.
pub(crate) type Keys = std::collections::BTreeMap<String, serde_json::Value>;

/// A sweep: trials of one experiment that differ in some keys of its config.
///
/// The trials are the arms × the points of the grid × the samples of the search × the seeds, in each
/// stage where there are stages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepConfig {
    /// Name of the sweep; part of its folder.
    pub name: String,
    /// The experiment config that all trials start from, relative to this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// Seeds (`seed` of the experiment) that each configuration is run with; default: its own.
    #[serde(default)]
    pub seeds: Vec<u64>,
    /// Keys set in all trials, as in `"limits.train" = 500`.
    #[serde(default)]
    #[schemars(with = "Keys")]
    pub set: Table,
    /// What trials are judged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// In place of `metric`, several things that trials are judged by at once, the one that tables are ordered by first:
    /// `[{ name = "eval/knn" }, { name = "prune/macs", direction = "minimize" }]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aims: Vec<Aim>,
    /// Values of keys that are all combined with each other, as in `"batch_size" = [64, 128]`.
    #[serde(default)]
    #[schemars(with = "Keys")]
    pub grid: Table,
    /// Values that are drawn; none unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// Named sets of keys, controls among them; default: one without a name that sets nothing.
    #[serde(default)]
    pub arms: Vec<Arm>,
    /// Trials that use the runs of other trials, stage by stage; none unless told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Questions that the sweep answers: arms beside a control, paired by seed; none unless told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compare: Vec<Compare>,
    /// Whether a trial that does what another does up to an epoch begins at the other's checkpoint behind it,
    /// where that is sure to leave the same bytes; default false.
    #[serde(default)]
    pub fork: bool,
    /// Which trials are stopped early; none unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<StoppingConfig>,
    /// How often a trial that crashed is started again, from its last checkpoint; default 1.
    #[serde(default = "one")]
    #[schemars(range(max = 100))]
    pub retries: u32,
    /// Failed trials that are tolerated; one more and no other is started; any number unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<u32>,
    /// Memory that each trial may hold, such as `"4 GB"`: no more run side by side on this machine than it has room
    /// for, and one that holds more is ended and fails; on Slurm `--mem` of its job. Any amount unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// What the sweep may use up.
    #[serde(default)]
    pub budget: Budget,
    /// How trials are submitted to Slurm.
    #[serde(default)]
    pub slurm: SlurmConfig,
}

fn one() -> u32 {
    1
}

/// What trials are judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// A scalar of the run, such as `eval/knn`.
    pub name: String,
    /// Whether more of it is better; default `maximize`.
    #[serde(default)]
    pub direction: Direction,
    /// Scalars that the page draws the metric against, such as costs of which less is better.
    #[serde(default)]
    pub against: Vec<String>,
}

/// Which values of a metric are better.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Higher ones.
    #[default]
    Maximize,
    /// Lower ones.
    Minimize,
}

impl Direction {
    /// Whether `a` is strictly better than `b`; NaN is worse than all else.
    pub fn is_better(self, a: f64, b: f64) -> bool {
        match (a.is_nan(), b.is_nan()) {
            (true, _) => false,
            (false, true) => true,
            (false, false) => match self {
                Self::Maximize => a > b,
                Self::Minimize => a < b,
            },
        }
    }

    /// `value` as a number of which less is better.
    pub(crate) fn loss(self, value: f64) -> f64 {
        match self {
            Self::Minimize => value,
            Self::Maximize => -value,
        }
    }
}

/// A search: samples from ranges of keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// How samples are drawn.
    pub kind: SearchKind,
    /// How many; powers of two fill a space most evenly with `sobol`.
    #[schemars(range(min = 1))]
    pub samples: u32,
    /// With `tpe` and `nsga2` how many are chosen at a time, from the results of all before them; default 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub generation: Option<u32>,
    /// Seed of the draw; default 0.
    #[serde(default)]
    pub seed: u64,
    /// A range or a list of choices for each key: `{ low = 1e-4, high = 1e-2, log = true }`,
    /// `{ low = 8, high = 64, integer = true }`, `{ values = [true, false] }`.
    #[schemars(with = "Keys")]
    pub space: Table,
}

/// How samples are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchKind {
    /// Independently and uniformly.
    Random,
    /// From a scrambled Sobol sequence, which leaves no large gaps (Owen 1998; Burley 2020).
    Sobol,
    /// By the tree-structured Parzen estimator, from the results so far, for one metric (Bergstra et al. 2011).
    Tpe,
    /// By the genetic algorithm NSGA-II, from the results so far, for several `aims` (Deb et al. 2002).
    Nsga2,
    /// By another program, which asks with `afterimage sweep --ask-tell`.
    Ask,
}

impl SearchKind {
    /// Whether samples hang on the results of earlier ones.
    pub fn learns(self) -> bool {
        matches!(self, Self::Tpe | Self::Nsga2 | Self::Ask)
    }

    /// The word for it in a sweep file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Sobol => "sobol",
            Self::Tpe => "tpe",
            Self::Nsga2 => "nsga2",
            Self::Ask => "ask",
        }
    }
}

impl Search {
    /// Samples that are chosen at a time.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.unwrap_or(16)
    }
}

/// A named set of keys, such as a control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// What it is called in names and tables.
    pub name: String,
    /// The keys that it sets.
    #[serde(default)]
    #[schemars(with = "Keys")]
    pub set: Table,
    /// Whether it is run once (for each seed), without grid and search; default false.
    #[serde(default)]
    pub alone: bool,
}

/// Which trials are stopped early.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum StoppingConfig {
    /// Asynchronous successive halving in its stopping form (Li et al. 2020).
    Asha {
        /// Epochs before the first decision; default 1.
        #[serde(default = "one")]
        first: u32,
        /// Of how many trials one goes on at each rung, and how much longer; default 3.
        #[serde(default = "three")]
        factor: u32,
    },
    /// The median rule (Golovin et al. 2017).
    Median {
        /// Epochs before the first decision; default 1.
        #[serde(default = "one")]
        first: u32,
        /// Other trials that must have come as far; default 3.
        #[serde(default = "three")]
        trials: u32,
    },
}

fn three() -> u32 {
    3
}

/// What a sweep may use up; nothing is started beyond it, and what runs is let run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Trials that are started at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub trials: Option<u32>,
    /// Hours of trials, added up over all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub hours: Option<f64>,
}

impl Validate for SweepConfig {
    fn validate(&self, report: &mut Report<'_>) {
        check_plain(&self.name, "name", "it names a folder", report);
        self.validate_stages(report);
        self.validate_judged(report);
        compare::validate(&self.compare, report);
        let mut seen = BTreeSet::new();
        for (index, seed) in self.seeds.iter().enumerate() {
            report.check(seen.insert(seed), &format!("seeds[{index}]"), || {
                format!("{seed} is there twice")
            });
        }
        if !self.stages.is_empty() {
            self.validate_set("set", &self.set, None, report);
        }
        for part in self.parts() {
            self.validate_part(&part, report);
        }
        match self.stopping {
            Some(StoppingConfig::Asha { first, factor }) => {
                report.check(first > 0, "stopping.first", at_least_one);
                report.check(factor > 1, "stopping.factor", || {
                    "must be at least 2; with 1, no trial is ever stopped".to_owned()
                });
            }
            Some(StoppingConfig::Median { first, trials }) => {
                report.check(first > 0, "stopping.first", at_least_one);
                report.check(trials > 0, "stopping.trials", at_least_one);
            }
            None => {}
        }
        report.check(self.retries <= 100, "retries", || {
            "must be at most 100".to_owned()
        });
        report.check(self.budget.trials != Some(0), "budget.trials", at_least_one);
        report.check(
            self.budget.hours.is_none_or(|hours| hours > 0.0),
            "budget.hours",
            || "must be above 0".to_owned(),
        );
        if let Some(Err(why)) = self.memory.as_deref().map(MemoryBound::parse) {
            report.error("memory", why);
        }
        self.slurm.validate(report, self.memory.is_some());
    }
}

pub(crate) fn at_least_one() -> String {
    "must be at least 1".to_owned()
}

/// Reports a key that is set in two places that would fight over it.
fn once(varied: &mut BTreeSet<String>, key: String, at: &str, report: &mut Report<'_>) {
    if varied.contains(&key) {
        report.error(
            at,
            format!("`{key}` is also set elsewhere in this sweep; set it in one place"),
        );
    }
    varied.insert(key);
}

impl SweepConfig {
    /// The memory that each trial may hold.
    pub fn memory_bound(&self) -> Option<MemoryBound> {
        MemoryBound::parse(self.memory.as_deref()?).ok()
    }

    /// Checks what a stage, or a sweep without stages, varies.
    fn validate_part(&self, part: &Part<'_>, report: &mut Report<'_>) {
        let stage = part.stage.map(|(_, stage)| stage);
        self.validate_search(part, report);
        for one in part.own() {
            self.validate_key(&one, stage, report);
        }
        let common: BTreeSet<String> = part.common().into_iter().map(|one| one.key).collect();
        let mut varied = common.clone();
        for (key, at) in self.validate_grid(part, report) {
            once(&mut varied, key, &at, report);
        }
        if let Some(search) = part.search {
            report.check(
                (1..=MOST as u32).contains(&search.samples),
                &part.at("search.samples"),
                || format!("must be from 1 to {MOST}"),
            );
            for (key, at) in ranges(search, &part.at("search.space"), report) {
                once(&mut varied, key, &at, report);
            }
        }
        self.validate_arms(part, &common, &varied, report);
    }

    /// Checks the keys of a set; gives them.
    fn validate_set(
        &self,
        at: &str,
        set: &Table,
        stage: Option<&Stage>,
        report: &mut Report<'_>,
    ) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        for leaf in leaves(set, at) {
            self.validate_key(&leaf, stage, report);
            keys.insert(leaf.key);
        }
        keys
    }

    fn validate_key(&self, leaf: &Override, stage: Option<&Stage>, report: &mut Report<'_>) {
        let place = leaf.place.to_string();
        if let Some(stage) = stage {
            check_references(stage, leaf, report);
            if Selector::of(&leaf.key).is_some() {
                return;
            }
        }
        if let Err(why) = leaf.parsed() {
            report.error(&place, why);
        }
        report.check(leaf.key != "seed" || self.seeds.is_empty(), &place, || {
            "the seed is already varied by `seeds`".to_owned()
        });
        report.check(leaf.key != "extends", &place, || {
            "a base can only be named by `config`".to_owned()
        });
    }

    fn validate_grid(&self, part: &Part<'_>, report: &mut Report<'_>) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for axis in part.grid() {
            let place = axis.place.to_string();
            if axis.values.is_empty() {
                report.error(
                    &place,
                    "must be an array of the values to try, at least one",
                );
            }
            for (index, value) in axis.values.iter().enumerate() {
                self.validate_key(value, part.stage.map(|(_, stage)| stage), report);
                report.check(
                    !axis.values[..index]
                        .iter()
                        .any(|other| other.value == value.value),
                    &format!("{place}[{index}]"),
                    || format!("{} is there twice", value.value),
                );
            }
            found.push((axis.key, place));
        }
        found
    }

    fn validate_arms(
        &self,
        part: &Part<'_>,
        common: &BTreeSet<String>,
        varied: &BTreeSet<String>,
        report: &mut Report<'_>,
    ) {
        let mut names = BTreeSet::new();
        for (index, arm) in part.arms.iter().enumerate() {
            let at = part.at(&format!("arms[{index}]"));
            let why = "it is part of folder names";
            check_plain(&arm.name, &format!("{at}.name"), why, report);
            report.check(names.insert(&arm.name), &format!("{at}.name"), || {
                format!("two arms are named {:?}", arm.name)
            });
            let stage = part.stage.map(|(_, stage)| stage);
            for key in self.validate_set(&format!("{at}.set"), &arm.set, stage, report) {
                report.check(
                    arm.alone || common.contains(&key) || !varied.contains(&key),
                    &format!("{at}.set"),
                    || {
                        format!(
                            "`{key}` is also varied by the grid or the search; leave it out of the \
                             arm, or run the arm without them (alone = true)"
                        )
                    },
                );
            }
        }
    }
}
