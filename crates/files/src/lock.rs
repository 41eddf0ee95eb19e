//! One writer at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// The right to write in a folder; given back when it is dropped or its process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// The folder as it was when the lock was taken; none where folders cannot be opened.
    folder: Option<File>,
    path: PathBuf,
}

/// Why a lock is not taken.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it; its number, where it is known.
    Held(Option<u32>),
    /// The operating system refused.
    Io(io::Error),
}

impl Lock {
    /// Takes the lock whose file is `path`, which is made if it is missing.
    ///
    /// # Errors
    /// A lock that another process holds; a file that cannot be written or locked.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            let why = "this is no plain file; remove it";
            return Err(LockError::Io(io::Error::new(
                io::ErrorKind::InvalidData,
                why,
            )));
        }
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {
                // Only for the message of another process; the lock itself is the system's.
                file.set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| writeln!(file, "{}", std::process::id()))
                    .map_err(LockError::Io)?;
                let folder = path.parent().unwrap_or(path).to_owned();
                Ok(Self {
                    _file: file,
                    folder: File::open(&folder).ok(),
                    path: folder,
                })
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = (&file).take(32).read_to_string(&mut text).ok();
                Err(LockError::Held(read.and_then(|_| text.trim().parse().ok())))
            }
            Err(TryLockError::Error(error)) => Err(LockError::Io(error)),
        }
    }

    /// Whether the folder of the lock is still the one at its path: it is not once it was removed, or
    /// replaced by another of that name.
    pub fn stands(&self) -> bool {
        let Some(folder) = &self.folder else {
            return self.path.is_dir();
        };
        let (Ok(held), Ok(there)) = (folder.metadata(), fs::metadata(&self.path)) else {
            return false;
        };
        same(&held, &there)
    }
}

/// Whether both are one file.
#[cfg(unix)]
pub(crate) fn same(held: &fs::Metadata, there: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}

#[cfg(not(unix))]
pub(crate) fn same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_owner_and_stands_while_its_folder_does() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        fs::create_dir(&folder).unwrap();
        let path = folder.join("lock");
        let first = Lock::take(&path).unwrap();
        let own = std::process::id();
        assert!(matches!(Lock::take(&path), Err(LockError::Held(Some(pid))) if pid == own));
        assert!(first.stands());
        drop(first);
        let second = Lock::take(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(second.stands(), "the folder is still there");
        fs::remove_dir(&folder).unwrap();
        assert!(!second.stands());
        fs::create_dir(&folder).unwrap();
        assert_eq!(second.stands(), cfg!(not(unix)));
    }
}
