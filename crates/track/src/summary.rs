//! Plain-text tables for the end of a run.

use std::fmt;

use afterimage_files::plain;

/// A table with a title and a header, in columns of aligned text. Columns of numbers are aligned
/// on the right.
///
/// # Examples
/// ```
/// use afterimage_track::TextTable;
/// let mut table = TextTable::new("UnitMem", &["layer", "train"]);
/// table.row(["layer1", "0.413"]);
/// assert_eq!(table.to_string(), "UnitMem\nlayer   train\n------  -----\nlayer1  0.413\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTable {
    title: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    /// An empty table.
    pub fn new(title: impl Into<String>, header: &[&str]) -> Self {
        let header = header.iter().map(|&name| name.to_owned()).collect();
        Self {
            title: title.into(),
            header,
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells are empty, cells beyond the header are left out. A cell stays on its line.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let cell = |text: T| plain(&text.into()).into_owned();
        let mut cells: Vec<String> = cells.into_iter().map(cell).collect();
        cells.resize(self.header.len(), String::new());
        self.rows.push(cells);
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A text in at most `most` characters, the last of them an ellipsis where it is longer.
    pub fn within(text: &str, most: usize) -> String {
        if text.chars().count() <= most {
            return text.to_owned();
        }
        text.chars()
            .take(most.saturating_sub(1))
            .chain(['…'])
            .collect()
    }

    /// A number as a cell: `decimals` digits behind the point, and `–` for "not defined" (NaN).
    pub fn number(value: f64, decimals: usize) -> String {
        if value.is_nan() {
            "–".to_owned()
        } else {
            format!("{value:.decimals$}")
        }
    }

    /// A number and what it may be off by, as a cell, likewise; the number alone where that is not
    /// known.
    pub fn with_error(value: f64, error: Option<f64>, decimals: usize) -> String {
        let shown = Self::number(value, decimals);
        match error {
            Some(error) if !value.is_nan() => {
                format!("{shown} ± {}", Self::number(error, decimals))
            }
            _ => shown,
        }
    }
}

/// Whether a cell reads as a number, or as the lack of one.
fn is_number(cell: &str) -> bool {
    matches!(cell, "" | "–") || cell.trim_end_matches('%').trim_end().parse::<f64>().is_ok()
}

impl fmt::Display for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.header.len();
        let width = |text: &String| text.chars().count();
        let cells = |column: usize| self.rows.iter().map(move |row| &row[column]);
        let widths: Vec<usize> = (0..columns)
            .map(|c| {
                cells(c)
                    .chain([&self.header[c]])
                    .map(width)
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let right: Vec<bool> = (0..columns)
            .map(|c| !self.is_empty() && cells(c).all(|cell| is_number(cell)))
            .collect();
        let line = |row: &[String]| {
            let padded: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(c, cell)| {
                    // A width in a format string has 16 bits, and an id may be longer.
                    let room = " ".repeat(widths[c] - width(cell));
                    match right[c] {
                        true => format!("{room}{cell}"),
                        false => format!("{cell}{room}"),
                    }
                })
                .collect();
            padded.join("  ").trim_end().to_owned()
        };
        let rule: Vec<String> = widths.iter().map(|&w| "-".repeat(w)).collect();
        if !self.title.is_empty() {
            writeln!(f, "{}", self.title)?;
        }
        writeln!(f, "{}", line(&self.header))?;
        writeln!(f, "{}", rule.join("  "))?;
        self.rows
            .iter()
            .try_for_each(|row| writeln!(f, "{}", line(row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_under_each_other_and_words_start_the_line() {
        let mut table = TextTable::new("t", &["layer", "train", "n"]);
        table.row(["é", "0.5", "–"]);
        table.row(["layer10", "-10.25", "3 %"]);
        let expected = "t\nlayer     train    n\n-------  ------  ---\né           0.5    –\nlayer10  -10.25  3 %\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn what_is_not_defined_is_a_dash() {
        assert_eq!(TextTable::number(f64::NAN, 3), "–");
        assert_eq!(TextTable::number(0.12345, 3), "0.123");
        assert_eq!(TextTable::with_error(f64::NAN, Some(f64::NAN), 3), "–");
        assert_eq!(TextTable::with_error(0.5, Some(0.01), 2), "0.50 ± 0.01");
        assert_eq!(TextTable::with_error(0.5, Some(f64::NAN), 2), "0.50 ± –");
        assert_eq!(TextTable::with_error(0.5, None, 2), "0.50");
    }
}
