//! The directory of a run.

use std::fs;
use std::path::{Path, PathBuf};

use afterimage_files::{Lock, LockError, Partial, below};
use afterimage_sweep::LEDGER;
use afterimage_track::files;
use serde_json::{Value, json};

use crate::error::RunError;

/// The file by which a checkpoint is known.
const CONTENTS: &str = "contents.json";
/// The file by which one process owns a run directory.
const LOCK: &str = "lock";
/// What a run writes before its config stands in its directory, or has there as a result under way.
const BEFORE: [&str; 5] = [
    LOCK,
    Partial::LOCK,
    ".config.toml.tmp",
    "trained_layers.json",
    ".trained_layers.json.tmp",
];

/// The right to write in a run directory.
#[derive(Debug)]
pub struct Owner(Option<Lock>);

impl Owner {
    /// Whether the directory is still the one that was owned: it is not once it was removed.
    pub fn stands(&self) -> bool {
        self.0.as_ref().is_none_or(Lock::stands)
    }

    /// Of a process that writes nothing.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Gives the directory back for good and leaves no file: nothing will go on in it.
    pub(crate) fn withdraw(self, run: &RunDir) {
        drop(self);
        let _ = fs::remove_file(run.path.join(LOCK));
    }
}

/// A run's directory and what lies where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// A new directory, which must not hold anything but what a start leaves that was cut off before
    /// its config stood there; and the right to write in it.
    ///
    /// # Errors
    /// A directory that holds something, cannot be made, or has another process at work in it.
    pub fn create(path: impl Into<PathBuf>) -> Result<(Self, Owner), RunError> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(RunError::io(&path, "create"))?;
        let run = Self { path };
        if !run.is_unbegun()? {
            // Says who is at work there, if anybody is.
            if run.path.join(LOCK).is_file() && run.config().is_file() {
                run.own()?;
            }
            return Err(RunError::NotEmpty { path: run.path });
        }
        let owner = run.own()?;
        // Another process may have begun and ended since.
        if !run.is_unbegun()? {
            return Err(RunError::NotEmpty { path: run.path });
        }
        files::remove_half_written(&run.path)?;
        Ok((run, owner))
    }

    /// Whether the directory holds nothing, or only what comes before the config of a run.
    fn is_unbegun(&self) -> Result<bool, RunError> {
        let entries = fs::read_dir(&self.path).map_err(RunError::io(&self.path, "read"))?;
        for entry in entries {
            let entry = entry.map_err(RunError::io(&self.path, "read"))?;
            if !BEFORE.iter().any(|name| entry.file_name() == **name) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keeps other processes from writing in the directory until the owner is dropped or this process
    /// ends. Readers need no leave.
    ///
    /// # Errors
    /// [`RunError::Locked`] if another process is at work there; a file that cannot be written.
    pub fn own(&self) -> Result<Owner, RunError> {
        match Lock::take(&self.path.join(LOCK)) {
            Ok(lock) => Ok(Owner(Some(lock))),
            Err(LockError::Held(pid)) => Err(RunError::Locked {
                path: self.path.clone(),
                pid,
            }),
            Err(LockError::Io(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                tracing::warn!(
                    "{}: this file system has no locks; let no other process write in this run",
                    self.path.display()
                );
                Ok(Owner(None))
            }
            Err(LockError::Io(error)) => Err(RunError::io(self.path.join(LOCK), "lock")(error)),
        }
    }

    /// The directory of a run that was started before.
    ///
    /// # Errors
    /// A directory without a resolved config.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let run = Self { path: path.into() };
        let what = match below(&run.path, files::CONFIG) {
            Ok(_) => return Ok(run),
            Err(error) if !error.is_missing() => return Err(error.into()),
            Err(_) if run.path.join(LEDGER).exists() => format!(
                "it holds a sweep, whose runs are the folders in {}",
                run.path.join("trials").display()
            ),
            Err(_) => format!("it has no {}", files::CONFIG),
        };
        let begun = fs::read_dir(&run.path).is_ok_and(|mut entries| entries.next().is_some());
        if begun && run.is_unbegun()? {
            // Another process may be about to write the config.
            if run.path.join(LOCK).is_file()
                && let Err(error @ RunError::Locked { .. }) = run.own()
            {
                return Err(error);
            }
            return Err(RunError::Unbegun { path: run.path });
        }
        Err(RunError::NoRun {
            path: run.path,
            what,
        })
    }

    /// [`open`](Self::open) for what reads or writes a run as a whole, which a checkpoint in one is not.
    ///
    /// # Errors
    /// As for [`open`](Self::open); a checkpoint, with the run that it belongs to.
    pub fn open_whole(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let path = path.into();
        // A checkpoint holds the config of its run.
        let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let folder = absolute.parent().filter(|_| path.join(CONTENTS).is_file());
        if let Some(run) = folder.and_then(Path::parent) {
            let what = format!("it is a checkpoint; give its run, {}", run.display());
            return Err(RunError::NoRun { path, what });
        }
        Self::open(path)
    }

    /// The directory in which another process of the same run writes.
    pub(crate) fn of_another(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The resolved config.
    pub fn config(&self) -> PathBuf {
        self.path.join(files::CONFIG)
    }

    /// The log of decisions.
    pub fn decisions(&self) -> PathBuf {
        self.path.join("decisions.jsonl")
    }

    /// The folder of checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The log.
    pub fn log(&self) -> PathBuf {
        self.path.join("log.txt")
    }

    /// The TensorBoard folder.
    pub fn tensorboard(&self) -> PathBuf {
        self.path.join(files::TENSORBOARD)
    }

    /// The HTML report.
    pub fn report(&self) -> PathBuf {
        self.path.join(files::REPORT)
    }

    /// The result, which is there once the run has ended in order.
    pub fn result(&self) -> PathBuf {
        self.path.join("result.json")
    }

    /// Writes `result.json`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_result(&self, result: &Value) -> Result<(), RunError> {
        let text = format!("{result}\n");
        Ok(files::write_beside(&self.result(), text.as_bytes())?)
    }

    /// Removes `result.json`, because the run goes on.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove_result(&self) -> Result<(), RunError> {
        match fs::remove_file(self.result()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(RunError::io(self.result(), "remove")(error))
            }
            _ => Ok(()),
        }
    }

    /// Writes the resolved config.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_config(&self, resolved: &str) -> Result<(), RunError> {
        Ok(files::write_beside(&self.config(), resolved.as_bytes())?)
    }

    /// Writes `manifest.json`: versions, device, data, plugin order and outcome.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_manifest(&self, manifest: &Manifest<'_>) -> Result<(), RunError> {
        let text = format!("{:#}\n", manifest.json());
        Ok(files::write_beside(
            &self.path.join(files::MANIFEST),
            text.as_bytes(),
        )?)
    }
}

/// The manifest of the run `run`; none where it cannot be read.
fn manifest(run: &Path) -> Option<Value> {
    let bytes = afterimage_files::read_below(run, files::MANIFEST, afterimage_files::SMALL).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The digest of the images in the manifest of the run `run`; none where it cannot be read.
pub(crate) fn data_digest(run: &Path) -> Option<String> {
    Some(manifest(run)?["data_sha256"].as_str()?.to_owned())
}

/// Whether `run` is what a probe left: it was never trained there.
pub(crate) fn is_probe(run: &Path) -> bool {
    manifest(run).is_some_and(|manifest| !manifest["probe"].is_null())
}

/// What `manifest.json` says.
#[derive(Debug, Clone)]
pub struct Manifest<'a> {
    /// SHA-256 of the resolved config.
    pub config_digest: &'a str,
    /// Device by name.
    pub device: &'a str,
    /// Digest of all images and labels.
    pub data_digest: &'a str,
    /// What that digest covers, where it is not every pixel.
    pub data_covered: Option<&'a str>,
    /// Plugins in order.
    pub plugins: &'a [String],
    /// `running`, or how the run ended.
    pub outcome: &'a str,
    /// What was probed, where the run is a probe.
    pub probe: Option<Value>,
}

impl Manifest<'_> {
    fn json(&self) -> Value {
        let mut manifest = json!({
            "afterimage": env!("CARGO_PKG_VERSION"),
            "burn": "0.22.1",
            "git": option_env!("AFTERIMAGE_GIT"),
            "config_sha256": self.config_digest,
            "device": self.device,
            "data_sha256": self.data_digest,
            "plugins": self.plugins,
            "outcome": self.outcome,
        });
        if let (Some(covered), Some(entries)) = (self.data_covered, manifest.as_object_mut()) {
            entries.insert("data_sha256_covers".to_owned(), json!(covered));
        }
        if let (Some(probe), Some(entries)) = (&self.probe, manifest.as_object_mut()) {
            entries.insert("probe".to_owned(), probe.clone());
        }
        manifest
    }
}
