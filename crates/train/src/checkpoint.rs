//! Checkpoints: one directory each, written beside and renamed, with a hash of every file.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use afterimage_hooks::{Clock, HooksState, Plan};
use afterimage_model::Masks;
use afterimage_model::compact::Kept;
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

/// Everything that a resumed run goes on from.
pub(crate) struct Checkpoint {
    pub(crate) learner: LearnerBytes,
    pub(crate) state: LoopState,
    pub(crate) shape: Shape,
    pub(crate) hooks: HooksState,
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
    config_digest: String,
    sha256: BTreeMap<String, String>,
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

/// The checkpoints of a run directory.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
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

    /// Writes a checkpoint, then removes those that need not be kept.
    pub(crate) fn write(&self, checkpoint: &Checkpoint) -> Result<PathBuf, TrainError> {
        let step = checkpoint.state.clock.step;
        let place = self.folder.join(name(step));
        let beside = self.folder.join(format!(".{}.partial", name(step)));
        if beside.exists() {
            fs::remove_dir_all(&beside).map_err(TrainError::io(&beside, "remove"))?;
        }
        fs::create_dir_all(&beside).map_err(TrainError::io(&beside, "create"))?;
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
        for (file, bytes) in files {
            write_synced(&beside.join(file), bytes)?;
            sha256.insert(file.to_owned(), digest(bytes));
        }
        let contents = Contents {
            layout: LAYOUT,
            step,
            epoch: checkpoint.state.clock.epoch,
            config_digest: digest(self.config.as_bytes()),
            sha256,
        };
        let text = serde_json::to_string_pretty(&contents).map_err(|e| TrainError::Record {
            what: "contents",
            reason: e.to_string(),
        })?;
        write_synced(&beside.join(CONTENTS), text.as_bytes())?;
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
        self.prune(checkpoint.state.best.map(|(_, step)| step))?;
        Ok(place)
    }

    fn prune(&self, best: Option<u64>) -> Result<(), TrainError> {
        let mut steps = self.steps()?;
        steps.reverse();
        for step in steps
            .into_iter()
            .skip(self.keep_last)
            .filter(|s| Some(*s) != best)
        {
            let old = self.folder.join(name(step));
            fs::remove_dir_all(&old).map_err(TrainError::io(&old, "remove"))?;
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

    /// Reads the last complete checkpoint and checks every file's hash.
    pub(crate) fn read_last(&self) -> Result<Checkpoint, TrainError> {
        read(&self.last()?, Some(&self.config))
    }
}

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

/// Names of the plugins that were switched off by the time of the checkpoint at `path`.
///
/// # Errors
/// A checkpoint that is incomplete or damaged.
pub fn read_disabled(path: &Path) -> Result<Vec<String>, TrainError> {
    read(path, None).map(|checkpoint| checkpoint.hooks.disabled())
}

/// The units that the model of the checkpoint at `path` keeps of those that its config describes.
///
/// # Errors
/// A checkpoint that is incomplete or damaged.
pub fn read_kept(path: &Path) -> Result<Kept, TrainError> {
    read(path, None).map(|checkpoint| checkpoint.shape.groups)
}

fn read(path: &Path, config: Option<&str>) -> Result<Checkpoint, TrainError> {
    let damaged = |file: &str, what: String| TrainError::Checkpoint {
        path: path.join(file),
        what,
    };
    let text = fs::read_to_string(path.join(CONTENTS))
        .map_err(TrainError::io(path.join(CONTENTS), "read"))?;
    let contents: Contents =
        serde_json::from_str(&text).map_err(|error| damaged(CONTENTS, error.to_string()))?;
    if ![WHOLE, LAYOUT].contains(&contents.layout) {
        return Err(damaged(
            CONTENTS,
            format!(
                "layout {} is not layout {LAYOUT}, which this program reads",
                contents.layout
            ),
        ));
    }
    let file = |name: &str| -> Result<Vec<u8>, TrainError> {
        let bytes = fs::read(path.join(name)).map_err(TrainError::io(path.join(name), "read"))?;
        match contents.sha256.get(name) {
            Some(expected) if *expected == digest(&bytes) => Ok(bytes),
            Some(_) => Err(damaged(
                name,
                "its bytes do not match their hash".to_owned(),
            )),
            None => Err(damaged(
                name,
                "it is not listed in contents.json".to_owned(),
            )),
        }
    };
    if let Some(config) = config
        && digest(config.as_bytes()) != contents.config_digest
    {
        let was = file(CONFIG)?;
        return Err(TrainError::OtherConfig {
            path: path.to_owned(),
            difference: difference(&String::from_utf8_lossy(&was), config),
        });
    }
    let state = postcard::from_bytes(&file(LOOP)?).map_err(|e| damaged(LOOP, e.to_string()))?;
    let hooks =
        postcard::from_bytes(&file(PLUGINS)?).map_err(|e| damaged(PLUGINS, e.to_string()))?;
    let shape = match contents.layout {
        WHOLE => Shape::default(),
        _ => serde_json::from_slice(&file(ARCHITECTURE)?)
            .map_err(|e| damaged(ARCHITECTURE, e.to_string()))?,
    };
    let learner = LearnerBytes {
        model: file(MODEL)?,
        optimizer: file(OPTIMIZER)?,
        schedule: file(SCHEDULE)?,
    };
    Ok(Checkpoint {
        learner,
        state,
        shape,
        hooks,
    })
}

fn name(step: u64) -> String {
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
