//! A numeric table while it is read.

use std::path::Path;

use afterimage_table::{Number, Precision, names_rows};

use super::Manner;

/// A numeric table `[rows, columns]` as its file has it, rows beside each other.
pub(crate) struct Grid {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) values: Vec<f32>,
    /// Names of the columns; none where the file has none.
    pub(crate) names: Vec<String>,
    pub(crate) told: Told,
}

/// What is known of the columns beyond single precision.
#[derive(Default)]
pub(crate) struct Told {
    columns: Vec<Precision>,
}

impl Told {
    /// Looks at the next number of a column.
    pub(crate) fn look(&mut self, column: usize, single: f32, exact: impl FnOnce() -> Number) {
        if self.columns.len() <= column {
            self.columns.resize_with(column + 1, Default::default);
        }
        self.columns[column].push(single, exact);
    }
}

impl Grid {
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self {
            rows: 0,
            columns: 0,
            values: Vec::new(),
            names,
            told: Told::default(),
        }
    }

    /// Leaves out the columns that number the rows by their names, unless none is left then, and says
    /// which numbers are not told apart.
    pub(crate) fn finish(&mut self, path: &Path, manner: &mut Manner) {
        let told = std::mem::take(&mut self.told);
        let width = self.columns;
        let mut ids = vec![false; width];
        for (at, precision) in told.columns.iter().enumerate().take(width) {
            let name = self.names.get(at).cloned();
            if name.as_deref().is_some_and(names_rows) {
                let column = self.values.iter().skip(at).step_by(width);
                ids[at] = precision.numbers_rows(column.copied());
            }
            if let Some(blur) = precision.blur().filter(|_| !ids[at]) {
                let name = name.unwrap_or_else(|| (at + 1).to_string());
                manner.notes.push(format!(
                    "{}: column `{name}`: {blur}; subtract a common start before",
                    path.display()
                ));
            }
        }
        let kept = ids.iter().filter(|id| !**id).count();
        if kept == 0 || kept == width {
            return;
        }
        for (at, _) in ids.iter().enumerate().filter(|(_, id)| **id) {
            manner.notes.push(format!(
                "{}: column `{}` is left out: it numbers the rows; rename it if it says more than that",
                path.display(),
                self.names[at]
            ));
        }
        let mut place = 0;
        self.values.retain(|_| {
            let keep = !ids[place % width];
            place += 1;
            keep
        });
        self.columns = kept;
    }
}
