//! Whole files, plain or gzip, within a bound.

use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use afterimage_files::{machine_memory, open_input};
use flate2::read::MultiGzDecoder;

use crate::error::DataError;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Bytes at the beginning of a file that may tell how long it is.
pub(crate) const HEAD: usize = 16;

/// Bytes beyond a promised end that are read, to tell how many are too many.
const BEYOND: u64 = 1 << 16;

/// Bytes that one data set may take: half of the machine's memory, since views and the model need the
/// rest.
pub(crate) fn budget() -> u64 {
    machine_memory().map_or(u64::MAX / 4, |bytes| bytes / 2)
}

/// The content of `path`, unpacked where the file starts like a gzip file; no more than a little beyond
/// what `promised` says of its first [`HEAD`] bytes, and no more than the budget.
pub(crate) fn content(
    path: &Path,
    promised: impl Fn(&[u8]) -> Option<u64>,
) -> Result<Vec<u8>, DataError> {
    let wrong = |error| DataError::read(path, error);
    let file = open_input(path).map_err(wrong)?;
    let about = file.metadata().map_err(wrong)?;
    if about.len() == 0 {
        return Err(DataError::format(path, "the file is empty"));
    }
    unpack(path, BufReader::new(file), about.len(), promised)
}

/// What `raw`, of `length` bytes, holds, unpacked where it is gzip; `path` is for messages.
pub(crate) fn unpack(
    path: &Path,
    mut raw: impl Read,
    length: u64,
    promised: impl Fn(&[u8]) -> Option<u64>,
) -> Result<Vec<u8>, DataError> {
    let mut magic = Vec::new();
    let wrong = |error| DataError::read(path, error);
    raw.by_ref()
        .take(2)
        .read_to_end(&mut magic)
        .map_err(wrong)?;
    let packed = magic == GZIP_MAGIC;
    let all = std::io::Cursor::new(magic).chain(raw);
    let mut reader: Box<dyn Read> = match packed {
        true => Box::new(MultiGzDecoder::new(all)),
        false => Box::new(all),
    };
    let mut content = Vec::new();
    let mut read = |content: &mut Vec<u8>, most: u64| {
        let most = most.saturating_sub(content.len() as u64);
        match reader.by_ref().take(most).read_to_end(content) {
            Ok(_) => Ok(()),
            Err(error) if !packed => Err(DataError::read(path, error)),
            Err(error) => Err(damaged(path, length, content.len(), &error)),
        }
    };
    read(&mut content, HEAD as u64)?;
    let (budget, told) = (budget(), promised(&content));
    let most = told.map_or(u64::MAX, |bytes| bytes.saturating_add(BEYOND));
    let too_long = |bytes: String| {
        let budget = budget >> 20;
        let reason = format!(
            "{bytes} are more than the {budget} MiB that a data set may take here, half of the memory; \
             take a part of it, or a machine with more"
        );
        Err(DataError::format(path, reason))
    };
    if let Some(bytes) = told.filter(|&bytes| bytes > budget) {
        return too_long(format!("the {bytes} bytes that the header promises"));
    }
    if !packed && told.is_none() && length > budget {
        return too_long(format!("its {length} bytes"));
    }
    read(&mut content, most.min(budget.saturating_add(1)))?;
    if content.len() as u64 > budget {
        return too_long(format!("the contents of its {length} bytes"));
    }
    Ok(content)
}

fn damaged(path: &Path, length: u64, held: usize, error: &std::io::Error) -> DataError {
    let reason = match error.kind() {
        ErrorKind::UnexpectedEof => format!(
            "the gzip stream is cut off: the {length} bytes of the file hold {held} bytes of content \
             and no end; fetch the file again"
        ),
        _ => format!("the gzip stream is damaged after {held} bytes of content: {error}"),
    };
    DataError::format(path, reason)
}

/// The last part of a path as text.
pub(super) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_promise_bounds_what_is_unpacked() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&vec![0; 1 << 24]).unwrap();
        let packed = packed.finish().unwrap();
        let path = Path::new("x.gz");
        let unpacked = |promise: Option<u64>| {
            unpack(path, packed.as_slice(), packed.len() as u64, |_| promise).map(|c| c.len())
        };
        assert_eq!(unpacked(None).unwrap(), 1 << 24);
        assert_eq!(unpacked(Some(1000)).unwrap() as u64, 1000 + BEYOND);
        let error = unpacked(Some(u64::MAX)).unwrap_err().to_string();
        assert!(error.contains("half of the memory"), "{error}");
    }
}
