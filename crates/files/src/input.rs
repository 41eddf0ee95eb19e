//! The one way to a file that the user names.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;

/// Opens a file that the user names; links to it are followed. A pipe, a device or a socket is refused
/// before it is opened: it has no length, may never end, and cannot be read twice.
///
/// # Errors
/// No such file, one that may not be read; a folder ([`io::ErrorKind::IsADirectory`]); what is no plain file
/// ([`io::ErrorKind::InvalidInput`]).
pub fn open_input(path: &Path) -> io::Result<File> {
    plain(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    // Another may have come to the name since.
    plain(&file.metadata()?)?;
    Ok(file)
}

/// The bytes of a file that the user names, at most `most`.
///
/// # Errors
/// As for [`open_input`]; and a longer file.
pub fn read_input(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = open_input(path)?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it is longer than the {most} bytes that are read"),
        ));
    }
    Ok(bytes)
}

/// The text of a file that the user names, of at most `most` bytes.
///
/// # Errors
/// As for [`read_input`]; and bytes that are not UTF-8.
pub fn read_input_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read_input(path, most)?).map_err(|_| {
        let what = "it is not UTF-8 text; save the file in this encoding";
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}

fn plain(found: &Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let (kind, what) = match found.is_dir() {
        true => (
            io::ErrorKind::IsADirectory,
            "this is a folder; name a file in it",
        ),
        false => (
            io::ErrorKind::InvalidInput,
            "this is no plain file but a pipe, a device or a socket; write it to a file first",
        ),
    };
    Err(io::Error::new(kind, what))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn plain_files_are_read_up_to_a_bound() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a");
        fs::write(&path, "text").unwrap();
        assert_eq!(read_input(&path, 4).unwrap(), b"text");
        assert_eq!(read_input_text(&path, 4).unwrap(), "text");
        let long = read_input(&path, 3).unwrap_err();
        assert_eq!(long.kind(), io::ErrorKind::InvalidData);
        let missing = read_input(&place.path().join("b"), 3).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let folder = open_input(place.path()).unwrap_err();
        assert_eq!(folder.kind(), io::ErrorKind::IsADirectory);
        fs::write(&path, b"\xff").unwrap();
        assert!(read_input_text(&path, 4).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_has_no_end_is_refused_at_once_and_links_are_followed() {
        use std::os::unix::fs::symlink;
        let place = tempfile::tempdir().unwrap();
        let [file, link, zero] = ["file", "link", "zero"].map(|name| place.path().join(name));
        fs::write(&file, "text").unwrap();
        symlink(&file, &link).unwrap();
        symlink("/dev/zero", &zero).unwrap();
        assert_eq!(read_input(&link, 4).unwrap(), b"text");
        for device in [zero.as_path(), Path::new("/dev/null")] {
            let refused = open_input(device).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
            assert!(refused.to_string().contains("write it to a file first"));
        }
    }
}
