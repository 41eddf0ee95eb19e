//! Scalars and histograms as JSON lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use afterimage_files::{FileError, LARGE, read};
use afterimage_hooks::{Measurement, Record, Sink};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::files::{self, HISTOGRAMS, METRICS, TIMINGS};
use crate::held::Held;
use crate::{Bins, TrackError};

/// Buckets of a stored histogram.
const BUCKETS: usize = 60;

/// A float that survives JSON: NaN and infinities are the words `NaN`, `inf` and `-inf`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Digits(f64),
            Word(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Digits(number) => Ok(Self(number)),
            Form::Word(word) => word.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

/// A line of `metrics.jsonl` or `timings.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalarLine {
    /// Slash-separated name.
    pub tag: String,
    /// Epochs finished.
    pub epoch: u32,
    /// Optimizer steps finished.
    pub step: u64,
    /// Id of the plugin that measured, or `loop`.
    pub author: String,
    /// What was measured.
    pub value: Number,
}

/// A line of `histograms.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistogramLine {
    /// Slash-separated name.
    pub tag: String,
    /// Epochs finished.
    pub epoch: u32,
    /// Optimizer steps finished.
    pub step: u64,
    /// Id of the plugin that measured, or `loop`.
    pub author: String,
    /// The distribution.
    #[serde(flatten)]
    pub bins: Bins,
}

/// Whether a tag holds durations or speeds, which differ between two runs of one config.
///
/// Such scalars go to `timings.jsonl`, so that `metrics.jsonl` can be compared byte by byte.
pub fn is_clock_dependent(tag: &str) -> bool {
    tag.starts_with("time/") || tag.starts_with("overhead/")
}

/// Writes scalars or histograms to one of the JSON lines files of a run directory. Each file is a sink
/// of its own, so that what damages one closes no other.
pub struct Metrics {
    what: Kind,
    lines: Lines,
}

/// What a file of JSON lines holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Metrics,
    Timings,
    Histograms,
}

impl Metrics {
    /// The scalars that are a pure function of config and seed, in `run`, which is made if it is
    /// missing.
    ///
    /// With `resume_step`, the step of the checkpoint that a resumed run goes on from, lines of
    /// later steps and a torn last line are dropped; all others keep their bytes.
    ///
    /// # Errors
    /// A file of another run without `resume_step`, a line that is no record, an unwritable folder.
    pub fn create(run: &Path, resume_step: Option<u64>) -> Result<Self, TrackError> {
        Self::open(run, resume_step, Kind::Metrics, METRICS)
    }

    /// The scalars that depend on the clock, likewise.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub fn timings(run: &Path, resume_step: Option<u64>) -> Result<Self, TrackError> {
        Self::open(run, resume_step, Kind::Timings, TIMINGS)
    }

    /// The histograms, likewise.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub fn histograms(run: &Path, resume_step: Option<u64>) -> Result<Self, TrackError> {
        Self::open(run, resume_step, Kind::Histograms, HISTOGRAMS)
    }

    fn open(
        run: &Path,
        resume_step: Option<u64>,
        what: Kind,
        name: &str,
    ) -> Result<Self, TrackError> {
        fs::create_dir_all(run).map_err(TrackError::io("make the folder", run))?;
        let lines = Lines::open(run.join(name), resume_step)?;
        Ok(Self { what, lines })
    }
}

impl Sink for Metrics {
    fn name(&self) -> &str {
        match self.what {
            Kind::Metrics => "metrics",
            Kind::Timings => "timings",
            Kind::Histograms => "histograms",
        }
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        let kind = match &record.value {
            Measurement::Scalar(_) if is_clock_dependent(&record.tag) => Kind::Timings,
            Measurement::Scalar(_) => Kind::Metrics,
            Measurement::Histogram(_) => Kind::Histograms,
            Measurement::Image { .. } | Measurement::Text(_) | Measurement::Table(_) => {
                return Ok(());
            }
        };
        if kind != self.what {
            return Ok(());
        }
        let Record {
            tag,
            epoch,
            step,
            author,
            value,
        } = record;
        let (tag, epoch, step, author) = (tag.clone(), *epoch, *step, author.clone());
        match value {
            Measurement::Scalar(number) => self.lines.push(&ScalarLine {
                tag,
                epoch,
                step,
                author,
                value: Number(*number),
            }),
            Measurement::Histogram(values) => self.lines.push(&HistogramLine {
                tag,
                epoch,
                step,
                author,
                bins: Bins::of(values, BUCKETS),
            }),
            Measurement::Image { .. } | Measurement::Text(_) | Measurement::Table(_) => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.flush()
    }

    fn lost(&self) -> Option<u64> {
        Some(self.lines.lost())
    }
}

/// A file of JSON lines that is appended to.
pub(crate) struct Lines {
    path: PathBuf,
    file: Held,
}

impl Lines {
    pub(crate) fn open(path: PathBuf, resume_step: Option<u64>) -> Result<Self, TrackError> {
        match resume_step {
            Some(step) => cut(&path, step)?,
            None if fs::metadata(&path).is_ok_and(|found| found.len() > 0) => {
                return Err(TrackError::NotEmpty(path));
            }
            None => {}
        }
        // Behind a link or a pipe the lines would go elsewhere.
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            let what = "a link, a folder, a pipe or a device";
            return Err(FileError::NotPlain { path, what }.into());
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(TrackError::io("open", &path))?;
        Ok(Self {
            path,
            file: Held::new(file),
        })
    }

    pub(crate) fn push<T: Serialize>(&mut self, line: &T) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.file
            .push(&bytes)
            .map_err(|error| TrackError::io("write", &self.path)(error).into())
    }

    /// Lines that were neither written nor wait.
    pub(crate) fn lost(&self) -> u64 {
        self.file.lost()
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.file
            .drain()
            .map_err(TrackError::io("write", &self.path))?;
        // What goes to a file without a name is lost, though every write succeeds.
        if fs::symlink_metadata(&self.path).is_err() {
            return Err(TrackError::Removed(self.path.clone()).into());
        }
        Ok(())
    }
}

/// Drops the lines of steps after `step`, and a last line that was torn by a kill.
fn cut(path: &Path, step: u64) -> Result<(), TrackError> {
    #[derive(Deserialize)]
    struct Stamp {
        step: u64,
    }
    let mut kept = Vec::new();
    for (line, stamp) in parse::<Stamp>(path)? {
        if stamp.step <= step {
            kept.extend_from_slice(&line);
            kept.push(b'\n');
        }
    }
    if path.exists() {
        files::write_beside(path, &kept)
    } else {
        Ok(())
    }
}

/// Parses a file of JSON lines; a missing file has none. The last line may be torn: it is left out
/// if it is no record. A line that is broken elsewhere is an error, for then the file was damaged.
fn parse<T: DeserializeOwned>(path: &Path) -> Result<Vec<(Vec<u8>, T)>, TrackError> {
    let bytes = match read(path, LARGE) {
        Ok(bytes) => bytes,
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut lines: Vec<&[u8]> = bytes.split(|&b| b == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let mut parsed = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        match serde_json::from_slice(line) {
            Ok(record) => parsed.push((line.to_vec(), record)),
            Err(_) if index + 1 == lines.len() => {}
            Err(error) => {
                return Err(TrackError::Line {
                    path: path.to_owned(),
                    line: index + 1,
                    why: error.to_string(),
                });
            }
        }
    }
    Ok(parsed)
}

pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, TrackError> {
    Ok(parse(path)?.into_iter().map(|(_, record)| record).collect())
}

/// Reads `metrics.jsonl` or `timings.jsonl`; a missing file has no lines.
///
/// # Errors
/// A line that is no record, apart from a torn last one.
pub fn read_scalars(path: &Path) -> Result<Vec<ScalarLine>, TrackError> {
    read_lines(path)
}

/// Tags of `latest`, the last scalars up to the checkpoint of `step` with their steps, that
/// `metrics.jsonl` in `run` does not hold: lines were removed, or never written.
///
/// # Errors
/// A line that is no record, apart from a torn last one.
pub fn missing_scalars(
    run: &Path,
    latest: &BTreeMap<String, (u64, f64)>,
    step: u64,
) -> Result<Vec<String>, TrackError> {
    let there: BTreeSet<(String, u64)> = read_scalars(&run.join(METRICS))?
        .into_iter()
        .map(|line| (line.tag, line.step))
        .collect();
    Ok(latest
        .iter()
        // A step that was given up left figures that are no part of the record.
        .filter(|(tag, (at, _))| *at <= step && !is_clock_dependent(tag))
        .filter(|(tag, (at, _))| !there.contains(&((*tag).clone(), *at)))
        .map(|(tag, _)| tag.clone())
        .collect())
}

/// Reads `histograms.jsonl`; a missing file has no lines.
///
/// # Errors
/// A line that is no record, apart from a torn last one.
pub fn read_histograms(path: &Path) -> Result<Vec<HistogramLine>, TrackError> {
    read_lines(path)
}
