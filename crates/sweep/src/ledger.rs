//! What became of each trial, one JSON object a line, synced to disk.
//!
//! The ledger only grows. What is in it has happened; what happened and is not in it (a kill in
//! between) is found out from the trials themselves when the sweep goes on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use afterimage_files::LARGE;
use serde::{Deserialize, Serialize};

use crate::error::SweepError;
use crate::executor::Handle;
use crate::folder::Folder;

/// Version of the format.
pub(crate) const VERSION: u32 = 1;

/// An entry and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Seconds since 1970.
    pub time: f64,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The trial is done.
    Done,
    /// The trial failed for good.
    Failed,
    /// The trial was stopped early, after a checkpoint.
    Stopped,
    /// The attempt failed; the trial goes on from its last checkpoint.
    Crashed,
    /// The attempt was cut off through no fault of its own; the trial goes on from its last
    /// checkpoint.
    Interrupted,
}

/// Something that happened in a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// The first entry: what sweep this is.
    Sweep {
        /// Version of the format.
        version: u32,
        /// The sweep's name.
        name: String,
        /// [`Plan::digest`](crate::Plan::digest).
        digest: String,
        /// Names of the trials and digests of their configs.
        trials: Vec<(String, String)>,
        /// [`Plan::questions`](crate::Plan::questions).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        questions: Option<String>,
        /// [`Plan::each_question`](crate::Plan::each_question).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        each_question: Vec<String>,
        /// Names of the stages.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stages: Vec<String>,
    },
    /// An attempt is about to be started.
    Start {
        /// The trial.
        trial: String,
        /// Attempts of the trial, from 1.
        attempt: u32,
        /// The executor's name.
        executor: String,
        /// What the executor calls the batch that the attempt is started with.
        ticket: String,
        /// The attempt's place in that batch.
        place: usize,
    },
    /// The attempt was started.
    Running {
        /// The trial.
        trial: String,
        /// The attempt.
        attempt: u32,
        /// How it is found again.
        handle: Handle,
    },
    /// A trial reported its metric at an epoch where trials are compared.
    Rung {
        /// The trial.
        trial: String,
        /// The epoch.
        epoch: u32,
        /// The metric; `None` if it is not a number.
        value: Option<f64>,
        /// Whether the trial went on.
        keep: bool,
    },
    /// A trial was asked to write a checkpoint and end, for good.
    Stop {
        /// The trial.
        trial: String,
        /// Why.
        reason: String,
    },
    /// A trial held more memory than it may, and is ended for it, for good.
    Beyond {
        /// The trial.
        trial: String,
        /// What it held and may hold.
        reason: String,
    },
    /// An attempt ended.
    End {
        /// The trial.
        trial: String,
        /// The attempt.
        attempt: u32,
        /// How.
        end: End,
        /// The exit code, where it is known.
        code: Option<i32>,
        /// The last value of the metric.
        value: Option<f64>,
        /// The last value of each aim that is a number, where there are several.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        aims: BTreeMap<String, f64>,
        /// Seconds from start to end.
        seconds: f64,
        /// What there is to say about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A trial will not be started, because a run that it uses is not there.
    Skip {
        /// The trial.
        trial: String,
        /// Why.
        reason: String,
    },
    /// What a run was at its checkpoint behind an epoch was kept for others to begin with.
    Keep {
        /// The trial.
        trial: String,
        /// The epoch.
        epoch: u32,
        /// Seconds that it took up to there.
        seconds: f64,
    },
    /// A trial begins at a checkpoint of another one, which did the same up to there.
    Fork {
        /// The trial.
        trial: String,
        /// The other one.
        from: String,
        /// The epoch behind which the checkpoint is.
        epoch: u32,
        /// Seconds that the other one took up to there, which this one does not take again.
        seconds: f64,
    },
    /// A search that learns from results asked for points.
    Ask {
        /// Its stage.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<String>,
        /// Which generation of points these are, from 0.
        generation: usize,
        /// Points that the search asks for in all.
        samples: usize,
        /// For each point the values of keys.
        points: Vec<BTreeMap<String, toml::Value>>,
        /// Names of the trials and digests of their configs.
        trials: Vec<(String, String)>,
    },
    /// A failed trial, or one that was skipped, is to be tried again, because the user said so.
    Retry {
        /// The trial.
        trial: String,
    },
}

/// The ledger of a sweep, open for more.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
}

impl Ledger {
    /// Opens the ledger at `path`, or begins one, and reads what is in it. A last line without its
    /// end was being written when the process was killed; it is cut off.
    ///
    /// # Errors
    /// A line that is no entry, or a file that cannot be read or written.
    pub fn open(path: &Path) -> Result<(Self, Vec<Line>), SweepError> {
        // Opening a pipe would never return.
        match afterimage_files::open(path, LARGE) {
            Err(error) if !error.is_missing() => return Err(SweepError::File(error)),
            _ => {}
        }
        let open = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path);
        let mut file = open.map_err(SweepError::io("write", path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(SweepError::io("read", path))?;
        let (lines, whole) = parsed(&bytes, path)?;
        if whole < bytes.len() {
            file.set_len(whole as u64)
                .map_err(SweepError::io("write", path))?;
        }
        file.seek(SeekFrom::End(0))
            .map_err(SweepError::io("write", path))?;
        let path = path.to_owned();
        Ok((Self { path, file }, lines))
    }

    /// Reads the ledger at `path` and leaves it as it is, also a last line that is being written.
    ///
    /// # Errors
    /// A line that is no entry, or a file that cannot be read.
    pub fn read(path: &Path) -> Result<Vec<Line>, SweepError> {
        let bytes = afterimage_files::read(path, LARGE)?;
        Ok(parsed(&bytes, path)?.0)
    }

    /// Puts entries behind the others; they are on disk when this returns.
    ///
    /// # Errors
    /// A full disk or a file that cannot be written.
    pub fn append(&mut self, entries: &[Entry]) -> Result<Vec<Line>, SweepError> {
        let time = now();
        let lines: Vec<Line> = entries
            .iter()
            .map(|entry| Line {
                time,
                entry: entry.clone(),
            })
            .collect();
        let mut text = String::new();
        for line in &lines {
            let json = serde_json::to_string(line)
                .map_err(|error| SweepError::io("write", &self.path)(error.into()))?;
            text.push_str(&json);
            text.push('\n');
        }
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(SweepError::io("write", &self.path))?;
        Ok(lines)
    }
}

/// The whole lines of a ledger, and how many bytes they take.
fn parsed(bytes: &[u8], path: &Path) -> Result<(Vec<Line>, usize), SweepError> {
    let whole = bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    if let Some(version) = version(bytes).filter(|version| *version != u64::from(VERSION)) {
        let path = path.to_owned();
        return Err(SweepError::LedgerVersion { path, version });
    }
    let mut lines = Vec::new();
    for (index, line) in bytes[..whole].split(|&byte| byte == b'\n').enumerate() {
        if line.is_empty() && index > 0 {
            continue;
        }
        if whole == 0 {
            break;
        }
        lines.push(
            serde_json::from_slice(line).map_err(|error| SweepError::Ledger {
                path: path.to_owned(),
                line: index + 1,
                why: error.to_string(),
            })?,
        );
    }
    Ok((lines, whole))
}

/// The version of the format that the first line of a ledger says; the lines of another need not be understood.
fn version(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct First {
        version: u64,
    }
    let first = bytes.split(|&byte| byte == b'\n').next()?;
    serde_json::from_slice::<First>(first)
        .ok()
        .map(|first| first.version)
}

/// Why the ledger of `folder`, which holds `lines`, does not say what sweep it is of: it has no entry, or its
/// first one is gone.
pub(crate) fn nameless(folder: &Folder, lines: &[Line]) -> SweepError {
    match lines {
        [] => SweepError::EmptyLedger(folder.path().to_owned()),
        _ => SweepError::Ledger {
            path: folder.ledger(),
            line: 1,
            why: "the first line, which says what sweep this is, is gone".to_owned(),
        },
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn entries() -> Vec<Entry> {
        let trial = || "a=1".to_owned();
        vec![
            Entry::Start {
                trial: trial(),
                attempt: 1,
                executor: "local".to_owned(),
                ticket: "t".to_owned(),
                place: 0,
            },
            Entry::Running {
                trial: trial(),
                attempt: 1,
                handle: Handle::Local {
                    pid: 7,
                    started: Some(12),
                    place: Some(1),
                },
            },
            Entry::Rung {
                trial: trial(),
                epoch: 3,
                value: None,
                keep: false,
            },
            Entry::End {
                trial: trial(),
                attempt: 1,
                end: End::Done,
                code: Some(0),
                value: Some(0.1),
                aims: [("cost".to_owned(), 0.1 + 0.2)].into(),
                seconds: 1.5,
                reason: None,
            },
            Entry::Ask {
                stage: None,
                generation: 1,
                samples: 8,
                points: vec![
                    [
                        ("a.b".to_owned(), toml::Value::Float(3.0)),
                        ("c".to_owned(), 3.into()),
                    ]
                    .into(),
                ],
                trials: vec![("a=1".to_owned(), "0f".to_owned())],
            },
        ]
    }

    proptest! {
        #[test]
        fn a_ledger_cut_anywhere_is_a_beginning_of_it(share in 0.0..1.0f64) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("ledger.jsonl");
            let (mut ledger, none) = Ledger::open(&path).unwrap();
            prop_assert!(none.is_empty());
            ledger.append(&entries()).unwrap();
            let whole = fs::read(&path).unwrap();
            fs::write(&path, &whole[..(share * whole.len() as f64) as usize]).unwrap();
            let (mut ledger, lines) = Ledger::open(&path).unwrap();
            let read: Vec<Entry> = lines.into_iter().map(|line| line.entry).collect();
            prop_assert_eq!(&read[..], &entries()[..read.len()]);
            // What is written behind a cut is read behind it.
            ledger.append(&entries()[..1]).unwrap();
            let (_, again) = Ledger::open(&path).unwrap();
            prop_assert_eq!(again.len(), read.len() + 1);
        }
    }

    #[test]
    fn a_line_that_is_no_entry_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        Ledger::open(&path).unwrap().0.append(&entries()).unwrap();
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("\u{0}\u{0}garbage\n");
        fs::write(&path, text).unwrap();
        let error = Ledger::open(&path).unwrap_err().to_string();
        assert!(error.contains("ledger.jsonl:6: not an entry"), "{error}");
        fs::write(&path, "\n").unwrap();
        assert!(Ledger::open(&path).is_err());
        let newer = "{\"event\":\"sweep\",\"version\":2,\"new\":0}\n{\"event\":\"unheard of\"}\n";
        fs::write(&path, newer).unwrap();
        let error = Ledger::read(&path).unwrap_err().to_string();
        assert!(error.contains("has version 2"), "{error}");
    }
}
