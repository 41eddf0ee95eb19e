//! Parquet files, without arrow.

mod bytes;
mod column;
mod pages;
mod walk;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use afterimage_files::{catch, machine_memory, open_input};
use parquet::basic::Compression;
use parquet::column::reader::get_column_reader;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use crate::{FileError, Number, pandas};
pub use column::{Kind, ParquetColumn};
use pages::Checked;
use walk::{Entry, Walk};

/// Rows of a group, and entries of a column of lists in a group, that are believed for each byte of the file. Equal
/// values take next to nothing, but writers end a group after some million rows.
const ROWS_OF_A_BYTE: u64 = 1 << 16;

const DAMAGED: &str = "the file is damaged; write it again";

/// A cell of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A number; a truth is 0 or 1.
    Number(Number),
    /// A text, whatever it says.
    Text(&'a str),
}

/// A Parquet file with its metadata read.
pub struct Parquet {
    reader: SerializedFileReader<File>,
    /// The columns, in the order of the file.
    pub columns: Vec<ParquetColumn>,
    /// The rows that the file tells of.
    pub rows: usize,
    held: u64,
}

impl Parquet {
    /// Opens a file.
    ///
    /// # Errors
    /// No file, no Parquet file, more rows than the file can hold.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let file = open_input(path).map_err(FileError::io("open"))?;
        let held = file.metadata().map_err(FileError::io("read"))?.len();
        catch(|| Self::read_metadata(file, held))
            .unwrap_or_else(|| Err(FileError::Kind(DAMAGED.to_owned())))
    }

    fn read_metadata(file: File, held: u64) -> Result<Self, FileError> {
        let reader =
            SerializedFileReader::new(file).map_err(|error| FileError::Kind(told(error)))?;
        let metadata = reader.metadata();
        let schema = metadata.file_metadata().schema_descr_ptr();
        let mut rows = 0usize;
        for group in metadata.row_groups() {
            let count = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
            if count > held.saturating_mul(ROWS_OF_A_BYTE)
                || group.num_columns() != schema.num_columns()
            {
                return Err(FileError::content(format!(
                    "a group of {} rows and {} columns cannot be in a file of {held} bytes and {} \
                     columns; {DAMAGED}",
                    group.num_rows(),
                    group.num_columns(),
                    schema.num_columns()
                )));
            }
            rows = rows.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
        }
        let mut inner: BTreeMap<usize, usize> = BTreeMap::new();
        for at in 0..schema.num_columns() {
            *inner.entry(schema.get_column_root_idx(at)).or_default() += 1;
        }
        let alone = |at| inner.get(&schema.get_column_root_idx(at)) == Some(&1);
        let mut columns: Vec<ParquetColumn> = (0..schema.num_columns())
            .map(|at| ParquetColumn::new(&schema, at, alone(at)))
            .collect();
        let pairs = metadata.file_metadata().key_value_metadata();
        let pandas = pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == "pandas"));
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let index = pandas::index(pandas.and_then(|pair| pair.value.as_deref()), &names);
        for at in index {
            columns[at].index = true;
        }
        Ok(Self {
            reader,
            columns,
            rows,
            held,
        })
    }

    /// Refuses to read `columns` columns that memory cannot hold: equal values take next to no room in a
    /// file.
    ///
    /// # Errors
    /// More than half of the machine's memory at eight bytes a cell.
    pub fn check_size(&self, columns: usize) -> Result<(), FileError> {
        let cells = (self.rows as u64).saturating_mul(columns as u64);
        match cells <= most_cells() {
            true => Ok(()),
            false => Err(too_many(&format!(
                "{} rows of {columns} columns",
                self.rows
            ))),
        }
    }

    /// Hands out the cells of a column that holds no lists.
    ///
    /// # Errors
    /// A type or compression that is not read; damage.
    pub fn read(&self, at: usize, mut sink: impl FnMut(Cell<'_>)) -> Result<(), FileError> {
        if self.columns[at].kind == Kind::List {
            return Err(FileError::column(&self.columns[at].name, "it holds lists"));
        }
        self.entries(at, |entry| {
            sink(entry.cell);
            Ok(())
        })
    }

    /// The numbers of a column of lists, one list after the other, and how many each list has.
    ///
    /// # Errors
    /// What [`Parquet::read`] refuses; lists of different lengths, and nulls, with their row.
    pub fn lists(&self, at: usize) -> Result<(usize, Vec<f32>), FileError> {
        let name = &self.columns[at].name;
        let element = self.descriptor(at).repeated_ancestor_def_level();
        let mut values: Vec<f32> = Vec::new();
        // The lists that are whole, the length of the first, and where the last begins.
        let (mut rows, mut width, mut begin) = (0usize, None, 0);
        let most = most_cells();
        let place = |row: usize| format!("row {} (sample {row})", row + 1);
        let close = |rows: usize, length: usize, width: &mut Option<usize>| {
            let width = *width.get_or_insert(length);
            if length == width {
                return Ok(());
            }
            let what = format!(
                "the list of {} holds {length} numbers and that of the first row {width}; all need as \
                 many",
                place(rows)
            );
            Err(FileError::column(name, what))
        };
        self.entries(at, |entry| {
            if entry.first {
                if rows > 0 {
                    close(rows - 1, values.len() - begin, &mut width)?;
                }
                rows += 1;
                begin = values.len();
            }
            if values.len() as u64 >= most {
                return Err(too_many(&format!("more than {most} numbers in lists")));
            }
            match entry.cell {
                Cell::Number(number) => {
                    let single = number.single();
                    if let (true, Number::Real(real)) = (single.is_infinite(), number)
                        && real.is_finite()
                    {
                        let what = format!(
                            "the list of {} holds {real:e}, which is beyond what 32 bits hold; scale the \
                             numbers",
                            place(rows.max(1) - 1)
                        );
                        return Err(FileError::column(name, what));
                    }
                    values.push(single);
                }
                _ if entry.level >= element => {
                    let what = format!("the list of {} holds a null", place(rows.max(1) - 1));
                    return Err(FileError::column(name, what));
                }
                _ => {
                    let what = format!("there is no list in {}", place(rows.max(1) - 1));
                    return Err(FileError::column(name, what));
                }
            }
            Ok(())
        })?;
        if rows > 0 {
            close(rows - 1, values.len() - begin, &mut width)?;
        }
        Ok((width.unwrap_or(0), values))
    }

    fn descriptor(&self, at: usize) -> std::sync::Arc<ColumnDescriptor> {
        let metadata = self.reader.metadata().file_metadata();
        metadata.schema_descr().column(at)
    }

    fn entries(
        &self,
        at: usize,
        mut sink: impl FnMut(Entry<'_>) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let column = &self.columns[at];
        if let Kind::Unread(kind) = &column.kind {
            return Err(FileError::column(
                &column.name,
                format!("{kind} are not read"),
            ));
        }
        for group in 0..self.reader.num_row_groups() {
            self.check_compression(group, at)?;
            catch(|| self.chunk(group, at, &mut sink))
                .unwrap_or_else(|| Err(FileError::column(&column.name, DAMAGED)))?;
        }
        Ok(())
    }

    /// Refuses a compression that is not read.
    fn check_compression(&self, group: usize, at: usize) -> Result<(), FileError> {
        let compression = self
            .reader
            .metadata()
            .row_group(group)
            .column(at)
            .compression();
        if !matches!(
            compression,
            Compression::UNCOMPRESSED
                | Compression::SNAPPY
                | Compression::GZIP(_)
                | Compression::ZSTD(_)
        ) {
            let what = format!(
                "its compression, {compression}, is not read; save it with snappy, zstd or gzip"
            );
            return Err(FileError::column(&self.columns[at].name, what));
        }
        Ok(())
    }

    /// The cells of one group of rows.
    fn chunk(
        &self,
        group: usize,
        at: usize,
        sink: &mut impl FnMut(Entry<'_>) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let column = &self.columns[at];
        let broken = |error: ParquetError| FileError::column(&column.name, told(error));
        let group = self.reader.get_row_group(group).map_err(broken)?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let descriptor = self.descriptor(at);
        let most = if descriptor.max_rep_level() == 0 {
            rows as u64
        } else {
            self.held.saturating_mul(ROWS_OF_A_BYTE)
        };
        let pages = group.get_column_page_reader(at).map_err(broken)?;
        let pages = Box::new(Checked::new(pages, &descriptor, most));
        let reader = get_column_reader(descriptor.clone(), pages);
        let walk = Walk {
            column,
            descriptor: &descriptor,
            rows,
        };
        walk.cells(reader, sink)
    }
}

/// Cells that take half of the machine's memory, at eight bytes each while they are read.
fn most_cells() -> u64 {
    machine_memory().map_or(u64::MAX, |bytes| bytes / 16)
}

fn too_many(what: &str) -> FileError {
    FileError::content(format!(
        "{what} take more than half of this machine's memory; take a part of the file"
    ))
}

/// What went wrong, without the word that the crate puts before it.
fn told(error: ParquetError) -> String {
    match error {
        ParquetError::General(what) | ParquetError::EOF(what)
            if what.contains("encrypt") || what.contains("Required field type_ is missing") =>
        {
            "it, or this column, is encrypted, which is not read; save it without encryption"
                .to_owned()
        }
        ParquetError::General(what) | ParquetError::EOF(what) => what,
        other => other.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn more_cells_than_memory_holds_are_refused() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tests/fuzz/seeds");
        let mut file = Parquet::open(&seeds.join("frame.parquet")).unwrap();
        assert!(file.check_size(6).is_ok());
        // As in a file of equal values, whose rows take next to no room.
        file.rows = usize::MAX / 16;
        let told = file.check_size(1).unwrap_err().to_string();
        assert!(
            told.contains(&format!("{} rows of 1 columns", file.rows)),
            "{told}"
        );
        file.rows = 1 << 40;
        assert!(file.check_size(usize::MAX).is_err());
    }
}
