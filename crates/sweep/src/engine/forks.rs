//! Trials that begin at a checkpoint of another one, which does the same up to there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{Engine, Note};
use crate::error::SweepError;
use crate::forks::{Forks, Kept};
use crate::ledger::{Entry, now};
use crate::plan::Plan;
use crate::standing::State;

/// A trial and an epoch of it.
type Point = (String, u32);

/// What is kept of runs for others to begin with.
#[derive(Default)]
pub(super) struct Forking<'a> {
    /// None where all trials begin at their first steps.
    by: Option<Box<dyn Forks + 'a>>,
    /// Trials that can begin at a point and have not begun yet.
    wanted: BTreeMap<Point, BTreeSet<String>>,
    /// Points that are not to be had any more.
    missed: BTreeSet<Point>,
    /// Whether what an earlier process left was looked at.
    looked: bool,
}

/// How a trial that is due begins.
pub(super) enum Way {
    /// At its first step, or where it was.
    Alone,
    /// At what was kept of another.
    From(PathBuf, Point),
    /// The other one has not come so far.
    Wait,
}

impl<'a> Forking<'a> {
    fn new(by: Box<dyn Forks + 'a>, plan: &Plan) -> Self {
        let mut wanted: BTreeMap<Point, BTreeSet<String>> = BTreeMap::new();
        for trial in &plan.trials {
            if let Some(fork) = &trial.fork {
                let point = (fork.trial.clone(), fork.epoch);
                wanted.entry(point).or_default().insert(trial.name.clone());
            }
        }
        Self {
            by: Some(by),
            wanted,
            ..Self::default()
        }
    }
}

impl<'a> Engine<'a> {
    /// Lets trials begin where others were, as [`Trial::fork`](crate::Trial::fork) says; without this all
    /// begin at their first step.
    #[must_use]
    pub fn forking(mut self, by: Box<dyn Forks + 'a>) -> Self {
        self.forking = Forking::new(by, self.plan);
        self
    }

    /// How `trial` begins.
    pub(super) fn way(&self, trial: &str) -> Way {
        let fork = self.by_name.get(trial).and_then(|of| of.fork.as_ref());
        let (Some(_), Some(fork)) = (&self.forking.by, fork) else {
            return Way::Alone;
        };
        if self.attempts(trial) > 0 || self.folder.run(trial).join("config.toml").exists() {
            return Way::Alone;
        }
        let point = (fork.trial.clone(), fork.epoch);
        let kept = self.folder.kept(&point.0, point.1);
        if kept.is_dir() {
            return Way::From(kept, point);
        }
        match self.state_of(&fork.trial) {
            State::Pending | State::Running if !self.forking.missed.contains(&point) => Way::Wait,
            _ => Way::Alone,
        }
    }

    /// Keeps what others begin with as soon as a run has come so far, and removes what nobody wants any more.
    pub(super) fn keep_forks(&mut self) -> Result<(), SweepError> {
        let mut forking = std::mem::take(&mut self.forking);
        let done = self.keep_with(&mut forking);
        self.forking = forking;
        done
    }

    fn keep_with(&mut self, forking: &mut Forking<'a>) -> Result<(), SweepError> {
        if !std::mem::replace(&mut forking.looked, true) {
            self.take_up_forks()?;
            if forking.wanted.is_empty() || forking.by.is_none() {
                return self.clear_forks();
            }
        }
        let Some(by) = &forking.by else {
            return Ok(());
        };
        for trials in forking.wanted.values_mut() {
            trials.retain(|trial| {
                self.state_of(trial) == State::Pending && self.attempts(trial) == 0
            });
        }
        let points: Vec<Point> = forking.wanted.keys().cloned().collect();
        for point in points {
            let wanted = forking.wanted.get(&point);
            if wanted.is_none_or(BTreeSet::is_empty) {
                // A skipped one that is tried again begins at its first step.
                remove(&self.folder.kept(&point.0, point.1))?;
                forking.wanted.remove(&point);
                if forking.wanted.is_empty() {
                    self.clear_forks()?;
                }
            } else if !forking.missed.contains(&point)
                && let Some(why) = self.keep(by.as_ref(), &point)?
            {
                let (trial, epoch) = &point;
                (self.tell)(&Note::NotKept {
                    trial,
                    epoch: *epoch,
                    reason: &why,
                });
                forking.missed.insert(point);
            }
        }
        Ok(())
    }

    /// Keeps what a run was at a point if it has come so far; gives the reason if that is not to be had.
    fn keep(&mut self, by: &dyn Forks, point: &Point) -> Result<Option<String>, SweepError> {
        let (trial, epoch) = point;
        let kept = self.folder.kept(trial, *epoch);
        if self.attempts(trial) == 0 || kept.is_dir() {
            return Ok(None);
        }
        let beside = self.folder.kept(&format!(".{trial}"), *epoch);
        remove(&beside)?;
        let forks = self.folder.forks();
        fs::create_dir_all(&forks).map_err(SweepError::io("make this folder", &forks))?;
        let found = by.keep(&self.folder.run(trial), *epoch, &beside);
        let open = self.state_of(trial).is_open();
        let why = match found {
            Ok(Kept::Now) => {
                put(&beside, &kept)?;
                self.note_kept(point)?;
                return Ok(None);
            }
            Ok(Kept::NotYet) if open => return Ok(None),
            Ok(Kept::NotYet) => format!("it ended before epoch {epoch}"),
            Ok(Kept::Never(why)) | Err(why) => why,
        };
        remove(&beside)?;
        Ok(Some(why))
    }

    fn note_kept(&mut self, point: &Point) -> Result<(), SweepError> {
        let (trial, epoch) = point;
        let seconds = self.seconds_so_far(trial, *epoch);
        self.note(&[Entry::Keep {
            trial: trial.clone(),
            epoch: *epoch,
            seconds,
        }])
    }

    /// Finds out what an earlier process of the sweep did and was killed before it could say so: a folder
    /// stands whole in its place before the ledger says that it does, and no trial has a run before its
    /// first attempt but one that was made here.
    fn take_up_forks(&mut self) -> Result<(), SweepError> {
        let forks: Vec<(String, Point)> = self
            .plan
            .trials
            .iter()
            .filter_map(|trial| {
                let fork = trial.fork.as_ref()?;
                Some((trial.name.clone(), (fork.trial.clone(), fork.epoch)))
            })
            .collect();
        for (trial, point) in forks {
            let noted = |of: &Self| {
                let from = of.standings.get(&point.0);
                from.is_some_and(|from| from.kept.contains_key(&point.1))
            };
            if self.folder.kept(&point.0, point.1).is_dir() && !noted(self) {
                self.note_kept(&point)?;
            }
            let own = self.standings.get(&trial);
            let unsaid = own.is_some_and(|own| own.attempts == 0 && own.forked.is_none());
            if unsaid && noted(self) && self.folder.run(&trial).join("config.toml").exists() {
                self.note_forked(&trial, &point)?;
            }
        }
        Ok(())
    }

    /// Removes all that was kept or half made: no trial begins with it.
    fn clear_forks(&self) -> Result<(), SweepError> {
        remove(&self.folder.forks())?;
        let trials = self.folder.trials();
        let entries = fs::read_dir(&trials).map_err(SweepError::io("read this folder", &trials))?;
        for entry in entries {
            let entry = entry.map_err(SweepError::io("read this folder", &trials))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && name.ends_with(".fork") {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Seconds that a run took up to a checkpoint that it has just written; of one that is over its share by
    /// epochs.
    fn seconds_so_far(&self, trial: &str, epoch: u32) -> f64 {
        let Some(standing) = self.standings.get(trial) else {
            return 0.0;
        };
        let before = standing.forked.as_ref().map_or(0.0, |fork| fork.seconds);
        let Some(launch) = &standing.launch else {
            let epochs = self.by_name.get(trial).and_then(|of| of.epochs);
            let all = f64::from(epochs.unwrap_or(epoch).max(1));
            let own = all
                - standing
                    .forked
                    .as_ref()
                    .map_or(0.0, |fork| f64::from(fork.epoch));
            let done = f64::from(epoch) - (all - own);
            return before + standing.seconds * (done / own.max(1.0)).clamp(0.0, 1.0);
        };
        // A task of a queue begins later than it was handed over; its run is locked when it does.
        let locked = fs::metadata(self.folder.run(trial).join("lock"))
            .and_then(|lock| lock.modified())
            .ok()
            .and_then(|time| Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs_f64()));
        let since = locked.map_or(launch.since, |locked| locked.max(launch.since));
        before + standing.seconds + (now() - since).max(0.0)
    }

    /// Makes the run directory of a trial that begins at what was kept of another; one that cannot begins
    /// at its first step.
    pub(super) fn fork(
        &mut self,
        trial: &str,
        from: &Path,
        point: &Point,
    ) -> Result<(), SweepError> {
        let Some(by) = &self.forking.by else {
            return Ok(());
        };
        let run = self.folder.run(trial);
        let beside = run.with_file_name(format!(".{trial}.fork"));
        remove(&beside)?;
        let config = self.folder.config(trial);
        if let Err(reason) = by.begin(from, &config, &beside) {
            remove(&beside)?;
            (self.tell)(&Note::NotForked {
                trial,
                reason: &reason,
            });
            return Ok(());
        }
        put(&beside, &run)?;
        self.note_forked(trial, point)
    }

    fn note_forked(&mut self, trial: &str, point: &Point) -> Result<(), SweepError> {
        let from = self.standings.get(&point.0);
        let seconds = from.and_then(|from| from.kept.get(&point.1)).copied();
        self.note(&[Entry::Fork {
            trial: trial.to_owned(),
            from: point.0.clone(),
            epoch: point.1,
            seconds: seconds.unwrap_or(0.0),
        }])
    }
}

/// Gives a folder that is whole its name, and waits until the name is on disk.
fn put(beside: &Path, place: &Path) -> Result<(), SweepError> {
    fs::rename(beside, place).map_err(SweepError::io("rename", beside))?;
    let above = place.parent().unwrap_or(Path::new("."));
    File::open(above)
        .and_then(|folder| folder.sync_all())
        .map_err(SweepError::io("write", above))
}

fn remove(folder: &Path) -> Result<(), SweepError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SweepError::io("remove", folder)(error))
        }
        _ => Ok(()),
    }
}
