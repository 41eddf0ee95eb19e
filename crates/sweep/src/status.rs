//! How a sweep stands, read by anybody at any time; nothing is written.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use afterimage_files::{LARGE, SMALL, read_text};
use afterimage_numeric::mean;
use serde::Deserialize;

use crate::error::SweepError;
use crate::executor::Handle;
use crate::folder::{Folder, LOCK};
use crate::ledger::{Entry, Ledger, Line, nameless, now};
use crate::name::is_of_stage;
use crate::process;
use crate::standing::{Standing, State, replay};

/// Bytes at the end of a run's measurements in which its last line stands.
const TAIL: u64 = 64 * 1024;

/// How a sweep stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The sweep's name.
    pub name: String,
    /// The process of the sweep that is at work; `None` if none is known to be.
    pub at_work: Option<u32>,
    /// Stages, or one without a name.
    pub stages: Vec<StageStatus>,
    /// Trials under way.
    pub running: Vec<Running>,
    /// Trials that failed, with their reasons.
    pub failed: Vec<(String, String)>,
    /// Hours of all attempts that ended.
    pub hours: f64,
    /// Trials that have begun and whose processes are not gone.
    pub at_a_time: usize,
    /// Hours until all open trials are over with as many at a time, one at least, as far as the stages'
    /// trials that are done tell.
    pub hours_left: Option<f64>,
    /// Stages with open trials of which none is done, so that [`hours_left`](Self::hours_left) lacks
    /// them.
    pub unknown: Vec<String>,
    /// Searches that learn from results: their stages, points that they asked for, and points in all.
    pub searches: Vec<(Option<String>, usize, usize)>,
}

/// The trials of a stage by state.
#[derive(Debug, Clone, PartialEq)]
pub struct StageStatus {
    /// Its name; empty in a sweep without stages.
    pub name: String,
    /// Trials by state.
    pub counts: BTreeMap<State, usize>,
    /// Mean seconds of a trial that is done.
    pub seconds: Option<f64>,
}

impl StageStatus {
    /// Whether trials are left to run.
    pub fn is_open(&self) -> bool {
        let mut counts = self.counts.iter();
        counts.any(|(state, count)| state.is_open() && *count > 0)
    }
}

/// A trial under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// Its name.
    pub trial: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Whether it has begun, and does not wait in a queue.
    pub begun: bool,
    /// Seconds since it was handed to the executor.
    pub seconds: f64,
    /// The epoch of its last measurement.
    pub epoch: Option<u32>,
    /// Its epochs.
    pub epochs: Option<u32>,
    /// Whether its process of this machine is gone, which the sweep finds out when it goes on.
    pub gone: bool,
}

impl Running {
    /// Whether it is being worked on: begun, and its process not known to be gone.
    fn works(&self) -> bool {
        self.begun && !self.gone
    }
}

impl Status {
    /// Reads how the sweep in `folder` stands.
    ///
    /// # Errors
    /// A folder without a sweep, a ledger that cannot be read.
    pub fn read(folder: &Path) -> Result<Self, SweepError> {
        let folder = Folder::find(folder)?;
        let lines = Ledger::read(&folder.ledger())?;
        let Some(Entry::Sweep {
            name,
            trials,
            stages,
            ..
        }) = lines.first().map(|line| &line.entry)
        else {
            return Err(nameless(&folder, &lines));
        };
        let mut names: Vec<&str> = trials.iter().map(|(name, _)| name.as_str()).collect();
        let searches = searches(&lines);
        for line in &lines {
            if let Entry::Ask {
                generation: 1..,
                trials,
                ..
            } = &line.entry
            {
                names.extend(trials.iter().map(|(name, _)| name.as_str()));
            }
        }
        let (standings, _) = replay(names.iter().copied(), &lines);
        let stages: Vec<StageStatus> = if stages.is_empty() {
            vec![stage("", &names, &standings)]
        } else {
            let of = |name: &String| {
                let own: Vec<&str> = names
                    .iter()
                    .copied()
                    .filter(|trial| stage_of(trial, stages) == Some(name))
                    .collect();
                stage(name, &own, &standings)
            };
            stages.iter().map(of).collect()
        };
        let running: Vec<Running> = names
            .iter()
            .filter_map(|name| running(name, standings.get(*name)?, &folder))
            .collect();
        let failed = names.iter().filter_map(|name| {
            let standing = standings.get(*name)?;
            let reason = standing.reason.clone().unwrap_or_default();
            (standing.state == State::Failed).then(|| ((*name).to_owned(), reason))
        });
        let at_a_time = running.iter().filter(|trial| trial.works()).count();
        let (hours_left, unknown) = left(&stages, &running, at_a_time);
        Ok(Self {
            name: name.clone(),
            at_work: at_work(&folder),
            failed: failed.collect(),
            hours: standings.values().map(|s| s.seconds).sum::<f64>() / 3600.0,
            stages,
            running,
            at_a_time,
            hours_left,
            unknown,
            searches,
        })
    }
}

/// How far searches that learn have come.
fn searches(lines: &[Line]) -> Vec<(Option<String>, usize, usize)> {
    let mut found: Vec<(Option<String>, usize, usize)> = Vec::new();
    for line in lines {
        let Entry::Ask {
            stage,
            samples,
            points,
            ..
        } = &line.entry
        else {
            continue;
        };
        match found.iter_mut().find(|(own, _, _)| own == stage) {
            Some((_, asked, all)) => {
                *asked += points.len();
                *all = *samples;
            }
            None => found.push((stage.clone(), points.len(), *samples)),
        }
    }
    found
}

/// The process that holds the sweep's lock. Its number in the lock's file may be another process's by now.
fn at_work(folder: &Folder) -> Option<u32> {
    let lock = folder.path().join(LOCK);
    let text = read_text(&lock, SMALL).ok()?;
    let pid = text.trim().parse().ok()?;
    process::has_open(pid, &lock).then_some(pid)
}

/// The stage of a trial, which its name begins with.
fn stage_of<'a>(trial: &str, stages: &'a [String]) -> Option<&'a String> {
    stages.iter().find(|stage| is_of_stage(trial, stage))
}

fn stage(name: &str, trials: &[&str], standings: &BTreeMap<String, Standing>) -> StageStatus {
    let mut counts = BTreeMap::new();
    let mut seconds = Vec::new();
    for standing in trials.iter().filter_map(|trial| standings.get(*trial)) {
        *counts.entry(standing.state).or_default() += 1;
        if standing.state == State::Done {
            seconds.push(standing.seconds);
        }
    }
    StageStatus {
        name: name.to_owned(),
        counts,
        seconds: (!seconds.is_empty()).then(|| mean(&seconds)),
    }
}

fn running(trial: &str, standing: &Standing, folder: &Folder) -> Option<Running> {
    if standing.state != State::Running {
        return None;
    }
    let launch = standing.launch.as_ref()?;
    let gone = match &launch.handle {
        Some(Handle::Local { pid, started, .. }) => process::started(*pid) != *started,
        Some(Handle::Slurm { .. }) | None => false,
    };
    let epochs = read_text(&folder.config(trial), SMALL)
        .ok()
        .and_then(|text| text.parse::<toml::Table>().ok())
        .and_then(|table| table.get("epochs")?.as_integer()?.try_into().ok());
    Some(Running {
        trial: trial.to_owned(),
        attempt: standing.attempts,
        begun: folder.log(trial, standing.attempts, "err").exists(),
        seconds: (now() - launch.since).max(0.0),
        epoch: last_epoch(&folder.run(trial)),
        epochs,
        gone,
    })
}

/// The epoch of the last whole line of a run's measurements.
fn last_epoch(run: &Path) -> Option<u32> {
    #[derive(Deserialize)]
    struct Line {
        epoch: u32,
    }
    let mut file = afterimage_files::open(&run.join("metrics.jsonl"), LARGE).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n')?;
    let last = bytes[..whole].rsplit(|&byte| byte == b'\n').next()?;
    Some(serde_json::from_slice::<Line>(last).ok()?.epoch)
}

/// Hours until all open trials are over with so many at a time, and the stages of which that is not known.
fn left(
    stages: &[StageStatus],
    running: &[Running],
    at_a_time: usize,
) -> (Option<f64>, Vec<String>) {
    let names: Vec<String> = stages.iter().map(|stage| stage.name.clone()).collect();
    let mut seconds = 0.0;
    let mut known = false;
    let mut unknown = Vec::new();
    for stage in stages {
        let count = |state| stage.counts.get(&state).copied().unwrap_or(0);
        if !stage.is_open() {
            continue;
        }
        let Some(mean) = stage.seconds else {
            unknown.push(stage.name.clone());
            continue;
        };
        known = true;
        seconds += mean * count(State::Pending) as f64;
        let own = running.iter().filter(|trial| {
            stage.name.is_empty() || stage_of(&trial.trial, &names) == Some(&stage.name)
        });
        seconds += own
            .map(|trial| match trial.begun {
                true => (mean - trial.seconds).max(0.0),
                false => mean,
            })
            .sum::<f64>();
    }
    let at_a_time = at_a_time.max(1) as f64;
    (known.then_some(seconds / at_a_time / 3600.0), unknown)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_from_what_is_done() {
        let stage = |name: &str, done: usize, open: usize, seconds| StageStatus {
            name: name.to_owned(),
            counts: [(State::Done, done), (State::Pending, open)].into(),
            seconds,
        };
        let running = |trial: &str, seconds| Running {
            trial: trial.to_owned(),
            attempt: 1,
            begun: true,
            seconds,
            epoch: None,
            epochs: None,
            gone: false,
        };
        let mut a = stage("a", 2, 2, Some(1800.0));
        a.counts.insert(State::Running, 2);
        let b = stage("b", 0, 3, None);
        let under_way = [running("a,seed=1", 900.0), running("a,seed=2", 3600.0)];
        // 2 × 1800 s, 900 s of one under way and none of the other, two at a time.
        let (hours, unknown) = left(&[a, b], &under_way, 2);
        assert_eq!(hours, Some(4500.0 / 2.0 / 3600.0));
        assert_eq!(unknown, ["b"]);
        // One that waits in a queue has all before it, and makes nothing faster.
        let mut a = stage("a", 2, 0, Some(1800.0));
        a.counts.insert(State::Running, 2);
        let waits = Running {
            begun: false,
            ..running("a,seed=2", 3600.0)
        };
        assert!(!waits.works());
        let gone = Running {
            gone: true,
            ..running("a,seed=3", 1.0)
        };
        assert!(!gone.works() && running("a,seed=3", 1.0).works());
        let (hours, _) = left(&[a], &[running("a,seed=1", 900.0), waits], 1);
        assert_eq!(hours, Some(2700.0 / 3600.0));
        assert_eq!(
            left(&[stage("", 4, 0, Some(1.0))], &[], 0),
            (None, Vec::new())
        );
    }

    #[test]
    fn a_process_is_at_work_while_it_holds_the_lock() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        assert_eq!(at_work(&folder), None);
        let lock = folder.lock().unwrap();
        let own = std::process::id();
        assert_eq!(at_work(&folder), Some(own));
        drop(lock);
        // The number is still there, and so is a process of that number.
        let text = std::fs::read_to_string(place.path().join(LOCK)).unwrap();
        assert_eq!(text.trim(), own.to_string());
        let proc = Path::new("/proc/self/fd").exists();
        assert_eq!(at_work(&folder), (!proc).then_some(own));
    }
}
