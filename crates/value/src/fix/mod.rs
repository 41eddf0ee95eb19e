//! Proposed repairs: a copy of the table in which suspicious cells are empty or filled in.

mod copy;
mod texts;

use std::collections::BTreeMap;
use std::path::Path;

use afterimage_numeric::upper_median;
use afterimage_table::{date, days};
use csv::ByteRecord;

use crate::error::ValueError;
use crate::formula::Formulas;
use crate::lowest::Ranked;
use crate::problem::{Cells, NO_LEVEL, Problem, Target};
use crate::table::{Format, ReadOptions, ReadTable, Records, delimiter};

use copy::Copy;
use texts::{Texts, texts_bound};

/// The repaired copy.
pub const FIXED_CSV: &str = "fixed.csv";
/// What was changed in it.
pub const FIXES_CSV: &str = "fixes.csv";

/// What is put in place of a suspicious cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Nothing: the cell becomes a missing one.
    Blank,
    /// The median of the column, or its most frequent category; without regard to the label, so
    /// that the label does not leak into the cell.
    Impute,
}

/// Writes `fixed.csv`, a copy of the table in `path` with `cells` replaced, and `fixes.csv`, one
/// line for each of them: row, column, what was there, what is there now, value, distance.
///
/// All other cells are copied as they are in a CSV file, and with all their digits from Parquet and npy
/// files, of which the columns stand in their order, without an index of pandas, lists and what is not read.
/// Tells what a spreadsheet would run in the copy.
///
/// # Errors
/// A table that cannot be read again, a full disk.
pub fn write_fixes(
    folder: &Path,
    path: &Path,
    options: &ReadOptions,
    table: &ReadTable,
    cells: &[Ranked],
    repair: Repair,
) -> Result<Formulas, ValueError> {
    let mut by_row: BTreeMap<usize, Vec<&Ranked>> = BTreeMap::new();
    for cell in cells {
        by_row.entry(cell.row).or_default().push(cell);
    }
    let head: Vec<&[u8]> = vec![
        b"row",
        b"column",
        b"was",
        b"is",
        b"value",
        b"value:se",
        b"z",
    ];
    let mut log = Log {
        file: Copy::begin(&folder.join(FIXES_CSV), b',', &head)?,
        table,
    };
    let fixed = folder.join(FIXED_CSV);
    let formulas = match Format::of(path) {
        Format::Parquet => copy_texts(&fixed, &texts::of_parquet(path)?, &by_row, repair, &mut log),
        Format::Npy => copy_texts(&fixed, &texts::of_npy(path)?, &by_row, repair, &mut log),
        Format::Csv | Format::Held => {
            copy_lines(&fixed, path, options.header, &by_row, repair, &mut log)
        }
    }?;
    log.file.close()?;
    Ok(formulas)
}

/// An upper bound in bytes of what the copy of the table in `path` takes while it is written.
pub fn copy_bound(path: &Path, problem: &Problem) -> usize {
    match Format::of(path) {
        Format::Csv | Format::Held => 0,
        Format::Parquet => texts_bound(problem).saturating_add(texts::others_bound(path, problem)),
        Format::Npy => texts_bound(problem),
    }
}

/// The list of what was changed.
struct Log<'a> {
    file: Copy,
    table: &'a ReadTable,
}

impl Log<'_> {
    fn note(&mut self, cell: &Ranked, was: &str, is: &str) -> Result<(), ValueError> {
        let name = &self.table.problem.columns()[cell.column].name;
        self.file.write([
            (cell.row + 1).to_string().as_str(),
            name,
            was,
            is,
            &number(cell.value),
            &number(cell.error),
            &number(cell.z),
        ])
    }
}

/// The cells to be replaced, by row.
type ByRow<'a> = BTreeMap<usize, Vec<&'a Ranked>>;

/// Copies a table of text line by line.
fn copy_lines(
    fixed: &Path,
    path: &Path,
    header: bool,
    by_row: &ByRow<'_>,
    repair: Repair,
    log: &mut Log<'_>,
) -> Result<Formulas, ValueError> {
    let table = log.table;
    let columns = table.problem.columns().iter();
    let fills: Vec<String> = columns
        .map(|column| match repair {
            Repair::Blank => String::new(),
            Repair::Impute => typical(&column.cells),
        })
        .collect();
    // Dates are numbers of days where they were read from text, and are written as dates again.
    let dates: BTreeMap<usize, String> = fills
        .iter()
        .enumerate()
        .filter_map(|(at, fill)| Some((at, date(fill.parse().ok()?))))
        .collect();
    let mut records = Records::open(path)?;
    let mut record = ByteRecord::new();
    let mut out: Option<Copy> = None;
    let mut put = |fields: &[&[u8]]| match &mut out {
        Some(out) => out.write(fields),
        none => {
            *none = Some(Copy::begin(fixed, delimiter(path)?, fields)?);
            Ok(())
        }
    };
    if header && records.next(&mut record)? {
        put(&record.iter().collect::<Vec<_>>())?;
    }
    let mut row = 0;
    while records.next(&mut record)? {
        let mut fields: Vec<&[u8]> = record.iter().collect();
        for cell in by_row.get(&row).into_iter().flatten() {
            let at = table.position[cell.column];
            let was = String::from_utf8_lossy(fields[at]);
            let fill = match dates.get(&cell.column) {
                Some(date) if days(was.trim()).is_some() => date,
                _ => &fills[cell.column],
            };
            log.note(cell, &was, fill)?;
            fields[at] = fill.as_bytes();
        }
        put(&fields)?;
        row += 1;
    }
    out.map_or_else(|| Ok(Formulas::default()), Copy::close)
}

/// Copies columns that are held as texts.
fn copy_texts(
    fixed: &Path,
    columns: &[Texts],
    by_row: &ByRow<'_>,
    repair: Repair,
    log: &mut Log<'_>,
) -> Result<Formulas, ValueError> {
    let problem = &log.table.problem;
    let place = |column: usize| {
        let wanted = log.table.position[column];
        columns.iter().position(|texts| texts.place == wanted)
    };
    let places: Vec<Option<usize>> = (0..problem.columns().len()).map(place).collect();
    let fills: Vec<String> = problem
        .columns()
        .iter()
        .zip(&places)
        .map(|(column, place)| match (repair, place) {
            (Repair::Impute, Some(at)) => typical_text(&column.cells, &columns[*at]),
            _ => String::new(),
        })
        .collect();
    let head: Vec<&[u8]> = columns.iter().map(|texts| texts.name.as_bytes()).collect();
    let mut out = Copy::begin(fixed, b',', &head)?;
    let rows = columns.iter().map(Texts::len).min().unwrap_or(0);
    for row in 0..rows {
        let mut fields: Vec<&str> = columns.iter().map(|texts| texts.get(row)).collect();
        for cell in by_row.get(&row).into_iter().flatten() {
            let Some(at) = places[cell.column] else {
                continue;
            };
            let fill = fills[cell.column].as_str();
            log.note(cell, fields[at], fill)?;
            fields[at] = fill;
        }
        out.write(&fields)?;
    }
    out.close()
}

/// The label of a row as text.
pub fn label(problem: &Problem, row: usize) -> String {
    match problem.target() {
        Target::Classes { codes, names } => names[codes[row] as usize].clone(),
        Target::Numbers(values) => values[row].to_string(),
    }
}

/// What [`typical`] says, in the words of the file.
fn typical_text(cells: &Cells, texts: &Texts) -> String {
    let Cells::Numbers(values) = cells else {
        return typical(cells);
    };
    let row = median(values).and_then(|median| values.iter().position(|value| *value == median));
    row.map_or_else(String::new, |row| texts.get(row).to_owned())
}

/// A cell as text; empty where it is missing.
pub fn text(cells: &Cells, row: usize) -> String {
    match cells {
        Cells::Numbers(values) if values[row].is_nan() => String::new(),
        Cells::Numbers(values) => values[row].to_string(),
        Cells::Levels { codes, names } => {
            let name = names.get(codes[row] as usize);
            name.cloned().unwrap_or_default()
        }
    }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        String::new()
    } else {
        (value as f32).to_string()
    }
}

/// The middle one of the finite numbers, the upper of two.
fn median(values: &[f32]) -> Option<f32> {
    let finite = values.iter().filter(|v| v.is_finite());
    upper_median(finite.map(|v| f64::from(*v)).collect()).map(|middle| middle as f32)
}

fn typical(cells: &Cells) -> String {
    match cells {
        Cells::Numbers(values) => median(values).map_or_else(String::new, |m| m.to_string()),
        Cells::Levels { codes, names } => {
            let mut counts = vec![0usize; names.len()];
            for &code in codes.iter().filter(|&&code| code != NO_LEVEL) {
                counts[code as usize] += 1;
            }
            let most = (0..names.len()).max_by_key(|&at| (counts[at], std::cmp::Reverse(at)));
            most.map(|at| names[at].clone()).unwrap_or_default()
        }
    }
}
