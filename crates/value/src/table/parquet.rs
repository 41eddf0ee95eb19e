//! Tables as Parquet files.

use std::path::Path;

use afterimage_table::{Cell, Kind, Number, Parquet};

use super::column::{Raw, RawTable, Role, Words};
use super::select::roles;
use super::{Format, ReadOptions};
use crate::error::ValueError;

/// The first column that is no index of a pandas frame.
pub(super) fn label(path: &Path) -> Result<usize, ValueError> {
    let file =
        Parquet::open(path).map_err(|error| ValueError::file("a Parquet file", path, error))?;
    let first = file.columns.iter().position(|column| !column.index);
    Ok(first.unwrap_or(0))
}

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<RawTable, ValueError> {
    let wrong = |error| ValueError::file("a Parquet file", path, error);
    let file = Parquet::open(path).map_err(wrong)?;
    let names: Vec<String> = file.columns.iter().map(|c| c.name.clone()).collect();
    // Its columns have names, whatever a CSV file would have.
    let named = ReadOptions {
        header: true,
        ..options.clone()
    };
    let roles = roles(path, Format::Parquet, &names, &named)?;
    let index: Vec<bool> = file.columns.iter().map(|column| column.index).collect();
    let unread = |column: &afterimage_table::ParquetColumn| match &column.kind {
        Kind::Unread(kind) => Some(kind.clone()),
        Kind::List => Some("lists".to_owned()),
        _ => None,
    };
    let mut columns = Vec::new();
    for ((column, role), index) in file.columns.iter().zip(&roles).zip(&index) {
        if *role == Role::Ignored || (*role == Role::Feature && *index) {
            columns.push(None);
            continue;
        }
        if let Some(kind) = unread(column) {
            return Err(ValueError::Table {
                path: path.to_owned(),
                line: None,
                column: Some(column.name.clone()),
                what: format!(
                    "{kind} are not read; convert them, or say --ignore {}",
                    column.name
                ),
            });
        }
        columns.push(Some(match role {
            // Truths are the categories `False` and `True`, as they stand in a CSV file.
            Role::Feature if column.kind != Kind::Text && !column.truth => Raw::numbers(),
            _ => Raw::Words(Words::default()),
        }));
    }
    file.check_size(columns.iter().flatten().count())
        .map_err(wrong)?;
    for (at, raw) in columns.iter_mut().enumerate() {
        let Some(raw) = raw else { continue };
        let column = &file.columns[at];
        let text = |number| column.text(number);
        let sink = |cell: Cell<'_>| take(&mut *raw, cell, &text, options);
        file.read(at, sink).map_err(wrong)?;
    }
    Ok(RawTable {
        names,
        roles,
        columns,
        index,
        format: Format::Parquet,
        starts: Vec::new(),
        notes: Vec::new(),
    })
}

/// Adds a cell to a column, whose dates are days and whose numbers have the texts of `text` as labels.
/// Texts are texts, whatever they say: what is missing is null here.
pub(super) fn take(
    raw: &mut Raw,
    cell: Cell<'_>,
    text: &dyn Fn(Number) -> String,
    options: &ReadOptions,
) {
    let missing = |text: &str| options.missing.iter().any(|word| word == text);
    match (raw, cell) {
        (Raw::Numbers(values, precision), Cell::Number(number)) => {
            precision.push(number.single(), || number);
            values.push(number.single());
        }
        (Raw::Numbers(values, _), _) => values.push(f32::NAN),
        (Raw::Words(words), Cell::Number(number)) => words.push_number(number, &text(number)),
        (Raw::Words(words), Cell::Text(text)) => words.take(text, missing(text)),
        (Raw::Words(words), Cell::Null) => words.take("", true),
    }
}
