//! What a run leaves behind, and where two runs part.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Broken;

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Where two sets of files part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference(String);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Difference {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// Steps of the checkpoints of a run, ascending; none where there is no folder of them.
pub fn checkpoints(run: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else {
        return Vec::new();
    };
    let step = |entry: fs::DirEntry| {
        let name = entry.file_name();
        name.to_str()?.strip_prefix("step-")?.parse().ok()
    };
    let mut steps: Vec<u64> = entries.filter_map(|entry| step(entry.ok()?)).collect();
    steps.sort_unstable();
    steps
}

/// Folder of the last checkpoint.
///
/// # Errors
/// A run without one.
pub fn last_checkpoint(run: &Path) -> Result<PathBuf, Broken> {
    let steps = checkpoints(run);
    let step = steps
        .last()
        .ok_or_else(|| Broken::file(run, "the run has no checkpoint"))?;
    Ok(run.join(format!("checkpoints/step-{step:08}")))
}

/// All files under `folder`, folders in names with `/`; none if it is missing.
///
/// # Errors
/// A file that cannot be read.
pub fn files_under(folder: &Path) -> Result<Files, Broken> {
    fn walk(folder: &Path, name: &str, files: &mut Files) -> Result<(), Broken> {
        let Ok(entries) = fs::read_dir(folder) else {
            return Ok(());
        };
        for entry in entries {
            let path = entry.map_err(Broken::io(folder))?.path();
            let last = path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{name}{last}");
            if path.is_dir() {
                walk(&path, &format!("{name}/"), files)?;
            } else {
                files.insert(name, fs::read(&path).map_err(Broken::io(&path))?);
            }
        }
        Ok(())
    }
    let mut files = Files::new();
    walk(folder, "", &mut files)?;
    Ok(files)
}

/// What a run leaves behind that no clock is in: config, measurements, decisions, tables and images, with
/// an absent file as an empty one.
///
/// # Errors
/// A file that cannot be read.
pub fn records(run: &Path) -> Result<Files, Broken> {
    let mut files = Files::new();
    for name in [
        "config.toml",
        "metrics.jsonl",
        "histograms.jsonl",
        "decisions.jsonl",
        "samples.parquet",
    ] {
        let bytes = fs::read(run.join(name)).unwrap_or_default();
        files.insert(name.to_owned(), bytes);
    }
    for folder in ["tables", "images"] {
        for (name, bytes) in files_under(&run.join(folder))? {
            files.insert(format!("{folder}/{name}"), bytes);
        }
    }
    Ok(files)
}

/// [`records`] and the last checkpoint, which is all that a killed and a straight run must share: a
/// signal's own checkpoint is one more among the earlier ones.
///
/// # Errors
/// A file that cannot be read, and a run without a checkpoint.
pub fn ends(run: &Path) -> Result<Files, Broken> {
    let mut files = records(run)?;
    let last = last_checkpoint(run)?;
    let folder = last.file_name().unwrap_or_default().to_string_lossy();
    for (name, bytes) in files_under(&last)? {
        files.insert(format!("{folder}/{name}"), bytes);
    }
    Ok(files)
}

/// What training made, apart from the plugins' own state: parameters, and the state of optimizer and
/// schedule in the last checkpoint.
///
/// # Errors
/// A checkpoint that is missing or not whole.
pub fn learned(run: &Path) -> Result<Files, Broken> {
    let last = last_checkpoint(run)?;
    let mut files = files_under(&last)?;
    files.retain(|name, _| ["model.bpk", "optimizer.bpk", "schedule.bpk"].contains(&name.as_str()));
    match files.len() {
        3 => Ok(files),
        _ => Err(Broken::file(last, "the checkpoint is not whole")),
    }
}

/// The loop's own lines of `metrics.jsonl`.
///
/// # Errors
/// A file that is missing, or holds none of them.
pub(crate) fn loop_lines(run: &Path) -> Result<String, Broken> {
    let path = run.join("metrics.jsonl");
    let text = fs::read_to_string(&path).map_err(Broken::io(&path))?;
    let lines = text
        .lines()
        .filter(|line| line.contains("\"author\":\"loop\""));
    let lines: Vec<&str> = lines.collect();
    match lines.is_empty() {
        true => Err(Broken::file(path, "the loop has nothing on record")),
        false => Ok(lines.join("\n")),
    }
}

/// Where the files of two runs part; `None` where all are the same bytes.
pub fn difference(straight: &Files, other: &Files) -> Option<Difference> {
    let names = straight.keys().chain(other.keys());
    names.filter_map(|name| parts(name, straight, other)).next()
}

fn parts(name: &str, straight: &Files, other: &Files) -> Option<Difference> {
    let (Some(a), Some(b)) = (straight.get(name), other.get(name)) else {
        return Some(Difference::new(format!("only one of them has {name}")));
    };
    if a == b {
        return None;
    }
    let sizes = format!("{name} differs ({} and {} bytes)", a.len(), b.len());
    if !(name.ends_with(".jsonl") || name.ends_with(".json") || name.ends_with(".toml")) {
        return Some(Difference::new(sizes));
    }
    let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
    let mut lines = a.lines().zip(b.lines()).enumerate();
    let show = |text: &str| text.chars().take(300).collect::<String>();
    Some(Difference::new(match lines.find(|(_, (a, b))| a != b) {
        Some((at, (a, b))) => format!("{name}:{}:\n{}\n{}", at + 1, show(a), show(b)),
        None => sizes,
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> Files {
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn the_place_where_runs_part_is_told() {
        let one = files(&[("a.jsonl", "1\n2\n3\n"), ("b.bin", "xy")]);
        assert_eq!(difference(&one, &one), None);
        let told = |other: &[(&str, &str)]| difference(&one, &files(other)).unwrap().to_string();
        assert_eq!(
            told(&[("a.jsonl", "1\n4\n3\n"), ("b.bin", "xy")]),
            "a.jsonl:2:\n2\n4"
        );
        let longer = [("a.jsonl", "1\n2\n3\n4\n"), ("b.bin", "xy")];
        assert_eq!(told(&longer), "a.jsonl differs (6 and 8 bytes)");
        let other = [("a.jsonl", "1\n2\n3\n"), ("b.bin", "xyz")];
        assert_eq!(told(&other), "b.bin differs (2 and 3 bytes)");
        assert_eq!(
            told(&[("a.jsonl", "1\n2\n3\n")]),
            "only one of them has b.bin"
        );
    }
}
