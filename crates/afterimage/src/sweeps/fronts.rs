//! The front of a sweep that is judged by several aims: which configurations no other dominates.

use std::collections::BTreeMap;

use afterimage_report::{Chart, Point, Table};
use afterimage_sweep::{Aim, Configuration, Direction, Results};
use afterimage_track::TextTable;
use maud::{Markup, html};

use super::page::{groups, points, scatter};
use super::scatter::{number_axis, thinned};

/// How a front is to be read.
pub(super) const READING: &str = "The front: configurations that no other dominates, that is, none is as good in every aim and \
     better in one, by means over seeds. Intervals hold 95 % over seeds (Student's t); means near each other are not \
     told apart by a front.";

/// How its pictures are to be read.
pub(super) const PICTURES: &str = "Dominated configurations are drawn faintly; the dashed line joins the front, which with more \
     than two aims need not look like one in a picture of two.";

/// A picture of the first aim against each other one.
pub(super) fn pictures(results: &Results) -> Vec<Chart> {
    match results.aims.as_slice() {
        [first, others @ ..] => others
            .iter()
            .map(|other| picture(results, first, other))
            .collect(),
        [] => Vec::new(),
    }
}

/// Said where nothing is on the front.
const NONE: &str = "No configuration is on the front: each has a trial that is not done, or without a number for one of the aims.";

/// A table of the front.
pub(super) fn table(results: &Results) -> Markup {
    match rows(results) {
        none if none.is_empty() => html! { p { (NONE) } },
        rows => html! { (Table::new(&header(results)).rows(rows)) },
    }
}

fn mean(of: &Configuration, aim: &Aim) -> Option<f64> {
    Some(of.aims.get(&aim.name)?.mean)
}

fn picture(results: &Results, first: &Aim, other: &Aim) -> Chart {
    let groups = groups(results);
    let by_name: BTreeMap<&str, &Configuration> = results
        .configurations
        .iter()
        .map(|c| (c.name.as_str(), c))
        .collect();
    let mut all: Vec<Point> = points(results, &groups, |c| mean(c, other));
    let mut front = Vec::new();
    for (place, point) in all.iter_mut().enumerate() {
        let of = by_name.get(point.label.as_str());
        let is_front = of.is_some_and(|c| c.front == Some(true));
        point.faded = !is_front;
        front.extend(is_front.then_some(place));
    }
    let drawn = thinned(&all, &front);
    let title = format!("{} against {}", first.name, other.name);
    scatter(&title, number_axis(&other.name, &drawn.0), drawn, &groups)
}

fn header(results: &Results) -> Vec<String> {
    let mut header = vec!["configuration".to_owned()];
    for aim in &results.aims {
        let better = match aim.direction {
            Direction::Maximize => "higher",
            Direction::Minimize => "lower",
        };
        header.push(format!("{} ({better} is better)", aim.name));
        header.push("95 %".to_owned());
    }
    header.push("seeds".to_owned());
    header
}

fn rows(results: &Results) -> Vec<Vec<String>> {
    let front = results
        .configurations
        .iter()
        .filter(|c| c.front == Some(true));
    let row = |c: &Configuration| {
        let mut row = vec![c.name.clone()];
        for aim in &results.aims {
            let of = c.aims.get(&aim.name);
            row.push(number(of.map_or(f64::NAN, |of| of.mean)));
            let ends = of.and_then(|of| of.interval);
            row.push(ends.map_or("–".to_owned(), |(low, high)| {
                format!("{} … {}", number(low), number(high))
            }));
        }
        row.push(c.done.to_string());
        row
    };
    front.map(row).collect()
}

/// A number as a cell; counts of operations need no decimals.
fn number(x: f64) -> String {
    TextTable::number(x, if x.abs() < 1000.0 { 4 } else { 0 })
}

/// The front as Markdown; empty without several aims.
pub(super) fn markdown(results: &Results) -> String {
    if results.aims.is_empty() {
        return String::new();
    }
    let header = header(results);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let table = match rows(results).as_slice() {
        [] => format!("{NONE}\n"),
        rows => super::tables::table(&header, rows),
    };
    format!("\n{READING}\n\n{table}")
}
