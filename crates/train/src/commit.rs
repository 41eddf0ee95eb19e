//! The commit point: requests become effects, and decisions go on record.

use std::fs;
use std::io::Write as _;

use afterimage_hooks::{Clock, Decision, Outcome, Request, Requested};
use burn::train::LearnerModel;

use crate::attach::decision_line;
use crate::error::TrainError;
use crate::surgery::Refusal;
use crate::training::Training;

impl<M: LearnerModel> Training<M> {
    /// The one place where requests become effects.
    pub(crate) fn commit(&mut self) -> Result<(), TrainError> {
        self.parts.group.stands()?;
        let mut decisions = self.hooks.drain_faults();
        let mut masked = false;
        for Requested { plugin, request } in std::mem::take(&mut self.desk.requests) {
            let (kind, what) = (request.kind().to_string(), request.describe());
            let masks = matches!(request, Request::Mask { .. });
            let outcome = match self.apply(request) {
                Ok(None) => "applied".to_owned(),
                Ok(Some(effect)) => format!("applied: {effect}"),
                Err(Refusal::No(reason)) => format!("refused: {reason}"),
                Err(Refusal::Failed(error)) => return Err(error),
            };
            masked |= masks && outcome == "applied";
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
        if masked {
            self.clear_pruned()?;
        }
        self.log_decisions(&decisions)?;
        let records = self.desk.recorder.drain();
        self.sinks.write_all(&records);
        Ok(())
    }

    /// Does what is asked; what there is to say about it.
    fn apply(&mut self, request: Request) -> Result<Option<String>, Refusal> {
        let no = Refusal::No;
        match request {
            Request::SetPlan(plan) => {
                let members = &self.parts.members;
                let known = |id| members.binary_search(id).is_ok();
                if let Some(id) = plan.ids().iter().find(|id| !known(id)) {
                    return Err(no(format!(
                        "sample {} is none of the {} samples that this encoder is trained on",
                        id.0,
                        members.len()
                    )));
                }
                if plan.ids().len() < self.parts.batch_size {
                    return Err(no(format!(
                        "{} samples do not fill one batch of {}",
                        plan.ids().len(),
                        self.parts.batch_size
                    )));
                }
                self.state.plan = Some(plan);
                Ok(None)
            }
            Request::Mask { site, units } => {
                let site = self
                    .run
                    .sites
                    .iter()
                    .find(|known| known.name == site)
                    .ok_or_else(|| no(format!("there is no site {site:?}")))?;
                self.state.masks.prune(site, &units)?;
                Ok(None)
            }
            Request::Evaluate => {
                self.evaluate = true;
                Ok(None)
            }
            Request::Stop { reason } => {
                self.stop.get_or_insert(Outcome::Stopped(reason));
                Ok(None)
            }
            Request::Freeze { pattern } => self.freeze(&pattern).map(Some),
            Request::Compact => self.compact().map(Some),
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
        let text = afterimage_files::read_text(path, afterimage_files::LARGE)?;
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
