//! The numbers of a chart as CSV.

use std::collections::BTreeMap;

use super::lines::thinned;
use super::{Axis, Points, Series};
use crate::csv::{csv_cell, line};
use crate::number::digits;

/// Rows that a file on the page may have; of longer series what is drawn.
const ROWS: usize = 2_000;

/// The points, a row each.
pub(super) fn of_points(axis: &Axis, points: &Points) -> String {
    let mut text = "name,group,x,y,se\n".to_owned();
    for point in &points.points {
        let group = points.groups.get(point.group).map_or("", String::as_str);
        text += &line([
            csv_cell(&point.label),
            csv_cell(group),
            place(axis, point.x),
            digits(point.y),
            digits(point.error),
        ]);
    }
    text
}

/// A row a place, a column a series, and its errors behind it where there are any. Lines that go back over
/// their own places have a row a point instead. Nothing where there is no point.
pub(super) fn of_lines(axis: &Axis, series: &[Series]) -> String {
    let longest = series.iter().map(|one| one.points.len()).max();
    match longest.unwrap_or_default() {
        0 => String::new(),
        length if length > ROWS => {
            let drawn = |one: &Series| Series {
                points: thinned(&one.points),
                errors: Vec::new(),
                ..one.clone()
            };
            table(axis, &series.iter().map(drawn).collect::<Vec<_>>())
        }
        _ => table(axis, series),
    }
}

fn table(axis: &Axis, series: &[Series]) -> String {
    let steady = |one: &Series| one.points.windows(2).all(|pair| pair[0].0 < pair[1].0);
    match series.iter().all(steady) {
        true => by_place(axis, series),
        false => by_point(axis, series),
    }
}

fn by_place(axis: &Axis, series: &[Series]) -> String {
    let mut header = vec![csv_cell(axis.name())];
    let mut columns: Vec<BTreeMap<u64, f64>> = Vec::new();
    let mut places: BTreeMap<u64, f64> = BTreeMap::new();
    for one in series {
        let along = |values: &mut dyn Iterator<Item = f64>| {
            let points = one.points.iter().zip(values);
            points.map(|(p, value)| (key(p.0), value)).collect()
        };
        places.extend(one.points.iter().map(|p| (key(p.0), p.0)));
        header.push(csv_cell(&one.label));
        columns.push(along(&mut one.points.iter().map(|p| p.1)));
        if !one.errors.is_empty() {
            header.push(csv_cell(&format!("{} ± se", one.label)));
            columns.push(along(&mut one.errors.iter().copied()));
        }
    }
    let mut text = line(header);
    for (at, x) in places {
        let values = columns
            .iter()
            .map(|column| column.get(&at).copied().map_or_else(String::new, digits));
        text += &line([place(axis, x)].into_iter().chain(values));
    }
    text
}

fn by_point(axis: &Axis, series: &[Series]) -> String {
    let mut text = format!("series,{},value\n", csv_cell(axis.name()));
    for one in series {
        for (x, y) in &one.points {
            text += &format!("{},{},{}\n", csv_cell(&one.label), digits(*x), digits(*y));
        }
    }
    text
}

/// A place on the axis: its name or its number.
fn place(axis: &Axis, x: f64) -> String {
    axis.named(x).map_or_else(|| digits(x), csv_cell)
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

    #[test]
    fn series_stand_side_by_side_at_their_places() {
        let lines = [
            Series::new("a,\"b\"", vec![(-1.0, 0.5), (2.0, f64::NAN)]),
            Series::new("c", vec![(2.0, 0.1 + 0.2), (10.0, 1e-9)]).errors(vec![0.25]),
        ];
        assert_eq!(
            of_lines(&Axis::Counts("epoch".to_owned()), &lines),
            "epoch,\"a,\"\"b\"\"\",c,c ± se\n-1,0.5,,\n2,,0.3,0.25\n10,,0.000000001,\n"
        );
        let names = Axis::Layers(vec!["x".to_owned(), "y".to_owned()]);
        let csv = of_lines(&names, &[Series::new("s", vec![(0.0, 1.0), (1.0, 2.0)])]);
        assert_eq!(csv, "layer,s\nx,1\ny,2\n");
    }

    #[test]
    fn a_line_that_turns_back_has_a_row_a_point() {
        let turns = Series::new("s", vec![(1.0, 1.0), (1.0, 2.0), (0.0, 3.0)]);
        assert_eq!(
            of_lines(&Axis::Steps, &[turns]),
            "series,step,value\ns,1,1\ns,1,2\ns,0,3\n"
        );
        assert_eq!(of_lines(&Axis::Steps, &[]), "");
    }
}
