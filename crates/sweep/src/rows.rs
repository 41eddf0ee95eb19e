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

/// What `trial` left in `folder`.
pub(crate) fn row(trial: &Trial, folder: &Folder, standing: Standing) -> Row {
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
