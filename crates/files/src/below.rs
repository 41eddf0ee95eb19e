//! The one way to a file whose name, or whose folder, somebody else may have written.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

/// Why a file is not opened.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A name that does not stay below its folder.
    #[error(
        "{}: the name {name:?} {why}; only plain files below this folder are read or removed",
        folder.display()
    )]
    Leaves {
        /// The folder that it is to stay below.
        folder: PathBuf,
        /// The name.
        name: String,
        /// How it leaves.
        why: &'static str,
    },
    /// A folder, a pipe, a device or a socket.
    #[error("{}: this is no plain file but {what}; remove it or put the file back", path.display())]
    NotPlain {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A file that is larger than any that a run writes.
    #[error(
        "{}: this file has {bytes} bytes, and at most {most} are read; it is damaged or no file of a \
         run",
        path.display()
    )]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The bound.
        most: u64,
    },
    /// The file system refused.
    #[error("{}: cannot read: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The reason given by the operating system.
        source: io::Error,
    },
}

impl FileError {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        use io::ErrorKind::{NotADirectory, NotFound};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), NotFound | NotADirectory))
    }

    /// What is wrong, without the path in front: for lists that name the file themselves.
    pub fn reason(&self) -> String {
        let path = match self {
            Self::Leaves { folder: path, .. }
            | Self::NotPlain { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Io { path, .. } => path,
        };
        let text = self.to_string();
        let front = format!("{}: ", path.display());
        text.strip_prefix(&front).unwrap_or(&text).to_owned()
    }

    /// The kind of the operating system's error, or that of data that cannot be used.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::InvalidData,
        }
    }

    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The path of the plain file `name` below `folder`. The name must be relative and without `..`, and no
/// symbolic link on the way may lead out of the folder.
///
/// # Errors
/// A name that leaves the folder, something that is no plain file, or no such file.
pub fn below(folder: &Path, name: impl AsRef<Path>) -> Result<PathBuf, FileError> {
    let name = name.as_ref();
    let leaves = |why| FileError::Leaves {
        folder: folder.to_owned(),
        name: name.display().to_string(),
        why,
    };
    let mut parts = 0;
    for part in name.components() {
        match part {
            Component::Normal(_) => parts += 1,
            Component::CurDir => {}
            Component::ParentDir => return Err(leaves("leads out of it")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(leaves("is an absolute path"));
            }
        }
    }
    if parts == 0 {
        return Err(leaves("names no file"));
    }
    // Tells of a file that is not there by the path that the user knows.
    let path = folder.join(name);
    let within = fs::canonicalize(folder_of(folder)).map_err(FileError::io(&path))?;
    let real = fs::canonicalize(&path).map_err(FileError::io(&path))?;
    if !real.starts_with(&within) {
        return Err(leaves("is a link that leads out of it"));
    }
    let found = fs::metadata(&real).map_err(FileError::io(&path))?;
    plain(&path, &found)?;
    Ok(path)
}

/// Opens the plain file `name` below `folder`, which has at most `most` bytes.
///
/// # Errors
/// As for [`below`]; and a file that is larger.
pub fn open_below(folder: &Path, name: impl AsRef<Path>, most: u64) -> Result<File, FileError> {
    let path = below(folder, name)?;
    let file = File::open(&path).map_err(FileError::io(&path))?;
    let found = file.metadata().map_err(FileError::io(&path))?;
    plain(&path, &found)?;
    if found.len() > most {
        return Err(FileError::TooLarge {
            path,
            bytes: found.len(),
            most,
        });
    }
    Ok(file)
}

/// The bytes of the plain file `name` below `folder`, at most `most`.
///
/// # Errors
/// As for [`open_below`].
pub fn read_below(folder: &Path, name: impl AsRef<Path>, most: u64) -> Result<Vec<u8>, FileError> {
    let path = folder.join(&name);
    let file = open_below(folder, name, most)?;
    let mut bytes = Vec::new();
    // The file may grow while it is read.
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(FileError::io(&path))?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLarge {
            path,
            bytes: bytes.len() as u64,
            most,
        });
    }
    Ok(bytes)
}

/// Opens a file of a run by its whole path; a link may not lead out of its folder.
///
/// # Errors
/// As for [`open_below`].
pub fn open(path: &Path, most: u64) -> Result<File, FileError> {
    let (folder, name) = parts(path);
    open_below(folder, name, most)
}

/// The bytes of a file of a run by its whole path; a link may not lead out of its folder.
///
/// # Errors
/// As for [`open_below`].
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let (folder, name) = parts(path);
    read_below(folder, name, most)
}

/// The text of a file of a run by its whole path; a link may not lead out of its folder.
///
/// # Errors
/// As for [`open_below`]; and bytes that are not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String, FileError> {
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8 text");
    String::from_utf8(read(path, most)?).map_err(|error| FileError::io(path)(not_text(error)))
}

fn parts(path: &Path) -> (&Path, &Path) {
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().map_or(Path::new(""), Path::new);
    (folder, name)
}

/// The empty path is the folder that the program works in.
fn folder_of(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

fn plain(path: &Path, found: &Metadata) -> Result<(), FileError> {
    if found.is_file() {
        return Ok(());
    }
    let what = if found.is_dir() {
        "a folder"
    } else {
        "a pipe, a device or a socket"
    };
    Err(FileError::NotPlain {
        path: path.to_owned(),
        what,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_below_its_folder_is_read_up_to_its_bound() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("a")).unwrap();
        fs::write(place.path().join("a/b"), "text").unwrap();
        assert_eq!(read_below(place.path(), "a/b", 4).unwrap(), b"text");
        assert_eq!(read_below(place.path(), "./a/b", 4).unwrap(), b"text");
        assert_eq!(read(&place.path().join("a/b"), 4).unwrap(), b"text");
        let reason = read_below(place.path(), "a/c", 4).unwrap_err().reason();
        assert!(reason.starts_with("cannot read: "), "{reason}");
        assert!(matches!(
            read_below(place.path(), "a/b", 3),
            Err(FileError::TooLarge {
                bytes: 4,
                most: 3,
                ..
            })
        ));
        assert!(read_below(place.path(), "a/c", 4).unwrap_err().is_missing());
    }

    #[test]
    fn a_name_that_leaves_is_refused_whether_or_not_it_is_there() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(place.path().join("secret"), "s").unwrap();
        let absolute = place.path().join("secret");
        for name in [
            "../secret",
            "sub/../../secret",
            "../nothing",
            "/nothing",
            "..",
            ".",
            "",
            absolute.to_str().unwrap(),
        ] {
            let refused = read_below(&folder, name, 10);
            assert!(
                matches!(refused, Err(FileError::Leaves { .. })),
                "{name}: {refused:?}"
            );
        }
        assert!(matches!(
            read_below(&folder, "sub", 10),
            Err(FileError::NotPlain { .. })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_may_stay_below_but_not_lead_out() {
        use std::os::unix::fs::symlink;
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        fs::create_dir(&folder).unwrap();
        fs::write(place.path().join("secret"), "s").unwrap();
        fs::write(folder.join("mine"), "m").unwrap();
        symlink("mine", folder.join("within")).unwrap();
        symlink("../secret", folder.join("out")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        symlink("/dev/zero", folder.join("zero")).unwrap();
        assert_eq!(read_below(&folder, "within", 10).unwrap(), b"m");
        for name in ["out", "up/secret", "zero"] {
            let refused = read_below(&folder, name, 10);
            assert!(
                matches!(refused, Err(FileError::Leaves { .. })),
                "{name}: {refused:?}"
            );
        }
        assert!(matches!(
            read(Path::new("/dev/zero"), 10),
            Err(FileError::NotPlain { .. })
        ));
    }
}
