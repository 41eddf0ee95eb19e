//! The commit point: requests become effects, and decisions go on record.

use std::fs;
use std::io::Write as _;

use afterimage_hooks::{Clock, Decision, Outcome, Request, Requested};
use burn::train::LearnerModel;

use crate::attach::decision_line;
use crate::error::TrainError;
use crate::training::Training;

impl<M: LearnerModel> Training<M> {
    /// The one place where requests become effects.
    pub(crate) fn commit(&mut self) -> Result<(), TrainError> {
        let mut decisions = self.hooks.drain_faults();
        for Requested { plugin, request } in std::mem::take(&mut self.desk.requests) {
            let (kind, what) = (request.kind().to_string(), request.describe());
            let outcome = match self.apply(request) {
                Ok(()) => "applied".to_owned(),
                Err(reason) => format!("refused: {reason}"),
            };
            let Clock { epoch, step, .. } = self.state.clock;
            decisions.push(Decision {
                epoch,
                step,
                plugin,
                kind,
                what,
                outcome,
            });
        }
        self.log_decisions(&decisions)?;
        let records = self.desk.recorder.drain();
        self.sinks.write_all(&records);
        Ok(())
    }

    fn apply(&mut self, request: Request) -> Result<(), String> {
        match request {
            Request::SetPlan(plan) => {
                let members = &self.parts.members;
                let known = |id| members.binary_search(id).is_ok();
                if let Some(id) = plan.ids().iter().find(|id| !known(id)) {
                    return Err(format!(
                        "sample {} is none of the {} samples that this encoder is trained on",
                        id.0,
                        members.len()
                    ));
                }
                if plan.ids().len() < self.parts.batch_size {
                    return Err(format!(
                        "{} samples do not fill one batch of {}",
                        plan.ids().len(),
                        self.parts.batch_size
                    ));
                }
                self.state.plan = Some(plan);
                Ok(())
            }
            Request::Mask { site, units } => {
                let site = self
                    .run
                    .sites
                    .iter()
                    .find(|known| known.name == site)
                    .ok_or_else(|| format!("there is no site {site:?}"))?;
                self.state
                    .masks
                    .prune(site, &units)
                    .map_err(|error| error.to_string())?;
                Ok(())
            }
            Request::Evaluate => {
                self.evaluate = true;
                Ok(())
            }
            Request::Stop { reason } => {
                self.stop.get_or_insert(Outcome::Stopped(reason));
                Ok(())
            }
            Request::Freeze { .. } | Request::Compact => Err("this run cannot apply it".to_owned()),
        }
    }

    pub(crate) fn log_decisions(&self, decisions: &[Decision]) -> Result<(), TrainError> {
        let Some(path) = self
            .parts
            .decisions
            .as_ref()
            .filter(|_| !decisions.is_empty())
        else {
            return Ok(());
        };
        let lines: String = decisions.iter().map(decision_line).collect();
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(lines.as_bytes()))
            .map_err(TrainError::io(path, "write"))
    }

    /// Removes decisions that were made after the checkpoint, so that they are not there twice.
    pub(crate) fn truncate_decisions(&self, resume: Option<u64>) -> Result<(), TrainError> {
        let Some(path) = self.parts.decisions.as_ref().filter(|_| resume.is_some()) else {
            return Ok(());
        };
        if !path.exists() {
            return Ok(());
        }
        // At the start of an epoch the step is still that of the checkpoint before it.
        let Clock { epoch, step, .. } = self.state.clock;
        let text = fs::read_to_string(path).map_err(TrainError::io(path, "read"))?;
        let kept: String = text
            .lines()
            .filter_map(|line| Some((serde_json::from_str::<Decision>(line).ok()?, line)))
            .filter(|(decision, _)| decision.epoch <= epoch && decision.step <= step)
            .map(|(_, line)| format!("{line}\n"))
            .collect();
        afterimage_track::files::write_beside(path, kept.as_bytes())?;
        Ok(())
    }
}
