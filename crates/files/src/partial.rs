//! Folders that appear whole.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Lock, LockError};

/// The file in a folder under way that says whose it is.
const LOCK: &str = ".lock";

/// A folder `.NAME.partial` beside the place of a result: it becomes the result once it is whole, and goes
/// otherwise. What a killed process left there is removed by the next that wants the same place.
#[derive(Debug)]
pub struct Partial {
    lock: Option<Lock>,
    path: PathBuf,
    place: PathBuf,
}

/// Why there is no such folder.
#[derive(Debug, thiserror::Error)]
pub enum PartialError {
    /// Another process makes the same result.
    #[error(
        "{}: process {} writes this result just now; wait for it, or choose another place",
        place.display(),
        process.map_or("unknown".to_owned(), |process| process.to_string())
    )]
    Held {
        /// The place of the result.
        place: PathBuf,
        /// The process, where it is known.
        process: Option<u32>,
    },
    /// The place has no name of its own, as `.` or `..`.
    #[error(
        "{}: the result is a new folder, which takes a name of its own: name a folder inside, as in {}",
        place.display(),
        place.join("out").display()
    )]
    Unnamed {
        /// The place of the result.
        place: PathBuf,
    },
    /// Something else has the name.
    #[error("{}: this is no result under way; move it away", path.display())]
    Strange {
        /// The path.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("{}: cannot {verb}: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// The reason given by the operating system.
        source: io::Error,
    },
}

impl PartialError {
    fn io(path: &Path, verb: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, verb, source }
    }
}

impl Partial {
    /// An empty folder beside `place`; the folders above are made.
    ///
    /// # Errors
    /// A place without a name, another process that makes the same, something else of that name, a folder that
    /// cannot be written.
    pub fn beside(place: &Path) -> Result<Self, PartialError> {
        let unnamed = || PartialError::Unnamed {
            place: place.to_owned(),
        };
        let mut name = OsString::from(".");
        name.push(place.file_name().ok_or_else(unnamed)?);
        name.push(".partial");
        let path = place.with_file_name(name);
        if let Some(above) = path.parent().filter(|above| *above != Path::new("")) {
            fs::create_dir_all(above).map_err(PartialError::io(above, "create"))?;
        }
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(PartialError::io(&path, "create")(error));
            }
            Err(_) if !is_left_behind(&path) => return Err(PartialError::Strange { path }),
            _ => {}
        }
        let lock = Lock::take(&path.join(LOCK)).map_err(|error| match error {
            LockError::Held(process) => PartialError::Held {
                place: place.to_owned(),
                process,
            },
            LockError::Io(error) => PartialError::io(&path, "lock")(error),
        })?;
        let partial = Self {
            lock: Some(lock),
            path,
            place: place.to_owned(),
        };
        partial.empty()?;
        Ok(partial)
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the folder in its place, where at most an empty folder may be.
    ///
    /// # Errors
    /// What the file system refuses.
    pub fn finish(mut self) -> Result<(), PartialError> {
        fs::rename(&self.path, &self.place)
            .map_err(PartialError::io(&self.place, "move the result to"))?;
        // Only now: without it, what a kill leaves would be nobody's.
        self.lock = None;
        let lock = self.place.join(LOCK);
        fs::remove_file(&lock).map_err(PartialError::io(&lock, "remove"))
    }

    fn empty(&self) -> Result<(), PartialError> {
        let entries = fs::read_dir(&self.path).map_err(PartialError::io(&self.path, "read"))?;
        for entry in entries {
            let entry = entry.map_err(PartialError::io(&self.path, "read"))?;
            let path = entry.path();
            if entry.file_name() == LOCK {
                continue;
            }
            let removed = match entry.file_type() {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
                _ => fs::remove_file(&path),
            };
            removed.map_err(PartialError::io(&path, "remove"))?;
        }
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.lock.is_some() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Whether a folder is one that a process left: it has a lock, or nothing yet.
fn is_left_behind(path: &Path) -> bool {
    let folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    folder && (path.join(LOCK).exists() || empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_name() {
        for place in [".", "..", "a/..", "/"] {
            let told = Partial::beside(Path::new(place)).map_err(|error| error.to_string());
            let words = "takes a name of its own: name a folder inside";
            assert!(told.is_err_and(|told| told.contains(words)), "{place}");
        }
    }

    #[test]
    fn a_result_appears_whole_and_leftovers_go() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/out");
        let partial = Partial::beside(&place).unwrap();
        let beside = partial.path().to_owned();
        assert_eq!(beside, folder.path().join("a/.out.partial"));
        fs::write(beside.join("x"), "1").unwrap();
        assert!(matches!(
            Partial::beside(&place),
            Err(PartialError::Held { .. })
        ));
        partial.finish().unwrap();
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
        assert!(!beside.exists());
        // What a killed process leaves.
        fs::create_dir_all(beside.join("deep")).unwrap();
        fs::write(beside.join("x"), "half").unwrap();
        assert!(matches!(
            Partial::beside(&place),
            Err(PartialError::Strange { .. })
        ));
        fs::write(beside.join(LOCK), "1\n").unwrap();
        let partial = Partial::beside(&place).unwrap();
        assert_eq!(fs::read_dir(partial.path()).unwrap().count(), 1);
        drop(partial);
        assert!(!beside.exists());
        fs::write(&beside, "a file").unwrap();
        assert!(matches!(
            Partial::beside(&place),
            Err(PartialError::Strange { .. })
        ));
    }
}
