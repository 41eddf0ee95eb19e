//! What the report knows about a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use afterimage_files::{SMALL, read};
use afterimage_hooks::Table;
use afterimage_report::evenly;
use serde::{Deserialize, Serialize};

use super::names::Names;
use crate::files::{CONFIG, HISTOGRAMS, MANIFEST, METRICS, RESULT, TABLES, TIMINGS};
use crate::images::read_picture;
use crate::tables::files_in;
use crate::{
    HistogramLine, ScalarLine, TrackError, read_histograms, read_images, read_scalars, read_table,
};

/// Pictures of one tag that are put on the page: a page with hundreds would not open.
const PICTURES: usize = 4;

/// A scalar over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// Its name.
    pub tag: String,
    /// Step and value, in the order of the record.
    pub points: Vec<(f64, f64)>,
    /// The epoch of each point.
    pub epochs: Vec<u32>,
}

/// A picture as PNG.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub epoch: u32,
    pub width: u32,
    pub height: u32,
    pub png: Vec<u8>,
}

/// The table of one tag at its last epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The folder's name: the tag with dots for slashes.
    pub name: String,
    pub file: String,
    pub table: Table,
}

/// Calls and time of one plugin at one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginCost {
    /// The plugin's id.
    pub plugin: String,
    /// The event.
    pub event: String,
    /// Number of calls.
    pub calls: u64,
    /// Seconds in them.
    pub seconds: f64,
}

impl From<(String, String, u64, f64)> for PluginCost {
    /// Plugin, event, calls and seconds.
    fn from((plugin, event, calls, seconds): (String, String, u64, f64)) -> Self {
        Self {
            plugin,
            event,
            calls,
            seconds,
        }
    }
}

/// The part of a run's result that is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    found: Vec<String>,
    costs: Vec<PluginCost>,
}

/// A run as it is found on disk.
#[derive(Debug, Default)]
pub struct Run {
    pub name: String,
    pub config: Option<String>,
    /// The same by its keys; empty where it is no TOML.
    pub settings: toml::Table,
    pub manifest: Option<serde_json::Value>,
    /// In the order in which the tags were first put on record, which for sites is their order in
    /// the model.
    pub scalars: Vec<Scalar>,
    pub timings: Vec<Scalar>,
    pub histograms: BTreeMap<String, Vec<HistogramLine>>,
    pub pictures: BTreeMap<String, Vec<Picture>>,
    /// How many pictures of each tag are on record.
    pub taken: BTreeMap<String, usize>,
    pub tables: Vec<Snapshot>,
    /// Which files the samples are.
    pub names: Names,
    /// What the run found, a sentence each.
    pub found: Vec<String>,
    /// Time of plugins in the last process of the run.
    pub costs: Vec<PluginCost>,
    /// The last step and epoch on record.
    pub last: Option<(u64, u32)>,
    /// What could not be read.
    pub damaged: Vec<String>,
}

impl Run {
    /// Reads the run directory `dir`.
    ///
    /// # Errors
    /// Neither metrics nor a configuration there.
    pub fn read(dir: &Path) -> Result<Self, TrackError> {
        if !dir.join(METRICS).exists() && !dir.join(CONFIG).exists() {
            return Err(TrackError::NoRun {
                path: dir.to_owned(),
                missing: METRICS,
            });
        }
        let mut damaged = Vec::new();
        let mut run = Self {
            name: name_of(dir),
            ..Self::default()
        };
        let mut small = |name: &str| match read(&dir.join(name), SMALL) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.is_missing() => None,
            Err(error) => {
                damaged.push(error.to_string());
                None
            }
        };
        run.config = small(CONFIG).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let settings = run.config.as_deref().map(toml::from_str);
        let (manifest, result) = (small(MANIFEST), small(RESULT));
        // Without it the page takes a run for one that is not fine-tuned.
        run.settings = match settings {
            Some(Err(error)) => {
                damaged.push(format!("{CONFIG}: {}", error.message()));
                toml::Table::new()
            }
            Some(Ok(settings)) => settings,
            None => toml::Table::new(),
        };
        run.manifest = manifest.and_then(|bytes| {
            let parsed = serde_json::from_slice(&bytes);
            parsed
                .map_err(|error| damaged.push(format!("{MANIFEST}: {error}")))
                .ok()
        });
        let told = result.and_then(|bytes| {
            let parsed = serde_json::from_slice::<Told>(&bytes);
            parsed
                .map_err(|error| damaged.push(format!("{RESULT}: {error}")))
                .ok()
        });
        let Told { found, costs } = told.unwrap_or_default();
        (run.found, run.costs) = (found, costs);
        let metrics = noted(read_scalars(&dir.join(METRICS)), &mut damaged);
        run.last = metrics.iter().map(|line| (line.step, line.epoch)).max();
        run.scalars = by_tag(metrics);
        run.timings = by_tag(noted(read_scalars(&dir.join(TIMINGS)), &mut damaged));
        for line in noted(read_histograms(&dir.join(HISTOGRAMS)), &mut damaged) {
            run.histograms
                .entry(line.tag.clone())
                .or_default()
                .push(line);
        }
        (run.pictures, run.taken) = pictures(dir, &mut damaged);
        run.tables = tables(dir, &mut damaged);
        run.names = Names::read(dir, &mut damaged);
        run.damaged = damaged;
        Ok(run)
    }

    /// The scalars whose tags start with `prefix`, with the rest of their tags.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Scalar)> {
        self.scalars
            .iter()
            .filter_map(move |scalar| scalar.tag.strip_prefix(prefix).map(|rest| (rest, scalar)))
    }

    /// The last value of `tag`, if it was measured when the scalars below `prefix` last were: numbers
    /// beside each other are of one time. NaN otherwise.
    pub fn beside(&self, prefix: &str, tag: &str) -> f64 {
        let last = |scalar: &Scalar| scalar.points.last().copied();
        let times = self.below(prefix).filter_map(|(_, scalar)| last(scalar));
        let time = times.map(|point| point.0).reduce(f64::max);
        match self.scalar(tag).and_then(last) {
            Some((step, value)) if time.is_none_or(|time| time == step) => value,
            _ => f64::NAN,
        }
    }

    /// Whether there was training: a probe measures once.
    pub fn is_training(&self) -> bool {
        self.below("loss/").next().is_some()
    }

    /// ", epoch N" of the last values below `prefix`; nothing for what has no epochs.
    pub fn at(&self, prefix: &str) -> String {
        let epochs = self
            .below(prefix)
            .filter_map(|(_, scalar)| scalar.epochs.last());
        match epochs.max().filter(|_| self.is_training()) {
            Some(epoch) => format!(", epoch {epoch}"),
            None => String::new(),
        }
    }

    /// Whether the run began with an encoder that was there already.
    pub fn is_fine_tuned(&self) -> bool {
        self.settings.contains_key("fine_tune")
    }

    /// When the first values of a run are of.
    pub fn start(&self) -> &'static str {
        match self.is_fine_tuned() {
            true => "at the start",
            false => "before training",
        }
    }

    /// The last value of `prefix` at `layer`, if it is of one time with those below `beside`.
    pub fn last_of(&self, beside: &str, prefix: &str, layer: &str) -> f64 {
        self.beside(beside, &format!("{prefix}{layer}"))
    }

    /// The scalar of this tag.
    pub fn scalar(&self, tag: &str) -> Option<&Scalar> {
        self.scalars.iter().find(|scalar| scalar.tag == tag)
    }
}

impl Scalar {
    /// The value measured before training, if one was.
    pub fn first(&self) -> Option<f64> {
        let before = self.epochs.first() == Some(&0);
        before.then(|| self.points[0].1)
    }

    /// Values by epoch; of an epoch with several the last.
    pub fn by_epoch(&self) -> BTreeMap<u32, f64> {
        let values = self.points.iter().map(|point| point.1);
        self.epochs.iter().copied().zip(values).collect()
    }

    /// The last value; NaN without values.
    pub fn last(&self) -> f64 {
        self.points.last().map_or(f64::NAN, |point| point.1)
    }
}

/// The last two folders of a run directory, such as `quickstart/1-b9e534e5`.
pub fn name_of(dir: &Path) -> String {
    let full = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let mut parts: Vec<_> = full
        .iter()
        .rev()
        .take(2)
        .map(|part| part.to_string_lossy())
        .collect();
    parts.reverse();
    parts.join("/")
}

fn noted<T>(read: Result<Vec<T>, TrackError>, damaged: &mut Vec<String>) -> Vec<T> {
    read.unwrap_or_else(|error| {
        damaged.push(error.to_string());
        Vec::new()
    })
}

/// The scalars that the run in `dir` measured, in the order in which their tags were first put on record.
/// What depends on the clock is not among them.
///
/// # Errors
/// A file that cannot be read, or holds a damaged line; none is there is no error.
pub fn scalars_of(dir: &Path) -> Result<Vec<Scalar>, TrackError> {
    read_scalars(&dir.join(METRICS)).map(by_tag)
}

fn by_tag(lines: Vec<ScalarLine>) -> Vec<Scalar> {
    let mut scalars: Vec<Scalar> = Vec::new();
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines {
        let at = *index.entry(line.tag.clone()).or_insert_with(|| {
            scalars.push(Scalar {
                tag: line.tag,
                points: Vec::new(),
                epochs: Vec::new(),
            });
            scalars.len() - 1
        });
        scalars[at].points.push((line.step as f64, line.value.0));
        scalars[at].epochs.push(line.epoch);
    }
    scalars
}

/// Pictures of the page by tag, and how many of each tag there are.
type Pictures = (BTreeMap<String, Vec<Picture>>, BTreeMap<String, usize>);

fn pictures(dir: &Path, damaged: &mut Vec<String>) -> Pictures {
    let mut latest = BTreeMap::new();
    for line in noted(read_images(dir), damaged) {
        // A later picture of the same epoch replaced the file of the earlier one.
        latest.insert((line.tag.clone(), line.epoch), line);
    }
    let mut by_tag: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for ((tag, _), line) in latest {
        by_tag.entry(tag).or_default().push(line);
    }
    let mut shown: BTreeMap<String, Vec<Picture>> = BTreeMap::new();
    let mut taken = BTreeMap::new();
    for (tag, lines) in by_tag {
        taken.insert(tag.clone(), lines.len());
        for index in evenly(lines.len(), PICTURES) {
            let line = &lines[index];
            match read_picture(dir, &line.file) {
                Ok(png) => shown.entry(tag.clone()).or_default().push(Picture {
                    epoch: line.epoch,
                    width: line.width,
                    height: line.height,
                    png,
                }),
                Err(error) => damaged.push(error.to_string()),
            }
        }
    }
    (shown, taken)
}

fn tables(dir: &Path, damaged: &mut Vec<String>) -> Vec<Snapshot> {
    let mut last = BTreeMap::new();
    // Files are in order, so the last one of a folder stays.
    for path in noted(files_in(&dir.join(TABLES)), damaged) {
        if let Some(folder) = path.parent().and_then(Path::file_name) {
            last.insert(folder.to_string_lossy().into_owned(), path.clone());
        }
    }
    let mut found = Vec::new();
    for (name, path) in last {
        match read_table(&path) {
            Ok(table) => {
                let file = path
                    .strip_prefix(dir)
                    .unwrap_or(&path)
                    .display()
                    .to_string();
                found.push(Snapshot { name, file, table });
            }
            Err(error) => damaged.push(error.to_string()),
        }
    }
    found
}
