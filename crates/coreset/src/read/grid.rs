//! A numeric table while it is read.

use std::path::Path;

use afterimage_table::{Counts, Number, Precision, Signs, line_at, names_rows};

use super::{Manner, left_out};
use crate::error::CoresetError;

/// A numeric table `[rows, columns]` as its file has it, rows beside each other.
pub(crate) struct Grid {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) values: Vec<f32>,
    /// Names of the columns; none where the file has none.
    pub(crate) names: Vec<String>,
    pub(crate) told: Told,
    /// Where the line of each row begins, in bytes; empty for files without lines.
    pub(crate) starts: Vec<u64>,
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
            starts: Vec::new(),
        }
    }

    /// Leaves out the columns that number the rows by their names, unless none is left then, and says
    /// which numbers are not told apart.
    ///
    /// # Errors
    /// Numbers that 32 bits cannot hold.
    pub(crate) fn finish(&mut self, path: &Path, manner: &mut Manner) -> Result<(), CoresetError> {
        let told = std::mem::take(&mut self.told);
        let width = self.columns;
        let mut ids = vec![false; width];
        let name = |at: usize| self.names.get(at).cloned();
        let shown = |at: usize| name(at).unwrap_or_else(|| (at + 1).to_string());
        for (at, precision) in told.columns.iter().enumerate().take(width) {
            let column = || self.values.iter().skip(at).step_by(width).copied();
            if let Some(beyond) = precision.beyond() {
                let row = beyond.row(column());
                let line = self.starts.get(row).and_then(|start| line_at(path, *start));
                let place = match line {
                    Some(line) => format!("line {line}"),
                    None => format!("sample {row}"),
                };
                let reason = format!("column `{}`: {}", shown(at), beyond.told(&place));
                return Err(CoresetError::format(path, reason));
            }
            if name(at).as_deref().is_some_and(names_rows) {
                let counts = precision.counts(column());
                ids[at] = counts.is_some_and(Counts::are_ids);
                if let Some(counts) = counts.filter(|_| !ids[at] && width > 1) {
                    let told = counts.told(&shown(at), "value");
                    manner.notes.push(format!("{}: {told}", path.display()));
                }
            }
            if let Some(blur) = precision.blur().filter(|_| !ids[at]) {
                manner.notes.push(format!(
                    "{}: column `{}`: {blur}; subtract a common start before",
                    path.display(),
                    shown(at)
                ));
            }
        }
        if width > 1 && !ids[0] {
            let mut signs = Signs::default();
            let first = self.values.iter().step_by(width);
            first.for_each(|&value| signs.push(value.into()));
            if signs.counts_rows() {
                manner.notes.push(format!(
                    "{}: column `{name}` is taken as a value and looks like an index; say --ignore {name} \
                     if it is one",
                    path.display(),
                    name = shown(0)
                ));
            }
        }
        let kept = ids.iter().filter(|id| !**id).count();
        if kept == 0 || kept == width {
            return Ok(());
        }
        for (at, _) in ids.iter().enumerate().filter(|(_, id)| **id) {
            let names = [format!("`{}`", self.names[at])];
            manner
                .notes
                .push(left_out(path, &names, "numbers the rows"));
        }
        self.retain(|at| !ids[at]);
        Ok(())
    }

    /// The first value that is not finite, with its place, in words.
    pub(crate) fn not_finite(&self, path: &Path) -> Option<String> {
        let at = self.values.iter().position(|value| !value.is_finite())?;
        let (row, column) = (at / self.columns, at % self.columns);
        let name = self.names.get(column).cloned();
        let name = name.unwrap_or_else(|| (column + 1).to_string());
        let line = self.starts.get(row).and_then(|start| line_at(path, *start));
        let place = line.map_or(String::new(), |line| format!(", line {line}"));
        Some(format!("{} in column `{name}`{place}", self.values[at]))
    }

    /// Leaves out the columns for which `keep` does not hold.
    pub(crate) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let width = self.columns;
        let mut place = 0;
        self.values.retain(|_| {
            place += 1;
            keep((place - 1) % width)
        });
        let mut at = 0;
        self.names.retain(|_| {
            at += 1;
            keep(at - 1)
        });
        let mut at = 0;
        self.told.columns.retain(|_| {
            at += 1;
            keep(at - 1)
        });
        self.columns = (0..width).filter(|at| keep(*at)).count();
    }
}
