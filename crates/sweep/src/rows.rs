//! What a trial left in its run folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::Comparison;
use crate::folder::Folder;
use crate::judge::TrialResult;
use crate::plan::Trial;
use crate::reports::read_reports;
use crate::results::Row;
use crate::standing::{Standing, State};

/// Gives the runs that `comparison` is about their means over the last epochs.
pub(crate) fn add_tails(comparison: &Comparison, rows: &mut [Row], folder: &Folder) {
    let pairs = comparison.pairs.iter();
    let meant: BTreeSet<&str> = pairs
        .flat_map(|(arm, control)| [arm.as_str(), control.as_str()])
        .collect();
    let key = (comparison.metric.clone(), comparison.last);
    let last = comparison.last as usize;
    for row in rows {
        let known = row.foreign.is_some() || row.tails.contains_key(&key);
        if known || !meant.contains(row.configuration.as_str()) {
            continue;
        }
        let values = read_reports(&folder.run(&row.trial), &comparison.metric);
        if values.len() >= last {
            let sum: f64 = values.values().rev().take(last).sum();
            row.tails.insert(key.clone(), sum / last as f64);
        }
    }
}

/// What `trial` left in `folder`.
pub(crate) fn row(trial: &Trial, folder: &Folder, standing: Standing) -> Row {
    let run = folder.run(&trial.name);
    let last_lines = match standing.state {
        State::Failed => folder.last_lines(&trial.name, standing.attempts, 8),
        _ => Vec::new(),
    };
    let result = TrialResult::read(&run);
    let foreign = result
        .as_ref()
        .and_then(|result| foreign(trial, &standing, result));
    let (metrics, earlier) = result
        .filter(|_| foreign.is_none())
        .map(|result| (result.metrics, result.earlier))
        .unwrap_or_else(|| (standing.scalars(&trial.metric.name), BTreeMap::new()));
    let curve = match foreign {
        None => read_reports(&run, &trial.metric.name),
        Some(_) => BTreeMap::new(),
    };
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
        curve,
        foreign,
        last_lines,
        standing,
    }
}

/// Why `result` is not that of the run of `trial` that the ledger tells of, as where a folder was put in the place of
/// another; none where nothing says so.
fn foreign(trial: &Trial, standing: &Standing, result: &TrialResult) -> Option<String> {
    if standing.state != State::Done {
        return None;
    }
    let of = result.run.as_deref().and_then(|run| run.file_name());
    if let Some(of) = of.filter(|of| **of != *trial.name) {
        return Some(format!("it is the run {}", of.display()));
    }
    let known = standing.scalars(&trial.metric.name).into_iter();
    let mut known = known.filter_map(|(name, value)| Some((name, value?)));
    known.find_map(|(name, value)| {
        let there = result.metrics.get(&name).copied().flatten();
        let words = there.map_or("no number".to_owned(), |there| there.to_string());
        (there != Some(value)).then(|| format!("{name} is {words} there and {value} in the ledger"))
    })
}

#[cfg(test)]
mod tests {
    use crate::config::{Direction, Metric};

    use super::*;

    fn told(state: State, run: &str, value: Option<f64>) -> Option<String> {
        let trial = Trial {
            name: "a=1".to_owned(),
            stage: None,
            configuration: "a=1".to_owned(),
            arm: None,
            seed: None,
            values: BTreeMap::new(),
            settings: BTreeMap::new(),
            parents: Vec::new(),
            fork: None,
            metric: Metric {
                name: "m".to_owned(),
                direction: Direction::Maximize,
                against: Vec::new(),
            },
            aims: Vec::new(),
            asked: None,
            config: String::new(),
            digest: String::new(),
            epochs: None,
        };
        let standing = Standing {
            state,
            value: Some(0.1 + 0.2),
            ..Standing::default()
        };
        let result = TrialResult {
            run: (!run.is_empty()).then(|| run.into()),
            exit_code: 0,
            outcome: String::new(),
            metrics: [("m".to_owned(), value)].into(),
            earlier: BTreeMap::new(),
        };
        foreign(&trial, &standing, &result)
    }

    #[test]
    fn a_result_of_another_run_is_told() {
        let same = Some(0.1 + 0.2);
        assert_eq!(told(State::Done, "/s/trials/a=1", same), None);
        assert_eq!(
            told(State::Done, "", same),
            None,
            "older results do not say"
        );
        let why = told(State::Done, "/s/trials/a=2", same);
        assert_eq!(why.as_deref(), Some("it is the run a=2"));
        let why = told(State::Done, "", Some(0.5)).unwrap_or_default();
        assert!(why.starts_with("m is 0.5 there and 0.3000"), "{why}");
        let why = told(State::Done, "", None).unwrap_or_default();
        assert!(why.starts_with("m is no number there"), "{why}");
        assert_eq!(
            told(State::Stopped, "", Some(0.5)),
            None,
            "it may go on by hand"
        );
    }
}
