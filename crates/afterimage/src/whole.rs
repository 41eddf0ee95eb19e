//! Where a command's result goes: looked at before the work, and there only when it is whole.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::RunError;

/// Refuses a directory that holds something, or that cannot be made, before anything is computed.
///
/// # Errors
/// A directory or file that is there already, a folder above it that is none or cannot be written.
pub(crate) fn refuse_full(out: &Path) -> Result<(), RunError> {
    let full = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => out.exists(),
    };
    if full {
        return Err(RunError::OutExists {
            path: out.to_owned(),
        });
    }
    let partial = partial_of(out);
    if partial.exists() {
        // Left behind by a command that was stopped.
        fs::remove_dir_all(&partial).map_err(RunError::io(&partial, "remove"))?;
    }
    // The nearest folder that is there will hold the others.
    let folders = out.ancestors().skip(1).map(or_here);
    let there = folders.into_iter().find(|folder| folder.exists());
    let trial = there.unwrap_or(Path::new(".")).join(name_of(&partial));
    fs::create_dir(&trial)
        .and_then(|()| fs::remove_dir(&trial))
        .map_err(RunError::io(out, "make"))
}

/// Refuses a file whose folder is not there, or which is a folder, before anything is computed;
/// `flag` is the one that names it.
///
/// # Errors
/// [`RunError::NoFolder`].
pub(crate) fn check_file(flag: &'static str, file: &Path) -> Result<(), RunError> {
    let folder = or_here(file.parent().unwrap_or(Path::new("")));
    if folder.is_dir() && !file.is_dir() {
        return Ok(());
    }
    Err(RunError::NoFolder {
        flag,
        path: file.to_owned(),
    })
}

/// A folder; the one at work for a path without any.
fn or_here(folder: &Path) -> &Path {
    match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    }
}

fn name_of(path: &Path) -> &Path {
    path.file_name().map_or(path, Path::new)
}

/// Where a result lies until it is complete: beside its place.
pub(crate) fn partial_of(out: &Path) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!(".{name}.partial"))
}

/// Lets `write` fill a new directory, which appears at `out` when it is complete; nothing is left
/// behind where it fails.
///
/// # Errors
/// What `write` fails with, a directory that cannot be made or put in its place.
pub(crate) fn publish<T>(
    out: &Path,
    write: impl FnOnce(&Path) -> Result<T, RunError>,
) -> Result<T, RunError> {
    let partial = partial_of(out);
    fs::create_dir_all(&partial).map_err(RunError::io(&partial, "make"))?;
    let written = write(&partial);
    if written.is_err() {
        // What is in it is of no use; the error is what counts.
        let _ = fs::remove_dir_all(&partial);
    }
    let written = written?;
    if out.exists() {
        fs::remove_dir(out).map_err(RunError::io(out, "replace"))?;
    }
    fs::rename(&partial, out).map_err(RunError::io(out, "rename the result to"))?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_place_is_looked_at_before_the_work() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(refuse_full(&place.path().join("new")).is_ok());
        assert!(refuse_full(&place.path().join("new/deep/folder")).is_ok());
        assert!(refuse_full(&file).is_err());
        assert!(refuse_full(place.path()).is_err());
        // A folder cannot be made below a file.
        let told = refuse_full(&file.join("deep/out")).unwrap_err().to_string();
        assert!(told.contains("deep/out: cannot make"), "{told}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);

        assert!(check_file("--write", &place.path().join("new.toml")).is_ok());
        for wrong in [place.path().join("no/new.toml"), place.path().to_owned()] {
            let told = check_file("--write", &wrong).unwrap_err().to_string();
            assert!(told.starts_with("--write "), "{told}");
        }
    }

    #[test]
    fn a_result_is_there_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let failed = publish(&out, |folder| -> Result<(), RunError> {
            fs::write(folder.join("half"), "x").unwrap();
            Err(RunError::NoImages)
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
        let written = publish(&out, |folder| {
            fs::write(folder.join("whole"), "x").unwrap();
            assert!(!out.exists());
            Ok(7)
        });
        assert_eq!(written.unwrap(), 7);
        assert!(out.join("whole").is_file());
    }
}
