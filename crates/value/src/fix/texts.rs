//! The columns of a table without lines as texts, for its repaired copy.

use std::path::Path;

use afterimage_table::{Cell, Kind, Npy, Number, Parquet};

use crate::error::ValueError;
use crate::problem::{Cells, Problem};

/// A column of a file as texts; what is missing is empty.
pub(super) struct Texts {
    pub name: String,
    /// The position of the column in the file.
    pub place: usize,
    all: String,
    ends: Vec<usize>,
}

impl Texts {
    fn new(place: usize, name: String) -> Self {
        Self {
            name,
            place,
            all: String::new(),
            ends: Vec::new(),
        }
    }

    fn push(&mut self, text: &str) {
        self.all.push_str(text);
        self.ends.push(self.all.len());
    }

    fn push_number(&mut self, number: Number, text: impl FnOnce(Number) -> String) {
        match number {
            Number::Real(number) if number.is_nan() => self.push(""),
            number => self.push(&text(number)),
        }
    }

    /// The number of cells.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The cell of a row.
    pub fn get(&self, row: usize) -> &str {
        let begin = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.all[begin..self.ends[row]]
    }
}

/// An upper bound in bytes of what the columns of `problem` take as texts.
pub(super) fn texts_bound(problem: &Problem) -> usize {
    let rows = problem.rows();
    let columns = problem.columns().iter().map(|column| match &column.cells {
        // A number has up to 24 letters, and space grows by doubling.
        Cells::Numbers(_) => 2 * rows * (24 + 8),
        Cells::Levels { codes, names } => {
            let of = |code: &u32| names.get(*code as usize).map_or(0, String::len);
            2 * (codes.iter().map(of).sum::<usize>() + 8 * rows)
        }
    });
    columns.sum::<usize>() + 2 * rows * (24 + 8)
}

/// An upper bound in bytes of what the columns of a Parquet file take as texts that `problem` does not have:
/// labels, ids and ignored ones; none where it cannot be read.
pub(super) fn others_bound(path: &Path, problem: &Problem) -> usize {
    let Ok(file) = Parquet::open(path) else {
        return 0;
    };
    let others = (file.columns.iter().enumerate()).filter(|(_, column)| {
        let copied = !column.index && !matches!(column.kind, Kind::List | Kind::Unread(_));
        copied
            && problem
                .columns()
                .iter()
                .all(|known| known.name != column.name)
    });
    let bytes = others.map(|(at, _)| {
        let held = usize::try_from(file.column_bytes(at)).unwrap_or(usize::MAX);
        held.saturating_add(problem.rows() * 8).saturating_mul(2)
    });
    bytes.fold(0, usize::saturating_add)
}

/// The columns of a Parquet file but for an index of pandas, lists and what is not read.
///
/// # Errors
/// A file that cannot be read again.
pub(super) fn of_parquet(path: &Path) -> Result<Vec<Texts>, ValueError> {
    let wrong = |error| ValueError::file("a Parquet file", path, error);
    let file = Parquet::open(path).map_err(wrong)?;
    let mut columns = Vec::new();
    for (at, column) in file.columns.iter().enumerate() {
        if column.index || matches!(column.kind, Kind::List | Kind::Unread(_)) {
            continue;
        }
        let mut texts = Texts::new(at, column.name.clone());
        file.read(at, |cell| match cell {
            Cell::Null => texts.push(""),
            Cell::Text(text) => texts.push(text),
            Cell::Number(number) => texts.push_number(number, |number| column.text(number)),
        })
        .map_err(wrong)?;
        columns.push(texts);
    }
    Ok(columns)
}

/// The columns of an npy file, whose names are their numbers from 1.
///
/// # Errors
/// A file that cannot be read again.
pub(super) fn of_npy(path: &Path) -> Result<Vec<Texts>, ValueError> {
    let wrong = |error| ValueError::file("an npy file", path, error);
    let npy = Npy::open(path).map_err(wrong)?;
    let rows = npy.shape.first().copied().unwrap_or(0);
    let width = npy.shape.get(1).copied().unwrap_or(1);
    let (order, single) = (npy.order, npy.is_single());
    let mut columns: Vec<Texts> = (0..width)
        .map(|at| Texts::new(at, (at + 1).to_string()))
        .collect();
    let mut at = 0;
    // Cells of a column come in the order of the rows in both layouts.
    npy.for_each(|number| {
        let (_, column) = order.place(at, (rows, width));
        at += 1;
        if let Some(texts) = columns.get_mut(column) {
            texts.push_number(number, |number| number.text(single));
        }
    })
    .map_err(wrong)?;
    Ok(columns)
}
