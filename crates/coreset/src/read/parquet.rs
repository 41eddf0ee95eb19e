//! Parquet files, without arrow.

use std::fs::File;
use std::path::Path;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::{Column, Grid};
use crate::error::CoresetError;

/// The columns that every table of a run begins with, which are no values of a sample.
const CLOCK: [&str; 2] = ["epoch", "step"];

/// All columns as numbers, in the order of the schema, without those of a run's clock.
pub(super) fn grid(path: &Path) -> Result<Grid, CoresetError> {
    let mut columns = columns(path)?;
    columns.retain(|(name, _)| !CLOCK.contains(&name.as_str()));
    let rows = columns.first().map_or(0, |(_, column)| len(column));
    let mut values = vec![0.0; rows * columns.len()];
    for (index, (name, column)) in columns.iter().enumerate() {
        let places = values.iter_mut().skip(index).step_by(columns.len());
        match column {
            Column::Whole(column) => places.zip(column).for_each(|(place, x)| *place = *x as f32),
            Column::Real(column) => places.zip(column).for_each(|(place, x)| *place = *x as f32),
            Column::Text(_) => {
                let reason = format!("column `{name}` is text; a coreset needs numbers alone");
                return Err(CoresetError::format(path, reason));
            }
        }
    }
    Ok(Grid {
        rows,
        columns: columns.len(),
        values,
    })
}

/// The only column but for those of a run's clock.
pub(super) fn column(path: &Path) -> Result<Column, CoresetError> {
    let mut columns = columns(path)?;
    columns.retain(|(name, _)| !CLOCK.contains(&name.as_str()));
    match (columns.pop(), columns.len()) {
        (Some((_, column)), 0) => Ok(column),
        (_, more) => {
            let reason = format!("one column is needed; there are {}", more + 1);
            Err(CoresetError::format(path, reason))
        }
    }
}

fn len(column: &Column) -> usize {
    match column {
        Column::Whole(values) => values.len(),
        Column::Real(values) => values.len(),
        Column::Text(values) => values.len(),
    }
}

fn columns(path: &Path) -> Result<Vec<(String, Column)>, CoresetError> {
    let file = File::open(path).map_err(CoresetError::io(path, "open"))?;
    decode(file).map_err(|error| {
        let told = match error {
            ParquetError::General(reason) => reason,
            other => other.to_string(),
        };
        CoresetError::format(path, told)
    })
}

fn decode(file: File) -> Result<Vec<(String, Column)>, ParquetError> {
    let reader = SerializedFileReader::new(file)?;
    let mut columns: Vec<(String, Column)> = Vec::new();
    for group in 0..reader.num_row_groups() {
        let rows = reader.get_row_group(group)?;
        let count = usize::try_from(rows.metadata().num_rows()).unwrap_or(0);
        for index in 0..rows.num_columns() {
            let descriptor = rows.metadata().column(index).column_descr_ptr();
            let name = descriptor.path().string();
            if descriptor.max_rep_level() > 0 {
                let reason = format!("column `{name}` holds lists; write one column a number");
                return Err(ParquetError::General(reason));
            }
            let level = descriptor.max_def_level();
            macro_rules! real {
                ($reader:expr) => {
                    Column::Real(
                        values(&name, level, count, $reader)?
                            .into_iter()
                            .map(|x| x as f64)
                            .collect(),
                    )
                };
            }
            macro_rules! whole {
                ($reader:expr) => {
                    Column::Whole(
                        values(&name, level, count, $reader)?
                            .into_iter()
                            .map(|x| x as i64)
                            .collect(),
                    )
                };
            }
            let column = match rows.get_column_reader(index)? {
                ColumnReader::DoubleColumnReader(reader) => real!(reader),
                ColumnReader::FloatColumnReader(reader) => real!(reader),
                ColumnReader::Int64ColumnReader(reader) => whole!(reader),
                ColumnReader::Int32ColumnReader(reader) => whole!(reader),
                ColumnReader::BoolColumnReader(reader) => whole!(reader),
                ColumnReader::ByteArrayColumnReader(reader) => {
                    let words = values(&name, level, count, reader)?;
                    let words: Result<Vec<String>, ParquetError> = words
                        .iter()
                        .map(|word| word.as_utf8().map(str::to_owned))
                        .collect();
                    Column::Text(words?)
                }
                _ => {
                    let reason = format!("column `{name}` is no number and no text");
                    return Err(ParquetError::General(reason));
                }
            };
            match (columns.get_mut(index), column) {
                (None, column) => columns.push((name, column)),
                (Some((_, Column::Whole(all))), Column::Whole(more)) => all.extend(more),
                (Some((_, Column::Real(all))), Column::Real(more)) => all.extend(more),
                (Some((_, Column::Text(all))), Column::Text(more)) => all.extend(more),
                (Some(_), _) => {
                    let reason = format!("column `{name}` has more than one type");
                    return Err(ParquetError::General(reason));
                }
            }
        }
    }
    Ok(columns)
}

/// The values of a column chunk; columns may be declared as nullable as long as nothing is null.
fn values<T: DataType>(
    name: &str,
    level: i16,
    count: usize,
    mut reader: ColumnReaderImpl<T>,
) -> Result<Vec<T::T>, ParquetError> {
    let mut values = Vec::with_capacity(count);
    let mut levels = Vec::new();
    let levels_wanted = (level > 0).then_some(&mut levels);
    reader.read_records(count, levels_wanted, None, &mut values)?;
    if values.len() != count {
        let row = levels
            .iter()
            .position(|found| *found < level)
            .unwrap_or(values.len());
        let reason =
            format!("column `{name}` has no value in row {row}; a coreset needs every number");
        return Err(ParquetError::General(reason));
    }
    Ok(values)
}
