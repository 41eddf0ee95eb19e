//! CSV files, with or without a line of names.

use std::path::Path;

use afterimage_table::{Number, TextFile, line_at};
use csv::{ReaderBuilder, StringRecord, Trim};

use super::header::{is_named, is_number};
use super::{Column, Grid, Manner};
use crate::error::CoresetError;

/// The records of a file, the first line among them.
pub(super) fn records(path: &Path) -> Result<csv::Reader<TextFile>, CoresetError> {
    let file = TextFile::open(path).map_err(CoresetError::io(path, "open"))?;
    Ok(ReaderBuilder::new()
        .has_headers(false)
        .trim(Trim::All)
        .from_reader(file))
}

pub(super) fn broken(path: &Path, error: csv::Error) -> CoresetError {
    let told = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            pos: Some(place),
            expected_len,
            len,
        } => format!(
            "line {} has {len} cells and those before it {expected_len}",
            line_at(path, place.byte()).unwrap_or(place.line())
        ),
        _ => error.to_string(),
    };
    CoresetError::format(path, format!("this is no CSV: {told}"))
}

/// What a file is read for.
pub(super) struct Purpose<'a> {
    /// What it holds, as in `labels`.
    pub role: &'a str,
    /// How many samples there are, where that is known.
    pub samples: Option<usize>,
}

/// What the first line of a file says.
struct Head {
    /// The names of the columns; none where the first line is a sample.
    names: Vec<String>,
    /// The number of the first columns that are left out: an index without a name, as pandas writes it.
    skip: usize,
}

fn head(path: &Path, purpose: &Purpose<'_>, manner: &mut Manner) -> Result<Head, CoresetError> {
    let mut head = Head {
        names: Vec::new(),
        skip: 0,
    };
    let named = is_named(path, purpose.role, purpose.samples, manner)?;
    let mut reader = records(path)?;
    if named && let Some(first) = reader.records().next() {
        let first = first.map_err(|error| broken(path, error))?;
        let name = first.iter().next().unwrap_or_default();
        if first.len() > 1 && (name.is_empty() || name == "Unnamed: 0") {
            head.skip = 1;
            manner.notes.push(format!(
                "{}: column `{name}` is left out: it numbers the rows; rename it if it says more than \
                 that",
                path.display()
            ));
        } else if first.iter().all(is_number) {
            let names: Vec<&str> = first.iter().take(8).collect();
            let more = if first.len() > names.len() {
                ",…"
            } else {
                ""
            };
            manner.notes.push(format!(
                "{}: the first line, `{}{more}`, names the columns; say --no-header={} if it is a sample",
                path.display(),
                names.join(","),
                purpose.role
            ));
        }
        head.names = first.iter().map(str::to_owned).collect();
    }
    Ok(head)
}

/// Calls `row` with every line of data, the byte that it begins at, and the number of its first columns
/// that are left out.
fn lines(
    path: &Path,
    head: &Head,
    mut row: impl FnMut(u64, usize, &StringRecord) -> Result<(), CoresetError>,
) -> Result<(), CoresetError> {
    let mut reader = records(path)?;
    for record in reader.records().skip(usize::from(!head.names.is_empty())) {
        let record = record.map_err(|error| broken(path, error))?;
        row(
            record.position().map_or(0, csv::Position::byte),
            head.skip,
            &record,
        )?;
    }
    Ok(())
}

/// The number of the line that begins at byte `start`.
pub(super) fn line(path: &Path, start: u64) -> u64 {
    line_at(path, start).unwrap_or(0)
}

/// All columns as numbers.
pub(super) fn grid(
    path: &Path,
    purpose: &Purpose<'_>,
    manner: &mut Manner,
) -> Result<Grid, CoresetError> {
    let head = head(path, purpose, manner)?;
    let mut grid = Grid::new(head.names.iter().skip(head.skip).cloned().collect());
    lines(path, &head, |start, skip, record| {
        for (column, text) in record.iter().enumerate().skip(skip) {
            let value: f32 = text.parse().map_err(|_| {
                let (line, column) = (line(path, start), column + 1);
                let reason = if text.is_empty() {
                    "the cell is empty; a coreset needs every number".to_owned()
                } else {
                    format!("{text:?} is no number; leave the column out")
                };
                CoresetError::Format {
                    path: format!("{}:{line}: column {column}", path.display()).into(),
                    reason,
                }
            })?;
            grid.values.push(value);
            grid.told
                .look(column - skip, value, || Number::of_text(text));
        }
        grid.rows += 1;
        grid.columns = record.len() - skip;
        Ok(())
    })?;
    Ok(grid)
}

/// The only column as numbers, each with the byte that its line begins at.
pub(super) fn numbers(
    path: &Path,
    purpose: &Purpose<'_>,
    manner: &mut Manner,
) -> Result<(Vec<u64>, Vec<f64>), CoresetError> {
    let (mut places, mut numbers) = (Vec::new(), Vec::new());
    lines(
        path,
        &head(path, purpose, manner)?,
        |start, skip, record| {
            let broken = |reason: String| CoresetError::Format {
                path: format!("{}:{}", path.display(), line(path, start)).into(),
                reason,
            };
            let text = match record.get(skip) {
                Some(text) if record.len() == skip + 1 => text,
                _ => {
                    let reason = format!("one column is needed; there are {}", record.len() - skip);
                    return Err(broken(reason));
                }
            };
            let number = text.parse();
            numbers.push(number.map_err(|_| broken(format!("{text:?} is no number")))?);
            places.push(start);
            Ok(())
        },
    )?;
    Ok((places, numbers))
}

/// The only column.
pub(super) fn column(
    path: &Path,
    purpose: &Purpose<'_>,
    manner: &mut Manner,
) -> Result<Column, CoresetError> {
    let mut cells = Vec::new();
    lines(path, &head(path, purpose, manner)?, |_, skip, record| {
        if record.len() != skip + 1 {
            let reason = format!("one column is needed; there are {}", record.len() - skip);
            return Err(CoresetError::format(path, reason));
        }
        cells.extend(record.iter().skip(skip).map(str::to_owned));
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
