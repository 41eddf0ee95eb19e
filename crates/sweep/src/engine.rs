//! The sweep at work: starts trials, watches them, judges their ends, until none is left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::{Budget, Metric, SweepConfig};
use crate::error::SweepError;
use crate::executor::{Ended, Executor, Found, Task};
use crate::folder::Folder;
use crate::judge::{Evidence, TrialResult, Verdict, judge};
use crate::ledger::{End, Entry, Ledger, VERSION, now};
use crate::plan::Plan;
use crate::reports::{Reports, read_reports};
use crate::standing::{Launch, Standing, State, apply, replay};
use crate::stopping::{Rungs, Stopping};
use crate::{local, slurm};

/// What a sweep goes by, apart from its trials.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// What trials are judged by.
    pub metric: Metric,
    /// Which trials are stopped early.
    pub stopping: Option<Stopping>,
    /// Crashes of a trial that are forgiven.
    pub retries: u32,
    /// Failed trials after which no other is started.
    pub max_failures: Option<u32>,
    /// What the sweep may use up.
    pub budget: Budget,
}

impl From<&SweepConfig> for Rules {
    fn from(config: &SweepConfig) -> Self {
        Self {
            metric: config.metric.clone(),
            stopping: config
                .stopping
                .map(|rule| Stopping::new(rule, config.metric.direction)),
            retries: config.retries,
            max_failures: config.max_failures,
            budget: config.budget,
        }
    }
}

/// Something that a user wants to see while a sweep is at work.
#[derive(Debug, Clone, PartialEq)]
pub enum Note<'a> {
    /// An attempt was started.
    Started {
        /// The trial.
        trial: &'a str,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// A trial of an earlier process of the sweep is still under way and is waited for.
    Found {
        /// The trial.
        trial: &'a str,
    },
    /// An attempt ended.
    Ended {
        /// The trial.
        trial: &'a str,
        /// What became of it.
        verdict: &'a Verdict,
        /// The last value of the metric.
        value: Option<f64>,
        /// Seconds of this attempt.
        seconds: f64,
        /// The last lines that it wrote to standard error, if it failed.
        last_lines: Vec<String>,
    },
    /// A trial was asked to stop, because others did better.
    Stopping {
        /// The trial.
        trial: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// No more trials are started, and why.
    Halted(&'a str),
    /// A signal came; the trials were told to write a checkpoint.
    Signal(usize),
}

/// How the work of this process on a sweep ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// No trial is left.
    Complete,
    /// Trials are left, because of the budget or too many failures.
    Halted(String),
    /// A signal came.
    Interrupted(usize),
}

/// A sweep at work.
pub struct Engine<'a> {
    folder: &'a Folder,
    plan: &'a Plan,
    rules: Rules,
    ledger: Ledger,
    standings: BTreeMap<String, Standing>,
    rungs: Rungs,
    reports: BTreeMap<String, Reports>,
    executor: Box<dyn Executor + 'a>,
    signal: Arc<AtomicUsize>,
    tell: Box<dyn FnMut(&Note<'_>) + 'a>,
    told: bool,
    halted: Option<String>,
}

impl<'a> Engine<'a> {
    /// Opens the ledger of `folder`, or begins one for `plan`, which is named `name`.
    ///
    /// The number of a signal that arrives in `signal` makes trials write a checkpoint and ends the
    /// sweep; `tell` is told what happens. The folder must be locked.
    ///
    /// # Errors
    /// A ledger that cannot be read or written, or that was begun for other trials.
    pub fn open(
        folder: &'a Folder,
        plan: &'a Plan,
        name: &str,
        rules: Rules,
        executor: Box<dyn Executor + 'a>,
        signal: Arc<AtomicUsize>,
        tell: Box<dyn FnMut(&Note<'_>) + 'a>,
    ) -> Result<Self, SweepError> {
        let (mut ledger, lines) = Ledger::open(&folder.ledger())?;
        match lines.first() {
            None => {
                let trials = plan
                    .trials
                    .iter()
                    .map(|t| (t.name.clone(), t.digest.clone()));
                ledger.append(&[Entry::Sweep {
                    version: VERSION,
                    name: name.to_owned(),
                    digest: plan.digest.clone(),
                    trials: trials.collect(),
                }])?;
            }
            Some(first) => same_sweep(folder, plan, &first.entry)?,
        }
        folder.prepare(plan)?;
        let names = plan.trials.iter().map(|trial| trial.name.as_str());
        let (standings, rungs) = replay(names, &lines);
        Ok(Self {
            folder,
            plan,
            rules,
            ledger,
            standings,
            rungs,
            reports: BTreeMap::new(),
            executor,
            signal,
            tell,
            told: false,
            halted: None,
        })
    }

    /// Where each trial stands.
    pub fn standings(&self) -> &BTreeMap<String, Standing> {
        &self.standings
    }

    /// Gives failed trials another try.
    ///
    /// # Errors
    /// A ledger that cannot be written.
    pub fn retry_failed(&mut self) -> Result<(), SweepError> {
        let failed: Vec<Entry> = self
            .in_state(State::Failed)
            .map(|trial| Entry::Retry {
                trial: trial.to_owned(),
            })
            .collect();
        self.note(&failed)
    }

    /// Works until no trial is left, the budget is used up, too many trials failed, or a signal came.
    ///
    /// # Errors
    /// A ledger that cannot be written, a program that cannot be started, or an executor that does
    /// not answer. Trials that are under way then go on; the next process finds them.
    pub fn run(&mut self) -> Result<Ending, SweepError> {
        self.take_up()?;
        loop {
            let signal = self.signal.load(Ordering::SeqCst);
            if signal != 0 && !self.told {
                self.told = true;
                (self.tell)(&Note::Signal(signal));
                for trial in self.names_in(State::Running) {
                    self.executor.stop(&trial)?;
                }
            }
            for (trial, ended) in self.executor.over()? {
                self.conclude(&trial, &ended)?;
            }
            if !self.told {
                self.watch()?;
                self.halt_if_due();
                if self.halted.is_none() {
                    self.start()?;
                }
            }
            let running = self.in_state(State::Running).count();
            let pending = self.in_state(State::Pending).count();
            if running == 0 {
                if self.told {
                    return Ok(Ending::Interrupted(signal));
                }
                if pending == 0 {
                    return Ok(Ending::Complete);
                }
                if let Some(why) = &self.halted {
                    return Ok(Ending::Halted(why.clone()));
                }
            }
            std::thread::sleep(self.executor.pause());
        }
    }

    fn in_state(&self, state: State) -> impl Iterator<Item = &str> {
        self.plan
            .trials
            .iter()
            .map(|trial| trial.name.as_str())
            .filter(move |name| {
                self.standings
                    .get(*name)
                    .is_some_and(|standing| standing.state == state)
            })
    }

    fn names_in(&self, state: State) -> Vec<String> {
        self.in_state(state).map(str::to_owned).collect()
    }

    /// Puts entries into the ledger and lets them take effect.
    fn note(&mut self, entries: &[Entry]) -> Result<(), SweepError> {
        if entries.is_empty() {
            return Ok(());
        }
        for line in self.ledger.append(entries)? {
            apply(&mut self.standings, &mut self.rungs, &line);
        }
        Ok(())
    }

    /// Finds out what became of the attempts that earlier processes of the sweep had started.
    fn take_up(&mut self) -> Result<(), SweepError> {
        let begun: Vec<(String, u32, Launch)> = self
            .standings
            .iter()
            .filter(|(_, standing)| standing.state == State::Running)
            .filter_map(|(name, s)| Some((name.clone(), s.attempts, s.launch.clone()?)))
            .collect();
        let mut elsewhere = Vec::new();
        for (trial, attempt, launch) in begun {
            let task = Task { trial, attempt };
            let found = if launch.executor == self.executor.name() {
                self.executor
                    .find(&task, &launch.ticket, launch.place, launch.handle.as_ref())?
            } else {
                match self.found_elsewhere(&task, &launch.executor)? {
                    Some(found) => found,
                    None => {
                        elsewhere.push((task.trial, launch.executor));
                        continue;
                    }
                }
            };
            match found {
                Found::Running => (self.tell)(&Note::Found { trial: &task.trial }),
                Found::Over(ended) => {
                    // It may have been over for days.
                    let last = self.folder.last_sign(&task.trial).unwrap_or(launch.since);
                    let seconds = ended.seconds.or(Some((last - launch.since).max(0.0)));
                    self.conclude(&task.trial, &Ended { seconds, ..ended })?;
                }
                Found::Never => self.note(&[Entry::End {
                    trial: task.trial,
                    attempt,
                    end: End::Interrupted,
                    code: None,
                    value: None,
                    seconds: 0.0,
                    reason: Some("was not started".to_owned()),
                }])?,
            }
        }
        match elsewhere.first() {
            None => Ok(()),
            Some((first, executor)) => Err(SweepError::OtherExecutor {
                count: elsewhere.len(),
                first: first.clone(),
                executor: executor.clone(),
            }),
        }
    }

    /// What is known of an attempt of another executor; `None` if it may be under way.
    fn found_elsewhere(&self, task: &Task, executor: &str) -> Result<Option<Found>, SweepError> {
        if executor == "local" {
            return Ok(match local::lives(self.folder, task)? {
                None => Some(Found::Never),
                Some((_, false)) => Some(Found::Over(Ended::with(None))),
                Some((_, true)) => None,
            });
        }
        Ok(slurm::left(self.folder, task).map(Found::Over))
    }

    /// Judges an attempt that is over.
    fn conclude(&mut self, trial: &str, ended: &Ended) -> Result<(), SweepError> {
        let Some(standing) = self.standings.get(trial).cloned() else {
            return Ok(());
        };
        let run = self.folder.run(trial);
        let result = TrialResult::read(&run);
        let metric = &self.rules.metric.name;
        let value = match result
            .as_ref()
            .and_then(|result| result.metrics.get(metric))
        {
            Some(value) => *value,
            None => read_reports(&run, metric).into_values().next_back(),
        };
        let mut verdict = judge(&Evidence {
            code: ended.code,
            result: result.as_ref(),
            blameless: ended.blameless,
            stop: standing.stop.as_deref(),
            told: self.told,
            crashes: standing.crashes,
            retries: self.rules.retries,
            cut_off: standing.cut_off,
        });
        if verdict == Verdict::Done
            && let Some(result) = &result
            && !result.metrics.contains_key(metric)
        {
            verdict = Verdict::Failed(self.without_metric(result));
        }
        let (end, mut reason) = match &verdict {
            Verdict::Done => (End::Done, None),
            Verdict::Failed(why) => (End::Failed, Some(why.clone())),
            Verdict::Stopped(why) => (End::Stopped, Some(why.clone())),
            Verdict::Crashed(why) => (End::Crashed, Some(why.clone())),
            Verdict::Interrupted(why) => (End::Interrupted, Some(why.clone())),
        };
        if let Some(note) = &ended.note {
            reason = Some(reason.map_or(note.clone(), |why| format!("{why}; {note}")));
        }
        let since = standing.launch.map_or_else(now, |launch| launch.since);
        let seconds = ended.seconds.unwrap_or_else(|| (now() - since).max(0.0));
        self.note(&[Entry::End {
            trial: trial.to_owned(),
            attempt: standing.attempts,
            end,
            code: ended.code.or(result.map(|result| result.exit_code)),
            value: value.filter(|value| value.is_finite()),
            seconds,
            reason,
        }])?;
        let failed = matches!(verdict, Verdict::Failed(_) | Verdict::Crashed(_));
        let last_lines = if failed {
            self.folder.last_lines(trial, standing.attempts, 8)
        } else {
            Vec::new()
        };
        (self.tell)(&Note::Ended {
            trial,
            verdict: &verdict,
            value,
            seconds,
            last_lines,
        });
        Ok(())
    }

    /// Says that a run has no such metric, and halts the sweep if no run has had it: the rest would
    /// be the same.
    fn without_metric(&mut self, result: &TrialResult) -> String {
        let metric = &self.rules.metric.name;
        let family = metric.split('/').next().unwrap_or_default();
        let mut known: Vec<&str> = result.metrics.keys().map(String::as_str).collect();
        let near: Vec<&str> = known
            .iter()
            .copied()
            .filter(|name| name.split('/').next() == Some(family))
            .collect();
        if !near.is_empty() {
            known = near;
        }
        let more = if known.len() > 12 { ", …" } else { "" };
        known.truncate(12);
        let why = format!(
            "the run reports no {metric:?} (metric.name); it reports {}{more}",
            known.join(", ")
        );
        if self
            .standings
            .values()
            .all(|standing| standing.value.is_none())
        {
            self.halt(why.clone());
        }
        why
    }

    fn halt(&mut self, why: String) {
        if self.halted.is_none() {
            (self.tell)(&Note::Halted(&why));
            self.halted = Some(why);
        }
    }

    /// Reads what running trials report, and asks those to stop that fall behind.
    fn watch(&mut self) -> Result<(), SweepError> {
        let Some(stopping) = self.rules.stopping else {
            return Ok(());
        };
        for trial in self.names_in(State::Running) {
            if self
                .standings
                .get(&trial)
                .is_some_and(|standing| standing.stop.is_some())
            {
                continue;
            }
            let run = self.folder.run(&trial);
            let metric = &self.rules.metric.name;
            let reports = self
                .reports
                .entry(trial.clone())
                .or_insert_with(|| Reports::of(&run, metric));
            if reports.update().is_err() {
                continue;
            }
            // The last epoch is the end: there is nothing to save by stopping there.
            let last = self
                .plan
                .trial(&trial)
                .and_then(|trial| trial.epochs)
                .unwrap_or(u32::MAX);
            let seen = self
                .rungs
                .get(&trial)
                .and_then(|seen| seen.keys().next_back().copied());
            let mut due = Vec::new();
            let mut rung = stopping.next_rung(seen.unwrap_or(0));
            while rung < last {
                // Evaluated less often than rungs come: the first evaluation behind it counts.
                let Some((&at, &value)) = reports.values().range(rung..).next() else {
                    break;
                };
                due.push((rung, value));
                rung = stopping.next_rung(rung.max(at.min(last)));
            }
            for (epoch, value) in due {
                let keep = stopping.keeps(&self.rungs, &trial, epoch, value);
                self.note(&[Entry::Rung {
                    trial: trial.clone(),
                    epoch,
                    value: value.is_finite().then_some(value),
                    keep,
                }])?;
                if !keep {
                    let reason = stopping.reason(epoch, value);
                    self.note(&[Entry::Stop {
                        trial: trial.clone(),
                        reason: reason.clone(),
                    }])?;
                    self.executor.stop(&trial)?;
                    (self.tell)(&Note::Stopping {
                        trial: &trial,
                        reason: &reason,
                    });
                    break;
                }
            }
        }
        Ok(())
    }

    /// Stops starting trials when too many failed or the budget is used up.
    fn halt_if_due(&mut self) {
        if self.halted.is_some() {
            return;
        }
        let failed = self.in_state(State::Failed).count();
        let Budget { hours, trials } = self.rules.budget;
        let spent: f64 = self
            .standings
            .values()
            .map(|standing| standing.seconds)
            .sum();
        let begun = self
            .standings
            .values()
            .filter(|standing| standing.attempts > 0)
            .count();
        let left = self.in_state(State::Pending).count();
        if left == 0 {
            return;
        }
        if let Some(most) = self.rules.max_failures
            && failed > most as usize
        {
            self.halt(format!(
                "{failed} trials failed, more than max_failures = {most}"
            ));
        } else if let Some(hours) = hours
            && spent >= hours * 3600.0
        {
            self.halt(format!("the budget of {hours} hours of trials is used up"));
        } else if let Some(most) = trials
            && begun >= most as usize
            // One that was begun may go on.
            && self.in_state(State::Pending).all(|name| self.attempts(name) == 0)
        {
            self.halt(format!("the budget of {most} trials is used up"));
        }
        // What the executor holds and has not begun shall not begin.
        if self.halted.is_some() && self.executor.name() == "slurm" {
            for trial in self.names_in(State::Running) {
                if !self.folder.run(&trial).exists() {
                    let _ = self.executor.stop(&trial);
                }
            }
        }
    }

    fn attempts(&self, trial: &str) -> u32 {
        self.standings
            .get(trial)
            .map_or(0, |standing| standing.attempts)
    }

    /// Starts as many pending trials as the executor has room for.
    fn start(&mut self) -> Result<(), SweepError> {
        let mut new = self.rules.budget.trials.map_or(usize::MAX, |most| {
            let begun = self
                .standings
                .values()
                .filter(|standing| standing.attempts > 0)
                .count();
            (most as usize).saturating_sub(begun)
        });
        let mut tasks = Vec::new();
        for trial in self.names_in(State::Pending) {
            if tasks.len() >= self.executor.room() {
                break;
            }
            let attempt = self.attempts(&trial) + 1;
            if attempt == 1 {
                if new == 0 {
                    continue;
                }
                new -= 1;
            }
            tasks.push(Task { trial, attempt });
        }
        if tasks.is_empty() {
            return Ok(());
        }
        for task in &tasks {
            self.clear_half_made(&task.trial)?;
        }
        let ticket = self.executor.ticket()?;
        let entries: Vec<Entry> = tasks
            .iter()
            .enumerate()
            .map(|(place, task)| Entry::Start {
                trial: task.trial.clone(),
                attempt: task.attempt,
                executor: self.executor.name().to_owned(),
                ticket: ticket.clone(),
                place,
            })
            .collect();
        self.note(&entries)?;
        let handles = self.executor.start(&ticket, &tasks)?;
        let entries: Vec<Entry> = tasks
            .iter()
            .zip(handles)
            .map(|(task, handle)| Entry::Running {
                trial: task.trial.clone(),
                attempt: task.attempt,
                handle,
            })
            .collect();
        self.note(&entries)?;
        for task in &tasks {
            (self.tell)(&Note::Started {
                trial: &task.trial,
                attempt: task.attempt,
            });
        }
        Ok(())
    }

    /// Removes the run directory of a trial that was killed before its config stood in it: there is
    /// nothing in it to go on from.
    fn clear_half_made(&self, trial: &str) -> Result<(), SweepError> {
        let run = self.folder.run(trial);
        if run.exists() && !run.join("config.toml").exists() {
            std::fs::remove_dir_all(&run).map_err(SweepError::io("remove", &run))?;
        }
        Ok(())
    }
}

/// # Errors
/// A ledger that was begun for other trials; says what differs.
fn same_sweep(folder: &Folder, plan: &Plan, first: &Entry) -> Result<(), SweepError> {
    let changed = |what: String| SweepError::Changed {
        folder: folder.path().to_owned(),
        what,
    };
    let Entry::Sweep {
        version,
        digest,
        trials,
        ..
    } = first
    else {
        return Err(SweepError::Ledger {
            path: folder.ledger(),
            line: 1,
            why: "the first entry does not say what sweep this is".to_owned(),
        });
    };
    if *version != VERSION {
        return Err(changed(format!(
            "its ledger has version {version}, this program's {VERSION}"
        )));
    }
    if *digest == plan.digest {
        return Ok(());
    }
    for (name, digest) in trials {
        match plan.trial(name) {
            None => return Err(changed(format!("there is no trial {name} any more"))),
            Some(trial) if trial.digest != *digest => {
                return Err(changed(format!("the config of {name} is another now")));
            }
            Some(_) => {}
        }
    }
    let new = plan
        .trials
        .iter()
        .find(|trial| trials.iter().all(|(name, _)| *name != trial.name));
    Err(changed(match new {
        Some(trial) => format!("the trial {} is new", trial.name),
        None => "metric or stopping are others now".to_owned(),
    }))
}
