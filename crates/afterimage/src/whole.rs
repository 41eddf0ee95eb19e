//! Where a command's result goes: taken before the work, and there only when it is whole.

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
    use std::fs;

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
