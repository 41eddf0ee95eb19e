//! Tables as Parquet files.

use std::fs::File;
use std::path::Path;

use parquet::basic::{Compression, ConvertedType, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::ReadOptions;
use super::column::{Raw, RawTable, Role, Words, is_missing};
use super::select::roles;
use crate::error::ValueError;

/// A value of a column that is no text.
enum Cell<'a> {
    Number(f64),
    /// Whole, and perhaps beyond 2⁵³, where an f64 is not exact.
    Whole(i64),
    Text(&'a str),
}

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<RawTable, ValueError> {
    let wrong = |column: Option<&str>, what: String| ValueError::Table {
        path: path.to_owned(),
        line: None,
        column: column.map(str::to_owned),
        what,
    };
    let file = File::open(path).map_err(ValueError::io("open", path))?;
    let reader = SerializedFileReader::new(file)
        .map_err(|error| wrong(None, format!("not a Parquet file: {error}")))?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let names: Vec<String> = schema
        .columns()
        .iter()
        .map(|column| column.path().string())
        .collect();
    let roles = roles(path, &names, options)?;
    for (column, role) in schema.columns().iter().zip(&roles) {
        let name = column.path().string();
        let strange = column.max_rep_level() > 0
            || matches!(
                column.physical_type(),
                Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY
            )
            || column.converted_type() == ConvertedType::DECIMAL;
        if strange && *role != Role::Ignored {
            let what = format!(
                "lists, decimals and old timestamps are not read; convert it, or say --ignore {name}"
            );
            return Err(wrong(Some(&name), what));
        }
    }
    for group in reader.metadata().row_groups() {
        for (column, name) in group.columns().iter().zip(&names) {
            let compression = column.compression();
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
                return Err(wrong(Some(name), what));
            }
        }
    }
    let mut columns: Vec<Option<Raw>> = roles
        .iter()
        .zip(schema.columns())
        .map(|(role, column)| match role {
            Role::Ignored => None,
            Role::Feature if column.physical_type() != Physical::BYTE_ARRAY => {
                Some(Raw::Numbers(Vec::new()))
            }
            _ => Some(Raw::Words(Words::default())),
        })
        .collect();
    for group in 0..reader.num_row_groups() {
        for (at, column) in columns.iter_mut().enumerate() {
            let Some(raw) = column else { continue };
            let read = reader.get_row_group(group).and_then(|rows| {
                let count = usize::try_from(rows.metadata().num_rows()).unwrap_or(0);
                let sink = |cell: Option<Cell<'_>>| match (&mut *raw, cell) {
                    (Raw::Numbers(values), Some(Cell::Number(number))) => {
                        values.push(number as f32);
                    }
                    (Raw::Numbers(values), Some(Cell::Whole(number))) => {
                        values.push(number as f32);
                    }
                    (Raw::Numbers(values), _) => values.push(f32::NAN),
                    (Raw::Words(words), Some(Cell::Number(number))) => {
                        words.take(&number.to_string(), number.is_nan());
                    }
                    (Raw::Words(words), Some(Cell::Whole(number))) => {
                        words.push(&number.to_string());
                    }
                    (Raw::Words(words), Some(Cell::Text(text))) => {
                        words.take(text, is_missing(text, &options.missing));
                    }
                    (Raw::Words(words), None) => words.push_missing(),
                };
                read_column(rows.get_column_reader(at)?, count, sink)
            });
            read.map_err(|error| wrong(Some(&names[at]), error.to_string()))?;
        }
    }
    Ok(RawTable {
        names,
        roles,
        columns,
        lines: Vec::new(),
    })
}

fn read_column(
    reader: ColumnReader,
    count: usize,
    mut sink: impl FnMut(Option<Cell<'_>>),
) -> Result<(), ParquetError> {
    macro_rules! number {
        ($reader:expr) => {
            cells($reader, count, |v| {
                sink(v.map(|&v| Cell::Number(f64::from(v))))
            })
        };
    }
    match reader {
        ColumnReader::BoolColumnReader(r) => cells(r, count, |v| {
            sink(v.map(|&v| Cell::Number(f64::from(u8::from(v)))));
        }),
        ColumnReader::Int32ColumnReader(r) => number!(r),
        ColumnReader::Int64ColumnReader(r) => {
            cells(r, count, |v: Option<&i64>| sink(v.map(|&v| Cell::Whole(v))))
        }
        ColumnReader::FloatColumnReader(r) => number!(r),
        ColumnReader::DoubleColumnReader(r) => number!(r),
        ColumnReader::ByteArrayColumnReader(r) => {
            let mut broken = None;
            cells(r, count, |v: Option<&ByteArray>| {
                match v.map(ByteArray::as_utf8).transpose() {
                    Ok(text) => sink(text.map(Cell::Text)),
                    Err(error) => broken = Some(error),
                }
            })?;
            broken.map_or(Ok(()), Err)
        }
        _ => Err(ParquetError::General("this type is not read".to_owned())),
    }
}

/// Hands out the cells of a column, `None` where it is null.
fn cells<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    count: usize,
    mut sink: impl FnMut(Option<&T::T>),
) -> Result<(), ParquetError> {
    let (mut levels, mut values) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (read, present, _) = reader.read_records(count, Some(&mut levels), None, &mut values)?;
    if read != count {
        return Err(ParquetError::General(format!(
            "{read} of {count} cells could be read"
        )));
    }
    // A column without nulls has no levels.
    if present == count {
        values.iter().for_each(|value| sink(Some(value)));
        return Ok(());
    }
    let full = levels.iter().copied().max().unwrap_or(0).max(1);
    let mut values = values.iter();
    for level in levels {
        sink(if level == full { values.next() } else { None });
    }
    Ok(())
}
