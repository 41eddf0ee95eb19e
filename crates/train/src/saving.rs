//! Checkpoints of the loop: written, and taken back.

use std::path::{Path, PathBuf};

use afterimage_hooks::Clock;
use afterimage_model::check_record;
use burn::lr_scheduler::LrSchedulerRecord;
use burn::optim::OptimizerRecord;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burn::train::{Learner, LearnerModel};

use crate::attach::Saving;
use crate::canonical;
use crate::checkpoint::{Checkpoint, MODEL};
use crate::error::TrainError;
use crate::records::LearnerBytes;
use crate::training::Training;

impl<M: LearnerModel> Training<M> {
    /// Takes the last checkpoint back, where the run goes on from one; gives its step.
    pub(crate) fn resume(&mut self) -> Result<Option<u64>, TrainError> {
        let Some(saving) = self.parts.saving.as_ref().filter(|saving| saving.resume) else {
            return Ok(None);
        };
        let (folder, checkpoint) = self.chosen(saving)?;
        // Training goes on from numbers alone; what diverged stays so.
        let record = folder.join(MODEL);
        check_record(checkpoint.learner.model.clone(), &record)?;
        self.reshape(checkpoint.shape)?;
        load_learner(&mut self.learner, checkpoint.learner)?;
        // Loading puts the checkpoint's ids in place of those of the fresh model.
        self.refresh();
        self.hooks
            .restore(checkpoint.hooks, &mut self.desk.resources)?;
        self.state = checkpoint.state;
        self.book = checkpoint.book.unwrap_or_default();
        // An interrupt between two epochs: its checkpoint knows nothing of the next epoch's start.
        self.save_due = self.state.plan.is_none();
        self.desk.recorder.restore_latest(self.state.latest.clone());
        Ok(Some(self.state.clock.step))
    }

    /// The last checkpoint that is whole, as the first process finds it, with its folder.
    fn chosen(&self, saving: &Saving) -> Result<(PathBuf, Checkpoint), TrainError> {
        let group = &self.parts.group;
        let chosen = match group.is_first() {
            true => Some(saving.checkpoints.recover()?),
            false => None,
        };
        let name = chosen.as_ref().and_then(|folder| folder.file_name());
        let name = name.unwrap_or_default().as_encoded_bytes();
        let told = group.exchange("the checkpoint to go on from", name)?;
        let name = told.first().map_or(&[][..], Vec::as_slice);
        let name = String::from_utf8_lossy(name).into_owned();
        let folder = chosen.unwrap_or_else(|| saving.checkpoints.folder.join(name));
        let checkpoint = saving.checkpoints.read(&folder)?;
        Ok((folder, checkpoint))
    }

    /// The folder that holds the checkpoints and the records, if checkpoints are on.
    pub(crate) fn run_folder(&self) -> Option<PathBuf> {
        let saving = self.parts.saving.as_ref()?;
        saving.checkpoints.folder.parent().map(Path::to_owned)
    }

    /// Writes a checkpoint, if checkpoints are on.
    pub(crate) fn save(&mut self) -> Result<(), TrainError> {
        self.parts.group.stands()?;
        // The statistics of norms are merged in every process already: processes have at least two shards, and
        // `over_shards` merges those of a step.
        if !self.parts.group.is_first() {
            return Ok(());
        }
        self.sinks.flush();
        let Clock { epoch, step, .. } = self.state.clock;
        // A book that cannot be kept tells of losses later, and is none itself.
        if let Some(run) = self.run_folder()
            && let Err(error) = self.book.note(&run, epoch, step)
        {
            tracing::warn!("the checkpoint does not know all records: {error}");
        }
        let (Some(saving), Some(records)) = (&self.parts.saving, &self.records) else {
            return Ok(());
        };
        let components = &mut self.burn.components;
        let Some(checkpointer) = &mut components.checkpointer else {
            return Ok(());
        };
        self.state.latest = self.desk.recorder.latest().clone();
        // Clock-dependent figures would make equal runs unequal.
        self.state
            .latest
            .retain(|tag, _| !afterimage_track::is_clock_dependent(tag));
        let mut learner = records.take(&self.learner, checkpointer, &components.store)?;
        if let Some(before) = &self.before {
            learner.model = canonical::model_of(before)?;
        }
        let checkpoint = Checkpoint {
            learner,
            state: self.state.clone(),
            shape: self.shape.clone(),
            hooks: self.hooks.state(&self.desk.resources)?,
            book: Some(self.book.clone()),
        };
        let written = saving.checkpoints.write(&checkpoint)?;
        self.parts.report.borrow_mut().checkpoint = Some(written);
        Ok(())
    }
}

pub(crate) fn load_learner<M: LearnerModel>(
    learner: &mut Learner<M>,
    bytes: LearnerBytes,
) -> Result<(), TrainError> {
    let failed = |what| {
        move |error: burn::store::RecordError| TrainError::Record {
            what,
            reason: error.to_string(),
        }
    };
    let pack = Bytes::from_bytes_vec;
    learner.load_model(ModuleRecord::from_bytes(pack(bytes.model)).map_err(failed("model"))?);
    learner.load_optim(
        OptimizerRecord::from_bytes(pack(bytes.optimizer)).map_err(failed("optimizer"))?,
    );
    learner.load_scheduler(
        LrSchedulerRecord::from_bytes(pack(bytes.schedule)).map_err(failed("schedule"))?,
    );
    Ok(())
}
