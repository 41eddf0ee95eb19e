//! The directory of a run.

use std::fs;
use std::path::{Path, PathBuf};

use afterimage_track::files;
use serde_json::{Value, json};

use crate::error::RunError;

/// A run's directory and what lies where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// A new directory, which must not hold anything.
    ///
    /// # Errors
    /// A directory that holds something, or cannot be made.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(RunError::io(&path, "create"))?;
        let mut entries = fs::read_dir(&path).map_err(RunError::io(&path, "read"))?;
        if entries.next().is_some() {
            return Err(RunError::NotEmpty { path });
        }
        Ok(Self { path })
    }

    /// The directory of a run that was started before.
    ///
    /// # Errors
    /// A directory without a resolved config.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let run = Self { path: path.into() };
        if run.config().is_file() {
            Ok(run)
        } else {
            let what = format!("it has no {}", files::CONFIG);
            Err(RunError::NoRun {
                path: run.path,
                what,
            })
        }
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

/// What `manifest.json` says.
#[derive(Debug, Clone)]
pub struct Manifest<'a> {
    /// SHA-256 of the resolved config.
    pub config_digest: &'a str,
    /// Device by name.
    pub device: &'a str,
    /// Digest of all images and labels.
    pub data_digest: &'a str,
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
        if let (Some(probe), Some(entries)) = (&self.probe, manifest.as_object_mut()) {
            entries.insert("probe".to_owned(), probe.clone());
        }
        manifest
    }
}
