//! CSV files, with or without a line of names.

use std::path::Path;

use afterimage_table::{
    Number, TextFile, blank_line, days, is_unnamed, line_at, meant, names_clock, says_missing,
    shown_line,
};
use csv::{ReaderBuilder, StringRecord, Trim};

use super::header::{is_named, is_number};
use super::{Column, Grid, IS_CLOCK, Manner, left_out, split};
use crate::error::CoresetError;

/// The records of a file, the first line among them.
pub(super) fn records(path: &Path) -> Result<csv::Reader<TextFile>, CoresetError> {
    let (file, delimiter) =
        TextFile::table(path).map_err(|error| CoresetError::file("CSV", path, error))?;
    Ok(ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
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
    /// The columns that are read.
    keep: Vec<usize>,
}

impl Head {
    /// The names of the columns that are read.
    fn kept(&self) -> Vec<String> {
        let name = |at: &usize| self.names.get(*at).cloned();
        self.keep.iter().filter_map(name).collect()
    }
}

fn head(path: &Path, purpose: &Purpose<'_>, manner: &mut Manner) -> Result<Head, CoresetError> {
    let named = is_named(path, purpose.role, purpose.samples, manner)?;
    let mut reader = records(path)?;
    let Some(first) = reader.records().next() else {
        return Ok(Head {
            names: Vec::new(),
            keep: Vec::new(),
        });
    };
    let first = first.map_err(|error| broken(path, error))?;
    let names: Vec<String> = match named {
        true => first.iter().map(str::to_owned).collect(),
        false => Vec::new(),
    };
    let ignored = manner.ignored(path, purpose.role, &names, first.len())?;
    let mut keep: Vec<usize> = (0..first.len())
        .filter(|at| !ignored.contains(at))
        .collect();
    if !named {
        return Ok(Head { names, keep });
    }
    // First columns without names are the index that pandas writes.
    let mut unnamed = names.iter().take_while(|name| is_unnamed(name)).count();
    if unnamed == names.len() {
        unnamed = 0;
    }
    let clock = |at: &usize| names_clock(&names[*at]);
    let only_clock = keep.iter().filter(|at| **at >= unnamed).all(clock);
    let (mut index, mut times) = (Vec::new(), Vec::new());
    keep.retain(|at| {
        let name = format!("`{}`", names[*at]);
        if *at < unnamed {
            index.push(name);
        } else if !only_clock && clock(at) {
            times.push(name);
        } else {
            return true;
        }
        false
    });
    if !index.is_empty() {
        manner
            .notes
            .push(left_out(path, &index, "numbers the rows"));
    }
    if !times.is_empty() {
        manner.notes.push(left_out(path, &times, IS_CLOCK));
    }
    if index.is_empty() && first.iter().all(is_number) {
        manner.notes.push(format!(
            "{}: the first line, `{}`, names the columns; say --no-header={} if it is a sample",
            path.display(),
            shown_line(&first),
            purpose.role
        ));
    }
    Ok(Head { names, keep })
}

/// Calls `row` with every line of data and the byte that it begins at.
fn lines(
    path: &Path,
    head: &Head,
    mut row: impl FnMut(u64, &StringRecord) -> Result<(), CoresetError>,
) -> Result<(), CoresetError> {
    let mut reader = records(path)?;
    for record in reader.records().skip(usize::from(!head.names.is_empty())) {
        let record = record.map_err(|error| broken(path, error))?;
        row(record.position().map_or(0, csv::Position::byte), &record)?;
    }
    Ok(())
}

/// The number of the line that begins at byte `start`.
pub(super) fn line(path: &Path, start: u64) -> u64 {
    line_at(path, start).unwrap_or(0)
}

/// All columns as numbers; dates as their days.
pub(super) fn grid(
    path: &Path,
    purpose: &Purpose<'_>,
    manner: &mut Manner,
) -> Result<Grid, CoresetError> {
    let head = head(path, purpose, manner)?;
    let mut grid = Grid::new(head.kept());
    grid.columns = head.keep.len();
    // Whether a column is of dates, as its first cell tells.
    let mut dates = vec![None; head.keep.len()];
    let mut split = Split::default();
    lines(path, &head, |start, record| {
        split.look(record);
        for (column, &at) in head.keep.iter().enumerate() {
            let text = record.get(at).unwrap_or_default();
            let number = match text.parse::<f32>() {
                Ok(number) => Some((number, None)),
                Err(_) => days(text).map(|days| (days as f32, Some(days))),
            };
            let mut of_dates = |days: Option<f64>| *dates[column].get_or_insert(days.is_some());
            let fitting = number.filter(|(_, days)| of_dates(*days) == days.is_some());
            let Some((value, days)) = fitting else {
                return Err(no_number(path, (start, at), head.names.get(at), text));
            };
            grid.values.push(value);
            grid.told.look(column, value, || match days {
                Some(days) => Number::Real(days),
                None => Number::of_text(text),
            });
        }
        grid.starts.push(start);
        grid.rows += 1;
        Ok(())
    })?;
    match split.is_one() {
        true => Err(CoresetError::format(
            path,
            "its lines look like one number each with a decimal comma, as `0,05`; save it with decimal \
             points",
        )),
        false => Ok(grid),
    }
}

/// Whether commas split numbers with decimal commas into two cells.
#[derive(Default)]
struct Split {
    other: bool,
    zero: bool,
}

impl Split {
    fn look(&mut self, record: &StringRecord) {
        let digits = |cell: &str| !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit());
        match (record.len(), record.get(0), record.get(1)) {
            (2, Some(whole), Some(places))
                if digits(whole.trim_start_matches('-')) && digits(places) =>
            {
                // No whole number begins so.
                self.zero |= places.len() > 1 && places.starts_with('0');
            }
            _ => self.other = true,
        }
    }

    fn is_one(&self) -> bool {
        self.zero && !self.other
    }
}

/// The error of a cell, in the line that begins at byte `start`, that is no number.
fn no_number(
    path: &Path,
    (start, at): (u64, usize),
    name: Option<&String>,
    text: &str,
) -> CoresetError {
    let column = (at + 1).to_string();
    let ignore = name.unwrap_or(&column);
    let reason = match meant(text) {
        _ if text.is_empty() => "the cell is empty; a coreset needs every number".to_owned(),
        _ if says_missing(text) => {
            format!("`{text}` stands for a missing cell; a coreset needs every number")
        }
        Some(meant) => {
            format!("{text:?} looks like {meant}; save plain numbers with decimal points")
        }
        None if ignore == split::SPLIT => format!(
            "column `{ignore}` says which rows are held out; keep those to train on alone in a file, or say \
             --ignore {ignore} to choose out of all"
        ),
        None => format!("{text:?} is no number; leave the column out with --ignore {ignore}"),
    };
    CoresetError::Format {
        path: format!("{}:{}: column {column}", path.display(), line(path, start)).into(),
        reason,
    }
}

/// The only column as numbers, each with the byte that its line begins at.
pub(super) fn numbers(
    path: &Path,
    purpose: &Purpose<'_>,
    manner: &mut Manner,
) -> Result<(Vec<u64>, Vec<f64>), CoresetError> {
    let (places, cells) = cells(path, purpose, manner)?;
    let number = |(text, start): (String, &u64)| {
        let reason = match meant(&text) {
            Some(meant) => format!("{text:?} looks like {meant}; save plain numbers"),
            None => format!("{text:?} is no number"),
        };
        text.parse()
            .map_err(|_| at_line(path, line(path, *start), reason))
    };
    let numbers: Result<Vec<f64>, CoresetError> =
        cells.into_iter().zip(&places).map(number).collect();
    Ok((places, numbers?))
}

fn at_line(path: &Path, line: u64, reason: String) -> CoresetError {
    CoresetError::Format {
        path: format!("{}:{line}", path.display()).into(),
        reason,
    }
}

/// The cells of the only column, with the bytes that their lines begin at.
fn cells(
    path: &Path,
    purpose: &Purpose<'_>,
    manner: &mut Manner,
) -> Result<(Vec<u64>, Vec<String>), CoresetError> {
    let (mut places, mut cells) = (Vec::new(), Vec::new());
    let head = head(path, purpose, manner)?;
    lines(path, &head, |start, record| {
        let text = match head.keep.as_slice() {
            &[at] => record.get(at),
            _ => None,
        };
        let text = text.ok_or_else(|| {
            let count = head.keep.len();
            let whole = record.iter().collect::<Vec<_>>().join(",");
            let advice = match meant(&whole) {
                Some(meant) => format!("; `{whole}` looks like {meant}: save plain numbers"),
                None => String::new(),
            };
            let reason = format!("one column is needed; there are {count}{advice}");
            at_line(path, line(path, start), reason)
        })?;
        cells.push(text.to_owned());
        places.push(start);
        Ok(())
    })?;
    // A blank line is a cell without a value, which the reader passes over.
    let blank = blank_line(path).map_err(|error| CoresetError::file("CSV", path, error))?;
    match blank.filter(|_| head.keep.len() == 1 && head.names.len() < 2) {
        Some(line) => Err(at_line(path, line, missing_value(purpose, ""))),
        None => Ok((places, cells)),
    }
}

/// Whether a whole number among the cells begins with a zero, as codes do.
fn keep_texts(cells: &[String]) -> bool {
    cells.iter().any(|cell| {
        let digits = cell.bytes().all(|byte| byte.is_ascii_digit());
        digits && cell.len() > 1 && cell.starts_with('0')
    })
}

pub(super) fn missing_value(purpose: &Purpose<'_>, text: &str) -> String {
    let role = purpose.role.trim_end_matches('s');
    let told = match text {
        "" => "the cell is empty".to_owned(),
        text if role == "label" => {
            format!("`{text}` stands for a missing one; say --keep-missing-words if it is a label")
        }
        text => format!("`{text}` stands for a missing one; rename it if it is none"),
    };
    format!("there is no {role}: {told}; fill it in, or leave the sample out of all files")
}

/// The only column.
pub(super) fn column(
    path: &Path,
    purpose: &Purpose<'_>,
    manner: &mut Manner,
) -> Result<Column, CoresetError> {
    let (places, cells) = cells(path, purpose, manner)?;
    if let Some(at) = cells.iter().position(|cell| manner.is_missing(cell)) {
        let line = line(path, places[at]);
        return Err(at_line(path, line, missing_value(purpose, &cells[at])));
    }
    // `01` and `1` are two labels.
    if keep_texts(&cells) {
        return Ok(Column::Text(cells));
    }
    if let Ok(whole) = cells.iter().map(|cell| cell.parse()).collect() {
        return Ok(Column::Whole(whole));
    }
    match cells.iter().map(|cell| cell.parse()).collect() {
        Ok(real) => Ok(Column::Real(real)),
        Err(_) => Ok(Column::Text(cells)),
    }
}
