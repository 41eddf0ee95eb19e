//! Tables in files: CSV, Parquet and npy become a [`Problem`].

mod assemble;
mod column;
mod columns;
mod csv;
mod header;
mod held;
mod label;
mod npy;
mod parquet;
mod reading;
mod select;

use std::path::{Path, PathBuf};

use crate::error::ValueError;
use crate::problem::Problem;

pub use columns::{ReadColumns, read_columns};
pub use held::{HeldCells, HeldColumn, hold_table};
pub use label::Task;

pub(crate) use self::csv::{Records, delimiter};
use column::{RawTable, Role, Words};

/// Where the labels are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelSource {
    /// A column of the table, by name, or by number from 1.
    Column(String),
    /// The first column of another file (CSV without header, npy or Parquet), one label a row.
    File(PathBuf),
    /// In no file: for [`read_columns`].
    Elsewhere,
}

/// How a table file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// Whether the first line of a CSV file names the columns; without, columns are numbered
    /// from 1.
    pub header: bool,
    /// Whether that was said; a first line that may as well be a row is refused otherwise.
    pub header_told: bool,
    /// Where the labels are.
    pub label: LabelSource,
    /// A column that names the rows.
    pub id: Option<String>,
    /// Columns that are left out.
    pub ignore: Vec<String>,
    /// Columns whose numbers are names of categories.
    pub categorical: Vec<String>,
    /// Further words for a missing cell.
    pub missing: Vec<String>,
    /// Whether words such as `NA` and `None` in a CSV file, or among texts in an npy file, are texts rather than
    /// missing cells.
    pub keep_missing_words: bool,
    /// What the labels are; told from their form without.
    pub task: Option<Task>,
}

impl ReadOptions {
    /// Labels from `label`, a first line of names, and everything else told from the table.
    pub fn of(label: LabelSource) -> Self {
        Self {
            header: true,
            header_told: false,
            label,
            id: None,
            ignore: Vec::new(),
            categorical: Vec::new(),
            missing: Vec::new(),
            keep_missing_words: false,
            task: None,
        }
    }
}

/// A table as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadTable {
    /// What is to be valued.
    pub problem: Problem,
    /// Position in the file of each column of the problem.
    pub position: Vec<usize>,
    /// Names of all columns of the file.
    pub header: Vec<String>,
    /// Name of the label column or file.
    pub label: String,
    /// Name of the id column, where there is one.
    pub id: Option<String>,
    /// What the reader decided, and what the user may want to know.
    pub notes: Vec<String>,
}

/// What a table comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Parquet,
    Npy,
    /// Columns that a program holds.
    Held,
}

impl Format {
    /// The format that the name of the file tells.
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().map(|e| e.to_ascii_lowercase());
        match extension.as_ref().and_then(|e| e.to_str()) {
            Some("parquet" | "pq" | "parq") => Format::Parquet,
            Some("npy") => Format::Npy,
            _ => Format::Csv,
        }
    }
}

/// Reads the table in `path`: Parquet (`.parquet`), npy (`.npy`), or text with commas, semicolons or
/// tabs (anything else).
///
/// # Errors
/// A missing or damaged file; columns that are not there; labels that are missing; cells that
/// cannot be understood. Each with file, line and column where it has them.
pub fn read_table(path: &Path, options: &ReadOptions) -> Result<ReadTable, ValueError> {
    assemble::assemble(path, raw(path, options)?, options)
}

/// The columns of a file.
fn raw(path: &Path, options: &ReadOptions) -> Result<RawTable, ValueError> {
    match Format::of(path) {
        Format::Parquet => parquet::read(path, options),
        Format::Npy => npy::read(path, options),
        Format::Csv | Format::Held => csv::read(path, options),
    }
}

/// The labels in a file of their own, its only column but for the index of a pandas frame, and where each
/// row begins, in bytes; nothing for files without lines.
fn read_labels(path: &Path, options: &ReadOptions) -> Result<(Words, Vec<u64>), ValueError> {
    let format = Format::of(path);
    if format == Format::Npy
        && let Some(words) = npy::texts(path, options)?
    {
        return Ok((words, Vec::new()));
    }
    // An index without a name stands in front of the labels, under a header.
    let (header, at) = match format {
        Format::Csv | Format::Held => match csv::unnamed(path)? {
            0 => (false, 0),
            before => (true, before),
        },
        Format::Parquet => (true, parquet::label(path)?),
        Format::Npy => (false, 0),
    };
    let options = ReadOptions {
        header,
        header_told: true,
        missing: options.missing.clone(),
        keep_missing_words: options.keep_missing_words,
        ..ReadOptions::of(LabelSource::Column((at + 1).to_string()))
    };
    let raw = raw(path, &options)?;
    let index = raw.index.iter().filter(|index| **index).count();
    if raw.roles.len() != 1 + index {
        return Err(ValueError::Table {
            path: path.to_owned(),
            line: None,
            column: None,
            what: format!(
                "a file of labels has one column; this has {}",
                raw.roles.len() - index
            ),
        });
    }
    let at = raw.roles.iter().position(|&role| role == Role::Label);
    let column = at.and_then(|at| raw.columns.into_iter().nth(at).flatten());
    let labels = column.map(|column| (column.words(), raw.starts));
    labels.ok_or_else(|| ValueError::Table {
        path: path.to_owned(),
        line: None,
        column: None,
        what: "there are no labels in it".to_owned(),
    })
}
