//! Records of CSV files that list images or their ids.

use std::path::Path;

use afterimage_table::{FileError, TextFile, line_at};
use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use crate::error::DataError;

/// A CSV file with a header, record by record: each has as many cells as the header.
pub(super) struct Records<'a> {
    path: &'a Path,
    reader: Reader<TextFile>,
    /// Names of the columns.
    pub(super) header: StringRecord,
}

impl<'a> Records<'a> {
    /// Opens the file `path` and reads its header.
    ///
    /// # Errors
    /// A file that cannot be read, or one of another kind.
    pub(super) fn open(path: &'a Path) -> Result<Self, DataError> {
        let (file, delimiter) = TextFile::table(path).map_err(|error| match error {
            FileError::Io { source, .. } => DataError::read(path, source),
            other => DataError::format(path, other.to_string()),
        })?;
        let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(file);
        let header = reader.headers().map_err(|error| unread(path, &error))?;
        let header = header.clone();
        Ok(Self {
            path,
            reader,
            header,
        })
    }
}

impl Iterator for Records<'_> {
    /// A record, or the line that cannot be read and why.
    type Item = Result<StringRecord, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = StringRecord::new();
        match self.reader.read_record(&mut record) {
            Ok(true) => Some(Ok(record)),
            Ok(false) => None,
            Err(error) => Some(Err(unread(self.path, &error))),
        }
    }
}

/// Why a line of the file `path` cannot be read.
fn unread(path: &Path, error: &csv::Error) -> DataError {
    let line = error.position().and_then(|at| line_at(path, at.byte()));
    let at = line.map_or(String::new(), |line| format!("line {line}: "));
    let reason = match error.kind() {
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!(
            "{at}{len} cells, where the first line has {expected_len}; is a cell with the delimiter in it \
             not quoted?"
        ),
        ErrorKind::Utf8 { .. } => format!("{at}not UTF-8; save the file in this encoding"),
        _ => format!("{at}{error}"),
    };
    DataError::format(path, reason)
}
