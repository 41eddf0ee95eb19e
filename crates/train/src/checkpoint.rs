//! Checkpoints: one directory each, written beside and renamed, with a hash of every file.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use afterimage_files::{FileError, LARGE, read_below};
use afterimage_hooks::{Clock, HooksState, Plan};
use afterimage_model::Masks;
use afterimage_model::compact::Kept;
use afterimage_track::{Book, TrackError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config_difference::difference;
use crate::error::TrainError;
use crate::records::LearnerBytes;

/// Version of the layout of a checkpoint directory.
const LAYOUT: u32 = 3;
/// The layout before, which has no [`ARCHITECTURE`]: its models have all their units.
const WHOLE: u32 = 2;

/// Where the loop stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoopState {
    /// The run's time.
    pub clock: Clock,
    /// Batches of the epoch under way that are done; 0 between epochs.
    pub batches_done: usize,
    /// The plan of the epoch under way; `None` between epochs.
    pub plan: Option<Plan>,
    /// Sum of the losses of the epoch under way.
    pub loss_sum: f64,
    /// Units held at zero.
    pub masks: Masks,
    /// The last value of every scalar, with its step.
    pub latest: BTreeMap<String, (u64, f64)>,
    /// Best value of the metric that decides which checkpoint to keep, and its step.
    pub best: Option<(f64, u64)>,
    /// Whether the run is over.
    pub finished: bool,
}

impl LoopState {
    /// The epoch that has just ended; `None` within an epoch. The clock may stand in the next one.
    pub(crate) fn end_of(&self) -> Option<u32> {
        let epoch = self.clock.epoch;
        match (self.batches_done, &self.plan) {
            (0, None) => Some(epoch),
            (0, Some(_)) => Some(epoch.saturating_sub(1)),
            _ => None,
        }
    }
}

/// Everything that a resumed run goes on from.
pub(crate) struct Checkpoint {
    pub(crate) learner: LearnerBytes,
    pub(crate) state: LoopState,
    pub(crate) shape: Shape,
    pub(crate) hooks: HooksState,
    /// What is on record; none in checkpoints of before there were books.
    pub(crate) book: Option<Book>,
}

/// How the model differs from the one that the config describes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shape {
    /// Units that it keeps, by group.
    pub(crate) groups: Kept,
    /// Paths of the parameters that plugins froze.
    pub(crate) frozen: Vec<String>,
}

/// The file list of a checkpoint, written last.
#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    layout: u32,
    step: u64,
    epoch: u32,
    /// The epoch whose end it is; none within an epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_of: Option<u32>,
    /// [`Clock::epoch_began`]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch_began: Option<u64>,
    config_digest: String,
    sha256: BTreeMap<String, String>,
}

impl Contents {
    fn text(&self) -> Result<Vec<u8>, TrainError> {
        serde_json::to_vec_pretty(self).map_err(|error| TrainError::Record {
            what: "contents",
            reason: error.to_string(),
        })
    }
}

pub(crate) const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const SCHEDULE: &str = "schedule.bpk";
const LOOP: &str = "loop.bin";
const PLUGINS: &str = "plugins.bin";
/// [`Shape`]
const ARCHITECTURE: &str = "arch.json";
const CONFIG: &str = "config.toml";
const CONTENTS: &str = "contents.json";
/// [`Book`]; there where it is listed.
const RECORDS: &str = "records.json";

/// What a checkpoint of the present layout holds beside [`CONTENTS`], and of the one before but for the
/// last.
const FILES: [&str; 7] = [
    MODEL,
    OPTIMIZER,
    SCHEDULE,
    LOOP,
    PLUGINS,
    CONFIG,
    ARCHITECTURE,
];

/// The checkpoints of a run directory.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    pub(crate) folder: PathBuf,
    keep_last: usize,
    config: String,
}

impl Checkpoints {
    /// Checkpoints in `folder`, keeping the last `keep_last` and the best one. `config` is the
    /// resolved config; a resume with another one is refused.
    pub fn new(folder: impl Into<PathBuf>, keep_last: usize, config: impl Into<String>) -> Self {
        Self {
            folder: folder.into(),
            keep_last: keep_last.max(1),
            config: config.into(),
        }
    }

    /// Makes the folder, so that a checkpoint that finds none knows that it was removed.
    pub(crate) fn prepare(&self) -> Result<(), TrainError> {
        fs::create_dir_all(&self.folder).map_err(TrainError::io(&self.folder, "create"))
    }

    /// Writes a checkpoint, then removes those that need not be kept.
    pub(crate) fn write(&self, checkpoint: &Checkpoint) -> Result<PathBuf, TrainError> {
        let step = checkpoint.state.clock.step;
        let place = self.folder.join(name(step));
        let beside = self.folder.join(format!(".{}.partial", name(step)));
        if beside.exists() {
            fs::remove_dir_all(&beside).map_err(TrainError::io(&beside, "remove"))?;
        }
        fs::create_dir(&beside).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => TrackError::Removed(self.folder.clone()).into(),
            _ => TrainError::io(&beside, "create")(error),
        })?;
        let encode = |what, bytes: Result<Vec<u8>, postcard::Error>| {
            bytes.map_err(|error| TrainError::Record {
                what,
                reason: error.to_string(),
            })
        };
        let state = encode("loop", postcard::to_stdvec(&checkpoint.state))?;
        let hooks = encode("plugins", postcard::to_stdvec(&checkpoint.hooks))?;
        let shape =
            serde_json::to_string_pretty(&checkpoint.shape).map_err(|e| TrainError::Record {
                what: "architecture",
                reason: e.to_string(),
            })?;
        let book = checkpoint.book.as_ref().map(Book::to_json);
        let book = book.transpose().map_err(|reason| TrainError::Record {
            what: "records",
            reason,
        })?;
        let files: [(&str, &[u8]); 7] = [
            (MODEL, &checkpoint.learner.model),
            (OPTIMIZER, &checkpoint.learner.optimizer),
            (SCHEDULE, &checkpoint.learner.schedule),
            (LOOP, &state),
            (PLUGINS, &hooks),
            (ARCHITECTURE, shape.as_bytes()),
            (CONFIG, self.config.as_bytes()),
        ];
        let mut sha256 = BTreeMap::new();
        let book = book.as_deref().map(|bytes| (RECORDS, bytes));
        for (file, bytes) in files.into_iter().chain(book) {
            write_synced(&beside.join(file), bytes)?;
            sha256.insert(file.to_owned(), digest(bytes));
        }
        let contents = Contents {
            layout: LAYOUT,
            step,
            epoch: checkpoint.state.clock.epoch,
            end_of: checkpoint.state.end_of(),
            epoch_began: checkpoint.state.clock.epoch_began,
            config_digest: digest(self.config.as_bytes()),
            sha256,
        };
        write_synced(&beside.join(CONTENTS), &contents.text()?)?;
        let aside = self.folder.join(format!(".{}.replaced", name(step)));
        if place.exists() {
            fs::rename(&place, &aside).map_err(TrainError::io(&place, "replace"))?;
        }
        fs::rename(&beside, &place).map_err(TrainError::io(&place, "rename into place"))?;
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(TrainError::io(&aside, "remove"))?;
        }
        // The rename lasts through a power cut only once the folder itself is on disk.
        fs::File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(TrainError::io(&self.folder, "write"))?;
        self.remove_old(&checkpoint.state)?;
        Ok(place)
    }

    /// Removes the checkpoints that need not be kept beside that of `state`.
    ///
    /// # Errors
    /// A folder that cannot be read or removed.
    pub fn remove_old(&self, state: &LoopState) -> Result<(), TrainError> {
        let best = state.best.map(|(_, step)| step);
        let mut steps = self.steps()?;
        steps.reverse();
        for step in steps
            .into_iter()
            .skip(self.keep_last)
            .filter(|s| Some(*s) != best)
        {
            let old = self.folder.join(name(step));
            // Under another name first, so that half of one never looks like a checkpoint.
            let gone = self.folder.join(format!(".{}.removed", name(step)));
            if gone.exists() {
                fs::remove_dir_all(&gone).map_err(TrainError::io(&gone, "remove"))?;
            }
            fs::rename(&old, &gone).map_err(TrainError::io(&old, "remove"))?;
            fs::remove_dir_all(&gone).map_err(TrainError::io(&gone, "remove"))?;
        }
        Ok(())
    }

    /// Steps of the complete checkpoints, ascending.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn steps(&self) -> Result<Vec<u64>, TrainError> {
        let mut steps = Vec::new();
        if !self.folder.exists() {
            return Ok(steps);
        }
        let entries = fs::read_dir(&self.folder).map_err(TrainError::io(&self.folder, "read"))?;
        for entry in entries {
            let entry = entry.map_err(TrainError::io(&self.folder, "read"))?;
            let file_name = entry.file_name();
            let step: Option<u64> = file_name
                .to_str()
                .and_then(|n| n.strip_prefix("step-")?.parse().ok());
            steps.extend(step);
        }
        steps.sort_unstable();
        Ok(steps)
    }

    /// The folder of the last complete checkpoint.
    ///
    /// # Errors
    /// A folder that cannot be read, or without checkpoints.
    pub fn last(&self) -> Result<PathBuf, TrainError> {
        self.steps()?
            .last()
            .map(|step| self.folder.join(name(*step)))
            .ok_or_else(|| TrainError::NoCheckpoint {
                path: self.folder.clone(),
            })
    }

    /// Whether the checkpoint at `path` is one of a run of this config.
    ///
    /// # Errors
    /// A checkpoint that was written under another config; one whose files cannot be read.
    pub fn check_config(&self, path: &Path) -> Result<(), TrainError> {
        let contents = contents_of(path)?;
        same_config(path, &contents, &file(path, CONFIG)?, &self.config)
    }

    /// Reads the checkpoint at `path`.
    pub(crate) fn read(&self, path: &Path) -> Result<Checkpoint, TrainError> {
        read(path, Some(&self.config))
    }
}

/// Makes the checkpoint at `path` one of a run of `config`, which up to there did what its own run did.
///
/// # Errors
/// A checkpoint that is incomplete or damaged; a file that cannot be written.
pub fn give_config(path: &Path, config: &str) -> Result<(), TrainError> {
    let (mut contents, _) = verified(path)?;
    contents.config_digest = digest(config.as_bytes());
    contents
        .sha256
        .insert(CONFIG.to_owned(), contents.config_digest.clone());
    write_synced(&path.join(CONFIG), config.as_bytes())?;
    write_synced(&path.join(CONTENTS), &contents.text()?)
}

fn damaged(path: &Path, file: &str, what: impl Into<String>) -> TrainError {
    TrainError::Checkpoint {
        path: path.join(file),
        what: what.into(),
    }
}

/// The bytes of a checkpoint's file. What is missing, no plain file or too large is damage; what the
/// system does not let the program read is not.
fn file(path: &Path, name: &str) -> Result<Vec<u8>, TrainError> {
    read_below(path, name, LARGE).map_err(|error| match error {
        error if error.is_missing() => damaged(path, name, "this file is missing"),
        error @ FileError::Io { .. } => error.into(),
        error => damaged(path, name, error.to_string()),
    })
}

/// The list of a checkpoint.
fn contents_of(path: &Path) -> Result<Contents, TrainError> {
    serde_json::from_slice(&file(path, CONTENTS)?)
        .map_err(|error| damaged(path, CONTENTS, error.to_string()))
}

/// The list of a checkpoint and the bytes of all of its files, each as its hash says.
fn verified(path: &Path) -> Result<(Contents, BTreeMap<&'static str, Vec<u8>>), TrainError> {
    let contents = contents_of(path)?;
    let present = match contents.layout {
        LAYOUT => &FILES[..],
        WHOLE => &FILES[..FILES.len() - 1],
        layout => {
            return Err(TrainError::Layout {
                path: path.to_owned(),
                layout,
                known: LAYOUT,
            });
        }
    };
    let mut files = BTreeMap::new();
    let book = contents.sha256.contains_key(RECORDS).then_some(&RECORDS);
    for &name in present.iter().chain(book) {
        let bytes = file(path, name)?;
        match contents.sha256.get(name) {
            Some(expected) if *expected == digest(&bytes) => files.insert(name, bytes),
            Some(_) => {
                return Err(damaged(path, name, "its bytes do not match their hash"));
            }
            None => return Err(damaged(path, name, "it is not listed in contents.json")),
        };
    }
    if contents.sha256.get(CONFIG) != Some(&contents.config_digest) {
        return Err(damaged(
            path,
            CONTENTS,
            "its two hashes of the config differ",
        ));
    }
    Ok((contents, files))
}

/// Checks every file of the checkpoint at `path`.
pub(crate) fn verify(path: &Path) -> Result<(), TrainError> {
    verified(path).map(|_| ())
}

pub(crate) fn read(path: &Path, config: Option<&str>) -> Result<Checkpoint, TrainError> {
    let (contents, mut files) = verified(path)?;
    let mut take = |name: &str| files.remove(name).unwrap_or_default();
    let was = take(CONFIG);
    if let Some(config) = config {
        same_config(path, &contents, &was, config)?;
    }
    let mut state: LoopState =
        postcard::from_bytes(&take(LOOP)).map_err(|e| damaged(path, LOOP, e.to_string()))?;
    state.clock.epoch_began = contents.epoch_began;
    let hooks =
        postcard::from_bytes(&take(PLUGINS)).map_err(|e| damaged(path, PLUGINS, e.to_string()))?;
    let shape = match contents.layout {
        WHOLE => Shape::default(),
        _ => serde_json::from_slice(&take(ARCHITECTURE))
            .map_err(|e| damaged(path, ARCHITECTURE, e.to_string()))?,
    };
    let learner = LearnerBytes {
        model: take(MODEL),
        optimizer: take(OPTIMIZER),
        schedule: take(SCHEDULE),
    };
    let book = files.remove(RECORDS).map(|bytes| Book::parse(&bytes));
    let book = book
        .transpose()
        .map_err(|what| damaged(path, RECORDS, what))?;
    Ok(Checkpoint {
        learner,
        state,
        shape,
        hooks,
        book,
    })
}

/// Whether a checkpoint, which keeps the config `was`, is one of `config`.
fn same_config(
    path: &Path,
    contents: &Contents,
    was: &[u8],
    config: &str,
) -> Result<(), TrainError> {
    if digest(config.as_bytes()) == contents.config_digest {
        return Ok(());
    }
    Err(TrainError::OtherConfig {
        path: path.to_owned(),
        difference: difference(&String::from_utf8_lossy(was), config),
    })
}

pub(crate) fn name(step: u64) -> String {
    format!("step-{step:08}")
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let write = || {
        let mut file = fs::File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(TrainError::io(path, "write"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;

    /// A checkpoint of `step` in `folder`.
    pub(crate) fn written(folder: &Path, step: u64) -> PathBuf {
        write(folder, step).unwrap()
    }

    fn write(folder: &Path, step: u64) -> Result<PathBuf, TrainError> {
        let state = LoopState {
            clock: Clock {
                epoch: 1,
                step,
                epochs: 2,
                steps: 20,
                epoch_began: None,
            },
            batches_done: 0,
            plan: None,
            loss_sum: 0.0,
            masks: Masks::none(),
            latest: BTreeMap::new(),
            best: None,
            finished: false,
        };
        let checkpoint = Checkpoint {
            learner: LearnerBytes {
                model: vec![1; 8],
                optimizer: vec![2; 8],
                schedule: vec![3; 8],
            },
            state,
            shape: Shape::default(),
            hooks: HooksState::default(),
            book: Some(Book::default()),
        };
        Checkpoints::new(folder, 5, "seed = 1\n").write(&checkpoint)
    }

    #[test]
    fn a_folder_that_was_removed_is_told_and_not_made_again() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("gone");
        let told = write(&folder, 1).unwrap_err().to_string();
        assert!(told.contains("was removed") && !folder.exists(), "{told}");
    }
}
