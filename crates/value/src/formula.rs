//! Cells that a spreadsheet takes for formulas.

use std::fmt;

use crate::output::{CELLS_CSV, ROWS_CSV};
use crate::problem::{Problem, Target};

/// Whether a spreadsheet that opens the cell as text would run it: it begins with `=`, `+`, `-`, `@`, a tab
/// or a carriage return, and is no number.
pub fn is_formula(text: &str) -> bool {
    let begins = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    begins && text.len() > 1 && text.trim().parse::<f64>().is_err()
}

/// How many such cells a file of results has, and the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Formulas {
    /// The number of cells.
    pub count: usize,
    /// The file and the text of the first.
    pub first: Option<(&'static str, String)>,
}

impl Formulas {
    /// Looks at a cell of `file`.
    pub(crate) fn look(&mut self, file: &'static str, cell: &[u8]) {
        if !matches!(
            cell.first(),
            Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')
        ) {
            return;
        }
        let text = String::from_utf8_lossy(cell);
        if is_formula(&text) {
            self.count += 1;
            self.first.get_or_insert_with(|| (file, text.into_owned()));
        }
    }

    /// The names, ids and labels of a table, each in the file of results where it stands first; `id` is the
    /// name of the ids.
    pub(crate) fn of_results(problem: &Problem, id: Option<&str>) -> Self {
        let mut found = Self::default();
        if let Some(name) = id {
            found.look(ROWS_CSV, name.as_bytes());
        }
        // The columns are told of by their cells alone.
        for column in problem.columns() {
            found.look(CELLS_CSV, column.name.as_bytes());
        }
        for id in problem.ids().into_iter().flatten() {
            found.look(ROWS_CSV, id.as_bytes());
        }
        if let Target::Classes { codes, names } = problem.target() {
            let run: Vec<bool> = names.iter().map(|name| is_formula(name)).collect();
            for &code in codes.iter().filter(|&&code| run[code as usize]) {
                found.look(ROWS_CSV, names[code as usize].as_bytes());
            }
        }
        found
    }

    /// These and those of `other`.
    pub fn and(mut self, other: Self) -> Self {
        self.count += other.count;
        self.first = self.first.or(other.first);
        self
    }
}

impl fmt::Display for Formulas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((file, text)) = &self.first else {
            return f.write_str("no cell is a formula");
        };
        let shown: String = text.chars().take(40).collect();
        write!(
            f,
            "{} cells begin as formulas do, first `{shown}` in {file}: they are copied as they are, and a \
             spreadsheet would run them; import these files as text",
            self.count
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_no_formulas() {
        for text in [
            "=1+1",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "--1",
        ] {
            assert!(is_formula(text), "{text:?}");
        }
        for text in ["-2", "+3.5e-4", "-inf", "-", "", "a=1", " =1"] {
            assert!(!is_formula(text), "{text:?}");
        }
    }
}
