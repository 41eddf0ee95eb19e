//! The heat map: the lowest rows and all columns.

use afterimage_report::{between, short, short_or_dash};
use afterimage_track::TextTable;
use afterimage_value::{CellBlock, label, text};
use maud::{Markup, html};

use super::Valued;
use super::summary::{name, shortened};

/// Rows of the map.
const ROWS: usize = 60;
/// Columns of the map; of more, those of the lowest mean among the rows shown.
const COLUMNS: usize = 256;
const WIDTH: f64 = 1140.0;
const HEIGHT: f64 = 14.0;
const LEFT: f64 = 150.0;
/// Columns that have room for their names.
const NAMES: usize = 60;
/// From dark red (lowest) over pale yellow to blue (highest): told apart in both colour schemes and
/// with the common colour blindnesses.
const COLOURS: [(f64, f64, f64); 5] = [
    (165.0, 0.0, 38.0),
    (244.0, 109.0, 67.0),
    (254.0, 224.0, 144.0),
    (116.0, 173.0, 209.0),
    (49.0, 54.0, 149.0),
];

/// An SVG picture of the cells of the lowest rows, the lowest row first; columns in the order of
/// the table.
pub(super) fn map(valued: &Valued) -> Markup {
    let rows: Vec<usize> = valued.lowest_rows.iter().copied().take(ROWS).collect();
    let blocks: Vec<CellBlock> = rows
        .iter()
        .map(|&row| valued.values.cells(row..row + 1))
        .collect();
    let columns = columns(&blocks);
    let values = || {
        let cells = blocks
            .iter()
            .flat_map(|block| columns.iter().map(|&column| block.value[column]));
        cells.filter(|v| !v.is_nan())
    };
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    if rows.is_empty() || columns.is_empty() || low > high {
        return Markup::default();
    }
    let is_cut = columns.len() < valued.table.problem.columns().len();
    let map = Map {
        valued,
        width: ((WIDTH - LEFT) / columns.len() as f64).clamp(5.0, 60.0),
        columns,
        range: (low, high),
    };
    html! {
        div.scroll { (map.drawn(&rows, &blocks)) }
        (legend(low, high, is_cut))
    }
}

/// What is drawn, and how.
struct Map<'a> {
    valued: &'a Valued,
    columns: Vec<usize>,
    /// Of a column.
    width: f64,
    /// The lowest and the highest value.
    range: (f64, f64),
}

impl Map<'_> {
    fn drawn(&self, rows: &[usize], blocks: &[CellBlock]) -> Markup {
        let names = match self.columns.len() <= NAMES {
            true => self.names(),
            false => Vec::new(),
        };
        // Names stand at an angle of 50 degrees, about 6 units a letter.
        let longest = names.iter().map(|name| name.chars().count()).max();
        let top = longest.map_or(8.0, |letters| 14.0 + 4.8 * letters as f64);
        let right = LEFT + self.width * self.columns.len() as f64 + 70.0;
        let bottom = top + HEIGHT * rows.len() as f64 + 4.0;
        html! {
            svg viewBox=(format!("0 0 {right:.0} {bottom:.0}"))
                style=(format!("min-width:{:.0}px", right.min(WIDTH)))
                role="img" aria-label="Values of the cells of the lowest rows" {
                @for (at, name) in names.iter().enumerate() {
                    @let (x, y) = (LEFT + self.width * (at as f64 + 0.5), top - 6.0);
                    text transform=(format!("translate({x:.1} {y:.1}) rotate(-50)")) { (name) }
                }
                @for (at, (&row, block)) in rows.iter().zip(blocks).enumerate() {
                    (self.row(row, block, top + HEIGHT * at as f64))
                }
            }
        }
    }

    fn names(&self) -> Vec<String> {
        let all = self.valued.table.problem.columns();
        let columns = self.columns.iter();
        columns.map(|&at| short_name(&all[at].name)).collect()
    }

    fn row(&self, row: usize, block: &CellBlock, y: f64) -> Markup {
        let valued = self.valued;
        let named = format!(
            "{} · {}",
            name(valued, row),
            short_name(&label(&valued.table.problem, row))
        );
        let right = LEFT + self.width * self.columns.len() as f64;
        html! {
            text.y x=(place(LEFT - 6.0)) y=(place(y + HEIGHT - 3.0)) { (named) }
            @for (at, &column) in self.columns.iter().enumerate() {
                rect x=(place(LEFT + self.width * at as f64)) y=(place(y)) width=(place(self.width - 0.6))
                    height=(place(HEIGHT - 1.0)) fill=(colour(block.value[column], self.range)) {
                    title { (self.told(row, block, column)) }
                }
            }
            text x=(place(right + 6.0)) y=(place(y + HEIGHT - 3.0)) {
                (short_or_dash(valued.rows[row].data_oob.value))
            }
        }
    }

    /// What hovering over a cell tells.
    fn told(&self, row: usize, block: &CellBlock, column: usize) -> String {
        let of = &self.valued.table.problem.columns()[column];
        format!(
            "row {} · {} = {}: {} ± {}, {} learners",
            name(self.valued, row),
            of.name,
            shortened(&text(&of.cells, row)),
            short_or_dash(block.value[column]),
            short_or_dash(block.error[column]),
            block.count[column]
        )
    }
}

/// A coordinate.
fn place(at: f64) -> String {
    format!("{at:.1}")
}

fn columns(blocks: &[CellBlock]) -> Vec<usize> {
    let width = blocks.first().map_or(0, |block| block.columns);
    let mean = |column: usize| {
        let values = blocks.iter().map(|block| block.value[column]);
        let present: Vec<f64> = values.filter(|v| !v.is_nan()).collect();
        afterimage_numeric::mean(&present)
    };
    let mut columns: Vec<(f64, usize)> = (0..width).map(|column| (mean(column), column)).collect();
    if columns.len() > COLUMNS {
        columns.sort_by(|a, b| a.0.total_cmp(&b.0));
        columns.truncate(COLUMNS);
        columns.sort_by_key(|&(_, column)| column);
    }
    columns.into_iter().map(|(_, column)| column).collect()
}

fn short_name(name: &str) -> String {
    TextTable::within(name, 14)
}

fn colour(value: f64, (low, high): (f64, f64)) -> String {
    if value.is_nan() {
        return "var(--rule)".to_owned();
    }
    let share = if high > low {
        (value - low) / (high - low)
    } else {
        0.5
    };
    between(&COLOURS, share)
}

fn legend(low: f64, high: f64, is_cut: bool) -> Markup {
    let swatch = |at: u32| {
        let value = low + (high - low) * f64::from(at) / 8.0;
        let colour = colour(value, (low, high));
        format!("width:26px;height:12px;margin:0;background:{colour}")
    };
    html! {
        p.note {
            span.legend style="display:inline-flex;gap:0;vertical-align:middle" {
                @for at in 0..=8 { i style=(swatch(at)) {} }
            }
            " " (short(low)) " to " (short(high))
            "; grey: no learner could tell. Hover over a cell for its numbers."
            @if is_cut {
                " Of the columns, the " (COLUMNS) " with the lowest means among these rows are shown."
            }
        }
    }
}
