//! What a run left.

use std::path::PathBuf;

use afterimage::track::read_scalars as read_lines;
use afterimage_table::{Cell, FileError, Kind, Number, Parquet};
use numpy::{IntoPyArray as _, PyArray1, PyArrayMethods as _};
use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::told::of_system;

/// Columns of scalars: tags, epochs `[n]`, steps `[n]`, authors and values `[n]`.
type Scalars<'py> = (
    Vec<String>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    Vec<String>,
    Bound<'py, PyArray1<f64>>,
);

/// The lines of a file of scalars, as `metrics.jsonl`.
#[pyfunction]
pub fn read_scalars(py: Python<'_>, path: PathBuf) -> PyResult<Scalars<'_>> {
    let lines = py.detach(|| read_lines(&path));
    let lines = lines.map_err(|error| PyValueError::new_err(error.to_string()))?;
    let (mut tags, mut authors) = (Vec::new(), Vec::new());
    let (mut epochs, mut steps, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        tags.push(line.tag);
        epochs.push(i64::from(line.epoch));
        steps.push(line.step as i64);
        authors.push(line.author);
        values.push(line.value.0);
    }
    Ok((
        tags,
        epochs.into_pyarray(py),
        steps.into_pyarray(py),
        authors,
        values.into_pyarray(py),
    ))
}

/// Cells of a column of a file.
enum Column {
    Whole(Vec<i64>),
    Real(Vec<f64>),
    Texts(Vec<Option<String>>),
    /// Lists of this many numbers.
    Lists(usize, Vec<f32>),
}

/// The columns of a Parquet file in its order: a name and an array `[n]`, an array `[n, width]` for lists of
/// numbers, or a list of texts and `None`. Numbers with gaps are f64, and NaN where there is none.
#[pyfunction]
pub fn read_parquet(py: Python<'_>, path: PathBuf) -> PyResult<Vec<(String, Py<PyAny>)>> {
    let columns = py.detach(|| read_columns(&path)).map_err(|error| {
        let text = format!("{}: {error}", path.display());
        match &error {
            FileError::Io { source, .. } => of_system(source, text),
            _ => PyValueError::new_err(text),
        }
    })?;
    let mut told = Vec::with_capacity(columns.len());
    for (name, column) in columns {
        let cells = match column {
            Column::Whole(values) => values.into_pyarray(py).into_any(),
            Column::Real(values) => values.into_pyarray(py).into_any(),
            Column::Texts(texts) => texts.into_bound_py_any(py)?,
            Column::Lists(width, values) => {
                let rows = values.len().checked_div(width).unwrap_or(0);
                let matrix = values.into_pyarray(py).reshape([rows, width])?;
                matrix.into_any()
            }
        };
        told.push((name, cells.unbind()));
    }
    Ok(told)
}

fn read_columns(path: &std::path::Path) -> Result<Vec<(String, Column)>, FileError> {
    let file = Parquet::open(path)?;
    file.check_size(file.columns.len())?;
    let mut columns = Vec::with_capacity(file.columns.len());
    for (at, column) in file.columns.iter().enumerate() {
        let cells = match column.kind {
            Kind::List => {
                let (width, values) = file.lists(at)?;
                Column::Lists(width, values)
            }
            Kind::Text => {
                let mut texts = Vec::with_capacity(file.rows);
                file.read(at, |cell| {
                    texts.push(match cell {
                        Cell::Text(text) => Some(text.to_owned()),
                        Cell::Number(_) | Cell::Null => None,
                    });
                })?;
                Column::Texts(texts)
            }
            _ => numbers(&file, at)?,
        };
        columns.push((column.name.clone(), cells));
    }
    Ok(columns)
}

/// Whole numbers where all are, else real ones.
fn numbers(file: &Parquet, at: usize) -> Result<Column, FileError> {
    let (mut whole, mut real, mut is_whole) = (Vec::new(), Vec::new(), true);
    file.read(at, |cell| match cell {
        Cell::Number(Number::Whole(number)) => {
            whole.push(i64::try_from(number).unwrap_or_else(|_| {
                is_whole = false;
                0
            }));
            real.push(number as f64);
        }
        Cell::Number(Number::Real(number)) => {
            is_whole = false;
            real.push(number);
        }
        Cell::Text(_) | Cell::Null => {
            is_whole = false;
            real.push(f64::NAN);
        }
    })?;
    Ok(match is_whole {
        true => Column::Whole(whole),
        false => Column::Real(real),
    })
}
