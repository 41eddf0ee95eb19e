//! What a server holds of a run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::rest::Rest;
use super::text;
use crate::TrackError;

/// Points in an answer.
const PAGE: &str = "20000";

/// The points of a run by name and step.
#[derive(Debug, Default)]
pub(super) struct History(BTreeMap<(String, u64), Vec<u64>>);

impl History {
    /// Reads the points of the run, and the keys of its params.
    pub(super) fn read(rest: &Rest, run: &str) -> Result<(Self, BTreeSet<String>), TrackError> {
        let found = rest.get("runs/get", &[("run_id", run)])?.all(rest)?;
        let data = &found["run"]["data"];
        let mut all = Self::default();
        for key in keys(&data["metrics"]) {
            all.read_one(rest, run, &key)?;
        }
        Ok((all, keys(&data["params"])))
    }

    fn read_one(&mut self, rest: &Rest, run: &str, key: &str) -> Result<(), TrackError> {
        let mut page = String::new();
        loop {
            let mut asked = vec![("run_id", run), ("metric_key", key), ("max_results", PAGE)];
            if !page.is_empty() {
                asked.push(("page_token", &page));
            }
            let found = rest.get("metrics/get-history", &asked)?.all(rest)?;
            for point in found["metrics"].as_array().into_iter().flatten() {
                let step = step(&point["step"]);
                if let (Some(step), Some(value)) = (step, value(&point["value"])) {
                    let values = self.0.entry((key.to_owned(), step)).or_default();
                    values.push(form(value));
                }
            }
            match text(&found["next_page_token"]).filter(|next| !next.is_empty()) {
                Some(next) => page = next,
                None => return Ok(()),
            }
        }
    }

    /// Whether the point is there; `Some(false)` where its step has another value.
    pub(super) fn holds(&self, name: &str, step: u64, value: f64) -> Option<bool> {
        if self.0.is_empty() {
            return None;
        }
        let values = self.0.get(&(name.to_owned(), step))?;
        Some(values.contains(&form(value)))
    }
}

fn keys(list: &Value) -> BTreeSet<String> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(|one| text(&one["key"])).collect()
}

/// A step, which protobuf's JSON may write as a text; left out where it is 0.
fn step(value: &Value) -> Option<u64> {
    match value {
        Value::Null => Some(0),
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

/// A value; left out where it is 0.
fn value(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(0.0),
        Value::String(word) if word == "Infinity" => Some(f64::INFINITY),
        Value::String(word) if word == "-Infinity" => Some(f64::NEG_INFINITY),
        Value::String(word) => word.parse().ok(),
        other => other.as_f64(),
    }
}

/// A value as the server's database keeps it: an infinity as the largest number, one NaN, one zero.
fn form(value: f64) -> u64 {
    match value {
        _ if value.is_nan() => f64::NAN.to_bits(),
        _ if value == 0.0 => 0,
        _ => value.clamp(-f64::MAX, f64::MAX).to_bits(),
    }
}
