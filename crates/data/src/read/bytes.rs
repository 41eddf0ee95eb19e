//! Whole files, plain or gzip.

use std::io::{ErrorKind, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::DataError;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The content of `path`, unpacked where the file starts like a gzip file.
pub(crate) fn content(path: &Path) -> Result<Vec<u8>, DataError> {
    let raw = std::fs::read(path).map_err(|e| DataError::read(path, e))?;
    if raw.is_empty() {
        return Err(DataError::format(path, "the file is empty"));
    }
    unpack(path, raw)
}

/// `raw`, unpacked where it is gzip; `path` is for messages.
pub(crate) fn unpack(path: &Path, raw: Vec<u8>) -> Result<Vec<u8>, DataError> {
    if !raw.starts_with(&GZIP_MAGIC) {
        return Ok(raw);
    }
    let mut content = Vec::new();
    match MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut content) {
        Ok(_) => Ok(content),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Err(DataError::format(
            path,
            format!(
                "the gzip stream is cut off: the {} bytes of the file hold {} bytes of content and \
                 no end; fetch the file again",
                raw.len(),
                content.len()
            ),
        )),
        Err(e) => Err(DataError::format(
            path,
            format!(
                "the gzip stream is damaged after {} bytes of content: {e}",
                content.len()
            ),
        )),
    }
}

/// The last part of a path as text.
pub(super) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
