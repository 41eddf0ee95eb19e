//! How a sweep stands, for a terminal.

use afterimage_sweep::{StageStatus, State, Status};
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
    for (stage, asked, all) in &status.searches {
        let of = stage
            .as_ref()
            .map_or(String::new(), |stage| format!(" of stage {stage}"));
        text += &format!("the search{of} has asked for {asked} of {all} points\n");
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
        None if is_open(status) => {
            "no process is at work on it; the command that began it goes on with it\n".to_owned()
        }
        None => "no process is at work on it\n".to_owned(),
    };
    text
}

/// Whether trials are left to run.
fn is_open(status: &Status) -> bool {
    status.stages.iter().any(StageStatus::is_open)
}

/// How long the rest of a sweep may take, in words.
pub fn left(status: &Status) -> String {
    if !is_open(status) {
        return "nothing is left to run".to_owned();
    }
    let at_a_time = match status.at_a_time {
        0 => "one at a time".to_owned(),
        1 => "one at a time as now".to_owned(),
        several => format!("{several} at a time as now"),
    };
    let known = status
        .hours_left
        .map(|hours| format!("about {hours:.2} hours left, with {at_a_time}"));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(open: usize, at_a_time: usize) -> Status {
        let counts = [(State::Done, 1), (State::Pending, open)].into_iter();
        Status {
            name: "t".to_owned(),
            at_work: None,
            stages: vec![StageStatus {
                name: String::new(),
                counts: counts.filter(|(_, count)| *count > 0).collect(),
                seconds: Some(1.0),
            }],
            running: Vec::new(),
            failed: Vec::new(),
            hours: 1.0,
            at_a_time,
            hours_left: (open > 0).then_some(2.0),
            unknown: Vec::new(),
            searches: Vec::new(),
        }
    }

    #[test]
    fn the_pace_is_told_in_words_and_advice_where_something_is_left() {
        for (at_a_time, words) in [
            (0, "about 2.00 hours left, with one at a time"),
            (1, "about 2.00 hours left, with one at a time as now"),
            (3, "about 2.00 hours left, with 3 at a time as now"),
        ] {
            assert_eq!(left(&of(2, at_a_time)), words);
        }
        let advice = "the command that began it goes on with it";
        assert!(status(&of(2, 0)).contains(advice));
        let over = status(&of(0, 0));
        assert!(over.contains("nothing is left to run"), "{over}");
        assert!(over.ends_with("no process is at work on it\n"), "{over}");
    }
}
