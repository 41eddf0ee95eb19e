//! Names of what the sinks write in a run directory, and writing that is never seen half done.

use std::cmp::Ordering;
use std::fs;
use std::io;
use std::path::Path;

use afterimage_files::write_whole;

use crate::TrackError;
use crate::trackers::IDENTITY;

/// Scalars that are a pure function of config and seed, one JSON object a line.
pub const METRICS: &str = "metrics.jsonl";
/// Scalars that depend on the clock, one JSON object a line.
pub const TIMINGS: &str = "timings.jsonl";
/// Histograms, one JSON object a line.
pub const HISTOGRAMS: &str = "histograms.jsonl";
/// Which file each sample is, and its label.
pub const SAMPLES: &str = "samples.parquet";
/// Folder of the Parquet tables, one folder a tag, one file an epoch.
pub const TABLES: &str = "tables";
/// Folder of the pictures, one folder a tag, one file an epoch.
pub const IMAGES: &str = "images";
/// Folder of the TensorBoard event files.
pub const TENSORBOARD: &str = "tensorboard";
/// The resolved configuration; written by the run, read by the report.
pub const CONFIG: &str = "config.toml";
/// Versions, device and outcome; written by the run, read by the report.
pub const MANIFEST: &str = "manifest.json";
/// Outcome, exit code and last scalars of a run that has ended.
pub const RESULT: &str = "result.json";
/// The report.
pub const REPORT: &str = "report.html";

/// The order of files of a tag by their epochs: `epoch-10000.parquet` comes behind `epoch-9999.parquet`,
/// though not as text.
pub fn by_epoch(a: &Path, b: &Path) -> Ordering {
    let name = |path: &Path| path.file_name().map_or(0, |name| name.len());
    let folders = a.parent().cmp(&b.parent());
    folders.then_with(|| name(a).cmp(&name(b)).then_with(|| a.cmp(b)))
}

/// Removes everything that the sinks wrote in `run`, for a run that starts again from nothing
/// (killed before its first checkpoint). Files of others are left alone.
///
/// # Errors
/// A file or folder that cannot be removed.
pub fn discard(run: &Path) -> Result<(), TrackError> {
    for name in [METRICS, TIMINGS, HISTOGRAMS, REPORT] {
        let path = run.join(name);
        if path.exists() {
            fs::remove_file(&path).map_err(TrackError::io("remove", &path))?;
        }
    }
    for name in [TABLES, IMAGES, TENSORBOARD] {
        let path = run.join(name);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(TrackError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Writes `bytes` to a file beside `path` and renames it, so that a reader, or a run that is
/// killed, finds the old content or the new one and nothing between.
///
/// # Errors
/// A full disk or an unwritable folder; nothing is left behind then.
pub fn write_beside(path: &Path, bytes: &[u8]) -> Result<(), TrackError> {
    write_whole(path, bytes, true).map_err(TrackError::io("write", path))
}

/// Makes a folder in one that is there: a run whose directory was removed is not begun again in bits.
pub(crate) fn make_folder(path: &Path) -> Result<(), TrackError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(path);
            Err(TrackError::Removed(folder.to_owned()))
        }
        made => made.map_err(TrackError::io("make the folder", path)),
    }
}

/// Removes files that [`write_beside`] began in `run` and a kill left behind.
///
/// # Errors
/// A file that cannot be removed.
pub fn remove_half_written(run: &Path) -> Result<(), TrackError> {
    for name in [
        METRICS, TIMINGS, HISTOGRAMS, SAMPLES, REPORT, CONFIG, MANIFEST,
    ]
    .into_iter()
    .chain(OTHERS)
    {
        let path = run.join(format!(".{name}.tmp"));
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_dir()) {
            fs::remove_file(&path).map_err(TrackError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Files beside those of the sinks that are written whole.
const OTHERS: [&str; 4] = [RESULT, IDENTITY, "decisions.jsonl", "trained_layers.json"];

/// Folder name of a tag: slashes become dots, and what a file system may refuse becomes `_`.
pub fn folder_of(tag: &str) -> String {
    let name: String = tag
        .chars()
        .map(|c| match c {
            '/' => '.',
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '=') => c,
            _ => '_',
        })
        .collect();
    // A leading dot would hide the folder, or name the folder above.
    if name.starts_with('.') || name.is_empty() {
        format!("_{name}")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_becomes_one_visible_folder() {
        assert_eq!(
            folder_of("unitmem/owners/encoder.layer1.act"),
            "unitmem.owners.encoder.layer1.act"
        );
        assert_eq!(folder_of("../up"), "_...up");
        assert_eq!(folder_of("a b:c"), "a_b_c");
        assert_eq!(folder_of(""), "_");
    }

    #[test]
    fn files_are_in_the_order_of_epochs() {
        let names = [
            "b/epoch-0001",
            "a/epoch-10000",
            "a/epoch-9999",
            "a/epoch-0002",
        ];
        let mut paths = names.map(Path::new);
        paths.sort_by(|a, b| by_epoch(a, b));
        let sorted = [
            "a/epoch-0002",
            "a/epoch-9999",
            "a/epoch-10000",
            "b/epoch-0001",
        ];
        assert_eq!(paths, sorted.map(Path::new));
    }

    #[test]
    fn a_failed_write_keeps_the_old_content_and_leaves_no_rest()
    -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("x");
        write_beside(&path, b"old")?;
        fs::create_dir(dir.path().join(".x.tmp"))?;
        assert!(write_beside(&path, b"new").is_err());
        assert_eq!(fs::read(&path)?, b"old");
        fs::remove_dir(dir.path().join(".x.tmp"))?;
        write_beside(&path, b"new")?;
        assert_eq!(fs::read(&path)?, b"new");
        assert_eq!(fs::read_dir(dir.path())?.count(), 1);
        Ok(())
    }
}
