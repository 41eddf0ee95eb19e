//! Columns of bytes, such as encoded images.

use afterimage_files::catch;
use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;

use super::pages::Checked;
use super::{DAMAGED, Parquet, told};
use crate::FileError;

/// Cells that are decoded at a time.
const BATCH: usize = 64;

impl Parquet {
    /// Whether column `at` holds one run of bytes, or none, a row.
    pub fn is_bytes(&self, at: usize) -> bool {
        let column = self.descriptor(at);
        column.physical_type() == Physical::BYTE_ARRAY && column.max_rep_level() == 0
    }

    /// Bytes of column `at` before compression, as the file tells them.
    pub fn column_bytes(&self, at: usize) -> u64 {
        let groups = self.reader.metadata().row_groups().iter();
        groups
            .map(|group| u64::try_from(group.column(at).uncompressed_size()).unwrap_or(0))
            .fold(0, u64::saturating_add)
    }

    /// What the file says of itself under `key`.
    pub fn about(&self, key: &str) -> Option<&str> {
        let pairs = self
            .reader
            .metadata()
            .file_metadata()
            .key_value_metadata()?;
        let pair = pairs.iter().find(|pair| pair.key == key)?;
        pair.value.as_deref()
    }

    /// Hands out the cells of a column for which [`is_bytes`](Self::is_bytes) holds; `None` for a null.
    ///
    /// # Errors
    /// A compression that is not read; damage; what `sink` says.
    pub fn bytes(
        &self,
        at: usize,
        mut sink: impl FnMut(Option<&[u8]>) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let name = &self.columns[at].name;
        if !self.is_bytes(at) {
            return Err(FileError::column(name, "it does not hold bytes"));
        }
        for group in 0..self.reader.num_row_groups() {
            self.check_compression(group, at)?;
            catch(|| self.group_of_bytes(group, at, &mut sink))
                .unwrap_or_else(|| Err(FileError::column(name, DAMAGED)))?;
        }
        Ok(())
    }

    fn group_of_bytes(
        &self,
        group: usize,
        at: usize,
        sink: &mut impl FnMut(Option<&[u8]>) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let name = &self.columns[at].name;
        let broken = |error: ParquetError| FileError::column(name, told(error));
        let group = self.reader.get_row_group(group).map_err(broken)?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let descriptor = self.descriptor(at);
        let defined = descriptor.max_def_level();
        let pages = group.get_column_page_reader(at).map_err(broken)?;
        let pages = Box::new(Checked::new(pages, &descriptor, rows as u64));
        let ColumnReader::ByteArrayColumnReader(mut reader) = get_column_reader(descriptor, pages)
        else {
            return Err(FileError::column(name, "it does not hold bytes"));
        };
        let (mut values, mut levels): (Vec<ByteArray>, Vec<i16>) = (Vec::new(), Vec::new());
        let mut left = rows;
        while left > 0 {
            values.clear();
            levels.clear();
            let of = (defined > 0).then_some(&mut levels);
            let (records, ..) = reader
                .read_records(left.min(BATCH), of, None, &mut values)
                .map_err(broken)?;
            if records == 0 {
                return Err(FileError::column(
                    name,
                    format!("{left} of {rows} rows of a group are missing; {DAMAGED}"),
                ));
            }
            left = left.saturating_sub(records);
            let mut values = values.iter();
            for row in 0..records {
                let value = match levels.get(row) {
                    Some(level) if *level < defined => None,
                    _ => values.next(),
                };
                sink(value.map(ByteArray::data))?;
            }
        }
        Ok(())
    }
}
