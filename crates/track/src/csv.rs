//! Tables as CSV files.

use std::path::Path;

use afterimage_hooks::{Column, Table};
use afterimage_report::csv_cell;

use crate::parquet_file::check;
use crate::{TrackError, files};

/// Writes `table` as a CSV file beside `path` and renames it: a line of names, then a line a row. What
/// is not defined (NaN) is an empty cell; words with a comma, a quote or a line break are quoted.
///
/// # Errors
/// Columns of unequal length or with one name twice, a full disk, an unwritable folder.
pub fn write_csv(path: &Path, table: &Table) -> Result<(), TrackError> {
    check(table).map_err(|why| TrackError::Table {
        path: path.to_owned(),
        why,
    })?;
    files::write_beside(path, text(table).as_bytes())
}

fn text(table: &Table) -> String {
    let columns = &table.columns;
    let names: Vec<String> = columns.iter().map(|(name, _)| csv_cell(name)).collect();
    let mut text = names.join(",") + "\n";
    for row in 0..table.rows() {
        let cell = |(_, column): &(String, Column)| match column {
            Column::F64(values) if values[row].is_nan() => String::new(),
            Column::F64(values) => values[row].to_string(),
            Column::I64(values) => values[row].to_string(),
            Column::Text(values) => csv_cell(&values[row]),
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        text += &(cells.join(",") + "\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_what_a_reader_of_csv_expects() {
        let words = ["a", "b, \"c\""].map(str::to_owned).to_vec();
        let table = Table::of([
            ("word", Column::Text(words)),
            ("whole", Column::I64(vec![-1, 2])),
            ("number", Column::F64(vec![0.5, f64::NAN])),
        ]);
        assert_eq!(
            text(&table),
            "word,whole,number\na,-1,0.5\n\"b, \"\"c\"\"\",2,\n"
        );
    }
}
