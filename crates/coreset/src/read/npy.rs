//! NumPy's npy files.

use std::path::Path;

use afterimage_table::{FileError, Npy, Number, Order, npy_texts};

use super::csv::{Purpose, missing_value};
use super::{Column, Grid, Manner};
use crate::error::CoresetError;

fn open(path: &Path) -> Result<Npy, CoresetError> {
    Npy::open(path).map_err(|error| broken(path, error))
}

fn broken(path: &Path, error: FileError) -> CoresetError {
    CoresetError::file("npy file", path, error)
}

/// A numeric array of one or two axes.
pub(super) fn grid(path: &Path) -> Result<Grid, CoresetError> {
    let npy = open(path)?;
    let (rows, columns) = match npy.shape[..] {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        _ => {
            let reason = format!(
                "the array is {:?}; one row a sample is needed, [n, d]",
                npy.shape
            );
            return Err(CoresetError::format(path, reason));
        }
    };
    let (order, single) = (npy.order, npy.is_single());
    let mut grid = Grid {
        rows,
        columns,
        ..Grid::new(Vec::new())
    };
    grid.values.reserve_exact(rows * columns);
    npy.for_each(|number| {
        let at = grid.values.len();
        grid.values.push(number.single());
        if !single {
            let (_, column) = order.place(at, (rows, columns));
            grid.told.look(column, number.single(), || number);
        }
    })
    .map_err(|error| broken(path, error))?;
    if order == Order::Fortran {
        let values = std::mem::take(&mut grid.values);
        grid.values = (0..rows)
            .flat_map(|row| values.iter().skip(row).step_by(rows.max(1)).copied())
            .collect();
    }
    Ok(grid)
}

/// An array of one axis, or of two with one column.
pub(super) fn column(
    path: &Path,
    purpose: &Purpose<'_>,
    manner: &Manner,
) -> Result<Column, CoresetError> {
    if let Some(texts) = npy_texts(path).map_err(|error| broken(path, error))? {
        if let Some(sample) = texts.iter().position(|text| manner.is_missing(text)) {
            let reason = match texts[sample].as_str() {
                "" => format!("the text of sample {sample} is empty; every sample needs one"),
                text => format!("sample {sample}: {}", missing_value(purpose, text)),
            };
            return Err(CoresetError::format(path, reason));
        }
        return Ok(Column::Text(texts));
    }
    let npy = open(path)?;
    if !matches!(npy.shape[..], [_] | [_, 1]) {
        let reason = format!(
            "the array is {:?}; one number a sample is needed, [n]",
            npy.shape
        );
        return Err(CoresetError::format(path, reason));
    }
    let (mut whole, mut real) = (Vec::new(), Vec::new());
    let is_whole = npy.is_whole();
    let sink = |number| match number {
        Number::Whole(number) => whole.push(number),
        Number::Real(number) => real.push(number),
    };
    npy.for_each(sink).map_err(|error| broken(path, error))?;
    Ok(if is_whole {
        Column::Whole(whole)
    } else {
        Column::Real(real)
    })
}
