//! How a run ended, what there is to say about it, and its report.

use std::collections::BTreeMap;

use afterimage_hooks::{Outcome, Site};
use afterimage_track::{PluginCost, Report as HtmlReport, TextTable};
use afterimage_train::{RunReport, TrainError};
use serde_json::{Value, json};

use crate::board::{board_of, end_session};
use crate::found::Evidence;
use crate::pruned::before_and_after;
use crate::run_dir::RunDir;
use crate::summary::{Measured, Summary, Untrained, summary};

/// A run that ended, well or not.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// The run directory.
    pub run: RunDir,
    /// What to tell the user.
    pub summary: String,
    /// What was found, a sentence each.
    pub found: Vec<String>,
    /// Time of plugins in this process, by event.
    pub costs: Vec<PluginCost>,
    /// The last value of every scalar.
    pub scalars: BTreeMap<String, f64>,
    /// The step of every scalar that was measured before the last step on record.
    pub earlier: BTreeMap<String, u64>,
    /// Plugins that failed and were switched off.
    pub disabled_plugins: Vec<String>,
    /// Records that are missing in the run directory: sinks that were closed, and lines that were gone
    /// when the run went on.
    pub lost_records: Vec<String>,
    /// The error that ended it.
    pub error: Option<TrainError>,
    /// Steps done in this process.
    pub steps: u64,
    /// Seconds in the loop in this process.
    pub seconds: f64,
}

impl Finished {
    /// The end of a run for a process that neither writes nor speaks.
    pub(crate) fn silent(run: RunDir, outcome: Outcome, report: RunReport) -> Self {
        Self {
            outcome,
            run,
            summary: String::new(),
            found: Vec::new(),
            costs: Vec::new(),
            earlier: BTreeMap::new(),
            scalars: report.scalars,
            disabled_plugins: report.disabled_plugins,
            lost_records: Vec::new(),
            error: report.error,
            steps: report.steps,
            seconds: report.seconds,
        }
    }

    /// The exit code of the command line: 0 done, 1 failed, 2 config, 3 done with a plugin
    /// disabled, 4 diverged, 5 done with records lost, 128 + signal after a checkpoint on a signal.
    pub fn exit_code(&self) -> u8 {
        match &self.outcome {
            Outcome::Completed | Outcome::Stopped(_) if !self.lost_records.is_empty() => 5,
            Outcome::Completed | Outcome::Stopped(_) if self.disabled_plugins.is_empty() => 0,
            Outcome::Completed | Outcome::Stopped(_) => 3,
            Outcome::Diverged => 4,
            Outcome::Interrupted(signal) => {
                signal.parse::<u8>().map_or(130, |n| n.saturating_add(128))
            }
            Outcome::Failed(_) if matches!(self.error, Some(TrainError::Plugins(_))) => 2,
            Outcome::Failed(_) => 1,
        }
    }

    /// What a process tells the others of how it ended.
    ///
    /// # Errors
    /// The error that ended it, as text.
    pub fn ending(&self) -> Result<(), String> {
        match &self.outcome {
            Outcome::Failed(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// The result as one JSON object: what `--json` prints, and what `result.json` holds.
    pub fn result(&self) -> Value {
        let mut result = json!({
            "run": self.run.path().display().to_string(),
            "exit_code": self.exit_code(),
            "outcome": format!("{:?}", self.outcome),
            "disabled_plugins": self.disabled_plugins,
            "steps": self.steps,
            "seconds": self.seconds,
            "metrics": self.scalars,
            "earlier": self.earlier,
            "found": self.found,
            "costs": self.costs,
        });
        if let (false, Some(entries)) = (self.lost_records.is_empty(), result.as_object_mut()) {
            entries.insert("lost_records".to_owned(), json!(self.lost_records));
        }
        result
    }
}

/// Writes the report and puts together what there is to say; `lost` are records that are missing.
pub(crate) fn finish(
    run: RunDir,
    outcome: Outcome,
    report: RunReport,
    lost: Vec<String>,
    sites: &[Site],
    start: Untrained,
) -> Finished {
    let RunReport {
        error,
        disabled_plugins,
        disabled_sinks,
        scalars,
        measured,
        costs,
        ..
    } = report;
    end_session(&run, &outcome);
    let lines = afterimage_track::read_scalars(&run.path().join(afterimage_track::files::METRICS))
        .unwrap_or_default();
    let Summary { mut text, found } = summary(
        &Measured {
            scalars: &scalars,
            steps: &measured,
            epochs: lines.iter().map(|line| (line.step, line.epoch)).collect(),
            start,
            history: &lines,
        },
        sites,
        &Evidence::of(run.path()),
    );
    text.extend(before_and_after(&run.decisions(), &lines));
    let costs: Vec<PluginCost> = costs.into_iter().map(PluginCost::from).collect();
    text.push_str(&cost_table(&costs, report.seconds));
    let html = HtmlReport::from_run(run.path());
    let closed = disabled_sinks.into_iter();
    let closed = closed.map(|sink| format!("the sink {sink}"));
    let lost_records: Vec<String> = lost.into_iter().chain(closed).collect();
    let html = html.map(|html| {
        let mut html = html.found(&found).costs(&costs);
        html.lacks(lost_records.clone());
        html
    });
    match html.and_then(|html| html.write(&run.report())) {
        Ok(()) => text.push_str(&format!("report:         {}\n", run.report().display())),
        Err(error) => tracing::warn!("the report could not be written: {error}"),
    }
    text.push_str(&format!(
        "run directory:  {}\ntensorboard:    tensorboard {}\n",
        run.path().display(),
        board_of(run.path())
    ));
    for plugin in &disabled_plugins {
        text.push_str(&format!(
            "plugin {plugin:?} failed and was switched off; see log.txt\n"
        ));
    }
    for what in &lost_records {
        text.push_str(&format!("records are lost: {what}\n"));
    }
    Finished {
        outcome,
        run,
        summary: text,
        found,
        costs,
        earlier: earlier(measured.iter().map(|(tag, step)| (tag, *step))),
        scalars,
        disabled_plugins,
        lost_records,
        error,
        steps: report.steps,
        seconds: report.seconds,
    }
}

/// Which plugins took how long at which events, most first; nothing where none took a thousandth of the
/// loop's `seconds`.
fn cost_table(costs: &[PluginCost], seconds: f64) -> String {
    /// Shares below it are left to `result.json`.
    const LEAST: f64 = 1e-3;
    let mut shown: Vec<&PluginCost> = costs
        .iter()
        .filter(|cost| cost.seconds >= LEAST * seconds)
        .collect();
    shown.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let title = format!("Time of plugins, of {seconds:.1} s in the loop of this process");
    let mut table = TextTable::new(title, &["plugin", "event", "calls", "seconds", "share"]);
    for cost in shown {
        table.row([
            cost.plugin.clone(),
            cost.event.clone(),
            cost.calls.to_string(),
            TextTable::number(cost.seconds, 2),
            format!("{:.1} %", 100.0 * cost.seconds / seconds),
        ]);
    }
    match table.is_empty() {
        true => String::new(),
        false => format!("{table}\n"),
    }
}

/// The scalars that were measured before the last step of all, with their steps.
fn earlier<'a>(steps: impl Iterator<Item = (&'a String, u64)> + Clone) -> BTreeMap<String, u64> {
    let last = steps.clone().map(|(_, step)| step).max().unwrap_or(0);
    steps
        .filter(|(tag, step)| *step < last && !afterimage_track::is_clock_dependent(tag))
        .map(|(tag, step)| (tag.clone(), step))
        .collect()
}

pub(crate) fn outcome_word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed => "completed".to_owned(),
        Outcome::Stopped(reason) => format!("stopped: {reason}"),
        Outcome::Diverged => "diverged".to_owned(),
        Outcome::Failed(error) => format!("failed: {error}"),
        Outcome::Interrupted(signal) => format!("interrupted by signal {signal}"),
    }
}
