//! CSV files, with or without a line of names.

use std::fs::File;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::{Column, Grid};
use crate::error::CoresetError;

/// Calls `row` with every line of data and its number in the file. A first line with a cell that is
/// no number, over a second line whose cell there is one, holds names.
fn lines(
    path: &Path,
    mut row: impl FnMut(u64, &StringRecord) -> Result<(), CoresetError>,
) -> Result<(), CoresetError> {
    let file = File::open(path).map_err(CoresetError::io(path, "open"))?;
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .trim(Trim::All)
        .from_reader(file);
    let broken = |error: csv::Error| CoresetError::format(path, format!("this is no CSV: {error}"));
    let mut records = reader.records();
    let mut first = match records.next() {
        Some(record) => Some(record.map_err(broken)?),
        None => return Ok(()),
    };
    for record in records {
        let record = record.map_err(broken)?;
        if let Some(first) = first.take() {
            let named = first
                .iter()
                .zip(&record)
                .any(|(a, b)| !is_number(a) && is_number(b));
            if !named {
                row(line(&first), &first)?;
            }
        }
        row(line(&record), &record)?;
    }
    match first {
        Some(only) => row(line(&only), &only),
        None => Ok(()),
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

fn line(record: &StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

/// All columns as numbers.
pub(super) fn grid(path: &Path) -> Result<Grid, CoresetError> {
    let mut grid = Grid {
        rows: 0,
        columns: 0,
        values: Vec::new(),
    };
    lines(path, |line, record| {
        for (column, text) in record.iter().enumerate() {
            let value = text.parse().map_err(|_| {
                let (path, column) = (path.display(), column + 1);
                let reason = if text.is_empty() {
                    "the cell is empty; a coreset needs every number".to_owned()
                } else {
                    format!("{text:?} is no number; leave the column out")
                };
                CoresetError::Format {
                    path: format!("{path}:{line}: column {column}").into(),
                    reason,
                }
            })?;
            grid.values.push(value);
        }
        grid.rows += 1;
        grid.columns = record.len();
        Ok(())
    })?;
    Ok(grid)
}

/// The only column as numbers, each with its line.
pub(super) fn numbers(path: &Path) -> Result<(Vec<u64>, Vec<f64>), CoresetError> {
    let (mut places, mut numbers) = (Vec::new(), Vec::new());
    lines(path, |line, record| {
        let broken = |reason: String| CoresetError::Format {
            path: format!("{}:{line}", path.display()).into(),
            reason,
        };
        let text = match record.iter().next() {
            Some(text) if record.len() == 1 => text,
            _ => {
                let reason = format!("one column is needed; there are {}", record.len());
                return Err(broken(reason));
            }
        };
        let number = text.parse();
        numbers.push(number.map_err(|_| broken(format!("{text:?} is no number")))?);
        places.push(line);
        Ok(())
    })?;
    Ok((places, numbers))
}

/// The only column.
pub(super) fn column(path: &Path) -> Result<Column, CoresetError> {
    let mut cells = Vec::new();
    lines(path, |_, record| {
        if record.len() != 1 {
            let reason = format!("one column is needed; there are {}", record.len());
            return Err(CoresetError::format(path, reason));
        }
        cells.extend(record.iter().map(str::to_owned));
        Ok(())
    })?;
    if let Ok(whole) = cells.iter().map(|cell| cell.parse()).collect() {
        return Ok(Column::Whole(whole));
    }
    match cells.iter().map(|cell| cell.parse()).collect() {
        Ok(real) => Ok(Column::Real(real)),
        Err(_) => Ok(Column::Text(cells)),
    }
}
