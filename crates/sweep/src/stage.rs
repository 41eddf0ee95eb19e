//! Stages: trials that use the runs of earlier trials.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use afterimage_config::Report;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::aims::Aim;
use crate::config::{Arm, Keys, Metric, Search, SweepConfig};
use crate::name::check_plain;
use crate::overrides::{Override, grid, leaves};
use crate::reference::{Reference, Selector, references};

/// A stage of a sweep: trials with a config of their own, which can use runs of earlier stages.
///
/// The trials of a stage are its arms × the points of its grid × the samples of its search × the
/// seeds. A value `"{train}"` stands for the run directory of one trial of the stage `train`: that with
/// the same seed, the same arm where both stages have one of that name, and the same values of the keys
/// that `train` varies and this trial sets. Keys `"{train}.KEY"` and `"{train}.arm"` choose among several
/// that fit; more than one, or none, is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its name; the names of its trials begin with it.
    pub name: String,
    /// The experiment config that its trials start from, relative to this file; default: the sweep's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// Stages whose runs this one may use. Of each, a trial has one run, its parent, which must be done
    /// before it begins; the rest of that stage is not waited for.
    #[serde(default)]
    pub needs: Vec<String>,
    /// What its trials are judged by; default: the sweep's metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// In place of `metric`, several things that its trials are judged by at once; default: the sweep's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aims: Vec<Aim>,
    /// Keys set in all its trials, over those of the sweep.
    #[serde(default)]
    #[schemars(with = "Keys")]
    pub set: Table,
    /// Values of keys that are all combined with each other.
    #[serde(default)]
    #[schemars(with = "Keys")]
    pub grid: Table,
    /// Values that are drawn; none unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// Named sets of keys; default: one without a name that sets nothing.
    #[serde(default)]
    pub arms: Vec<Arm>,
}

/// What is varied: by a stage, or by a sweep without stages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    /// The stage and its place in the file.
    pub(crate) stage: Option<(usize, &'a Stage)>,
    pub(crate) config: Option<&'a Path>,
    set: &'a Table,
    grid: &'a Table,
    pub(crate) search: Option<&'a Search>,
    pub(crate) arms: &'a [Arm],
    /// The set of the whole sweep; empty where that is the part's own.
    shared: Option<&'a Table>,
}

impl Part<'_> {
    /// The path of one of its keys in the sweep file.
    pub(crate) fn at(&self, key: &str) -> String {
        match self.stage {
            Some((index, _)) => format!("stages[{index}].{key}"),
            None => key.to_owned(),
        }
    }

    /// The name of the stage.
    pub(crate) fn name(&self) -> Option<String> {
        self.stage.map(|(_, stage)| stage.name.clone())
    }

    pub(crate) fn index(&self) -> Option<usize> {
        self.stage.map(|(index, _)| index)
    }

    /// Keys that all its trials have: the sweep's, where the stage does not set them itself.
    pub(crate) fn common(&self) -> Vec<Override> {
        let own = self.own();
        let mut all: Vec<Override> = self
            .shared
            .map(|shared| leaves(shared, "set"))
            .unwrap_or_default();
        all.retain(|one| own.iter().all(|other| other.key != one.key));
        all.extend(own);
        all
    }

    /// Keys of its own `set`.
    pub(crate) fn own(&self) -> Vec<Override> {
        leaves(self.set, &self.at("set"))
    }

    pub(crate) fn grid(&self) -> Vec<crate::overrides::Axis> {
        grid(self.grid, &self.at("grid"))
    }
}

impl SweepConfig {
    /// What is varied, in an order in which stages come behind those that they need.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        if self.stages.is_empty() {
            return vec![Part {
                stage: None,
                config: self.config.as_deref(),
                set: &self.set,
                grid: &self.grid,
                search: self.search.as_ref(),
                arms: &self.arms,
                shared: None,
            }];
        }
        let part = |index: usize| {
            let stage = self.stages.get(index)?;
            Some(Part {
                stage: Some((index, stage)),
                config: stage.config.as_deref().or(self.config.as_deref()),
                set: &stage.set,
                grid: &stage.grid,
                search: stage.search.as_ref(),
                arms: &stage.arms,
                shared: Some(&self.set),
            })
        };
        in_order(&self.stages)
            .into_iter()
            .filter_map(part)
            .collect()
    }

    /// Checks how stages need each other.
    pub(crate) fn validate_stages(&self, report: &mut Report<'_>) {
        if self.stages.is_empty() {
            report.check(self.config.is_some(), "config", || {
                "name the experiment that all trials start from".to_owned()
            });
            return;
        }
        for (there, key) in [
            (!self.grid.is_empty(), "grid"),
            (self.search.is_some(), "search"),
            (!self.arms.is_empty(), "arms"),
        ] {
            report.check(!there, key, || {
                format!("a sweep with stages has no {key} of its own; move it into a stage")
            });
        }
        let known: Vec<String> = self.stages.iter().map(|stage| stage.name.clone()).collect();
        let mut names = BTreeSet::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let at = format!("stages[{index}]");
            let why = "it is part of folder names";
            check_plain(&stage.name, &format!("{at}.name"), why, report);
            report.check(names.insert(&stage.name), &format!("{at}.name"), || {
                format!("two stages are named {:?}", stage.name)
            });
            report.check(
                stage.config.is_some() || self.config.is_some(),
                &format!("{at}.config"),
                || "name the experiment that its trials start from".to_owned(),
            );
            for (place, need) in stage.needs.iter().enumerate() {
                let at = format!("{at}.needs[{place}]");
                if !known.contains(need) {
                    report.unknown_name(&at, "stage", need, &known);
                }
                report.check(*need != stage.name, &at, || {
                    "a stage cannot need itself".to_owned()
                });
                report.check(!stage.needs[..place].contains(need), &at, || {
                    format!("{need:?} is there twice")
                });
            }
        }
        if let Some(cycle) = cycle(&self.stages) {
            let first = cycle.first().copied().unwrap_or_default();
            let names: Vec<&str> = cycle
                .iter()
                .chain([&first])
                .filter_map(|&index| Some(self.stages.get(index)?.name.as_str()))
                .collect();
            report.error(
                &format!("stages[{first}].needs"),
                format!("stages need each other: {}", names.join(" → ")),
            );
        }
    }
}

/// Checks that what a stage sets names only runs of stages that it needs.
pub(crate) fn check_references(stage: &Stage, one: &Override, report: &mut Report<'_>) {
    let place = one.place.to_string();
    let mut needed = |name: &str| {
        report.check(stage.needs.iter().any(|need| need == name), &place, || {
            if name == stage.name {
                "a stage cannot use its own runs".to_owned()
            } else {
                format!(
                    "`{{{name}}}` is not among the stages that {:?} needs; add it to `needs`",
                    stage.name
                )
            }
        });
    };
    if let Some(selector) = Selector::of(&one.key) {
        needed(selector.stage);
    }
    let mut wrong = Vec::new();
    for text in references(&one.value) {
        match Reference::parse(text) {
            Ok(reference) => needed(reference.stage),
            Err(why) => wrong.push(why),
        }
    }
    wrong.into_iter().for_each(|why| report.error(&place, why));
}

/// Places of stages, each behind those that it needs, otherwise as they stand in the file. Stages of
/// a cycle are left out.
fn in_order(stages: &[Stage]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    loop {
        let placed = |name: &String| {
            order
                .iter()
                .any(|&index| stages.get(index).is_some_and(|stage| stage.name == *name))
        };
        let next = stages
            .iter()
            .enumerate()
            .position(|(index, stage)| !order.contains(&index) && stage.needs.iter().all(placed));
        match next {
            Some(index) => order.push(index),
            None => return order,
        }
    }
}

/// Stages that need each other in a circle of at least two, if there are such.
fn cycle(stages: &[Stage]) -> Option<Vec<usize>> {
    let order = in_order(stages);
    let place = |name: &String| stages.iter().position(|stage| stage.name == *name);
    let stuck = |index: &usize| !order.contains(index);
    // Whoever is not in order needs someone who is not either, or someone who is not there.
    let mut path: Vec<usize> = vec![(0..stages.len()).find(stuck)?];
    loop {
        let last = stages.get(*path.last()?)?;
        let next = last.needs.iter().filter_map(place).find(stuck)?;
        if let Some(at) = path.iter().position(|&index| index == next) {
            let found = path.split_off(at);
            return (found.len() > 1).then_some(found);
        }
        path.push(next);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stages(needs: &[&[usize]]) -> Vec<Stage> {
        needs
            .iter()
            .enumerate()
            .map(|(index, needs)| Stage {
                name: index.to_string(),
                config: None,
                needs: needs.iter().map(usize::to_string).collect(),
                metric: None,
                aims: Vec::new(),
                set: Table::new(),
                grid: Table::new(),
                search: None,
                arms: Vec::new(),
            })
            .collect()
    }

    #[test]
    fn a_stage_comes_behind_those_that_it_needs() {
        assert_eq!(in_order(&stages(&[&[2], &[], &[1]])), [1, 2, 0]);
        assert_eq!(cycle(&stages(&[&[2], &[], &[1]])), None);
        assert_eq!(cycle(&stages(&[&[1], &[2], &[0]])), Some(vec![0, 1, 2]));
        // One that only needs a circle is not part of it.
        assert_eq!(cycle(&stages(&[&[1], &[2], &[1]])), Some(vec![1, 2]));
        assert_eq!(cycle(&stages(&[&[0]])), None, "told where it stands");
    }

    proptest! {
        #[test]
        fn stages_are_in_order_or_in_a_circle(needs in prop::collection::vec(prop::collection::vec(0usize..6, 0..3), 6)) {
            let needs: Vec<Vec<usize>> = needs
                .into_iter()
                .enumerate()
                .map(|(own, needs)| needs.into_iter().filter(|&other| other != own).collect())
                .collect();
            let slices: Vec<&[usize]> = needs.iter().map(Vec::as_slice).collect();
            let stages = stages(&slices);
            let order = in_order(&stages);
            for (at, index) in order.iter().enumerate() {
                prop_assert!(needs[*index].iter().all(|need| order[..at].contains(need)));
            }
            match cycle(&stages) {
                None => prop_assert_eq!(order.len(), 6),
                Some(found) => {
                    for (at, index) in found.iter().enumerate() {
                        prop_assert!(needs[*index].contains(&found[(at + 1) % found.len()]));
                    }
                }
            }
        }
    }
}
