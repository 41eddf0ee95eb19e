//! Trials that use the runs of others: when they are due, and when they never will be.

use std::borrow::Cow;

use super::{Engine, Note};
use crate::aims::Aim;
use crate::config::Metric;
use crate::error::SweepError;
use crate::folder::write_beside;
use crate::ledger::Entry;
use crate::plan::Trial;
use crate::settle::settled;
use crate::standing::State;
use crate::stopping::Rungs;

impl Engine<'_> {
    pub(super) fn state_of(&self, trial: &str) -> State {
        self.standings
            .get(trial)
            .map_or(State::Pending, |standing| standing.state)
    }

    /// What a trial is judged by.
    pub(super) fn metric_of(&self, trial: &str) -> &Metric {
        self.by_name
            .get(trial)
            .map_or(&self.rules.metric, |trial| &trial.metric)
    }

    /// What a trial is judged by where that are several aims.
    pub(super) fn aims_of(&self, trial: &str) -> &[Aim] {
        self.by_name.get(trial).map_or(&[], |trial| &trial.aims)
    }

    /// The trials that a trial is compared with: those of its stage, itself too.
    pub(super) fn stage_of<'s>(&'s self, trial: &str) -> impl Iterator<Item = &'s str> {
        let stage = self
            .by_name
            .get(trial)
            .and_then(|trial| trial.stage.as_deref());
        let all = self.plan.trials.iter();
        all.filter(move |other| other.stage.as_deref() == stage)
            .map(|other| other.name.as_str())
    }

    /// What the trials of the same stage reported at rungs.
    pub(super) fn rungs_of_stage(&self, trial: &str) -> Cow<'_, Rungs> {
        if self.plan.stages.is_empty() {
            return Cow::Borrowed(&self.rungs);
        }
        let of = |name: &str| Some((name.to_owned(), self.rungs.get(name)?.clone()));
        Cow::Owned(self.stage_of(trial).filter_map(of).collect())
    }

    /// Whether all runs that a trial uses are done.
    pub(super) fn is_due(&self, trial: &str) -> bool {
        self.by_name.get(trial).is_none_or(|trial| {
            let mut parents = trial.parents.iter();
            parents.all(|parent| self.state_of(&parent.trial) == State::Done)
        })
    }

    /// Ends the pending trials that use a run that failed, was stopped, or was skipped itself: one
    /// line each.
    pub(super) fn skip_children(&mut self) -> Result<(), SweepError> {
        if self.plan.stages.is_empty() {
            return Ok(());
        }
        // Parents stand before their children, so that whole branches end at once.
        for trial in self.names_in(State::Pending) {
            let lost = self.by_name.get(trial.as_str()).and_then(|of| {
                of.parents
                    .iter()
                    .find_map(|parent| match self.state_of(&parent.trial) {
                        state @ (State::Failed | State::Stopped | State::Skipped) => {
                            Some(format!("parent {} {}", parent.trial, of_state(state)))
                        }
                        State::Pending | State::Running | State::Done => None,
                    })
            });
            if let Some(reason) = lost {
                self.skip(&trial, reason)?;
            }
        }
        Ok(())
    }

    fn skip(&mut self, trial: &str, reason: String) -> Result<(), SweepError> {
        self.note(&[Entry::Skip {
            trial: trial.to_owned(),
            reason: reason.clone(),
        }])?;
        (self.tell)(&Note::Skipped {
            trial,
            reason: &reason,
        });
        Ok(())
    }

    /// Skipped trials that may be started once those that failed get another try: not those of a
    /// branch that was stopped early.
    pub(super) fn worth_retrying(&self) -> impl Iterator<Item = &str> {
        self.in_state(State::Skipped)
            .filter(|name| !self.is_of_stopped_branch(name))
    }

    fn is_of_stopped_branch(&self, trial: &str) -> bool {
        self.by_name.get(trial).is_some_and(|trial| {
            trial.parents.iter().any(|parent| {
                self.state_of(&parent.trial) == State::Stopped
                    || self.is_of_stopped_branch(&parent.trial)
            })
        })
    }

    /// Writes the config of a trial that is due with the paths of its parents' runs; whether it can be
    /// started. One that cannot, because a checkpoint is not there, is skipped.
    pub(super) fn settle(&mut self, trial: &str) -> Result<bool, SweepError> {
        let Some(of) = self.by_name.get(trial).copied() else {
            return Ok(true);
        };
        if of.parents.is_empty() {
            return Ok(true);
        }
        match settled(of, self.folder) {
            Ok(text) => {
                write_beside(&self.folder.config(trial), text.as_bytes())?;
                Ok(true)
            }
            Err(why) => {
                self.skip(trial, why)?;
                Ok(false)
            }
        }
    }
}

fn of_state(state: State) -> &'static str {
    match state {
        State::Stopped => "was stopped early",
        State::Skipped => "was skipped",
        _ => "failed",
    }
}

/// The trials of a plan by name.
pub(super) fn by_name(trials: &[Trial]) -> std::collections::BTreeMap<&str, &Trial> {
    trials
        .iter()
        .map(|trial| (trial.name.as_str(), trial))
        .collect()
}
