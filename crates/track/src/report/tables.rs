//! The stored tables, as far as a page can hold them.

use afterimage_hooks::Column;
use afterimage_report::{Fold, Section, Table, aligned};
use maud::html;

use super::load::{Run, Snapshot};

/// Rows of a stored table that are shown.
const ROWS: usize = 15;
/// Columns by which rows are shown, and whether the highest come first.
const BY: [(&str, bool); 5] = [
    ("unitmem", true),
    ("score", true),
    ("units", true),
    ("share", true),
    ("value", false),
];

/// The order in which the rows of a table are shown, and what it is called.
fn order(table: &afterimage_hooks::Table) -> (Vec<usize>, String) {
    let rows: Vec<usize> = (0..table.rows()).collect();
    for (by, highest) in BY {
        let values: Vec<f64> = match table.column(by) {
            Some(Column::F64(values)) => values.clone(),
            Some(Column::I64(values)) => values.iter().map(|&value| value as f64).collect(),
            _ => continue,
        };
        // What was not measured comes last in either order.
        let key = |row: usize| match values[row] {
            value if value.is_nan() => f64::INFINITY,
            value if highest => -value,
            value => value,
        };
        let mut rows = rows;
        rows.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
        let end = if highest { "highest" } else { "lowest" };
        return (rows, format!("with the {end} {by}"));
    }
    (rows, "first".to_owned())
}

/// The stored tables at their last epoch.
pub fn tables(run: &Run) -> Section {
    let folds = run.tables.iter().map(|snapshot| shown(run, snapshot));
    folds.fold(Section::new("Tables").folded(), Section::content)
}

/// The first rows of a table in their order, below a line that names it.
fn shown(run: &Run, snapshot: &Snapshot) -> Fold<Table> {
    let (order, how) = order(&snapshot.table);
    // Behind a column of ids the names of its samples, where there are any.
    let columns = snapshot.table.columns.iter();
    let shown: Vec<(&str, &Column, bool)> = columns
        .map(|(name, column)| (name.as_str(), column, run.names.has(&snapshot.table, name)))
        .collect();
    let header: Vec<String> = shown
        .iter()
        .flat_map(|&(name, _, named)| {
            let names = named.then(|| format!("{name}: file"));
            [name.to_owned()].into_iter().chain(names)
        })
        .collect();
    let cells = |row: usize| -> Vec<String> {
        let of = |&(name, column, named): &(&str, &Column, bool)| {
            let file = run.names.of_cell(&snapshot.table, name, row);
            let file = named.then(|| file.unwrap_or("–").to_owned());
            [cell(column, row)].into_iter().chain(file)
        };
        shown.iter().flat_map(of).collect()
    };
    let rows: Vec<Vec<String>> = order.iter().take(ROWS).map(|&row| cells(row)).collect();
    let line = html! {
        (snapshot.name) ": " (rows.len()) " of " (snapshot.table.rows()) " rows, " (how) "; all in " code { (snapshot.file) }
    };
    Fold::new(line, Table::new(&header).sorts(&snapshot.name).rows(rows))
}

fn cell(column: &Column, row: usize) -> String {
    match column {
        Column::F64(values) => aligned(values[row]),
        Column::I64(values) => values[row].to_string(),
        Column::Text(values) => values[row].clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_by_their_score_and_what_was_not_measured_comes_last() {
        let of = |name: &str| {
            let column = Column::F64(vec![0.5, f64::NAN, 0.9]);
            order(&afterimage_hooks::Table::of([(name, column)]))
        };
        assert_eq!(
            of("score"),
            (vec![2, 0, 1], "with the highest score".to_owned())
        );
        assert_eq!(
            of("value"),
            (vec![0, 2, 1], "with the lowest value".to_owned())
        );
        assert_eq!(of("other"), (vec![0, 1, 2], "first".to_owned()));
    }
}
