//! Where each trial stands: the ledger, read from its first line to its last.

use std::collections::BTreeMap;

use crate::executor::Handle;
use crate::ledger::{End, Entry, Line};
use crate::stopping::Rungs;

/// The state of a trial.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It waits to be started, or to go on.
    #[default]
    Pending,
    /// It was handed to the executor and has not ended.
    Running,
    /// It came to its end.
    Done,
    /// It failed for good.
    Failed,
    /// It was stopped early, because others did better.
    Stopped,
    /// It was not started, because a run that it uses is not there.
    Skipped,
}

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Skipped => "skipped",
        }
    }

    /// Whether the trial is not over.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}

/// How the present attempt was started.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Launch {
    pub(crate) executor: String,
    pub(crate) ticket: String,
    pub(crate) place: usize,
    pub(crate) handle: Option<Handle>,
    pub(crate) since: f64,
}

/// Where a trial began, if not at its first step.
#[derive(Debug, Clone, PartialEq)]
pub struct Forked {
    /// The trial that it began at a checkpoint of.
    pub from: String,
    /// The epoch behind which the checkpoint is.
    pub epoch: u32,
    /// Seconds that it did not take because of that.
    pub seconds: f64,
}

/// What the ledger says of a trial.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Standing {
    /// Its state.
    pub state: State,
    /// Attempts that were started.
    pub attempts: u32,
    /// Attempts that crashed since the user last asked for another try.
    pub crashes: u32,
    /// Attempts that were cut off through no fault of their own.
    pub cut_off: u32,
    /// Why it was asked to stop.
    pub stop: Option<String>,
    /// Why it is ended, if it held more memory than it may.
    pub beyond: Option<String>,
    /// The last exit code that is known.
    pub code: Option<i32>,
    /// The last value of the metric.
    pub value: Option<f64>,
    /// The last value of each aim, where there are several.
    pub aims: BTreeMap<String, f64>,
    /// Seconds of all attempts that ended.
    pub seconds: f64,
    /// When it was first started, in seconds since 1970.
    pub started: Option<f64>,
    /// When its last attempt ended.
    pub ended: Option<f64>,
    /// The last attempt that ended.
    pub(crate) over: Option<u32>,
    /// What there is to say about how it ended.
    pub reason: Option<String>,
    /// Where it began, if not at its first step.
    pub forked: Option<Forked>,
    /// Seconds up to each epoch that was kept of it.
    pub(crate) kept: BTreeMap<u32, f64>,
    pub(crate) launch: Option<Launch>,
}

impl Standing {
    /// What the ledger knows of the last scalars of a trial that is done: its `metric` and its aims.
    pub(crate) fn scalars(&self, metric: &str) -> BTreeMap<String, Option<f64>> {
        if self.state != State::Done {
            return BTreeMap::new();
        }
        let aims = self.aims.iter().map(|(name, value)| (name.clone(), *value));
        let judged = self.value.map(|value| (metric.to_owned(), value));
        aims.chain(judged)
            .map(|(name, value)| (name, Some(value)))
            .collect()
    }

    fn begin(&mut self, attempt: u32, launch: Launch) {
        self.state = State::Running;
        self.attempts = attempt;
        self.started.get_or_insert(launch.since);
        self.launch = Some(launch);
    }

    /// What an [`Entry::End`] of the moment `time` says.
    fn conclude(&mut self, entry: &Entry, time: f64) {
        let Entry::End {
            attempt,
            end,
            code,
            value,
            aims,
            seconds,
            reason,
            ..
        } = entry
        else {
            return;
        };
        self.over = Some(*attempt);
        self.state = match end {
            End::Done => State::Done,
            End::Failed => State::Failed,
            End::Stopped => State::Stopped,
            End::Crashed | End::Interrupted => State::Pending,
        };
        self.crashes += u32::from(matches!(end, End::Crashed | End::Failed));
        self.cut_off += u32::from(*end == End::Interrupted);
        self.code = *code;
        // The last value of a trial that is done is its own, and is none where that is no number: what an
        // attempt before had reported is of an earlier epoch.
        self.value = match end {
            End::Done => *value,
            _ => value.or(self.value),
        };
        self.aims.clone_from(aims);
        self.seconds += seconds;
        self.ended = Some(time);
        self.reason.clone_from(reason);
        self.launch = None;
    }

    /// Makes it pending again: the user asked for another try.
    fn reopen(&mut self) {
        if self.state == State::Skipped {
            self.reason = None;
        }
        self.state = State::Pending;
        self.beyond = None;
        self.crashes = 0;
        self.cut_off = 0;
    }
}

/// Where each of `trials` stands after `lines`, and what was reported at rungs. Entries of other
/// trials are passed over.
pub fn replay<'a>(
    trials: impl IntoIterator<Item = &'a str>,
    lines: &[Line],
) -> (BTreeMap<String, Standing>, Rungs) {
    let mut standings: BTreeMap<String, Standing> = trials
        .into_iter()
        .map(|name| (name.to_owned(), Standing::default()))
        .collect();
    let mut rungs = Rungs::new();
    for line in lines {
        apply(&mut standings, &mut rungs, line);
    }
    (standings, rungs)
}

/// The trial that an entry is about; none for one about the sweep.
fn trial_of(entry: &Entry) -> Option<&String> {
    match entry {
        Entry::Sweep { .. } | Entry::Ask { .. } => None,
        Entry::Start { trial, .. }
        | Entry::Running { trial, .. }
        | Entry::Rung { trial, .. }
        | Entry::Stop { trial, .. }
        | Entry::Beyond { trial, .. }
        | Entry::End { trial, .. }
        | Entry::Skip { trial, .. }
        | Entry::Keep { trial, .. }
        | Entry::Fork { trial, .. }
        | Entry::Retry { trial } => Some(trial),
    }
}

pub(crate) fn apply(standings: &mut BTreeMap<String, Standing>, rungs: &mut Rungs, line: &Line) {
    let Some(name) = trial_of(&line.entry) else {
        return;
    };
    let Some(standing) = standings.get_mut(name) else {
        return;
    };
    match &line.entry {
        Entry::Sweep { .. } | Entry::Ask { .. } => {}
        // An attempt begins and ends once: lines that stand twice, as in a file that was joined of copies, count
        // once.
        Entry::Start { attempt, .. } | Entry::End { attempt, .. }
            if standing.over.is_some_and(|over| *attempt <= over) => {}
        Entry::Start {
            attempt,
            executor,
            ticket,
            place,
            ..
        } => standing.begin(
            *attempt,
            Launch {
                executor: executor.clone(),
                ticket: ticket.clone(),
                place: *place,
                handle: None,
                since: line.time,
            },
        ),
        Entry::Running { handle, .. } => {
            if let Some(launch) = &mut standing.launch {
                launch.handle = Some(handle.clone());
            }
        }
        Entry::Rung { epoch, value, .. } => {
            let seen = rungs.entry(name.clone()).or_default();
            seen.insert(*epoch, value.unwrap_or(f64::NAN));
        }
        Entry::Stop { reason, .. } => standing.stop = Some(reason.clone()),
        Entry::Beyond { reason, .. } => standing.beyond = Some(reason.clone()),
        Entry::End { .. } => standing.conclude(&line.entry, line.time),
        Entry::Skip { reason, .. } => {
            standing.state = State::Skipped;
            standing.reason = Some(reason.clone());
        }
        Entry::Keep { epoch, seconds, .. } => {
            standing.kept.insert(*epoch, *seconds);
        }
        Entry::Fork {
            from,
            epoch,
            seconds,
            ..
        } => {
            standing.forked = Some(Forked {
                from: from.clone(),
                epoch: *epoch,
                seconds: *seconds,
            });
        }
        // Only of a copy: what is done is not tried again.
        Entry::Retry { .. } if standing.state == State::Done => {}
        Entry::Retry { .. } => standing.reopen(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(attempt: u32) -> Entry {
        Entry::Start {
            trial: "a".to_owned(),
            attempt,
            executor: "local".to_owned(),
            ticket: String::new(),
            place: 0,
        }
    }

    fn end(attempt: u32, end: End, value: Option<f64>) -> Entry {
        Entry::End {
            trial: "a".to_owned(),
            attempt,
            end,
            code: None,
            value,
            aims: BTreeMap::new(),
            seconds: 2.0,
            reason: None,
        }
    }

    fn standing(entries: &[Entry]) -> Standing {
        let line = |entry: &Entry| Line {
            time: 0.0,
            entry: entry.clone(),
        };
        let lines: Vec<Line> = entries.iter().map(line).collect();
        replay(["a"], &lines).0.remove("a").unwrap_or_default()
    }

    #[test]
    fn the_value_of_a_done_trial_is_not_that_of_an_attempt_before() {
        let crashed = [start(1), end(1, End::Crashed, Some(0.4)), start(2)];
        assert_eq!(standing(&crashed).value, Some(0.4));
        let done = [&crashed[..], &[end(2, End::Done, None)]].concat();
        assert_eq!(standing(&done).value, None, "its last value is no number");
        let cut = [&crashed[..], &[end(2, End::Interrupted, None)]].concat();
        assert_eq!(standing(&cut).value, Some(0.4));
    }

    #[test]
    fn an_end_that_stands_twice_counts_once() {
        let twice = [
            start(1),
            end(1, End::Crashed, None),
            end(1, End::Crashed, None),
            start(2),
            end(2, End::Done, Some(0.5)),
            end(2, End::Done, Some(0.5)),
        ];
        let found = standing(&twice);
        assert_eq!((found.crashes, found.attempts), (1, 2));
        assert_eq!((found.seconds, found.value), (4.0, Some(0.5)));
        assert_eq!(found.state, State::Done);
        let once = [
            start(1),
            end(1, End::Failed, None),
            Entry::Retry {
                trial: "a".to_owned(),
            },
            start(2),
            end(2, End::Crashed, None),
            start(3),
            end(3, End::Done, Some(0.5)),
        ];
        let copies = [once.clone(), once.clone()].concat();
        assert_eq!(
            format!("{:?}", standing(&copies)),
            format!("{:?}", standing(&once))
        );
    }
}
