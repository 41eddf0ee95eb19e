//! Means over seeds, and what of them nothing beats.

use std::collections::BTreeMap;

use afterimage_numeric as numeric;
use serde::Serialize;

use crate::aims::Aim;
use crate::compare::interval;
use crate::config::Direction;
use crate::name::shown;
use crate::results::Row;
use crate::search::front::front;
use crate::standing::State;

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Its standard error; `None` for fewer than two trials.
    pub standard_error: Option<f64>,
    /// Its 95 % interval by Student's t; likewise.
    pub interval: Option<(f64, f64)>,
}

/// The trials that differ in their seed alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Configuration {
    /// Its name.
    pub name: String,
    /// Its stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Its arm.
    pub arm: Option<String>,
    /// What it sets, by label, as text.
    pub values: BTreeMap<String, String>,
    /// Mean of the metric over the trials that are done; `None` without any.
    pub mean: Option<f64>,
    /// Standard error of that mean; `None` for fewer than two trials.
    pub standard_error: Option<f64>,
    /// Means of the scalars that the metric is drawn against.
    pub against: BTreeMap<String, f64>,
    /// Each of several aims over the trials that are done.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aims: BTreeMap<String, Mean>,
    /// Whether no other configuration of its stage dominates it, where there are several aims. Of one with a trial that
    /// failed, was stopped or skipped, or has no finite number for an aim, that is not so; `None` while one is not over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub front: Option<bool>,
    /// Trials that are done.
    pub done: usize,
    /// Of these such as have a finite number for the metric: those that its mean is over.
    pub measured: usize,
    /// Of those that are done such as have no finite number for the metric or for one of the aims; they are in no mean
    /// of what they lack.
    #[serde(skip_serializing_if = "is_none")]
    pub unmeasured: usize,
    /// Trials that were stopped early.
    pub stopped: usize,
    /// Trials that failed.
    pub failed: usize,
    /// Trials that were not started, because a run that they use is not there.
    #[serde(skip_serializing_if = "is_none")]
    pub skipped: usize,
    /// Trials that are not over.
    pub open: usize,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Whether a trial has a finite number for all that it is judged by.
fn is_measured(row: &Row) -> bool {
    let standing = &row.standing;
    let has = |aim: &Aim| standing.aims.contains_key(&aim.name);
    standing.value.is_some() && row.aims.iter().all(has)
}

/// Each aim over the trials of a configuration that are done.
fn aims(aims: &[Aim], members: &[&Row]) -> BTreeMap<String, Mean> {
    let of = |aim: &Aim| {
        let done = members
            .iter()
            .filter(|row| row.standing.state == State::Done);
        let values: Vec<f64> = done
            .filter_map(|row| row.standing.aims.get(&aim.name).copied())
            .collect();
        let (mean, standard_error) = mean(&values);
        Some((
            aim.name.clone(),
            Mean {
                mean: mean?,
                standard_error,
                interval: interval(&values),
            },
        ))
    };
    aims.iter().filter_map(of).collect()
}

/// The trials of each configuration, in the order in which configurations come first.
pub(crate) fn by_configuration(rows: &[Row]) -> Vec<(&str, Vec<&Row>)> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in rows {
        let name = row.configuration.as_str();
        let place = *places.entry(name).or_insert_with(|| {
            found.push((name, Vec::new()));
            found.len() - 1
        });
        if let Some((_, members)) = found.get_mut(place) {
            members.push(row);
        }
    }
    found
}

/// Means over seeds, best first, stage by stage.
pub(crate) fn configurations(rows: &[Row]) -> Vec<Configuration> {
    let mut stages: Vec<&Option<String>> = Vec::new();
    for row in rows {
        if !stages.contains(&&row.stage) {
            stages.push(&row.stage);
        }
    }
    let mut found: Vec<(Configuration, Direction)> = by_configuration(rows)
        .into_iter()
        .filter_map(|(name, members)| {
            let first = members.first()?;
            let count = |state| {
                members
                    .iter()
                    .filter(|row| row.standing.state == state)
                    .count()
            };
            let done = || {
                members
                    .iter()
                    .filter(|row| row.standing.state == State::Done)
            };
            let values: Vec<f64> = done().filter_map(|row| row.standing.value).collect();
            let measured = values.len();
            let unmeasured = done().filter(|row| !is_measured(row)).count();
            let (found, standard_error) = mean(&values);
            let against = first.metric.against.iter().filter_map(|scalar| {
                let values: Vec<f64> = done()
                    .filter_map(|row| row.metrics.get(scalar).copied().flatten())
                    .collect();
                Some((scalar.clone(), mean(&values).0?))
            });
            let configuration = Configuration {
                name: name.to_owned(),
                stage: first.stage.clone(),
                arm: first.arm.clone(),
                values: first
                    .values
                    .iter()
                    .map(|(k, v)| (k.clone(), shown(v)))
                    .collect(),
                mean: found,
                standard_error,
                against: against.collect(),
                aims: aims(&first.aims, &members),
                front: None,
                done: count(State::Done),
                measured,
                unmeasured,
                stopped: count(State::Stopped),
                failed: count(State::Failed),
                skipped: count(State::Skipped),
                open: members
                    .iter()
                    .filter(|row| row.standing.state.is_open())
                    .count(),
            };
            Some((configuration, first.metric.direction))
        })
        .collect();
    let judged: BTreeMap<&Option<String>, &[Aim]> = rows
        .iter()
        .map(|row| (&row.stage, row.aims.as_slice()))
        .collect();
    mark_fronts(&mut found, &judged);
    let place = |c: &Configuration| stages.iter().position(|stage| **stage == c.stage);
    found.sort_by(|(a, direction), (b, _)| {
        let stage = place(a).cmp(&place(b));
        let front = (b.front == Some(true)).cmp(&(a.front == Some(true)));
        stage
            .then(front)
            .then_with(|| best_first(*direction, a.mean, b.mean))
    });
    found
        .into_iter()
        .map(|(configuration, _)| configuration)
        .collect()
}

/// Says of each configuration with several aims whether it is on the front of its stage.
fn mark_fronts(all: &mut [(Configuration, Direction)], judged: &BTreeMap<&Option<String>, &[Aim]>) {
    for (stage, aims) in judged.iter().filter(|(_, aims)| !aims.is_empty()) {
        let mut places = Vec::new();
        let mut losses: Vec<Vec<f64>> = Vec::new();
        for (place, (of, _)) in all
            .iter_mut()
            .enumerate()
            .filter(|(_, (of, _))| of.stage == **stage)
        {
            if of.open > 0 {
                continue;
            }
            of.front = Some(false);
            let loss = |aim: &Aim| Some(aim.direction.loss(of.aims.get(&aim.name)?.mean));
            let own: Option<Vec<f64>> = aims.iter().map(loss).collect();
            if let Some(own) =
                own.filter(|_| of.failed + of.stopped + of.skipped + of.unmeasured == 0)
            {
                places.push(place);
                losses.push(own);
            }
        }
        for (place, is_front) in places.into_iter().zip(front(&losses)) {
            if let Some((of, _)) = all.get_mut(place) {
                of.front = Some(is_front);
            }
        }
    }
}

/// Which of two means comes first; those that are not known come last.
fn best_first(direction: Direction, a: Option<f64>, b: Option<f64>) -> std::cmp::Ordering {
    let (a, b) = (a.unwrap_or(f64::NAN), b.unwrap_or(f64::NAN));
    direction.is_better(b, a).cmp(&direction.is_better(a, b))
}

/// The mean of values, `None` without any, and its standard error s/√n with the sample's standard deviation s, `None`
/// for fewer than two.
pub fn mean(values: &[f64]) -> (Option<f64>, Option<f64>) {
    let of =
        |least: usize, value: fn(&[f64]) -> f64| (values.len() >= least).then(|| value(values));
    (of(1, numeric::mean), of(2, numeric::standard_error))
}

#[cfg(test)]
mod tests {
    use crate::config::Metric;
    use crate::standing::Standing;

    use super::*;

    /// A done trial of `configuration` that is judged by two aims, both to be high.
    fn row(configuration: &str, seed: u64, values: [Option<f64>; 2]) -> Row {
        let names = ["a", "b"];
        let aims = names.map(|name| Aim {
            name: name.to_owned(),
            direction: Direction::Maximize,
        });
        let found = names.iter().zip(values);
        let found = found.filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
        Row {
            trial: format!("{configuration},{seed}"),
            configuration: configuration.to_owned(),
            stage: None,
            metric: Metric {
                name: "a".to_owned(),
                direction: Direction::Maximize,
                against: Vec::new(),
            },
            aims: aims.into(),
            front: None,
            arm: None,
            seed: Some(seed),
            values: BTreeMap::new(),
            standing: Standing {
                state: State::Done,
                value: values[0],
                aims: found.collect(),
                ..Standing::default()
            },
            metrics: BTreeMap::new(),
            earlier: std::collections::BTreeSet::new(),
            tails: BTreeMap::new(),
            curve: BTreeMap::new(),
            foreign: None,
            last_lines: Vec::new(),
        }
    }

    #[test]
    fn a_seed_without_a_number_is_counted_and_keeps_a_configuration_from_the_front() {
        let rows = [
            row("lucky", 1, [Some(9.0), Some(9.0)]),
            row("lucky", 2, [Some(9.0), None]),
            row("sound", 1, [Some(1.0), Some(1.0)]),
            row("sound", 2, [Some(2.0), Some(2.0)]),
        ];
        let all = configurations(&rows);
        let of = |name: &str| all.iter().find(|c| c.name == name);
        let seen = |name: &str| of(name).map(|c| (c.done, c.unmeasured, c.front));
        assert_eq!(seen("lucky"), Some((2, 1, Some(false))));
        assert_eq!(seen("sound"), Some((2, 0, Some(true))));
    }

    #[test]
    fn the_standard_error_is_that_of_the_mean() {
        // Mean 3, deviation √2.5, n = 5: √2.5/√5 = 0.7071…
        let (m, se) = mean(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(m, Some(3.0));
        assert!(se.is_some_and(|se| (se - 0.5f64.sqrt()).abs() < 1e-12));
        assert_eq!(mean(&[2.0]), (Some(2.0), None));
        assert_eq!(mean(&[]), (None, None));
    }

    #[test]
    fn the_best_comes_first_and_what_has_no_value_last() {
        let mut values = [None, Some(1.0), Some(3.0), None, Some(2.0)];
        values.sort_by(|a, b| best_first(Direction::Maximize, *a, *b));
        assert_eq!(values, [Some(3.0), Some(2.0), Some(1.0), None, None]);
        values.sort_by(|a, b| best_first(Direction::Minimize, *a, *b));
        assert_eq!(values, [Some(1.0), Some(2.0), Some(3.0), None, None]);
    }
}
