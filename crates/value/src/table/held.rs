//! Tables that a program holds.

use std::path::Path;

use afterimage_table::{Cell, Kind, Number};

use super::assemble::assemble;
use super::column::{Raw, RawTable, Role, Words};
use super::parquet::take;
use super::select::roles;
use super::{Format, LabelSource, ReadOptions, ReadTable};
use crate::error::ValueError;

/// What hands out the cells of a column, in the order of the rows.
pub type HeldCells<'a> = Box<dyn Fn(&mut dyn FnMut(Cell<'_>)) + Send + Sync + 'a>;

/// A column of a table that a program holds.
pub struct HeldColumn<'a> {
    /// Its name.
    pub name: String,
    /// What its cells are; lists are not read.
    pub kind: Kind,
    /// Whether its numbers are held with 24 bits or fewer, so that their shortest texts are theirs.
    pub single: bool,
    /// Whether its cells are truths, as whole numbers 0 and 1.
    pub truth: bool,
    /// Its cells.
    pub cells: HeldCells<'a>,
}

/// Understands columns that a program holds as those of a Parquet file are understood: the same columns
/// have the same values. `what` names the table in errors, as in "the frame".
///
/// `labels`, where they are no column, have one cell a row; then `label` of the options is not looked at.
///
/// # Errors
/// Columns that are not there or of different lengths; labels that are missing; cells that cannot be
/// understood. Each with column and row where it has them.
///
/// # Examples
/// ```
/// use afterimage_table::{Cell, Kind, Number};
/// use afterimage_value::{HeldColumn, LabelSource, ReadOptions, Target, hold_table};
///
/// # fn main() -> Result<(), afterimage_value::ValueError> {
/// let column = |name: &str, values: &'static [f64]| HeldColumn {
///     name: name.to_owned(),
///     kind: Kind::Number,
///     single: false,
///     truth: false,
///     cells: Box::new(move |sink| values.iter().for_each(|v| sink(Cell::Number(Number::Real(*v))))),
/// };
/// let columns = [column("x", &[0.5, 1.5, 2.5]), column("y", &[0.0, 1.0, 1.0])];
/// let options = ReadOptions::of(LabelSource::Column("y".to_owned()));
/// let table = hold_table("the frame", &columns, None, &options)?;
/// assert!(matches!(table.problem.target(), Target::Classes { .. }));
/// # Ok(())
/// # }
/// ```
pub fn hold_table(
    what: &str,
    columns: &[HeldColumn<'_>],
    labels: Option<&HeldColumn<'_>>,
    options: &ReadOptions,
) -> Result<ReadTable, ValueError> {
    let path = Path::new(what);
    let columns: Vec<&HeldColumn<'_>> = columns.iter().chain(labels).collect();
    let mut names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let mut options = options.clone();
    if let (Some(_), Some((last, others))) = (labels, names.split_last_mut()) {
        while others.contains(last) {
            last.push('_');
        }
        options.label = LabelSource::Column(last.clone());
    }
    let roles = roles(path, Format::Held, &names, &options)?;
    let mut raw = Vec::with_capacity(columns.len());
    for ((column, role), name) in columns.iter().zip(&roles).zip(&names) {
        raw.push(match role {
            Role::Ignored => None,
            _ => Some(read(column, *role, name, path, &options)?),
        });
    }
    let rows = raw.iter().flatten().map(Raw::len).max().unwrap_or(0);
    for (name, column) in names.iter().zip(&raw) {
        if let Some(length) = column.as_ref().map(Raw::len).filter(|n| *n != rows) {
            return Err(ValueError::Lengths {
                column: name.clone(),
                length,
                rows,
            });
        }
    }
    let table = RawTable {
        names,
        roles,
        columns: raw,
        index: Vec::new(),
        format: Format::Held,
        starts: Vec::new(),
        notes: Vec::new(),
    };
    assemble(path, table, &options)
}

fn read(
    column: &HeldColumn<'_>,
    role: Role,
    name: &str,
    path: &Path,
    options: &ReadOptions,
) -> Result<Raw, ValueError> {
    let per_day = match &column.kind {
        Kind::Date(per_day) => Some(*per_day),
        Kind::Number | Kind::Text => None,
        Kind::List | Kind::Unread(_) => {
            let kind = match &column.kind {
                Kind::Unread(kind) => kind.as_str(),
                _ => "lists",
            };
            return Err(ValueError::Table {
                path: path.to_owned(),
                line: None,
                column: Some(name.to_owned()),
                what: format!("{kind} are not read; convert them, or say --ignore {name}"),
            });
        }
    };
    let mut raw = match role {
        Role::Feature if column.kind != Kind::Text && !column.truth => Raw::numbers(),
        _ => Raw::Words(Words::default()),
    };
    let text = |number: Number| column.kind.text(number, column.single, column.truth);
    (column.cells)(&mut |cell| {
        let cell = match (cell, per_day) {
            // Days, as files have them.
            (Cell::Number(Number::Whole(moment)), Some(per_day)) => {
                Cell::Number(Number::Real(moment as f64 / per_day))
            }
            (cell, _) => cell,
        };
        take(&mut raw, cell, &text, options);
    });
    Ok(raw)
}
