//! The folder of a sweep and what lies where in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use afterimage_files::{LARGE, Lock, LockError, SMALL, read, read_text, write_whole};

use crate::error::SweepError;
use crate::plan::Plan;
use crate::settle::settled;

/// The ledger in a sweep's folder: a folder that has it is a sweep's.
pub const LEDGER: &str = "ledger.jsonl";
/// Held by the process that runs the sweep.
pub(crate) const LOCK: &str = "lock";
/// Held while results are written, which a report may do beside the sweep.
const RESULTS_LOCK: &str = "results.lock";

/// The folder of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`, as an absolute path, so that trials find it from anywhere; it is made
    /// if it is missing.
    ///
    /// # Errors
    /// A folder that cannot be made, or one that holds something and no sweep.
    pub fn open(path: &Path) -> Result<Self, SweepError> {
        fs::create_dir_all(path).map_err(SweepError::io("make this folder", path))?;
        let path = path.canonicalize().map_err(SweepError::io("find", path))?;
        let folder = Self { path };
        if !folder.ledger().exists() {
            let entries = fs::read_dir(&folder.path)
                .map_err(SweepError::io("read this folder", &folder.path))?;
            for entry in entries {
                let entry = entry.map_err(SweepError::io("read this folder", &folder.path))?;
                // A sweep that was killed before its first entry has left these.
                if ![LOCK, "configs"]
                    .iter()
                    .any(|name| entry.file_name() == **name)
                {
                    return Err(SweepError::NoSweep(folder.path));
                }
            }
        }
        Ok(folder)
    }

    /// The folder at `path`, which must hold a sweep; nothing is made.
    ///
    /// # Errors
    /// A folder that is not there or holds no sweep.
    pub fn find(path: &Path) -> Result<Self, SweepError> {
        // What is no plain file is told when it is read.
        if fs::symlink_metadata(path.join(LEDGER)).is_err() {
            return Err(SweepError::NothingToReport(path.to_owned()));
        }
        Self::open(path)
    }

    /// The trials that have runs, though the ledger holds no entry: what was done is forgotten.
    pub fn forgotten(&self) -> usize {
        let empty =
            fs::metadata(self.ledger()).map_or(true, |found| found.is_file() && found.len() == 0);
        let trials = fs::read_dir(self.trials()).into_iter().flatten().flatten();
        // What was half made is no run.
        let trials = trials.filter(|run| !run.file_name().to_string_lossy().starts_with('.'));
        if empty { trials.count() } else { 0 }
    }

    /// Keeps other processes of this sweep out.
    ///
    /// # Errors
    /// [`SweepError::Locked`] if another process is at work; a file that cannot be written.
    pub fn lock(&self) -> Result<Lock, SweepError> {
        let path = self.path.join(LOCK);
        Lock::take(&path).map_err(|error| match error {
            LockError::Held(pid) => SweepError::Locked {
                folder: self.path.clone(),
                pid,
            },
            LockError::Io(error) => SweepError::io("lock", &path)(error),
        })
    }

    /// Keeps other processes from writing results at the same time; waits for the one that does.
    ///
    /// # Errors
    /// [`SweepError::Locked`] if that takes more than a minute; a file that cannot be written.
    pub fn lock_results(&self) -> Result<Lock, SweepError> {
        let path = self.path.join(RESULTS_LOCK);
        let since = Instant::now();
        loop {
            match Lock::take(&path) {
                Ok(lock) => return Ok(lock),
                Err(LockError::Held(_)) if since.elapsed() < Duration::from_secs(60) => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(LockError::Held(pid)) => {
                    return Err(SweepError::Locked {
                        folder: self.path.clone(),
                        pid,
                    });
                }
                Err(LockError::Io(error)) => return Err(SweepError::io("lock", &path)(error)),
            }
        }
    }

    /// Makes the folders and writes the resolved config of every trial; those that are there stay. One
    /// that needs a checkpoint of a run that is not done is written when it is due.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn prepare(&self, plan: &Plan) -> Result<(), SweepError> {
        for folder in [self.configs(), self.trials(), self.logs()] {
            fs::create_dir_all(&folder).map_err(SweepError::io("make this folder", &folder))?;
        }
        for trial in &plan.trials {
            let path = self.config(&trial.name);
            let Ok(config) = settled(trial, self) else {
                continue;
            };
            if read_text(&path, SMALL).ok().as_deref() != Some(config.as_str()) {
                write(&path, config.as_bytes(), false)?;
            }
        }
        Ok(())
    }

    /// The folder itself, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The ledger.
    pub fn ledger(&self) -> PathBuf {
        self.path.join(LEDGER)
    }

    /// The folder of resolved configs.
    pub fn configs(&self) -> PathBuf {
        self.path.join("configs")
    }

    /// The resolved config of a trial.
    pub fn config(&self, trial: &str) -> PathBuf {
        self.configs().join(format!("{trial}.toml"))
    }

    /// The folder of run directories.
    pub fn trials(&self) -> PathBuf {
        self.path.join("trials")
    }

    /// The run directory of a trial.
    pub fn run(&self, trial: &str) -> PathBuf {
        self.trials().join(trial)
    }

    /// The folder of what is kept of runs for others to begin with.
    pub(crate) fn forks(&self) -> PathBuf {
        self.path.join("forks")
    }

    /// What is kept of a trial's run at an epoch.
    pub(crate) fn kept(&self, trial: &str, epoch: u32) -> PathBuf {
        self.forks().join(format!("{trial}~{epoch}"))
    }

    /// The folder of what trials wrote to standard output and error.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// A log of one attempt of a trial; `kind` is `out`, `err` or `exit`.
    pub fn log(&self, trial: &str, attempt: u32, kind: &str) -> PathBuf {
        self.logs().join(format!("{trial}.{attempt}.{kind}"))
    }

    /// The folder of what is submitted to Slurm.
    pub fn slurm(&self) -> PathBuf {
        self.path.join("slurm")
    }

    /// When a trial last wrote measurements or its result, in seconds since 1970.
    pub(crate) fn last_sign(&self, trial: &str) -> Option<f64> {
        let run = self.run(trial);
        let times = ["result.json", "metrics.jsonl"].iter().filter_map(|name| {
            let time = fs::metadata(run.join(name)).ok()?.modified().ok()?;
            Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
        });
        times.max_by(f64::total_cmp)
    }

    /// The last `count` lines that an attempt wrote to standard error, without empty ones.
    pub fn last_lines(&self, trial: &str, attempt: u32, count: usize) -> Vec<String> {
        let bytes = read(&self.log(trial, attempt, "err"), LARGE).unwrap_or_default();
        let tail = &bytes[bytes.len().saturating_sub(64 * 1024)..];
        let text = String::from_utf8_lossy(tail);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let first = lines.len().saturating_sub(count);
        lines[first..]
            .iter()
            .map(|line| (*line).to_owned())
            .collect()
    }
}

/// Writes `bytes` beside `path` and renames, so that the old content or the new one is found there
/// and nothing between.
///
/// # Errors
/// A full disk or an unwritable folder.
pub(crate) fn write_beside(path: &Path, bytes: &[u8]) -> Result<(), SweepError> {
    write(path, bytes, true)
}

/// As [`write_beside`]; without `synced` a power cut may leave an empty file, as is fit for what is compared
/// with what it should be, and there may be ten thousand of it.
fn write(path: &Path, bytes: &[u8], synced: bool) -> Result<(), SweepError> {
    write_whole(path, bytes, synced).map_err(SweepError::io("write", path))
}
