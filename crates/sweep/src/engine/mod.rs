//! The sweep at work: starts trials, watches them, judges their ends, until none is left.

mod attempts;
mod children;
mod forks;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::{Budget, Metric, StoppingConfig, SweepConfig};
use crate::error::SweepError;
use crate::executor::Executor;
use crate::folder::Folder;
use crate::judge::Verdict;
use crate::ledger::{Entry, Ledger, Line, VERSION, nameless};
use crate::plan::{Plan, Trial};
use crate::reports::Reports;
use crate::standing::{Standing, State, apply, replay};
use crate::stopping::Rungs;

/// What a sweep goes by, apart from its trials.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// What trials are judged by, unless their stage says another.
    pub metric: Metric,
    /// Which trials are stopped early.
    pub stopping: Option<StoppingConfig>,
    /// Crashes of a trial that are forgiven.
    pub retries: u32,
    /// Failed trials that are tolerated; one more and no other is started.
    pub max_failures: Option<u32>,
    /// What the sweep may use up.
    pub budget: Budget,
}

impl From<&SweepConfig> for Rules {
    fn from(config: &SweepConfig) -> Self {
        Self {
            metric: config.judged().metric,
            stopping: config.stopping,
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
    /// A trial will not be started.
    Skipped {
        /// The trial.
        trial: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// What a run was at an epoch could not be kept for others, which begin at their first steps.
    NotKept {
        /// The trial.
        trial: &'a str,
        /// The epoch.
        epoch: u32,
        /// Why.
        reason: &'a str,
    },
    /// A trial that could begin at a checkpoint of another begins at its first step.
    NotForked {
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
    by_name: BTreeMap<&'a str, &'a Trial>,
    rules: Rules,
    ledger: Ledger,
    begun: Vec<Line>,
    standings: BTreeMap<String, Standing>,
    rungs: Rungs,
    reports: BTreeMap<String, Reports>,
    executor: Box<dyn Executor + 'a>,
    signal: Arc<AtomicUsize>,
    tell: Box<dyn FnMut(&Note<'_>) + 'a>,
    told: bool,
    halted: Option<String>,
    /// Running trials that this process told to stop: a second signal could cut a checkpoint off.
    asked: BTreeSet<String>,
    /// Trials that a halt took out of the executor's queue before they had begun.
    withheld: BTreeSet<String>,
    forking: forks::Forking<'a>,
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
        let mut begun: Vec<Line> = lines.iter().take(1).cloned().collect();
        match lines.first() {
            None => {
                let trials = plan.first().map(|t| (t.name.clone(), t.digest.clone()));
                begun = ledger.append(&[Entry::Sweep {
                    version: VERSION,
                    name: name.to_owned(),
                    digest: plan.digest.clone(),
                    trials: trials.collect(),
                    questions: plan.questions.clone(),
                    each_question: plan.each_question.clone(),
                    stages: plan.stages.iter().map(|stage| stage.name.clone()).collect(),
                }])?;
            }
            Some(_) => same_sweep(folder, name, plan, &lines)?,
        }
        let asked = unasked(plan, &lines);
        if !asked.is_empty() {
            ledger.append(&asked)?;
        }
        folder.prepare(plan)?;
        let names = plan.trials.iter().map(|trial| trial.name.as_str());
        let (standings, rungs) = replay(names, &lines);
        Ok(Self {
            folder,
            plan,
            by_name: children::by_name(&plan.trials),
            rules,
            ledger,
            begun,
            standings,
            rungs,
            reports: BTreeMap::new(),
            executor,
            signal,
            tell,
            told: false,
            halted: None,
            asked: BTreeSet::new(),
            withheld: BTreeSet::new(),
            forking: forks::Forking::default(),
        })
    }

    /// The first entry of the ledger, which says with what the sweep was begun.
    pub fn begun(&self) -> &[Line] {
        &self.begun
    }

    /// Where each trial stands.
    pub fn standings(&self) -> &BTreeMap<String, Standing> {
        &self.standings
    }

    /// Gives failed trials another try, and those that were skipped because of them a first one.
    ///
    /// # Errors
    /// A ledger that cannot be written.
    pub fn retry_failed(&mut self) -> Result<(), SweepError> {
        let again: Vec<Entry> = self
            .in_state(State::Failed)
            .chain(self.worth_retrying())
            .map(|trial| Entry::Retry {
                trial: trial.to_owned(),
            })
            .collect();
        self.note(&again)
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
                    self.ask_to_stop(&trial)?;
                }
            }
            for (trial, ended) in self.executor.over()? {
                self.conclude(&trial, &ended)?;
            }
            self.bound()?;
            self.skip_children()?;
            self.keep_forks()?;
            if !self.told {
                self.watch()?;
                self.halt_if_due()?;
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

    /// Tells a running trial to stop, once.
    fn ask_to_stop(&mut self, trial: &str) -> Result<(), SweepError> {
        if self.asked.insert(trial.to_owned()) {
            self.executor.stop(trial)?;
        }
        Ok(())
    }

    /// Whether the present attempt of a trial has begun, and does not wait in a queue.
    fn has_begun(&self, trial: &str) -> bool {
        let log = self.folder.log(trial, self.attempts(trial), "err");
        log.exists()
    }

    fn attempts(&self, trial: &str) -> u32 {
        self.standings
            .get(trial)
            .map_or(0, |standing| standing.attempts)
    }
}

/// Entries for the generations of searches that the ledger does not hold yet.
fn unasked(plan: &Plan, lines: &[Line]) -> Vec<Entry> {
    let known: BTreeSet<(&Option<String>, usize)> = lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Ask {
                stage, generation, ..
            } => Some((stage, *generation)),
            _ => None,
        })
        .collect();
    let mut entries = Vec::new();
    for search in &plan.searches {
        for (generation, points) in search.generations.iter().enumerate() {
            if points.is_empty() || known.contains(&(&search.stage, generation)) {
                continue;
            }
            let own = plan.trials.iter().filter(|trial| {
                trial.stage == search.stage && trial.asked.is_some_and(|(of, _)| of == generation)
            });
            entries.push(Entry::Ask {
                stage: search.stage.clone(),
                generation,
                samples: search.samples,
                points: points.clone(),
                trials: own.map(|t| (t.name.clone(), t.digest.clone())).collect(),
            });
        }
    }
    entries
}

/// Makes sure that the ledger of `folder`, which holds `lines`, is that of `plan`, which is named `name`.
///
/// # Errors
/// A ledger that was begun by a sweep of another name or for other trials; says what differs. One
/// without entries.
pub fn same_sweep(
    folder: &Folder,
    name: &str,
    plan: &Plan,
    lines: &[Line],
) -> Result<(), SweepError> {
    let changed = |what: String| SweepError::Changed {
        folder: folder.path().to_owned(),
        what,
    };
    let of_stage = |name: &str| plan.place_of(name);
    let Some(Entry::Sweep {
        name: begun,
        digest,
        trials,
        ..
    }) = lines.first().map(|line| &line.entry)
    else {
        return Err(nameless(folder, lines));
    };
    if begun != name {
        return Err(changed(format!(
            "it holds the sweep {begun:?}, and this one is named {name:?}"
        )));
    }
    let later = lines.iter().filter_map(|line| match &line.entry {
        Entry::Ask { trials, .. } => Some(trials),
        _ => None,
    });
    let later: Vec<&(String, String)> = later.flatten().collect();
    if *digest == plan.digest && later.is_empty() {
        return Ok(());
    }
    let by_name = children::by_name(&plan.trials);
    for (name, digest) in trials.iter().chain(later) {
        match by_name.get(name.as_str()) {
            None => {
                return Err(changed(format!(
                    "there is no trial {name} any more{}",
                    of_stage(name)
                )));
            }
            Some(trial) if trial.digest != *digest => {
                return Err(changed(format!(
                    "the config of {name} is another now{}",
                    of_stage(name)
                )));
            }
            Some(_) => {}
        }
    }
    if *digest == plan.digest {
        return Ok(());
    }
    let known: BTreeSet<&str> = trials.iter().map(|(name, _)| name.as_str()).collect();
    let new = plan
        .first()
        .find(|trial| !known.contains(trial.name.as_str()));
    Err(changed(match new {
        Some(trial) => format!("the trial {} is new{}", trial.name, of_stage(&trial.name)),
        None if plan.searches.is_empty() => "metric or stopping are others now".to_owned(),
        None => "metric, aims or search are others now".to_owned(),
    }))
}
