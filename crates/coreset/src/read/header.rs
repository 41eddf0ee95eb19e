//! Whether the first line of a CSV file names its columns.

use std::path::Path;

use afterimage_table::{even_step, meant, numbers_columns, shown_line};
use csv::StringRecord;

use super::csv::records;
use super::{Manner, csv::broken};
use crate::error::CoresetError;

/// Whether the first line names columns, by the first of these that tells:
/// 1. what was said (`--header`, `--no-header`);
/// 2. a cell that is no number over one that is, or an empty one before others;
/// 3. numbers as pandas writes them for columns without names, 0, 1, 2 and so on: over a column of
///    numbers with fractions; or `0` alone, over as many lines as there are samples.
///
/// # Errors
/// Where it stays in doubt, as for `1,2,3` over fractions and for `0.1,0.2,0.3`.
pub(super) fn is_named(
    path: &Path,
    role: &str,
    samples: Option<usize>,
    manner: &Manner,
) -> Result<bool, CoresetError> {
    if let Some(told) = manner.header(role) {
        return Ok(told);
    }
    let mut reader = records(path)?;
    let mut all = reader.records();
    let (Some(first), Some(second)) = (all.next(), all.next()) else {
        return Ok(false);
    };
    let (first, second) = (
        first.map_err(|error| broken(path, error))?,
        second.map_err(|error| broken(path, error))?,
    );
    if first
        .iter()
        .zip(&second)
        .any(|(a, b)| !is_number(a) && meant(a).is_none() && (is_number(b) || meant(b).is_some()))
        || is_indexed(&first)
    {
        return Ok(true);
    }
    let mut cells: Vec<&str> = first.iter().collect();
    cells.sort_unstable();
    cells.dedup();
    if !first.iter().all(is_number) || cells.len() < first.len() {
        return Ok(false);
    }
    if !first.iter().all(is_whole) {
        return match is_scale(&first) {
            true => Err(doubt(path, role, &first)),
            false => Ok(false),
        };
    }
    // Which columns have a whole number below the first line, and how many lines there are.
    let (mut whole, mut below) = (vec![false; first.len()], 0);
    for record in std::iter::once(Ok(second)).chain(all) {
        let record = record.map_err(|error| broken(path, error))?;
        for (whole, cell) in whole.iter_mut().zip(&record) {
            *whole |= is_whole(cell);
        }
        below += 1;
    }
    let numbered = numbers_columns(&first);
    let fractions = !whole.contains(&true);
    match (first.len(), samples) {
        (1, Some(samples)) if below == samples && numbered => Ok(true),
        (1, Some(samples)) if below == samples => Err(doubt(path, role, &first)),
        (1, Some(_)) => Ok(false),
        (1, None) if numbered && fractions => Err(doubt(path, role, &first)),
        (1, None) => Ok(false),
        _ if numbered && whole.contains(&false) => Ok(true),
        _ if numbered || (fractions && below > 1) => Err(doubt(path, role, &first)),
        _ => Ok(false),
    }
}

/// Whether at least three numbers, some with fractions, ascend by the same step, as `0.1,0.2,0.3`: names of
/// columns may do so, and hardly a sample.
fn is_scale(first: &StringRecord) -> bool {
    let numbers: Vec<f64> = first.iter().filter_map(|cell| cell.parse().ok()).collect();
    numbers.len() > 2 && even_step(&numbers).is_some()
}

/// Whether columns without names stand in front of names, as pandas writes the index of a frame.
fn is_indexed(first: &StringRecord) -> bool {
    let unnamed = first.iter().take_while(|cell| cell.is_empty()).count();
    let cells = first.iter().skip(unnamed);
    let named = unnamed < first.len() && cells.clone().all(|cell| !cell.is_empty());
    unnamed > 0 && named && (cells.clone().all(|cell| !is_number(cell)) || numbers_columns(cells))
}

fn doubt(path: &Path, role: &str, first: &StringRecord) -> CoresetError {
    CoresetError::format(
        path,
        format!(
            "the first line, `{}`, may name columns or be a sample; say --header={role} or \
             --no-header={role}, or save the file as npy",
            shown_line(first)
        ),
    )
}

pub(super) fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

fn is_whole(text: &str) -> bool {
    text.parse::<i64>().is_ok()
}
