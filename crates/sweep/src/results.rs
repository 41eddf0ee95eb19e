//! What came out of a sweep: a row a trial, and means over seeds.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use crate::aims::{Aim, Judged};
use crate::compare::{Answer, answers};
use crate::config::Metric;
use crate::error::SweepError;
use crate::folder::{Folder, write_beside};
use crate::ledger::{Entry, Line};
use crate::means::{Configuration, configurations};
use crate::name::shown;
use crate::plan::Plan;
use crate::rows::{add_tails, row};
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
    /// What must be known to read all of this, a sentence or some each.
    pub notes: Vec<String>,
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
    /// Why what lies in its run directory is not the run that the ledger tells of; it then counts for nothing, and
    /// what the ledger knows stands in its place.
    pub foreign: Option<String>,
    /// What it wrote last, if it failed.
    pub last_lines: Vec<String>,
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
            notes: Vec::new(),
        };
        let foreign = all.rows.iter().filter_map(|row| {
            let why = row.foreign.as_deref()?;
            Some(format!(
                "trials/{} does not hold the run that the ledger tells of ({why}): of this trial only what the ledger \
                 knows is counted. Put the folder back as it was.",
                row.trial
            ))
        });
        all.notes = foreign.collect();
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
                notes: Vec::new(),
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
        if let (false, Some(keys)) = (self.notes.is_empty(), json.as_object_mut()) {
            keys.insert("notes".to_owned(), serde_json::json!(self.notes));
        }
        if let (false, Some(keys)) = (self.answers.is_empty(), json.as_object_mut()) {
            keys.insert("comparisons".to_owned(), serde_json::json!(self.answers));
        }
        json
    }
}
