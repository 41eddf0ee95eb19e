//! How a sweep stands, for a terminal.

use afterimage_sweep::{State, Status};
use afterimage_track::TextTable;

/// Columns of the table of stages.
const STATES: [State; 6] = [
    State::Done,
    State::Running,
    State::Pending,
    State::Stopped,
    State::Failed,
    State::Skipped,
];

/// Failed trials that are named.
const FAILED: usize = 10;

/// A table of the trials by state, the trials under way, and how long it may take.
pub fn status(status: &Status) -> String {
    let mut header = vec!["stage"];
    header.extend(STATES.map(State::word));
    header.push("s a trial");
    let mut table = TextTable::new(format!("{}: trials", status.name), &header);
    for stage in &status.stages {
        let name = if stage.name.is_empty() {
            "all"
        } else {
            &stage.name
        };
        let mut row = vec![name.to_owned()];
        row.extend(STATES.map(|state| stage.counts.get(&state).copied().unwrap_or(0).to_string()));
        row.push(
            stage
                .seconds
                .map_or("–".to_owned(), |seconds| format!("{seconds:.1}")),
        );
        table.row(row);
    }
    let mut text = format!("{table}\n");
    if !status.running.is_empty() {
        let mut table = TextTable::new("under way", &["trial", "attempt", "epoch", "minutes", ""]);
        for trial in &status.running {
            let of = trial
                .epochs
                .map_or(String::new(), |epochs| format!(" of {epochs}"));
            let epoch = trial
                .epoch
                .map_or("–".to_owned(), |epoch| epoch.to_string());
            let how = match (trial.gone, trial.begun) {
                (true, _) => "its process is gone",
                (false, false) => "waits in the queue",
                (false, true) => "",
            };
            table.row(vec![
                trial.trial.clone(),
                trial.attempt.to_string(),
                format!("{epoch}{of}"),
                format!("{:.1}", trial.seconds / 60.0),
                how.to_owned(),
            ]);
        }
        text += &format!("{table}\n");
    }
    for (trial, why) in status.failed.iter().take(FAILED) {
        text += &format!("failed       {trial}: {why}\n");
    }
    if status.failed.len() > FAILED {
        text += &format!("             and {} more\n", status.failed.len() - FAILED);
    }
    text += &format!(
        "{:.2} hours of trials so far; {}\n",
        status.hours,
        left(status)
    );
    text += &match status.at_work {
        Some(pid) => format!("process {pid} is at work on it\n"),
        None => {
            "no process is at work on it; the command that began it goes on with it\n".to_owned()
        }
    };
    text
}

/// How long the rest of a sweep may take, in words.
pub fn left(status: &Status) -> String {
    let open = |state| {
        status
            .stages
            .iter()
            .any(|stage| stage.counts.contains_key(&state))
    };
    if !open(State::Pending) && !open(State::Running) {
        return "nothing is left to run".to_owned();
    }
    let begun = status.running.iter().filter(|trial| trial.begun);
    let at_a_time = begun.count().max(1);
    let known = status
        .hours_left
        .map(|hours| format!("about {hours:.2} hours left, with {at_a_time} at a time as now"));
    let unknown = match status.unknown.as_slice() {
        [] => None,
        [name] if name.is_empty() => {
            Some("no trial is done that would tell what is left".to_owned())
        }
        names => Some(format!(
            "nothing is known of {}, of which no trial is done",
            names.join(", ")
        )),
    };
    let parts: Vec<String> = known.into_iter().chain(unknown).collect();
    parts.join("; ")
}
