//! Matrices and columns from npy, CSV and Parquet files.

mod csv;
mod grid;
mod header;
mod ids;
mod memorization;
mod npy;
mod parquet;
mod points;
mod split;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use afterimage_table::{names_labels, says_missing};

use crate::error::CoresetError;
use crate::matrix::Matrix;
use csv::Purpose;
use grid::Grid;
pub use ids::ids_in;
pub use memorization::{memorization, memorization_in};

/// How files are read, and what there is to say of what was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manner {
    /// Whether the first line of a CSV file names its columns, by what the file holds: `embeddings`,
    /// `labels`, `losses`, `layermem`, `unitmem`, or `all`. What is not told is decided by the form of
    /// the file.
    pub headers: Vec<(String, bool)>,
    /// Columns of the embeddings that are left out: each by its name, or its number from 1.
    pub ignore: Vec<String>,
    /// The column of the embeddings that names the samples, by its name or its number from 1; nothing is
    /// chosen by it.
    pub id: Option<String>,
    /// Whether words such as `NA` and `None` among labels that are texts are labels.
    pub keep_missing_words: bool,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// The file that columns can be ignored of.
const EMBEDDINGS: &str = "embeddings";

/// Why the columns of a run's clock are left out.
const IS_CLOCK: &str = "says when a run wrote the row";

/// The note that columns, in backticks, are left out.
fn left_out(path: &Path, columns: &[String], why: &str) -> String {
    let (column, is, it) = match columns.len() {
        1 => ("column", "is", "it"),
        _ => ("columns", "are", "each"),
    };
    format!(
        "{}: {column} {} {is} left out: {it} {why}; rename it if it says more than that",
        path.display(),
        columns.join(", ")
    )
}

impl Manner {
    /// Whether a text in a column stands for a missing one.
    fn is_missing(&self, text: &str) -> bool {
        text.is_empty() || (!self.keep_missing_words && says_missing(text))
    }

    fn header(&self, role: &str) -> Option<bool> {
        let of = |wanted: &str| self.headers.iter().find(|(role, _)| role == wanted);
        of(role).or_else(|| of("all")).map(|(_, named)| *named)
    }

    /// The places of the columns that are ignored in a file of `role` with these columns.
    fn ignored(
        &self,
        path: &Path,
        role: &str,
        names: &[String],
        width: usize,
    ) -> Result<Vec<usize>, CoresetError> {
        if role != EMBEDDINGS {
            return Ok(Vec::new());
        }
        let mut places = afterimage_table::ignored(&self.ignore, names, width)
            .map_err(|reason| CoresetError::format(path, reason))?;
        if let Some(place) = self.id_place(path, names, width)? {
            if places.contains(&place) {
                let reason = "--id names a column that --ignore names, too; leave one of both out";
                return Err(CoresetError::format(path, reason));
            }
            places.push(place);
        }
        Ok(places)
    }

    /// The place of the column of ids in the file of embeddings.
    fn id_place(
        &self,
        path: &Path,
        names: &[String],
        width: usize,
    ) -> Result<Option<usize>, CoresetError> {
        let Some(id) = &self.id else { return Ok(None) };
        if kind(path)? == Kind::Npy {
            return Err(ids::none_in_npy(path, id));
        }
        let place = afterimage_table::place(id, "--id", names, width);
        place
            .map(Some)
            .map_err(|reason| CoresetError::format(path, reason))
    }
}

/// The first line of a CSV file; `None` for other kinds.
pub fn first_line(path: &Path) -> Option<String> {
    if kind(path).ok()? != Kind::Csv {
        return None;
    }
    let record = csv::records(path).ok()?.records().next()?.ok()?;
    Some(record.iter().collect::<Vec<_>>().join(","))
}

/// One column as its file has it.
pub(crate) enum Column {
    Whole(Vec<i128>),
    Real(Vec<f64>),
    Text(Vec<String>),
}

const UNKNOWN: &str =
    "the kind of this file is not known; its name must end in .npy, .csv, .tsv or .parquet";

/// The file at `path`; where that is the folder of a run's table, the file of the last epoch in it.
fn latest(path: &Path) -> PathBuf {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let of_epoch = |name: &String| name.starts_with("epoch-") && name.ends_with(".parquet");
    // As numbers: `epoch-10000` comes behind `epoch-9999`.
    let last = names
        .filter(of_epoch)
        .max_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    last.map_or_else(|| path.to_owned(), |name| path.join(name))
}

/// The kind of a file, by the end of its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Npy,
    Csv,
    Parquet,
}

fn kind(path: &Path) -> Result<Kind, CoresetError> {
    let end = path
        .extension()
        .map(|end| end.to_string_lossy().to_ascii_lowercase());
    match end.as_deref() {
        Some("npy") => Ok(Kind::Npy),
        Some("csv" | "tsv") => Ok(Kind::Csv),
        Some("parquet" | "pq" | "parq") => Ok(Kind::Parquet),
        Some("gz" | "zst" | "xz" | "bz2" | "zip" | "npz" | "xlsx") => {
            Err(match afterimage_table::sniff(path) {
                Err(error) => CoresetError::file("CSV", path, error),
                Ok(()) => CoresetError::format(path, UNKNOWN),
            })
        }
        _ => Err(CoresetError::format(path, UNKNOWN)),
    }
}

/// `error`, under the setting that names the file and with what to do if there is no such file.
pub(crate) fn missing(error: CoresetError, setting: &'static str, holding: &str) -> CoresetError {
    match &error {
        CoresetError::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            CoresetError::setting(setting, format!("{error}; name a file with {holding}"))
        }
        _ => error,
    }
}

/// A matrix with one row a sample: an npy array of numbers `[n, d]` or `[n]`, or a CSV or Parquet
/// table of numbers, with or without a line of names, or dates, which become days. The columns `epoch` and
/// `step`, which the tables of runs begin with, are left out, and so are columns that are ids by their
/// names. Of the folder of a run's table the last epoch's file is read. `what` names it in errors.
///
/// # Errors
/// A missing, damaged or empty file, cells that are no numbers, with their line and column, or values
/// that are not finite, with the sample ids.
pub fn matrix(path: &Path, what: &'static str) -> Result<Matrix, CoresetError> {
    matrix_in(path, what, &mut Manner::default())
}

/// The same in a manner that is told.
///
/// # Errors
/// What [`matrix`] refuses.
pub fn matrix_in(
    path: &Path,
    what: &'static str,
    manner: &mut Manner,
) -> Result<Matrix, CoresetError> {
    let purpose = Purpose {
        role: what,
        samples: None,
    };
    let latest = latest(path);
    let path = latest.as_path();
    let mut grid = match kind(path)? {
        Kind::Npy => {
            let mut grid = npy::grid(path)?;
            if what == EMBEDDINGS {
                manner.notes.extend(split::beside(path, grid.rows));
            }
            let ignored = manner.ignored(path, what, &[], grid.columns)?;
            if !ignored.is_empty() {
                grid.retain(|at| !ignored.contains(&at));
            }
            grid
        }
        Kind::Csv => csv::grid(path, &purpose, manner)?,
        Kind::Parquet => parquet::grid(path, &purpose, manner)?,
    };
    grid.finish(path, manner)?;
    if grid.rows == 0 || grid.columns == 0 {
        return Err(CoresetError::format(
            path,
            format!(
                "there are no values in {} rows of {} columns",
                grid.rows, grid.columns
            ),
        ));
    }
    let place = grid.not_finite(path);
    Matrix::new(what, grid.rows, grid.columns, grid.values).map_err(|error| match error {
        CoresetError::NotFinite { .. } => {
            let place = place.map_or(String::new(), |place| format!("; the first is {place}"));
            CoresetError::format(path, format!("{error}{place}"))
        }
        other => other,
    })
}

/// Class labels, one a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// The class of each sample: the place of its label in `names`.
    pub classes: Vec<u32>,
    /// The labels that occur, in ascending order.
    pub names: Vec<String>,
}

/// Labels of `samples` samples from an npy array `[n]` or `[n, 1]`, or a CSV or Parquet table of one
/// column: whole numbers or, in tables, text.
///
/// Where a CSV file of text has one line more than there are samples, and the first is there once, it is the name of
/// the column: among words nothing else tells it from a label.
///
/// # Errors
/// A missing or damaged file, more than one column, or labels with a fraction.
pub fn labels(path: &Path, samples: usize) -> Result<Labels, CoresetError> {
    labels_in(path, samples, &mut Manner::default())
}

/// The same in a manner that is told.
///
/// # Errors
/// What [`labels`] refuses.
pub fn labels_in(path: &Path, samples: usize, manner: &mut Manner) -> Result<Labels, CoresetError> {
    let purpose = Purpose {
        role: "labels",
        samples: Some(samples),
    };
    match column(path, &purpose, manner)? {
        Column::Whole(values) => Ok(rank(values, |value| value.to_string())),
        Column::Text(mut values) => {
            if kind(path)? == Kind::Csv && manner.header("labels").is_none() {
                take_name(path, &mut values, samples, manner)?;
            }
            Ok(rank(values, String::clone))
        }
        Column::Real(values) => {
            let whole = |(row, value): (usize, f64)| {
                if value.fract() == 0.0 && value.abs() < 9e15 {
                    return Ok(value as i128);
                }
                let reason = format!("the label {value} of sample {row} is no whole number");
                Err(CoresetError::format(path, reason))
            };
            let values: Vec<i128> = values
                .into_iter()
                .enumerate()
                .map(whole)
                .collect::<Result<_, _>>()?;
            Ok(rank(values, |value| value.to_string()))
        }
    }
}

/// Takes the name of the column off labels that are texts: the first of one more than there are samples, where
/// it stands there once, and is no number among numbers.
///
/// # Errors
/// A name of labels over one label too few.
fn take_name(
    path: &Path,
    values: &mut Vec<String>,
    samples: usize,
    manner: &mut Manner,
) -> Result<(), CoresetError> {
    let Some((first, rest)) = values.split_first() else {
        return Ok(());
    };
    let is_number = |text: &String| text.parse::<f64>().is_ok();
    if rest.contains(first) || (is_number(first) && rest.iter().any(is_number)) {
        return Ok(());
    }
    let named = format!("the first line, `{first}`, names the labels");
    if values.len() == samples && names_labels(first) {
        let reason = format!(
            "{named}, and {} follow for {samples} samples; give one label a sample, or say \
             --no-header=labels if it is one",
            rest.len()
        );
        return Err(CoresetError::format(path, reason));
    }
    if values.len() == samples + 1 {
        manner.notes.push(format!("{}: {named}", path.display()));
        values.remove(0);
    }
    Ok(())
}

/// Numbers, one a sample, as losses.
///
/// # Errors
/// A missing or damaged file, more than one column, or cells that are no numbers.
pub fn numbers(path: &Path) -> Result<Vec<f64>, CoresetError> {
    numbers_in(path, "numbers", None, &mut Manner::default())
}

/// The same in a manner that is told: the `role` of the file and the number of samples, where that is
/// known.
///
/// # Errors
/// What [`numbers`] refuses.
pub fn numbers_in(
    path: &Path,
    role: &str,
    samples: Option<usize>,
    manner: &mut Manner,
) -> Result<Vec<f64>, CoresetError> {
    let purpose = Purpose { role, samples };
    if kind(path)? == Kind::Csv {
        return Ok(csv::numbers(path, &purpose, manner)?.1);
    }
    match column(path, &purpose, manner)? {
        Column::Whole(values) => Ok(values.into_iter().map(|value| value as f64).collect()),
        Column::Real(values) => Ok(values),
        Column::Text(_) => Err(CoresetError::format(
            path,
            "numbers are needed, this is text",
        )),
    }
}

fn column(path: &Path, purpose: &Purpose<'_>, manner: &mut Manner) -> Result<Column, CoresetError> {
    match kind(path)? {
        Kind::Npy => npy::column(path, purpose, manner),
        Kind::Csv => csv::column(path, purpose, manner),
        Kind::Parquet => parquet::column(path, purpose, manner),
    }
}

fn rank<T: Ord + Clone>(values: Vec<T>, name: impl Fn(&T) -> String) -> Labels {
    let mut ranks: BTreeMap<T, u32> = values.iter().map(|value| (value.clone(), 0)).collect();
    ranks
        .values_mut()
        .zip(0..)
        .for_each(|(rank, place)| *rank = place);
    Labels {
        classes: values.iter().map(|value| ranks[value]).collect(),
        names: ranks.keys().map(name).collect(),
    }
}
