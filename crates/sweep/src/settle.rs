//! The configs of trials that use the runs of others.

use std::path::{Path, PathBuf};

use afterimage_files::{SMALL, read_below};
use serde::Deserialize;
use toml::Value;

use crate::folder::Folder;
use crate::plan::Trial;
use crate::reference::{What, of_plan, replaced};

/// What a checkpoint says of itself.
#[derive(Deserialize)]
struct Contents {
    step: u64,
    /// The epoch whose end it is; none within an epoch.
    end_of: Option<u32>,
}

/// The config of `trial` with the paths of its parents' runs, as it is run.
///
/// # Errors
/// A checkpoint that the parent's run does not have (yet); says which ones it has.
pub fn settled(trial: &Trial, folder: &Folder) -> Result<String, String> {
    if trial.parents.is_empty() {
        return Ok(trial.config.clone());
    }
    let table: toml::Table = toml::from_str(&trial.config).map_err(|error| error.to_string())?;
    let mut path = |text: &str| {
        let Some((digest, what)) = of_plan(text) else {
            return Ok(None);
        };
        let parent = trial.parents.iter().find(|parent| parent.digest == digest);
        let Some(parent) = parent else {
            return Err(format!("{text} is no run of a parent"));
        };
        let run = folder.run(&parent.trial);
        let path = match what {
            What::Run => run,
            What::File(file) => run.join(file),
            What::Epoch(epoch) => checkpoint(&run, epoch)
                .map_err(|why| format!("its parent {} {why}", parent.trial))?,
        };
        let text = path.to_str().map(|text| Some(text.to_owned()));
        text.ok_or_else(|| format!("{}: a config cannot name this path", path.display()))
    };
    let settled = replaced(&Value::Table(table), &mut path)?;
    toml::to_string(&settled).map_err(|error| error.to_string())
}

/// The folder of the checkpoint behind `epoch` of the run in `run`.
fn checkpoint(run: &Path, epoch: u32) -> Result<PathBuf, String> {
    let folder = run.join("checkpoints");
    let entries = std::fs::read_dir(&folder)
        .map_err(|error| format!("has no checkpoints ({}: {error})", folder.display()))?;
    let mut found: Vec<(u32, u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            // Half of one has another name.
            path.file_name()?.to_str()?.strip_prefix("step-")?;
            let bytes = read_below(&path, "contents.json", SMALL).ok()?;
            let Contents { step, end_of } = serde_json::from_slice(&bytes).ok()?;
            Some((end_of?, step, path))
        })
        .collect();
    found.sort();
    let end = found.iter().find(|(of, _, _)| *of == epoch);
    end.map(|(_, _, path)| path.clone()).ok_or_else(|| {
        let epochs: Vec<String> = found.iter().map(|(of, _, _)| of.to_string()).collect();
        format!(
            "has no checkpoint of epoch {epoch}; it kept those of epochs {} (checkpoints.every, \
             checkpoints.keep_last)",
            epochs.join(", ")
        )
    })
}
