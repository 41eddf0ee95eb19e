//! What tells a file from every other one.

use std::io;
use std::path::Path;

use afterimage_files::open_input;
use sha2::{Digest, Sha256};

use crate::FileError;

/// SHA-256 of a plain file that the user names, in hexadecimal.
///
/// # Errors
/// No such file, one that may not be read, a pipe or a device.
pub fn file_digest(path: &Path) -> Result<String, FileError> {
    let mut file = open_input(path).map_err(FileError::io("open"))?;
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash).map_err(FileError::io("read"))?;
    let bytes = hash.finalize();
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_more_is_another_file() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.csv");
        std::fs::write(&path, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(file_digest(&path).unwrap(), abc);
        std::fs::write(&path, "abcd").unwrap();
        assert_ne!(file_digest(&path).unwrap(), abc);
        let gone = file_digest(&place.path().join("b.csv")).unwrap_err();
        assert!(gone.to_string().starts_with("cannot open: "), "{gone}");
    }
}
