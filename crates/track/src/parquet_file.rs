//! Tables as Parquet files, without arrow.

use std::path::Path;
use std::sync::Arc;

use afterimage_files::LARGE;
use afterimage_hooks::{Column, Table};
use afterimage_table::{Cell, FileError, Kind, Number, Parquet, ParquetColumn};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::{TrackError, files};

/// Names the writer in the file; without a version, so that equal tables are equal files.
const CREATED_BY: &str = "afterimage";

/// Rows that are believed of a table for each of its bytes. A page of equal values, 20,000 rows in some fifty bytes,
/// has a tenth of it.
const ROWS_OF_A_BYTE: u64 = 4096;

/// Writes `table` as a Parquet file beside `path` and renames it.
///
/// Columns are required (no nulls): doubles, 64-bit integers, or UTF-8 text. Equal tables give
/// equal bytes.
///
/// # Errors
/// Columns of unequal length or with one name twice, a full disk, an unwritable folder.
pub fn write_table(path: &Path, table: &Table) -> Result<(), TrackError> {
    check(table).map_err(|why| TrackError::Table {
        path: path.to_owned(),
        why,
    })?;
    written(path, encode(table, None))
}

/// As [`write_table`], with a column more behind the others: `vectors` are its name, the values of all
/// rows, `[rows, width]`, and the width. It is a list of 32-bit floats, without nulls.
///
/// # Errors
/// As for [`write_table`]; values that are not `width` a row.
pub fn write_table_with_vectors(
    path: &Path,
    table: &Table,
    vectors: (&str, &[f32], usize),
) -> Result<(), TrackError> {
    let (name, values, width) = vectors;
    let rows = table.rows();
    let fits = width > 0 && values.len() == rows * width;
    let checked = match check(table) {
        Ok(()) if !fits => Err(format!(
            "column `{name}` has {} values, which are not {rows} rows of {width}",
            values.len()
        )),
        checked => checked,
    };
    checked.map_err(|why| TrackError::Table {
        path: path.to_owned(),
        why,
    })?;
    written(path, encode(table, Some(vectors)))
}

fn written(path: &Path, encoded: Result<Vec<u8>, ParquetError>) -> Result<(), TrackError> {
    let bytes = encoded.map_err(|error| TrackError::Table {
        path: path.to_owned(),
        why: error.to_string(),
    })?;
    files::write_beside(path, &bytes)
}

/// Says what keeps `table` from being stored.
pub(crate) fn check(table: &Table) -> Result<(), String> {
    let rows = table.rows();
    for (index, (name, column)) in table.columns.iter().enumerate() {
        if column.len() != rows {
            return Err(format!(
                "column `{name}` has {} rows and `{}` has {rows}; all columns need one length",
                column.len(),
                table.columns[0].0
            ));
        }
        if table.columns[..index]
            .iter()
            .any(|(other, _)| other == name)
        {
            return Err(format!("two columns are named `{name}`; names must differ"));
        }
    }
    Ok(())
}

fn encode(table: &Table, vectors: Option<(&str, &[f32], usize)>) -> Result<Vec<u8>, ParquetError> {
    let mut fields = Vec::with_capacity(table.columns.len());
    for (name, column) in &table.columns {
        let builder = match column {
            Column::F64(_) => Type::primitive_type_builder(name, Physical::DOUBLE),
            Column::I64(_) => Type::primitive_type_builder(name, Physical::INT64),
            Column::Text(_) => Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                .with_logical_type(Some(LogicalType::String)),
        };
        fields.push(Arc::new(
            builder.with_repetition(Repetition::REQUIRED).build()?,
        ));
    }
    if let Some((name, ..)) = vectors {
        fields.push(Arc::new(list_of_floats(name)?));
    }
    let schema = Arc::new(
        Type::group_type_builder("table")
            .with_fields(fields)
            .build()?,
    );
    let properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::SNAPPY)
        .build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
    let mut rows = writer.next_row_group()?;
    for (_, column) in &table.columns {
        let Some(mut sink) = rows.next_column()? else {
            break;
        };
        match column {
            Column::F64(values) => sink.typed::<DoubleType>().write_batch(values, None, None)?,
            Column::I64(values) => sink.typed::<Int64Type>().write_batch(values, None, None)?,
            Column::Text(values) => {
                let words: Vec<ByteArray> =
                    values.iter().map(|v| ByteArray::from(v.as_str())).collect();
                sink.typed::<ByteArrayType>()
                    .write_batch(&words, None, None)?
            }
        };
        sink.close()?;
    }
    if let Some((_, values, width)) = vectors
        && let Some(mut sink) = rows.next_column()?
    {
        // Every value is there, and the first of each row begins a list.
        let there = vec![1; values.len()];
        let begins: Vec<i16> = (0..values.len())
            .map(|at| i16::from(!at.is_multiple_of(width)))
            .collect();
        sink.typed::<FloatType>()
            .write_batch(values, Some(&there), Some(&begins))?;
        sink.close()?;
    }
    rows.close()?;
    writer.close()?;
    Ok(bytes)
}

/// A required column of lists of required 32-bit floats.
fn list_of_floats(name: &str) -> Result<Type, ParquetError> {
    let element = Type::primitive_type_builder("element", Physical::FLOAT)
        .with_repetition(Repetition::REQUIRED)
        .build()?;
    let list = Type::group_type_builder("list")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![Arc::new(element)])
        .build()?;
    Type::group_type_builder(name)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(list)])
        .build()
}

/// Reads a Parquet file of required columns: numbers, integers and UTF-8 text.
///
/// # Errors
/// A missing or damaged file, more than half of the machine's memory holds, or a column with nulls, lists or
/// another type.
pub fn read_table(path: &Path) -> Result<Table, TrackError> {
    let file = afterimage_files::open(path, LARGE)?;
    let bytes = file.metadata().map_or(0, |file| file.len());
    decode(path, bytes).map_err(|error| TrackError::Table {
        path: path.to_owned(),
        why: error.to_string(),
    })
}

fn decode(path: &Path, bytes: u64) -> Result<Table, FileError> {
    let file = Parquet::open(path)?;
    if file.rows as u64 > bytes.saturating_mul(ROWS_OF_A_BYTE) {
        return Err(FileError::Kind(format!(
            "{} rows cannot be in a table of {bytes} bytes; the file is damaged",
            file.rows
        )));
    }
    file.check_size(file.columns.len())?;
    let columns = file.columns.iter().enumerate();
    let columns = columns.map(|(at, column)| Ok((column.name.clone(), read_column(&file, at)?)));
    Ok(Table {
        columns: columns.collect::<Result<_, FileError>>()?,
    })
}

fn read_column(file: &Parquet, at: usize) -> Result<Column, FileError> {
    let ParquetColumn {
        name, kind, whole, ..
    } = &file.columns[at];
    let mut column = match kind {
        Kind::Text => Column::Text(Vec::new()),
        Kind::Number if *whole => Column::I64(Vec::new()),
        Kind::Number | Kind::Date(_) => Column::F64(Vec::new()),
        Kind::List => return Err(FileError::column(name, "it holds lists")),
        Kind::Unread(kind) => {
            return Err(FileError::column(name, format!("{kind} are not read")));
        }
    };
    let mut other = None;
    file.read(at, |cell| match (&mut column, cell) {
        (Column::Text(column), Cell::Text(text)) => column.push(text.to_owned()),
        (Column::F64(column), Cell::Number(number)) => column.push(number.double()),
        (Column::I64(column), Cell::Number(Number::Whole(number))) => match number.try_into() {
            Ok(number) => column.push(number),
            Err(_) => other = Some(format!("{number} is more than 64 bits with a sign hold")),
        },
        _ => other = Some("it holds nulls".to_owned()),
    })?;
    match other {
        None => Ok(column),
        Some(what) => Err(FileError::column(name, what)),
    }
}

/// Puts `more` behind `column`.
pub(crate) fn append(column: &mut Column, more: Column) -> Result<(), &'static str> {
    match (column, more) {
        (Column::F64(a), Column::F64(b)) => a.extend(b),
        (Column::I64(a), Column::I64(b)) => a.extend(b),
        (Column::Text(a), Column::Text(b)) => a.extend(b),
        _ => return Err("the type differs from the rows before"),
    }
    Ok(())
}
