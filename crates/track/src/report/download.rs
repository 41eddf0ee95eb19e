//! The numbers of a figure as a CSV file that the page holds.

use std::collections::BTreeMap;

use super::chart::{Axis, Series};
use super::page::{anchor, escape};
use crate::csv::quoted;

/// Rows that a file on the page may have; of longer series what is drawn.
pub(super) const ROWS: usize = 2_000;

/// A link that saves `csv` as a file named by `title`; the page's script reads it, too.
pub fn csv_link(title: &str, csv: &str) -> String {
    let mut data = String::with_capacity(csv.len() + csv.len() / 8);
    for byte in csv.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b',' | b'.' | b'-' | b'_' | b'/' => {
                data.push(char::from(byte));
            }
            other => data.push_str(&format!("%{other:02X}")),
        }
    }
    let title = escape(title);
    format!(
        "<a class=csv download=\"{}.csv\" aria-label=\"Numbers of {title} as CSV\" href=\"data:text/csv;charset=utf-8,{data}\">CSV</a>",
        anchor(&title)
    )
}

/// A cell of a CSV file.
pub fn cell(text: &str) -> String {
    quoted(text)
}

/// A number in seven significant digits; nothing where there is none.
pub fn digits(value: f64) -> String {
    match value.is_finite() {
        true => format!("{value:.6e}")
            .parse::<f64>()
            .map_or_else(|_| value.to_string(), |rounded| rounded.to_string()),
        false if value.is_nan() => String::new(),
        false => value.to_string(),
    }
}

/// The numbers of a chart: a row a place, a column a series, and its errors behind it where there are any.
/// Lines that go back over their own places have a row a point instead.
pub(super) fn chart_csv(axis: &Axis, series: &[Series], errors: &[Vec<f64>]) -> String {
    let steady = |one: &Series| one.points.windows(2).all(|pair| pair[0].0 < pair[1].0);
    match series.iter().all(steady) {
        true => by_place(axis, series, errors),
        false => by_point(axis, series),
    }
}

fn by_place(axis: &Axis, series: &[Series], errors: &[Vec<f64>]) -> String {
    let mut header = vec![cell(name(axis))];
    let mut columns: Vec<BTreeMap<u64, f64>> = Vec::new();
    let mut places: BTreeMap<u64, f64> = BTreeMap::new();
    for (index, one) in series.iter().enumerate() {
        let along = |values: &mut dyn Iterator<Item = f64>| {
            let points = one.points.iter().zip(values);
            points.map(|(p, value)| (key(p.0), value)).collect()
        };
        places.extend(one.points.iter().map(|p| (key(p.0), p.0)));
        header.push(cell(&one.label));
        columns.push(along(&mut one.points.iter().map(|p| p.1)));
        if let Some(errors) = errors.get(index).filter(|errors| !errors.is_empty()) {
            header.push(cell(&format!("{} ± se", one.label)));
            columns.push(along(&mut errors.iter().copied()));
        }
    }
    let mut text = header.join(",") + "\n";
    for (at, x) in places {
        let place = match axis {
            Axis::Names(names) => cell(names.get(x as usize).map_or("", String::as_str)),
            _ => digits(x),
        };
        let values = columns
            .iter()
            .map(|column| column.get(&at).copied().map_or_else(String::new, digits));
        let row: Vec<String> = [place].into_iter().chain(values).collect();
        text += &(row.join(",") + "\n");
    }
    text
}

fn by_point(axis: &Axis, series: &[Series]) -> String {
    let mut text = format!("series,{},value\n", cell(name(axis)));
    for one in series {
        for (x, y) in &one.points {
            text += &format!("{},{},{}\n", cell(&one.label), digits(*x), digits(*y));
        }
    }
    text
}

/// What the axis is called.
fn name(axis: &Axis) -> &str {
    match axis {
        Axis::Steps => "step",
        Axis::Counts(what) | Axis::Values(what) => what,
        Axis::Names(_) => "layer",
    }
}

/// A number whose order is that of `x`.
fn key(x: f64) -> u64 {
    let bits = x.to_bits();
    match bits >> 63 {
        0 => bits | 1 << 63,
        _ => !bits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(label: &str, points: &[(f64, f64)]) -> Series {
        Series {
            label: label.to_owned(),
            points: points.to_vec(),
            dashed: false,
        }
    }

    #[test]
    fn series_stand_side_by_side_at_their_places() {
        let lines = [
            series("a,\"b\"", &[(-1.0, 0.5), (2.0, f64::NAN)]),
            series("c", &[(2.0, 0.1 + 0.2), (10.0, 1e-9)]),
        ];
        let axis = Axis::Counts("epoch".to_owned());
        let csv = chart_csv(&axis, &lines, &[Vec::new(), vec![0.25]]);
        assert_eq!(
            csv,
            "epoch,\"a,\"\"b\"\"\",c,c ± se\n-1,0.5,,\n2,,0.3,0.25\n10,,0.000000001,\n"
        );
        let names = Axis::Names(vec!["x".to_owned(), "y".to_owned()]);
        let csv = chart_csv(&names, &[series("s", &[(0.0, 1.0), (1.0, 2.0)])], &[]);
        assert_eq!(csv, "layer,s\nx,1\ny,2\n");
    }

    #[test]
    fn a_line_that_turns_back_has_a_row_a_point() {
        let csv = chart_csv(
            &Axis::Steps,
            &[series("s", &[(1.0, 1.0), (1.0, 2.0), (0.0, 3.0)])],
            &[],
        );
        assert_eq!(csv, "series,step,value\ns,1,1\ns,1,2\ns,0,3\n");
    }

    #[test]
    fn a_link_holds_its_file_and_nothing_else() {
        let link = csv_link("a<b", "x,\"é\n\"#%&\n");
        assert!(
            link.contains("utf-8,x,%22%C3%A9%0A%22%23%25%26%0A\""),
            "{link}"
        );
        assert!(link.contains("Numbers of a&lt;b as CSV"), "{link}");
    }
}
