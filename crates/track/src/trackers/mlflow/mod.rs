//! MLflow's tracking server.
//!
//! REST API 2.0: <https://mlflow.org/docs/latest/rest-api.html>. A point of the server cannot be taken back, so that
//! a run that goes on leaves out what the server has of it already: a resume measures the same again.

mod history;
mod rest;

use std::collections::{BTreeMap, BTreeSet};

use afterimage_hooks::Outcome;
use serde_json::{Value, json};

use self::history::History;
pub(super) use self::rest::address_problem;
use self::rest::{Answer, Rest};
use super::identity::Known;
use super::point::{Point, now};
use super::{Delivered, Tracker, failed, number};
use crate::{HParam, TrackError};

/// The tag by which a run is found again.
const TAG: &str = "afterimage.run";
/// Params that the server takes in a request.
const PARAMS: usize = 100;
/// Characters of a param's value that the server keeps, and of a key.
const LONGEST: (usize, usize) = (6_000, 250);

/// Tells a server the points of one run.
pub(crate) struct Mlflow {
    rest: Rest,
    experiment: String,
    run: Known,
    title: String,
    /// The server's id of the run.
    run_id: String,
    /// What the server had of it.
    there: History,
    /// The tag of each name of a metric.
    names: BTreeMap<String, String>,
    warned: bool,
}

impl Mlflow {
    pub(crate) fn new(url: &str, experiment: &str, run: Known, name: Option<&str>) -> Self {
        Self {
            rest: Rest::new(url),
            experiment: experiment.to_owned(),
            title: run.title(name),
            run,
            run_id: String::new(),
            there: History::default(),
            names: BTreeMap::new(),
            warned: false,
        }
    }

    /// The id of the experiment, which is made where it is missing.
    fn experiment_id(&self) -> Result<String, TrackError> {
        let find = || -> Result<Option<String>, TrackError> {
            let asked = [("experiment_name", self.experiment.as_str())];
            match self.rest.get("experiments/get-by-name", &asked)? {
                Answer::Found(found) if found["experiment"]["lifecycle_stage"] == "deleted" => {
                    let why = format!(
                        "the experiment {:?} was deleted there; restore it, or name another",
                        self.experiment
                    );
                    Err(failed("MLflow", self.rest.address(), why))
                }
                Answer::Found(found) => Ok(text(&found["experiment"]["experiment_id"])),
                Answer::Missing => Ok(None),
                Answer::Refused(why) => Err(failed("MLflow", self.rest.address(), why)),
            }
        };
        if let Some(id) = find()? {
            return Ok(id);
        }
        let new = json!({ "name": self.experiment });
        match self.rest.post("experiments/create", &new)? {
            Answer::Found(made) => self.must(text(&made["experiment_id"]), "experiments/create"),
            // Another run may have made it since.
            Answer::Missing | Answer::Refused(_) => self.must(find()?, "experiments/get-by-name"),
        }
    }

    /// The run with this one's tag.
    fn found(&self, experiment: &str) -> Result<Option<String>, TrackError> {
        let asked = json!({
            "experiment_ids": [experiment],
            "filter": format!("tags.`{TAG}` = '{}'", self.run.id),
            "run_view_type": "ACTIVE_ONLY",
            "max_results": 1,
        });
        let found = self.rest.post("runs/search", &asked)?.all(&self.rest)?;
        Ok(text(&found["runs"][0]["info"]["run_id"]))
    }

    fn made(&self, experiment: &str) -> Result<String, TrackError> {
        let tag = |key: &str, value: &str| json!({ "key": key, "value": value });
        let new = json!({
            "experiment_id": experiment,
            "run_name": self.title,
            "start_time": now(),
            "tags": [tag(TAG, &self.run.id), tag("mlflow.source.name", "afterimage")],
        });
        let made = self.rest.post("runs/create", &new)?.all(&self.rest)?;
        self.must(text(&made["run"]["info"]["run_id"]), "runs/create")
    }

    fn must(&self, what: Option<String>, endpoint: &str) -> Result<String, TrackError> {
        what.ok_or_else(|| {
            let why = format!("the answer to {endpoint} is not that of an MLflow server");
            failed("MLflow", self.rest.address(), why)
        })
    }

    /// What was set, where the server does not have it.
    fn tell_settings(&self, there: &BTreeSet<String>) -> Result<(), TrackError> {
        let mut params = Vec::new();
        for (key, value) in &self.run.settings {
            let (key, value) = (plain(key), shown(value));
            let fits = value.chars().count() <= LONGEST.0 && key.len() <= LONGEST.1;
            if !fits {
                tracing::warn!("MLflow is not told the setting `{key}`: it is too long for it");
            } else if !there.contains(&key) {
                params.push(json!({ "key": key, "value": value }));
            }
        }
        for some in params.chunks(PARAMS) {
            let told = json!({ "run_id": self.run_id, "params": some });
            let answer = self.rest.post("runs/log-batch", &told)?;
            if let Answer::Refused(why) = answer {
                tracing::warn!("MLflow does not take the settings of the run: {why}");
            }
        }
        Ok(())
    }

    /// The name of the metric for `tag`; an error where another tag has it.
    fn name(&mut self, tag: &str) -> Result<String, String> {
        let name = plain(tag);
        let of = self
            .names
            .entry(name.clone())
            .or_insert_with(|| tag.to_owned());
        match of == tag && name.len() <= LONGEST.1 {
            true => Ok(name),
            false => Err(format!("MLflow has no name for `{tag}`")),
        }
    }

    fn tell_otherwise(&mut self, name: &str, step: u64) {
        if !self.warned {
            tracing::warn!(
                "MLflow holds another value of `{name}` at step {step} than this run measured now, and cannot \
                 take it back: it shows both, the new one as the later. It may be so of others"
            );
            self.warned = true;
        }
    }
}

impl Tracker for Mlflow {
    fn begin(&mut self) -> Result<(), TrackError> {
        let experiment = self.experiment_id()?;
        let mut params = BTreeSet::new();
        match self.found(&experiment)? {
            Some(found) => {
                self.run_id = found;
                let again = json!({ "run_id": self.run_id, "status": "RUNNING" });
                self.rest.post("runs/update", &again)?.all(&self.rest)?;
                (self.there, params) = History::read(&self.rest, &self.run_id)?;
            }
            None => {
                self.run_id = self.made(&experiment)?;
                self.there = History::default();
            }
        }
        self.tell_settings(&params)
    }

    fn deliver(&mut self, points: &[Point]) -> Result<Delivered, TrackError> {
        let mut told = Delivered::default();
        let mut metrics = Vec::new();
        for point in points {
            let name = match self.name(&point.tag) {
                Ok(name) => name,
                Err(why) => {
                    told.refused += 1;
                    told.why = why;
                    continue;
                }
            };
            match self.there.holds(&name, point.step, point.value) {
                Some(true) => continue,
                Some(false) => self.tell_otherwise(&name, point.step),
                None => {}
            }
            metrics.push(json!({
                "key": name,
                "value": number(point.value),
                "timestamp": point.time,
                "step": point.step,
            }));
        }
        if metrics.is_empty() {
            return Ok(told);
        }
        let batch = json!({ "run_id": self.run_id, "metrics": metrics });
        match self.rest.post("runs/log-batch", &batch)? {
            Answer::Found(_) => {}
            Answer::Missing => {
                let why = format!("the run {} is gone there", self.run_id);
                return Err(failed("MLflow", self.rest.address(), why));
            }
            Answer::Refused(why) => {
                told.refused += metrics.len() as u64;
                told.why = format!("MLflow at {}: {why}", self.rest.address());
            }
        }
        Ok(told)
    }

    fn end(&mut self, outcome: &Outcome) -> Result<(), TrackError> {
        let status = match outcome {
            Outcome::Completed | Outcome::Stopped(_) => "FINISHED",
            Outcome::Diverged | Outcome::Failed(_) => "FAILED",
            Outcome::Interrupted(_) => "KILLED",
        };
        let end = json!({ "run_id": self.run_id, "status": status, "end_time": now() });
        self.rest.post("runs/update", &end)?.all(&self.rest)?;
        Ok(())
    }
}

/// A text of an answer.
fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A name of the characters that the server takes.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-. /".contains(c);
    let name: String = name
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    // It must be a path in its shortest form.
    let parts = name.split('/').map(|part| match part {
        "" | "." | ".." => "_",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn shown(value: &HParam) -> String {
    match value {
        HParam::Number(x) => x.to_string(),
        HParam::Text(text) => text.clone(),
        HParam::Flag(flag) => flag.to_string(),
    }
}
