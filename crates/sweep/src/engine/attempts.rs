//! Attempts of trials: started, found again, and judged when they are over.

use std::collections::BTreeMap;

use super::forks::Way;
use super::{Engine, Note};
use crate::error::SweepError;
use crate::executor::{Ended, Found, Task};
use crate::judge::{Evidence, TrialResult, Verdict, judge};
use crate::ledger::{End, Entry, now};
use crate::reports::read_reports;
use crate::standing::{Launch, State};
use crate::{local, slurm};

impl Engine<'_> {
    /// Finds out what became of the attempts that earlier processes of the sweep had started.
    pub(super) fn take_up(&mut self) -> Result<(), SweepError> {
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
                Found::Running => {
                    (self.tell)(&Note::Found { trial: &task.trial });
                    // The process that judged it may have been killed before it said so.
                    if self
                        .standings
                        .get(&task.trial)
                        .is_some_and(|standing| standing.stop.is_some())
                    {
                        self.ask_to_stop(&task.trial)?;
                    }
                    if self.is_beyond(&task.trial) {
                        self.executor.kill(&task.trial)?;
                    }
                }
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
                    aims: BTreeMap::new(),
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
    pub(super) fn found_elsewhere(
        &self,
        task: &Task,
        executor: &str,
    ) -> Result<Option<Found>, SweepError> {
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
    pub(super) fn conclude(&mut self, trial: &str, ended: &Ended) -> Result<(), SweepError> {
        let Some(standing) = self.standings.get(trial).cloned() else {
            return Ok(());
        };
        self.asked.remove(trial);
        let withheld = self.withheld.remove(trial);
        let begun = self.has_begun(trial);
        let run = self.folder.run(trial);
        let result = TrialResult::read(&run);
        let metric = &self.metric_of(trial).name;
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
            beyond: standing.beyond.as_deref().or(ended.beyond.as_deref()),
            told: self.told || withheld,
            crashes: standing.crashes,
            retries: self.rules.retries,
            cut_off: standing.cut_off,
        });
        let aims: Vec<String> = self
            .aims_of(trial)
            .iter()
            .map(|aim| aim.name.clone())
            .collect();
        let mut wanted = std::iter::once(metric.clone()).chain(aims.iter().cloned());
        if verdict == Verdict::Done
            && let Some(result) = &result
            && let Some(lacking) = wanted.find(|name| !result.metrics.contains_key(name))
        {
            verdict = Verdict::Failed(self.without_metric(trial, &lacking, result)?);
        }
        let metrics = result.iter().flat_map(|result| &result.metrics);
        let aims: BTreeMap<String, f64> = metrics
            .filter(|(name, _)| aims.contains(name))
            .filter_map(|(name, value)| Some((name.clone(), (*value)?)))
            .collect();
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
        // The time in a queue is none of the trial's.
        let seconds = match ended.seconds {
            Some(seconds) => seconds,
            None if begun => (now() - since).max(0.0),
            None => 0.0,
        };
        self.note(&[Entry::End {
            trial: trial.to_owned(),
            attempt: standing.attempts,
            end,
            code: ended.code.or(result.map(|result| result.exit_code)),
            value: value.filter(|value| value.is_finite()),
            aims,
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

    /// Says that a run has no such metric, and halts the sweep if no run of its stage has had it: the
    /// rest would be the same.
    ///
    /// # Errors
    /// An executor that cannot be asked to take trials back.
    pub(super) fn without_metric(
        &mut self,
        trial: &str,
        metric: &str,
        result: &TrialResult,
    ) -> Result<String, SweepError> {
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
            "the run reports no {metric:?} ({}); it reports {}{more}",
            if self.aims_of(trial).is_empty() {
                "metric.name"
            } else {
                "aims"
            },
            known.join(", ")
        );
        let never = |other: &str| {
            let standing = self.standings.get(other);
            standing.is_none_or(|standing| {
                let value = standing.aims.get(metric).copied();
                value
                    .or(standing
                        .value
                        .filter(|_| *metric == self.metric_of(other).name))
                    .is_none()
            })
        };
        if self.stage_of(trial).all(never) {
            self.halt(why.clone())?;
        }
        Ok(why)
    }

    /// Starts as many pending trials as the executor has room for.
    pub(super) fn start(&mut self) -> Result<(), SweepError> {
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
            if !self.is_due(&trial) {
                continue;
            }
            let way = self.way(&trial);
            if matches!(way, Way::Wait) {
                continue;
            }
            let attempt = self.attempts(&trial) + 1;
            if attempt == 1 {
                if new == 0 {
                    continue;
                }
                new -= 1;
            }
            if !self.settle(&trial)? {
                continue;
            }
            if let Way::From(kept, point) = way {
                self.fork(&trial, &kept, &point)?;
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
    pub(super) fn clear_half_made(&self, trial: &str) -> Result<(), SweepError> {
        let run = self.folder.run(trial);
        if run.exists() && !run.join("config.toml").exists() {
            std::fs::remove_dir_all(&run).map_err(SweepError::io("remove", &run))?;
        }
        Ok(())
    }
}
