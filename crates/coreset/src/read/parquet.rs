//! Parquet files.

use std::path::Path;

use afterimage_table::{Cell, FileError, Kind, Number, Parquet, names_clock};

use super::csv::Purpose;
use super::{Column, Grid, IS_CLOCK, Manner, left_out, split};
use crate::error::CoresetError;

fn broken(path: &Path, error: FileError) -> CoresetError {
    CoresetError::file("Parquet file", path, error)
}

/// A file and the places of its columns but for those that are ignored, those of a run's clock and those
/// of a pandas index.
fn open(
    path: &Path,
    purpose: &Purpose<'_>,
    manner: &mut Manner,
) -> Result<(Parquet, Vec<usize>), CoresetError> {
    let file = Parquet::open(path).map_err(|error| broken(path, error))?;
    let names: Vec<String> = file
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let ignored = manner.ignored(path, purpose.role, &names, names.len())?;
    let mut places = Vec::new();
    for (at, column) in file.columns.iter().enumerate() {
        if ignored.contains(&at) {
        } else if column.index {
            manner.notes.push(format!(
                "{}: column `{}` is left out: it is the index of the pandas frame; make it a column \
                 with reset_index() if it says more than that",
                path.display(),
                column.name
            ));
        } else {
            places.push(at);
        }
    }
    let clock = |at: &usize| names_clock(&names[*at]);
    if !places.iter().all(clock) {
        let times: Vec<String> = places
            .iter()
            .copied()
            .filter(clock)
            .map(|at| format!("`{}`", names[at]))
            .collect();
        if !times.is_empty() {
            manner.notes.push(left_out(path, &times, IS_CLOCK));
        }
        places.retain(|at| !clock(at));
    }
    file.check_size(places.len())
        .map_err(|error| broken(path, error))?;
    Ok((file, places))
}

/// All columns as numbers, in the order of the schema; a column of lists is one of each of their places.
pub(super) fn grid(
    path: &Path,
    purpose: &Purpose<'_>,
    manner: &mut Manner,
) -> Result<Grid, CoresetError> {
    let (file, mut places) = open(path, purpose, manner)?;
    if let Some(why) = split::mixed(&file, &places).map_err(|error| broken(path, error))? {
        return Err(CoresetError::format(path, why));
    }
    lists_alone(&file, &mut places, path, manner);
    let mut parts: Vec<(usize, Vec<f32>)> = Vec::new();
    let mut grid = Grid::new(Vec::new());
    for at in places {
        let name = &file.columns[at].name;
        parts.push(match file.columns[at].kind {
            Kind::List => {
                let (width, values) = file.lists(at).map_err(|error| broken(path, error))?;
                let names = (0..width).map(|place| format!("{name}[{place}]"));
                grid.names.extend(names);
                (width, values)
            }
            Kind::Text => {
                let reason = format!(
                    "column `{name}` is text; a coreset needs numbers alone, or one column of lists beside \
                     which all others are left out"
                );
                return Err(CoresetError::format(path, reason));
            }
            _ => {
                let mut values = Vec::new();
                let mut gap = None;
                let place = grid.names.len();
                grid.names.push(name.clone());
                file.read(at, |cell| match cell {
                    Cell::Number(number) => {
                        values.push(number.single());
                        grid.told.look(place, number.single(), || number);
                    }
                    _ => {
                        gap.get_or_insert(values.len());
                    }
                })
                .map_err(|error| broken(path, error))?;
                check_gap(path, name, gap)?;
                (1, values)
            }
        });
    }
    let width: usize = parts.iter().map(|(width, _)| width).sum();
    let rows = parts
        .iter()
        .find(|(width, _)| *width > 0)
        .map_or(0, |(width, values)| values.len() / width);
    if parts
        .iter()
        .any(|(width, values)| values.len() != rows * width)
    {
        return Err(CoresetError::format(
            path,
            "its columns are of different lengths; the file is damaged",
        ));
    }
    let mut values = vec![0.0; rows * width];
    let mut first = 0;
    for (part, column) in &parts {
        for (to, from) in values
            .chunks_exact_mut(width.max(1))
            .zip(column.chunks_exact((*part).max(1)))
        {
            to[first..first + part].copy_from_slice(from);
        }
        first += part;
    }
    Ok(Grid {
        rows,
        columns: width,
        values,
        ..grid
    })
}

/// Beside one column of lists, which is what embeddings are written as, all other columns say which sample a
/// row is; they are left out and named.
fn lists_alone(file: &Parquet, places: &mut Vec<usize>, path: &Path, manner: &mut Manner) {
    let is_list = |at: &usize| file.columns[*at].kind == Kind::List;
    let lists: Vec<usize> = places.iter().copied().filter(is_list).collect();
    let &[list] = lists.as_slice() else { return };
    let others: Vec<String> = places
        .iter()
        .filter(|at| **at != list)
        .map(|at| format!("`{}`", file.columns[*at].name))
        .collect();
    if !others.is_empty() {
        manner.notes.push(format!(
            "{}: the embedding is column `{}`, of lists; left out: {}",
            path.display(),
            file.columns[list].name,
            others.join(", ")
        ));
    }
    *places = lists;
}

fn check_gap(path: &Path, name: &str, gap: Option<usize>) -> Result<(), CoresetError> {
    let Some(row) = gap else { return Ok(()) };
    let reason = format!(
        "column `{name}` has no value in row {} (sample {row}); a coreset needs every one",
        row + 1
    );
    Err(CoresetError::format(path, reason))
}

/// The only column; of labels that of the name `label` where there are several.
pub(super) fn column(
    path: &Path,
    purpose: &Purpose<'_>,
    manner: &mut Manner,
) -> Result<Column, CoresetError> {
    let (file, mut places) = open(path, purpose, manner)?;
    let wanted = purpose.role == "labels" && places.len() > 1;
    let named = |at: &usize| wanted && file.columns[*at].name == "label";
    if let Some(at) = places.iter().copied().find(named) {
        let note = format!("{}: its column `label` is taken", path.display());
        manner.notes.push(note);
        places = vec![at];
    }
    let &[at] = places.as_slice() else {
        let reason = format!("one column is needed; there are {}", places.len());
        return Err(CoresetError::format(path, reason));
    };
    let name = &file.columns[at].name;
    if file.columns[at].kind == Kind::List {
        let reason = format!("column `{name}` holds lists; one value a sample is needed");
        return Err(CoresetError::format(path, reason));
    }
    let (mut whole, mut real, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    // Truths and dates as labels are what a CSV file of the same frame has.
    let column = &file.columns[at];
    let spelt = column.truth || matches!(column.kind, Kind::Date(_));
    let spelt = spelt && purpose.role == "labels";
    let (mut row, mut gap) = (0, None);
    file.read(at, |cell| {
        match cell {
            Cell::Number(number) if spelt => texts.push(column.text(number)),
            Cell::Number(Number::Whole(number)) => whole.push(number),
            Cell::Number(Number::Real(number)) => real.push(number),
            Cell::Text(text) if !text.is_empty() => texts.push(text.to_owned()),
            Cell::Text(_) if purpose.role != "labels" => texts.push(String::new()),
            Cell::Text(_) | Cell::Null => {
                gap.get_or_insert(row);
            }
        }
        row += 1;
    })
    .map_err(|error| broken(path, error))?;
    check_gap(path, name, gap)?;
    Ok(if spelt || column.kind == Kind::Text {
        Column::Text(texts)
    } else if real.is_empty() {
        Column::Whole(whole)
    } else {
        Column::Real(real)
    })
}
