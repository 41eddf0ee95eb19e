//! What came out of a sweep: a row a trial, and means over seeds.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use toml::Value;

use crate::aims::{Aim, Judged};
use crate::compare::{Answer, Comparison, answers};
use crate::config::{Direction, Metric};
use crate::error::SweepError;
use crate::folder::{Folder, write_beside};
use crate::judge::TrialResult;
use crate::ledger::{Entry, Line};
use crate::means::{Mean, aims, best_first, mark_fronts, mean};
use crate::name::shown;
use crate::plan::{Plan, Trial};
use crate::reports::read_reports;
use crate::standing::{Standing, State};

/// What came out of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// The sweep's name.
    pub name: String,
    /// The stages, each behind those that it needs; none in a sweep without stages.
    pub stages: Vec<String>,
    /// What trials are judged by, unless their stage says another.
    pub metric: Metric,
    /// What trials are judged by where that are several aims, unless their stage says others.
    pub aims: Vec<Aim>,
    /// Labels of the keys that differ, in order.
    pub labels: Vec<String>,
    /// A row a trial, in the order of the plan.
    pub rows: Vec<Row>,
    /// Means over seeds, best first; configurations without a trial that is done come last.
    pub configurations: Vec<Configuration>,
    /// Answers to the questions of the sweep.
    pub answers: Vec<Answer>,
}

/// A trial and what came out of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The trial's name.
    pub trial: String,
    /// Its configuration's name.
    pub configuration: String,
    /// Its stage.
    pub stage: Option<String>,
    /// What it is judged by.
    pub metric: Metric,
    /// What it is judged by where that are several aims.
    pub aims: Vec<Aim>,
    /// Whether no other configuration of its stage dominates its own; `None` without aims, or while it is not known.
    pub front: Option<bool>,
    /// Its arm.
    pub arm: Option<String>,
    /// Its seed.
    pub seed: Option<u64>,
    /// What it sets, by label.
    pub values: BTreeMap<String, Value>,
    /// Where it stands.
    pub standing: Standing,
    /// The last value of every scalar; of one that is done and whose result is gone, those that the ledger
    /// knows; empty for one that has not ended in order.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// Scalars that were last measured before its end.
    pub earlier: BTreeSet<String>,
    /// Means over the last epochs that a comparison asks for, by scalar and number of epochs; of a run with as
    /// many.
    pub tails: BTreeMap<(String, u32), f64>,
    /// The metric by epoch.
    pub curve: BTreeMap<u32, f64>,
    /// What it wrote last, if it failed.
    pub last_lines: Vec<String>,
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
    /// failed, was stopped or skipped, that is not so; `None` while one is not over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub front: Option<bool>,
    /// Trials that are done.
    pub done: usize,
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

impl Results {
    /// Gathers what the trials of `plan` left in `folder`.
    pub fn gather(
        name: &str,
        judged: &Judged,
        plan: &Plan,
        folder: &Folder,
        standings: &BTreeMap<String, Standing>,
    ) -> Self {
        let mut rows: Vec<Row> = plan
            .trials
            .iter()
            .map(|trial| {
                let standing = standings.get(&trial.name).cloned().unwrap_or_default();
                row(trial, folder, standing)
            })
            .collect();
        for comparison in plan.comparisons.iter().filter(|one| one.last > 1) {
            add_tails(comparison, &mut rows, folder);
        }
        let configurations = configurations(&rows);
        let fronts: BTreeMap<&str, Option<bool>> = configurations
            .iter()
            .map(|c| (c.name.as_str(), c.front))
            .collect();
        for row in &mut rows {
            row.front = fronts.get(row.configuration.as_str()).copied().flatten();
        }
        let mut all = Self {
            name: name.to_owned(),
            stages: plan.stages.iter().map(|stage| stage.name.clone()).collect(),
            metric: judged.metric.clone(),
            aims: judged.aims.clone(),
            labels: plan.labels.clone(),
            rows,
            configurations,
            answers: Vec::new(),
        };
        all.answers = answers(&plan.comparisons, &all);
        all
    }

    /// Marks answers to questions of `plan` that the sweep with this ledger was not begun with.
    #[must_use]
    pub fn asked(mut self, plan: &Plan, ledger: &[Line]) -> Self {
        let (all, each) = match ledger.first().map(|line| &line.entry) {
            Some(Entry::Sweep {
                questions,
                each_question,
                ..
            }) => (questions.clone(), each_question.clone()),
            _ => (None, Vec::new()),
        };
        if plan.questions == all {
            return self;
        }
        let asked = plan.comparisons.iter().zip(&plan.each_question);
        let later: BTreeSet<&str> = asked
            .filter(|(_, question)| !each.contains(question))
            .map(|(comparison, _)| comparison.name.as_str())
            .collect();
        for answer in &mut self.answers {
            answer.asked_later = later.contains(answer.compare.as_str());
        }
        self
    }

    /// The results of each stage by itself, named by it; all of them where there are no stages.
    pub fn by_stage(&self) -> Vec<Self> {
        if self.stages.is_empty() {
            return vec![self.clone()];
        }
        let of = |stage: &String| {
            let own = |of: &Option<String>| of.as_ref() == Some(stage);
            let rows: Vec<Row> = self
                .rows
                .iter()
                .filter(|row| own(&row.stage))
                .cloned()
                .collect();
            let configurations = self.configurations.iter().filter(|c| own(&c.stage));
            let sets = |label: &&String| rows.iter().any(|row| row.values.contains_key(*label));
            Self {
                name: stage.clone(),
                stages: Vec::new(),
                metric: rows.first().map_or(&self.metric, |row| &row.metric).clone(),
                aims: rows.first().map_or(&self.aims, |row| &row.aims).clone(),
                labels: self.labels.iter().filter(sets).cloned().collect(),
                configurations: configurations.cloned().collect(),
                answers: Vec::new(),
                rows,
            }
        };
        self.stages.iter().map(of).collect()
    }

    /// Names of the scalars that the table of trials shows: the metrics of all stages first.
    pub fn scalars(&self) -> Vec<&String> {
        let metrics = || self.rows.iter().map(|row| &row.metric);
        let mut names: Vec<&String> = Vec::new();
        let all = std::iter::once(&self.metric.name)
            .filter(|_| self.stages.is_empty())
            .chain(metrics().map(|metric| &metric.name))
            .chain(metrics().flat_map(|metric| &metric.against));
        for name in all {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Trials in `state`.
    pub fn count(&self, state: State) -> usize {
        self.rows
            .iter()
            .filter(|row| row.standing.state == state)
            .count()
    }

    /// Writes `results.csv` (a line a trial) and `sweep.json` (trials, configurations and their
    /// scalars) into `folder`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, folder: &Folder) -> Result<(), SweepError> {
        let path = folder.path().join("results.csv");
        let csv = self
            .csv()
            .map_err(|error| SweepError::io("write", &path)(error.into()))?;
        write_beside(&path, &csv)?;
        let path = folder.path().join("sweep.json");
        let json = format!("{:#}\n", self.json());
        write_beside(&path, json.as_bytes())
    }

    /// Whether any trial is judged by several aims.
    fn has_front(&self) -> bool {
        self.rows.iter().any(|row| !row.aims.is_empty())
    }

    /// Names of the columns of the table of trials.
    pub fn header(&self) -> Vec<String> {
        let mut names: Vec<String> = ["trial", "state"].map(str::to_owned).into();
        names.extend((!self.stages.is_empty()).then(|| "stage".to_owned()));
        names.push("arm".to_owned());
        names.extend(self.labels.iter().cloned());
        names.push("seed".to_owned());
        names.extend(self.scalars().into_iter().cloned());
        names.extend(self.has_front().then(|| "front".to_owned()));
        names.extend(["seconds", "attempts", "exit_code", "reason"].map(str::to_owned));
        names
    }

    /// The cells of a row, as [`header`](Self::header) names them; empty where there is nothing.
    pub fn cells(&self, row: &Row) -> Vec<String> {
        let number = |value: Option<f64>| value.map_or(String::new(), |x| x.to_string());
        let standing = &row.standing;
        let mut cells = vec![row.trial.clone(), standing.state.word().to_owned()];
        cells.extend((!self.stages.is_empty()).then(|| row.stage.clone().unwrap_or_default()));
        cells.push(row.arm.clone().unwrap_or_default());
        cells.extend(
            self.labels
                .iter()
                .map(|label| row.values.get(label).map_or(String::new(), shown)),
        );
        cells.push(row.seed.map_or(String::new(), |seed| seed.to_string()));
        let scalar = |name: &String| {
            if *name == row.metric.name {
                number(standing.value)
            } else {
                number(row.metrics.get(name).copied().flatten())
            }
        };
        cells.extend(self.scalars().into_iter().map(scalar));
        let front = || row.front.map_or(String::new(), |front| front.to_string());
        cells.extend(self.has_front().then(front));
        cells.push(format!("{:.2}", standing.seconds));
        cells.push(standing.attempts.to_string());
        cells.push(standing.code.map_or(String::new(), |code| code.to_string()));
        cells.push(standing.reason.clone().unwrap_or_default());
        cells
    }

    fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.header())?;
        for row in &self.rows {
            writer.write_record(self.cells(row))?;
        }
        writer
            .into_inner()
            .map_err(|error| error.into_error().into())
    }

    /// All of it as one JSON object.
    pub fn json(&self) -> serde_json::Value {
        let trials: Vec<serde_json::Value> = self
            .rows
            .iter()
            .map(|row| {
                let mut json = serde_json::json!({
                    "trial": row.trial,
                    "configuration": row.configuration,
                    "arm": row.arm,
                    "seed": row.seed,
                    "values": row.values,
                    "state": row.standing.state.word(),
                    "value": row.standing.value,
                    "seconds": row.standing.seconds,
                    "attempts": row.standing.attempts,
                    "exit_code": row.standing.code,
                    "reason": row.standing.reason,
                    "metrics": row.metrics,
                });
                if let (Some(fork), Some(keys)) = (&row.standing.forked, json.as_object_mut()) {
                    let forked = serde_json::json!({
                        "from": fork.from,
                        "epoch": fork.epoch,
                        "seconds_saved": fork.seconds,
                    });
                    keys.insert("forked".to_owned(), forked);
                }
                if let (Some(front), Some(keys)) = (row.front, json.as_object_mut()) {
                    keys.insert("front".to_owned(), front.into());
                }
                if let (Some(stage), Some(keys)) = (&row.stage, json.as_object_mut()) {
                    keys.insert("stage".to_owned(), stage.as_str().into());
                    keys.insert("metric".to_owned(), row.metric.name.as_str().into());
                }
                json
            })
            .collect();
        let mut json = serde_json::json!({
            "sweep": self.name,
            "metric": self.metric,
            "configurations": self.configurations,
            "trials": trials,
        });
        if let (false, Some(keys)) = (self.aims.is_empty(), json.as_object_mut()) {
            keys.insert("aims".to_owned(), serde_json::json!(self.aims));
        }
        if let (false, Some(keys)) = (self.answers.is_empty(), json.as_object_mut()) {
            keys.insert("comparisons".to_owned(), serde_json::json!(self.answers));
        }
        json
    }
}

/// Gives the runs that `comparison` is about their means over the last epochs.
fn add_tails(comparison: &Comparison, rows: &mut [Row], folder: &Folder) {
    let pairs = comparison.pairs.iter();
    let meant: BTreeSet<&str> = pairs
        .flat_map(|(arm, control)| [arm.as_str(), control.as_str()])
        .collect();
    let key = (comparison.metric.clone(), comparison.last);
    let last = comparison.last as usize;
    for row in rows {
        if !meant.contains(row.configuration.as_str()) || row.tails.contains_key(&key) {
            continue;
        }
        let values = read_reports(&folder.run(&row.trial), &comparison.metric);
        if values.len() >= last {
            let sum: f64 = values.values().rev().take(last).sum();
            row.tails.insert(key.clone(), sum / last as f64);
        }
    }
}

fn row(trial: &Trial, folder: &Folder, standing: Standing) -> Row {
    let run = folder.run(&trial.name);
    let last_lines = match standing.state {
        State::Failed => folder.last_lines(&trial.name, standing.attempts, 8),
        _ => Vec::new(),
    };
    let (metrics, earlier) = TrialResult::read(&run)
        .map(|result| (result.metrics, result.earlier))
        .unwrap_or_else(|| (standing.scalars(&trial.metric.name), BTreeMap::new()));
    Row {
        trial: trial.name.clone(),
        configuration: trial.configuration.clone(),
        stage: trial.stage.clone(),
        metric: trial.metric.clone(),
        aims: trial.aims.clone(),
        front: None,
        arm: trial.arm.clone(),
        seed: trial.seed,
        values: trial.values.clone(),
        metrics,
        earlier: earlier.into_keys().collect(),
        tails: BTreeMap::new(),
        curve: read_reports(&run, &trial.metric.name),
        last_lines,
        standing,
    }
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
fn configurations(rows: &[Row]) -> Vec<Configuration> {
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
            let (mean, standard_error) = mean(&values);
            let against = first.metric.against.iter().filter_map(|scalar| {
                let values: Vec<f64> = done()
                    .filter_map(|row| row.metrics.get(scalar).copied().flatten())
                    .collect();
                Some((scalar.clone(), crate::means::mean(&values).0?))
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
                mean,
                standard_error,
                against: against.collect(),
                aims: aims(&first.aims, &members),
                front: None,
                done: count(State::Done),
                stopped: count(State::Stopped),
                failed: count(State::Failed),
                skipped: count(State::Skipped),
                open: count(State::Pending) + count(State::Running),
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
