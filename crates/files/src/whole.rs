//! Files that appear whole.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::lock::same;

/// How often the name beside is tried before a name of its own is taken.
const TRIES: usize = 16;

/// Writes `bytes` to a file beside `path` and renames it, so that a reader, or a process that is killed, finds
/// the old content or the new one and nothing between. Several may write one place at the same time: the last
/// to end stands there, whole.
///
/// The file beside is `.NAME.tmp`, which the next writer takes over from one that was killed; where another
/// process is at work on it, it is `.NAME.PROCESS-NUMBER.tmp`. Without `synced` a power cut may leave an empty
/// file.
///
/// # Errors
/// A full disk or an unwritable folder; nothing is left behind then.
pub fn write_whole(path: &Path, bytes: &[u8], synced: bool) -> io::Result<()> {
    let (mut file, beside) = begin(path)?;
    let written = file
        .write_all(bytes)
        // Without this, a power cut after the rename can leave an empty file under the name.
        .and_then(|()| if synced { file.sync_all() } else { Ok(()) })
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// An empty file beside `path` that no other process writes, and its path.
fn begin(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().unwrap_or_default();
    let named = |middle: &str| {
        let mut beside = OsString::from(".");
        beside.push(name);
        beside.push(format!("{middle}.tmp"));
        path.with_file_name(beside)
    };
    let first = named("");
    for _ in 0..TRIES {
        match File::create_new(&first) {
            Ok(file) => match owned(&file, &first)? {
                Owned::Mine => return Ok((file, first)),
                Owned::Gone => {}
                Owned::Others => break,
            },
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) if !take_away(&first)? => break,
            Err(_) => {}
        }
    }
    let mut number = 0_u32;
    loop {
        let own = named(&format!(".{}-{number}", std::process::id()));
        match File::create_new(&own) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => return Ok((made?, own)),
        }
    }
}

/// Whose an open file is.
enum Owned {
    Mine,
    Others,
    /// Nobody's: another process took it away, or put it in its place, before it was locked.
    Gone,
}

/// Locks `file`, which was opened as `path`, until it is closed.
fn owned(file: &File, path: &Path) -> io::Result<Owned> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Owned::Others),
        // A file system without locks: the user keeps two processes apart.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let there = fs::symlink_metadata(path);
    Ok(match (file.metadata(), there) {
        (Ok(held), Ok(there)) if same(&held, &there) => Owned::Mine,
        _ => Owned::Gone,
    })
}

/// Removes what a killed process left at `path`, or somebody put there, which is never written through; `false`
/// where another process is at work on it.
fn take_away(path: &Path) -> io::Result<bool> {
    let gone = |done: io::Result<()>| match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        done => done.map(|()| true),
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Ok(found) if found.is_file() => {}
        _ => return gone(fs::remove_file(path)),
    }
    match File::open(path) {
        Ok(left) => match owned(&left, path)? {
            Owned::Mine => gone(fs::remove_file(path)),
            Owned::Gone => Ok(true),
            Owned::Others => Ok(false),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        // One that cannot be opened cannot be held either.
        Err(_) => gone(fs::remove_file(path)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_second_writer_disturbs_no_first_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("page.html");
        let (mut first, beside) = begin(&place).unwrap();
        assert_eq!(beside, folder.path().join(".page.html.tmp"));
        first.write_all(b"one").unwrap();
        write_whole(&place, b"two", true).unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"two");
        assert_eq!(fs::read(&beside).unwrap(), b"one");
        fs::rename(&beside, &place).unwrap();
        assert_eq!(names(folder.path()), ["page.html"]);
        // Those that write at once, many times over, leave one whole page and nothing else.
        std::thread::scope(|scope| {
            for letter in [b'a', b'b', b'c', b'd'] {
                let place = &place;
                scope.spawn(move || {
                    for _ in 0..50 {
                        write_whole(place, &[letter; 4096], false).unwrap();
                    }
                });
            }
        });
        let page = fs::read(&place).unwrap();
        assert_eq!(page.len(), 4096);
        assert!(page.iter().all(|byte| *byte == page[0]));
        assert_eq!(names(folder.path()), ["page.html"]);
    }

    #[test]
    fn what_a_killed_writer_left_goes_and_nothing_is_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (place, beside) = (folder.path().join("x"), folder.path().join(".x.tmp"));
        fs::write(&beside, "half").unwrap();
        write_whole(&place, b"1", true).unwrap();
        assert_eq!(names(folder.path()), ["x"]);
        fs::create_dir(&beside).unwrap();
        assert!(write_whole(&place, b"2", true).is_err());
        assert_eq!(fs::read(&place).unwrap(), b"1");
        fs::remove_dir(&beside).unwrap();
        #[cfg(unix)]
        {
            let other = folder.path().join("other");
            fs::write(&other, "kept").unwrap();
            std::os::unix::fs::symlink(&other, &beside).unwrap();
            write_whole(&place, b"3", true).unwrap();
            assert_eq!(fs::read(&other).unwrap(), b"kept");
            assert_eq!(names(folder.path()), ["other", "x"]);
        }
        // A failure leaves nothing.
        let taken = folder.path().join("folder");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("inside"), "").unwrap();
        assert!(write_whole(&taken, b"4", true).is_err());
        assert!(!folder.path().join(".folder.tmp").exists());
    }
}
