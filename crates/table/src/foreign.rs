//! Files of another kind than their name tells.

use std::io::Read;
use std::path::Path;

use afterimage_files::open_input;

use crate::FileError;

/// What a file is that begins so, where its first bytes name a kind that is no text in UTF-8, and what to do.
pub fn foreign(start: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 14] = [
        (b"\x1f\x8b", "compressed by gzip; unpack it first"),
        (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first"),
        (b"\xfd7zXZ\0", "compressed by xz; unpack it first"),
        (b"BZh", "compressed by bzip2; unpack it first"),
        (
            b"PK\x03\x04",
            "a zip archive, as .npz, .xlsx and .zip files are; unpack it first, or save its table alone as \
             .npy or .csv",
        ),
        (b"PAR1", "a Parquet file; name it .parquet"),
        (
            b"PARE",
            "an encrypted Parquet file; save it without encryption",
        ),
        (b"\x93NUMPY", "an npy file; name it .npy"),
        (
            b"\x89HDF\r\n",
            "an HDF5 file; save its table as .csv or .parquet",
        ),
        (b"ARROW1", "an Arrow or Feather file; save it as .parquet"),
        (
            b"SQLite format 3",
            "an SQLite database; save its table as .csv",
        ),
        (b"\xff\xfe\0\0", "text in UTF-32; save it in UTF-8"),
        (b"\xff\xfe", "text in UTF-16; save it in UTF-8"),
        (b"\xfe\xff", "text in UTF-16; save it in UTF-8"),
    ];
    let mut kinds = KINDS.into_iter();
    kinds
        .find(|(magic, _)| start.starts_with(magic))
        .map(|(_, what)| what)
}

/// What a file is that is to be text in UTF-8 and is not, as its beginning tells, and what to do.
///
/// # Examples
/// ```
/// use afterimage_table::{foreign, no_text};
/// assert_eq!(no_text(b"a,b"), None);
/// assert!(no_text(b"a\0,\0").is_some() && foreign(b"a\0,\0").is_none());
/// ```
pub fn no_text(start: &[u8]) -> Option<&'static str> {
    // No text in UTF-8 has zero bytes.
    let zeros = start.contains(&0);
    foreign(start)
        .or(zeros.then_some("no text, as it has zero bytes, or text in UTF-16; save it in UTF-8"))
}

/// Refuses a file of text that is something else by its first bytes.
///
/// # Errors
/// A file that cannot be read, or one of another kind, in words.
pub fn sniff(path: &Path) -> Result<(), FileError> {
    let file = open_input(path).map_err(FileError::io("open"))?;
    let mut start = Vec::new();
    file.take(16)
        .read_to_end(&mut start)
        .map_err(FileError::io("read"))?;
    match no_text(&start) {
        Some(what) => Err(FileError::content(format!("this is {what}"))),
        None => Ok(()),
    }
}
