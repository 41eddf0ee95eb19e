//! The heat map: the lowest rows and all columns.

use afterimage_track::html::{escape, short};
use afterimage_value::{CellBlock, label, text};

use super::Valued;
use super::summary::{name, shortened};

/// Rows of the map.
const ROWS: usize = 60;
/// Columns of the map; of more, those of the lowest mean among the rows shown.
const COLUMNS: usize = 256;
const WIDTH: f64 = 1140.0;
const HEIGHT: f64 = 14.0;
const LEFT: f64 = 150.0;

/// An SVG picture of the cells of the lowest rows, the lowest row first; columns in the order of
/// the table.
pub(super) fn map(valued: &Valued) -> String {
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
        return String::new();
    }
    let all = valued.table.problem.columns();
    let width = ((WIDTH - LEFT) / columns.len() as f64).clamp(5.0, 60.0);
    let names = columns.len() <= 60;
    let longest = |of: &[usize]| {
        let lengths = of
            .iter()
            .map(|&at| short_name(&all[at].name).chars().count());
        lengths.max().unwrap_or(0) as f64
    };
    // Names stand at an angle of 50 degrees, about 6 units a letter.
    let top = if names {
        14.0 + 4.8 * longest(&columns)
    } else {
        8.0
    };
    let (right, bottom) = (
        LEFT + width * columns.len() as f64 + 70.0,
        top + HEIGHT * rows.len() as f64 + 4.0,
    );
    let mut svg = format!(
        "<svg viewBox=\"0 0 {right:.0} {bottom:.0}\" style=\"min-width:{:.0}px\" role=img \
         aria-label=\"Values of the cells of the lowest rows\">",
        right.min(WIDTH)
    );
    if names {
        for (at, &column) in columns.iter().enumerate() {
            let x = LEFT + width * (at as f64 + 0.5);
            svg += &format!(
                "<text transform=\"translate({:.1} {:.1}) rotate(-50)\">{}</text>",
                x,
                top - 6.0,
                escape(&short_name(&all[column].name))
            );
        }
    }
    for (at, (&row, block)) in rows.iter().zip(&blocks).enumerate() {
        let y = top + HEIGHT * at as f64;
        svg += &format!(
            "<text x={:.1} y={:.1} class=y>{} · {}</text>",
            LEFT - 6.0,
            y + HEIGHT - 3.0,
            escape(&name(valued, row)),
            escape(&short_name(&label(&valued.table.problem, row)))
        );
        for (place, &column) in columns.iter().enumerate() {
            let value = block.value[column];
            svg += &format!(
                "<rect x={:.1} y={y:.1} width={:.1} height={:.1} fill=\"{}\"><title>row {} · {} = \
                 {}: {} ± {}, {} learners</title></rect>",
                LEFT + width * place as f64,
                width - 0.6,
                HEIGHT - 1.0,
                colour(value, low, high),
                escape(&name(valued, row)),
                escape(&all[column].name),
                escape(&shortened(&text(&all[column].cells, row))),
                number(value),
                number(block.error[column]),
                block.count[column]
            );
        }
        svg += &format!(
            "<text x={:.1} y={:.1}>{}</text>",
            LEFT + width * columns.len() as f64 + 6.0,
            y + HEIGHT - 3.0,
            number(valued.rows[row].data_oob.value)
        );
    }
    format!(
        "<div class=scroll>{svg}</svg></div>{}",
        legend(low, high, columns.len() < all.len())
    )
}

fn columns(blocks: &[CellBlock]) -> Vec<usize> {
    let width = blocks.first().map_or(0, |block| block.columns);
    let mean = |column: usize| {
        let values = blocks.iter().map(|block| block.value[column]);
        let present: Vec<f64> = values.filter(|v| !v.is_nan()).collect();
        present.iter().sum::<f64>() / present.len() as f64
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
    const MOST: usize = 14;
    if name.chars().count() <= MOST {
        name.to_owned()
    } else {
        name.chars().take(MOST - 1).chain(['…']).collect()
    }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "–".to_owned()
    } else {
        short(value)
    }
}

/// From dark red (lowest) over pale yellow to blue (highest): told apart in both colour schemes and
/// with the common colour blindnesses.
fn colour(value: f64, low: f64, high: f64) -> String {
    if value.is_nan() {
        return "var(--rule)".to_owned();
    }
    let share = if high > low {
        (value - low) / (high - low)
    } else {
        0.5
    };
    let stops = [
        (165.0, 0.0, 38.0),
        (244.0, 109.0, 67.0),
        (254.0, 224.0, 144.0),
        (116.0, 173.0, 209.0),
        (49.0, 54.0, 149.0),
    ];
    let at = share.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let below = (at as usize).min(stops.len() - 2);
    let (a, b, t) = (stops[below], stops[below + 1], at - below as f64);
    let mix = |a: f64, b: f64| (a + (b - a) * t).round() as u8;
    format!(
        "#{:02x}{:02x}{:02x}",
        mix(a.0, b.0),
        mix(a.1, b.1),
        mix(a.2, b.2)
    )
}

fn legend(low: f64, high: f64, cut: bool) -> String {
    let stops: String = (0..=8)
        .map(|at| {
            let value = low + (high - low) * f64::from(at) / 8.0;
            format!(
                "<i style=\"width:26px;height:12px;margin:0;background:{}\"></i>",
                colour(value, low, high)
            )
        })
        .collect();
    let more = if cut {
        format!(" Of the columns, the {COLUMNS} with the lowest means among these rows are shown.")
    } else {
        String::new()
    };
    format!(
        "<p class=note><span class=legend style=\"display:inline-flex;gap:0;vertical-align:middle\">\
         {stops}</span> {} to {}; grey: no learner could tell. Hover over a cell for its numbers.{more}</p>",
        short(low),
        short(high)
    )
}
