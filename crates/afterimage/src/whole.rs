//! Where a command's result goes: taken before the work, and there only when it is whole.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use afterimage_files::Partial;

use crate::error::RunError;

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

/// Refuses what [`check_file`] refuses, and a place that holds anything; `flag` is the one that names it.
///
/// # Errors
/// [`RunError::NoFolder`], [`RunError::IsThere`].
pub(crate) fn check_new_file(flag: &'static str, file: &Path) -> Result<(), RunError> {
    check_file(flag, file)?;
    // Not through a link: one that leads nowhere would be replaced too.
    match fs::symlink_metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(RunError::IsThere {
            flag,
            path: file.to_owned(),
        }),
    }
}

/// Refuses what [`check_file`] refuses, and a place that holds anything but a page, which alone may be
/// replaced; `flag` is the one that names it.
///
/// # Errors
/// [`RunError::NoFolder`], [`RunError::NoPage`].
pub(crate) fn check_page(flag: &'static str, file: &Path) -> Result<(), RunError> {
    check_file(flag, file)?;
    // Not through a link: what it leads to is somebody else's.
    let free = match fs::symlink_metadata(file) {
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        Ok(about) => about.is_file() && is_page(file),
    };
    match free {
        true => Ok(()),
        false => Err(RunError::NoPage {
            flag,
            path: file.to_owned(),
        }),
    }
}

fn is_page(file: &Path) -> bool {
    const BEGIN: &[u8] = b"<!doctype html>";
    let mut found = [0; BEGIN.len()];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut found));
    read.is_ok() && found == *BEGIN
}

/// A folder; the one at work for a path without any.
fn or_here(folder: &Path) -> &Path {
    match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    }
}

/// Lets `write` fill the folder under way, which appears in its place when it is complete; nothing is left
/// behind where it fails.
///
/// # Errors
/// What `write` fails with, a folder that cannot be put in its place.
pub(crate) fn publish<T>(
    folder: Partial,
    write: impl FnOnce(&Path) -> Result<T, RunError>,
) -> Result<T, RunError> {
    let written = write(folder.path())?;
    folder.finish()?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_lies_in_a_folder_that_is_there() {
        let place = tempfile::tempdir().unwrap();
        assert!(check_file("--write", &place.path().join("new.toml")).is_ok());
        for wrong in [place.path().join("no/new.toml"), place.path().to_owned()] {
            let told = check_file("--write", &wrong).unwrap_err().to_string();
            assert!(told.starts_with("--write "), "{told}");
        }
    }

    #[test]
    fn a_new_file_replaces_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("features.npy");
        assert!(check_new_file("--features", &path).is_ok());
        fs::write(&path, "somebody's").unwrap();
        let told = check_new_file("--features", &path).unwrap_err().to_string();
        assert!(told.contains("there already"), "{told}");
    }

    #[test]
    fn a_page_replaces_a_page_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = place.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        assert!(check_page("--out", &place.path().join("new.html")).is_ok());
        assert!(check_page("--out", &file("old.html", "<!doctype html>\n<html>")).is_ok());
        for wrong in [
            file("metrics.jsonl", "{}\n"),
            file("empty", ""),
            "/dev/null".into(),
        ] {
            let told = check_page("--out", &wrong).unwrap_err().to_string();
            assert!(told.contains("no page"), "{told}");
        }
    }

    #[test]
    fn a_result_is_there_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let failed = publish(
            Partial::beside(&out).unwrap(),
            |folder| -> Result<(), RunError> {
                fs::write(folder.join("half"), "x").unwrap();
                Err(RunError::NoImages)
            },
        );
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
        let written = publish(Partial::beside(&out).unwrap(), |folder| {
            fs::write(folder.join("whole"), "x").unwrap();
            assert!(!out.exists());
            Ok(7)
        });
        assert_eq!(written.unwrap(), 7);
        assert!(out.join("whole").is_file());
    }
}
