//! Getting model, optimizer and schedule out of burn-train's `Learner`.
//!
//! A `Learner` hands its records to checkpointers only, each on a thread of its own. These
//! checkpointers pass the bytes on, so that the loop can write all three as one checkpoint.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use burn::train::checkpoint::{
    Checkpoint, Checkpointer, CheckpointerError, CheckpointingAction, CheckpointingStrategy,
};
use burn::train::metric::store::EventStoreClient;
use burn::train::{Learner, LearnerModel, LearningCheckpointer};

use crate::canonical;
use crate::error::TrainError;

/// The bytes of a learner, the same for the same training whatever process made them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LearnerBytes {
    pub(crate) model: Vec<u8>,
    pub(crate) optimizer: Vec<u8>,
    pub(crate) schedule: Vec<u8>,
}

/// A checkpointer that sends bytes down a channel.
pub(crate) struct Tap(Mutex<SyncSender<Result<Vec<u8>, String>>>);

impl<R: Checkpoint> Checkpointer<R> for Tap {
    fn save(&self, _epoch: usize, record: R) -> Result<(), CheckpointerError> {
        let bytes = record
            .checkpoint_into_bytes()
            .map(|bytes| bytes.to_vec())
            .map_err(|error| error.to_string());
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sender
            .send(bytes)
            .map_err(|error| CheckpointerError::Unknown(error.to_string()))
    }

    fn delete(&self, _epoch: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, _epoch: usize) -> Result<R, CheckpointerError> {
        Err(CheckpointerError::Unknown(
            "the loop restores its own checkpoints".to_owned(),
        ))
    }
}

/// Saves whenever it is asked.
pub(crate) struct Always;

impl CheckpointingStrategy for Always {
    fn checkpointing(
        &mut self,
        _epoch: usize,
        _collector: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        vec![CheckpointingAction::Save]
    }
}

/// The receiving ends of the three [`Tap`]s.
pub(crate) struct Records {
    model: Receiver<Result<Vec<u8>, String>>,
    optimizer: Receiver<Result<Vec<u8>, String>>,
    schedule: Receiver<Result<Vec<u8>, String>>,
}

impl Records {
    /// Three taps (model, optimizer, schedule) and where their bytes arrive.
    pub(crate) fn new() -> ([Tap; 3], Self) {
        let (to_model, model) = sync_channel(1);
        let (to_optimizer, optimizer) = sync_channel(1);
        let (to_schedule, schedule) = sync_channel(1);
        let taps = [to_model, to_optimizer, to_schedule].map(|s| Tap(Mutex::new(s)));
        (
            taps,
            Self {
                model,
                optimizer,
                schedule,
            },
        )
    }

    /// The bytes of `learner`, keyed by parameter path instead of by burn's random ids.
    pub(crate) fn take<M: LearnerModel>(
        &self,
        learner: &Learner<M>,
        checkpointer: &mut LearningCheckpointer<M>,
        store: &EventStoreClient,
    ) -> Result<LearnerBytes, TrainError> {
        // BatchNorm keeps running statistics per thread and merges them lazily; `valid` merges.
        drop(learner.model().valid());
        checkpointer.checkpoint(learner, 0, store);
        let model = receive(&self.model, "model")?;
        let optimizer = receive(&self.optimizer, "optimizer")?;
        let schedule = receive(&self.schedule, "schedule")?;
        let names = canonical::parameter_numbers(&learner.model());
        Ok(LearnerBytes {
            model: canonical::model(model)?,
            optimizer: canonical::optimizer(optimizer, &names)?,
            schedule,
        })
    }
}

fn receive(
    from: &Receiver<Result<Vec<u8>, String>>,
    what: &'static str,
) -> Result<Vec<u8>, TrainError> {
    from.recv()
        .map_err(|error| TrainError::Record {
            what,
            reason: error.to_string(),
        })?
        .map_err(|reason| TrainError::Record { what, reason })
}
