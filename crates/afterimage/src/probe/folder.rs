//! Which folder an encoder of this program's own lies in.

use std::path::{Path, PathBuf};

use afterimage_train::Checkpoints;

use crate::error::RunError;
use crate::run_dir::RunDir;

use super::subject::{CONTENTS, MODEL};

/// The folder of an encoder that this program wrote: a run, one of its checkpoints, named as a folder or
/// by the weights in it, or a compacted encoder. None for weights from elsewhere.
pub(super) fn own_folder(path: &Path) -> Option<&Path> {
    if path.is_dir() {
        return Some(path);
    }
    path.parent()
        .filter(|folder| path.ends_with(MODEL) && folder.join(CONTENTS).is_file())
}

/// The folder of the checkpoint that a directory is, or the last whole one of the run that it is, with
/// what there is to say about those behind it.
pub(super) fn checkpoint_in(path: &Path) -> Result<(PathBuf, Vec<String>), RunError> {
    if path.join(CONTENTS).is_file() {
        return Ok((path.to_owned(), Vec::new()));
    }
    let run = RunDir::open(path).map_err(|_| RunError::NoCheckpoint {
        path: path.to_owned(),
    })?;
    let good = Checkpoints::new(run.checkpoints(), 1, "").last_good()?;
    let notes = good.passed.iter().map(|(_, fault)| {
        format!(
            "{fault}; the last checkpoint that is whole is taken: {}",
            good.path.display()
        )
    });
    let notes: Vec<String> = notes.collect();
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    Ok((good.path, notes))
}
