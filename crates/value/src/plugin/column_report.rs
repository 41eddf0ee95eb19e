//! What is told of cells that are columns of a table.

use afterimage_hooks::{Column, Table};

use crate::online::{CellTally, SampleColumns};
use crate::plugin::oob_report::table;

/// Columns that are named of each sample.
const NAMED: usize = 3;

/// A line of Markdown for each of the samples `lowest`, which `who` names: the columns that speak most against
/// its label, by their contrasts. Samples of whose columns nothing is known have none.
pub(crate) fn lowest_cells(
    tally: &CellTally,
    names: &[&str],
    lowest: &[usize],
    who: &dyn Fn(usize) -> String,
) -> String {
    let line = |&sample: &usize| {
        let mut cells: Vec<(f64, &str)> = (names.iter().enumerate())
            .map(|(cell, name)| (tally.contrast(sample, cell), *name))
            .filter(|(contrast, _)| contrast.is_finite())
            .collect();
        // The sort is stable: of equal ones the first column.
        cells.sort_by(|a, b| a.0.total_cmp(&b.0));
        let told: Vec<String> = cells
            .iter()
            .take(NAMED)
            .map(|(contrast, name)| format!("`{}` {contrast:+.3}", plain(name)))
            .collect();
        match told.is_empty() {
            true => String::new(),
            false => format!("- {}: {}\n", who(sample), told.join(", ")),
        }
    };
    lowest.iter().map(line).collect()
}

/// A name that ends no code of Markdown and no line.
fn plain(name: &str) -> String {
    let plain = |letter: char| match letter {
        '`' => '\'',
        letter if letter.is_control() => ' ',
        letter => letter,
    };
    name.chars().map(plain).collect()
}

/// A row a column: its cell, its name, the inputs that it takes, and means over the samples `scored`, of which
/// those are left out that know nothing of it.
pub(crate) fn by_column(tally: &CellTally, columns: &SampleColumns, scored: &[usize]) -> Table {
    let cells = 0..tally.cells();
    let mean = |of: &dyn Fn(usize, usize) -> f64| {
        let mean = |cell: usize| {
            let known = scored.iter().map(|&sample| of(sample, cell));
            let known: Vec<f64> = known.filter(|value| value.is_finite()).collect();
            known.iter().sum::<f64>() / known.len() as f64
        };
        Column::F64(cells.clone().map(mean).collect())
    };
    let names = columns.names().into_iter().map(str::to_owned);
    let inputs = columns.widths().into_iter().map(|width| width as i64);
    table(vec![
        (
            "cell",
            Column::I64(cells.clone().map(|cell| cell as i64).collect()),
        ),
        ("name", Column::Text(names.collect())),
        ("inputs", Column::I64(inputs.collect())),
        (
            "value",
            mean(&|sample, cell| tally.cell(sample, cell).value),
        ),
        (
            "contrast",
            mean(&|sample, cell| tally.contrast(sample, cell)),
        ),
    ])
}
