//! Single parts of a checkpoint, for readers who go on with none.

use std::path::Path;

use afterimage_hooks::HooksState;
use afterimage_model::compact::Kept;
use afterimage_track::Book;

use crate::checkpoint::{LoopState, read};
use crate::error::TrainError;

/// The learner's model bytes in the checkpoint at `path`, checked.
///
/// # Errors
/// A checkpoint that is incomplete or damaged.
pub fn read_model(path: &Path) -> Result<Vec<u8>, TrainError> {
    read(path, None).map(|checkpoint| checkpoint.learner.model)
}

/// Where the run of the checkpoint at `path` stood.
///
/// # Errors
/// A checkpoint that is incomplete or damaged.
pub fn read_state(path: &Path) -> Result<LoopState, TrainError> {
    read(path, None).map(|checkpoint| checkpoint.state)
}

/// The state of the plugins in the checkpoint at `path`, with the resources that they provided last.
///
/// # Errors
/// A checkpoint that is incomplete or damaged.
pub fn read_plugins(path: &Path) -> Result<HooksState, TrainError> {
    read(path, None).map(|checkpoint| checkpoint.hooks)
}

/// What the run of the checkpoint at `path` had on record by then; none in checkpoints of before there were
/// books.
///
/// # Errors
/// A checkpoint that is incomplete or damaged.
pub fn read_book(path: &Path) -> Result<Option<Book>, TrainError> {
    read(path, None).map(|checkpoint| checkpoint.book)
}

/// How the run of a checkpoint stood, in one reading.
#[derive(Debug)]
pub struct Stood {
    /// Where it was.
    pub state: LoopState,
    /// Names of the plugins that were switched off.
    pub disabled: Vec<String>,
    /// What it had on record; none in a checkpoint of before there were books.
    pub book: Option<Book>,
}

/// How the run of the checkpoint at `path` stood.
///
/// # Errors
/// A checkpoint that is incomplete or damaged.
pub fn read_stood(path: &Path) -> Result<Stood, TrainError> {
    read(path, None).map(|checkpoint| Stood {
        state: checkpoint.state,
        disabled: checkpoint.hooks.disabled(),
        book: checkpoint.book,
    })
}

/// The units that the model of the checkpoint at `path` keeps of those that its config describes.
///
/// # Errors
/// A checkpoint that is incomplete or damaged.
pub fn read_kept(path: &Path) -> Result<Kept, TrainError> {
    read(path, None).map(|checkpoint| checkpoint.shape.groups)
}
