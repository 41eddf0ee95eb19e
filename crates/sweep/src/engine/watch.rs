//! Trials that fall behind, and sweeps that have had enough.

use super::{Engine, Note};
use crate::config::Budget;
use crate::error::SweepError;
use crate::ledger::Entry;
use crate::reports::Reports;
use crate::standing::State;
use crate::stopping::Stopping;

impl Engine<'_> {
    /// Reads what running trials report, and asks those to stop that fall behind.
    pub(super) fn watch(&mut self) -> Result<(), SweepError> {
        let Some(rule) = self.rules.stopping else {
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
            let metric = self.metric_of(&trial).clone();
            let stopping = Stopping::new(rule, metric.direction);
            let reports = self
                .reports
                .entry(trial.clone())
                .or_insert_with(|| Reports::of(&run, &metric.name));
            if reports.update().is_err() {
                continue;
            }
            // The last epoch is the end: there is nothing to save by stopping there.
            let last = self
                .by_name
                .get(trial.as_str())
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
                let keep = stopping.keeps(&self.rungs_of_stage(&trial), &trial, epoch, value);
                let reason = (!keep).then(|| stopping.reason(epoch, value));
                // In this order: whatever is cut off by a kill, a trial that was judged to stop stops.
                let stop = reason.clone().map(|reason| Entry::Stop {
                    trial: trial.clone(),
                    reason,
                });
                let rung = Entry::Rung {
                    trial: trial.clone(),
                    epoch,
                    value: value.is_finite().then_some(value),
                    keep,
                };
                let entries: Vec<Entry> = stop.into_iter().chain([rung]).collect();
                self.note(&entries)?;
                if let Some(reason) = reason {
                    self.ask_to_stop(&trial)?;
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

    /// Ends trials that hold more memory than they may.
    pub(super) fn bound(&mut self) -> Result<(), SweepError> {
        for (trial, reason) in self.executor.beyond() {
            // In this order: whatever is cut off by a kill, a trial that is ended for it fails for it.
            if !self.is_beyond(&trial) {
                let trial = trial.clone();
                self.note(&[Entry::Beyond { trial, reason }])?;
            }
            self.executor.kill(&trial)?;
        }
        Ok(())
    }

    /// Whether the ledger says that a trial is ended for what it held.
    pub(super) fn is_beyond(&self, trial: &str) -> bool {
        let standing = self.standings.get(trial);
        standing.is_some_and(|standing| standing.beyond.is_some())
    }

    /// Stops starting trials when too many failed or the budget is used up.
    pub(super) fn halt_if_due(&mut self) -> Result<(), SweepError> {
        if self.halted.is_some() {
            return Ok(());
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
        let pending = self.in_state(State::Pending).count();
        if pending == 0 && self.waiting().is_empty() {
            return Ok(());
        }
        if let Some(most) = self.rules.max_failures
            && failed > most as usize
        {
            return self.halt(format!(
                "{failed} trials failed, more than max_failures = {most}"
            ));
        }
        if let Some(hours) = hours
            && spent >= hours * 3600.0
        {
            return self.halt(format!("the budget of {hours} hours of trials is used up"));
        }
        if let Some(most) = trials
            && pending > 0
            && begun >= most as usize
            // One that was begun may go on.
            && self.in_state(State::Pending).all(|name| self.attempts(name) == 0)
        {
            // What waits in the executor's queue is within the budget.
            self.start_no_more(format!("the budget of {most} trials is used up"));
        }
        Ok(())
    }

    /// Stops starting trials, and takes those back that the executor has not begun.
    pub(super) fn halt(&mut self, why: String) -> Result<(), SweepError> {
        self.start_no_more(why);
        for trial in self.waiting() {
            self.withheld.insert(trial.clone());
            self.ask_to_stop(&trial)?;
        }
        Ok(())
    }

    fn start_no_more(&mut self, why: String) {
        if self.halted.is_none() {
            (self.tell)(&Note::Halted(&why));
            self.halted = Some(why);
        }
    }

    /// Trials that the executor holds and has not begun.
    fn waiting(&self) -> Vec<String> {
        self.in_state(State::Running)
            .filter(|trial| !self.has_begun(trial))
            .map(str::to_owned)
            .collect()
    }
}
