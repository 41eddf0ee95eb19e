//! Folders that appear whole.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Lock, LockError};

/// A folder `.NAME.partial` beside the place of a result: it becomes the result once it is whole, and goes
/// otherwise. What a killed process left there is removed by the next that wants the same place.
#[derive(Debug)]
pub struct Partial {
    /// Who writes here; none where the file system has no locks.
    lock: Option<Lock>,
    path: PathBuf,
    place: PathBuf,
    /// Folders above that were made for it, the innermost first.
    made: Vec<PathBuf>,
    finished: bool,
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
    /// Another file system begins at the place.
    #[error(
        "{}: a file system is mounted here, and the result is a new folder that cannot take its place: name a \
         folder inside, as in {}",
        place.display(),
        place.join("out").display()
    )]
    Mounted {
        /// The place of the result.
        place: PathBuf,
    },
    /// The place holds something.
    #[error("{}: this is there already; choose another place", place.display())]
    Full {
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
    /// The file in a folder under way that says whose it is.
    pub const LOCK: &str = ".lock";

    /// An empty folder beside `place`, which holds nothing yet; the folders above are made. Where `place` is a
    /// link to an empty folder, the result takes the place of that folder.
    ///
    /// # Errors
    /// A place without a name or that holds something, another process that makes the same, something else of
    /// that name, a folder that cannot be written.
    pub fn beside(place: &Path) -> Result<Self, PartialError> {
        let place = &named(place)?;
        if is_mounted(place) {
            return Err(PartialError::Mounted {
                place: place.to_owned(),
            });
        }
        let mut name = OsString::from(".");
        name.push(place.file_name().unwrap_or_default());
        name.push(".partial");
        let path = place.with_file_name(name);
        refuse_full(place)?;
        let mut partial = Self {
            lock: None,
            made: Vec::new(),
            // Until it is this process's, nothing here is removed.
            finished: true,
            place: place.to_owned(),
            path,
        };
        partial.make_above()?;
        let path = &partial.path;
        match fs::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(PartialError::io(path, "create")(error));
            }
            Err(_) if !is_left_behind(path) => {
                return Err(PartialError::Strange { path: path.clone() });
            }
            _ => {}
        }
        partial.lock = match Lock::take(&path.join(Partial::LOCK)) {
            Ok(lock) => Some(lock),
            Err(LockError::Held(process)) => {
                return Err(PartialError::Held {
                    place: place.to_owned(),
                    process,
                });
            }
            // A file system without locks: the user keeps two processes apart.
            Err(LockError::Io(error)) if error.kind() == io::ErrorKind::Unsupported => None,
            Err(LockError::Io(error)) => return Err(PartialError::io(path, "lock")(error)),
        };
        partial.finished = false;
        partial.empty()?;
        // Another process may have finished the same result since.
        refuse_full(place)?;
        Ok(partial)
    }

    fn make_above(&mut self) -> Result<(), PartialError> {
        let missing: Vec<PathBuf> = self
            .path
            .ancestors()
            .skip(1)
            .take_while(|above| *above != Path::new("") && !above.exists())
            .map(Path::to_owned)
            .collect();
        for above in missing.into_iter().rev() {
            match fs::create_dir(&above) {
                Ok(()) => self.made.insert(0, above),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(PartialError::io(&above, "create")(error)),
            }
        }
        Ok(())
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
        self.finished = true;
        self.made.clear();
        // Only now: without it, what a kill leaves would be nobody's.
        self.lock = None;
        let lock = self.place.join(Partial::LOCK);
        fs::remove_file(&lock).map_err(PartialError::io(&lock, "remove"))
    }

    fn empty(&self) -> Result<(), PartialError> {
        let entries = fs::read_dir(&self.path).map_err(PartialError::io(&self.path, "read"))?;
        for entry in entries {
            let entry = entry.map_err(PartialError::io(&self.path, "read"))?;
            let path = entry.path();
            if entry.file_name() == Self::LOCK {
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
        if !self.finished {
            let _ = fs::remove_dir_all(&self.path);
        }
        // Those that hold something else by now stay.
        for above in &self.made {
            let _ = fs::remove_dir(above);
        }
    }
}

/// The place with its name at the end, behind links.
fn named(place: &Path) -> Result<PathBuf, PartialError> {
    let unnamed = || PartialError::Unnamed {
        place: place.to_owned(),
    };
    let named = place.with_file_name(place.file_name().ok_or_else(unnamed)?);
    if !(named.is_symlink() && named.is_dir()) {
        return Ok(named);
    }
    let folder = fs::canonicalize(&named).map_err(PartialError::io(&named, "follow"))?;
    match folder.file_name() {
        Some(_) => Ok(folder),
        None => Err(unnamed()),
    }
}

/// Whether another file system begins at a folder.
#[cfg(unix)]
fn is_mounted(place: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::metadata(path).ok().map(|found| found.dev());
    match (device(place), device(&place.join(".."))) {
        (Some(here), Some(above)) => here != above,
        _ => false,
    }
}

/// Whether another file system begins at a folder.
#[cfg(not(unix))]
fn is_mounted(_: &Path) -> bool {
    false
}

/// Refuses a place that holds something.
fn refuse_full(place: &Path) -> Result<(), PartialError> {
    let full = match fs::read_dir(place) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => fs::symlink_metadata(place).is_ok(),
    };
    match full {
        true => Err(PartialError::Full {
            place: place.to_owned(),
        }),
        false => Ok(()),
    }
}

/// Whether a folder is one that a process left: it has a lock, or nothing yet.
fn is_left_behind(path: &Path) -> bool {
    let folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    folder && (path.join(Partial::LOCK).exists() || empty())
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

    #[cfg(unix)]
    #[test]
    fn a_link_to_an_empty_folder_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let partial = Partial::beside(&link.join(".")).unwrap();
        fs::write(partial.path().join("x"), "1").unwrap();
        partial.finish().unwrap();
        assert!(link.is_symlink() && real.join("x").exists());
        let told = Partial::beside(&link);
        assert!(matches!(told, Err(PartialError::Full { .. })));
        // Nothing can take the place of a file system.
        let told = Partial::beside(Path::new("/proc"));
        let full = matches!(told, Err(PartialError::Full { .. }));
        assert!(full || matches!(told, Err(PartialError::Mounted { .. })));
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
        assert!(matches!(
            Partial::beside(&place),
            Err(PartialError::Full { .. })
        ));
        fs::remove_dir_all(&place).unwrap();
        // What a killed process leaves.
        fs::create_dir_all(beside.join("deep")).unwrap();
        fs::write(beside.join("x"), "half").unwrap();
        assert!(matches!(
            Partial::beside(&place),
            Err(PartialError::Strange { .. })
        ));
        fs::write(beside.join(Partial::LOCK), "1\n").unwrap();
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

    #[test]
    fn a_place_that_holds_something_is_refused_and_nothing_is_left_of_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        for full in [file.as_path(), folder.path()] {
            let refused = Partial::beside(full);
            assert!(matches!(refused, Err(PartialError::Full { .. })));
        }
        // A folder cannot be made below a file.
        let refused = Partial::beside(&file.join("deep/out"));
        assert!(matches!(refused, Err(PartialError::Io { .. })));
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).unwrap();
        drop(Partial::beside(&empty).unwrap());
        drop(Partial::beside(&folder.path().join("new/deep/out")).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        Partial::beside(&empty).unwrap().finish().unwrap();
        assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
    }
}
