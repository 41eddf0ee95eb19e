//! One self-contained HTML page about a sweep.

use std::collections::BTreeSet;

use afterimage_report::{Axis, Cell, Chart, Page, Point, Points, Section, Series, Table};
use afterimage_sweep::{Configuration, Direction, Results, Row, State};
use maud::{Markup, html};
use toml::Value;

use super::fronts;
use super::scatter::{BEST, OTHERS, number_axis, pareto_front, thinned};
use super::summary::{cells, counts};
use super::tables;

/// Curves that are drawn; more cannot be told apart.
const CURVES: usize = 60;

/// Rows of a table on the page: a page of ten thousand trials must still open.
const ROWS: usize = 1000;

/// Failed trials whose last lines are shown.
const FAILED: usize = 100;

/// Names along an axis, or in a legend.
const NAMES: usize = 40;

pub(super) fn render(results: &Results) -> String {
    let is_staged = !results.stages.is_empty();
    let stages = results.by_stage();
    let stages = stages.iter().flat_map(|part| stage(part, is_staged));
    let failed = first(results.count(State::Failed), FAILED, "");
    let note = "The name leads to the trial's own report, where it has one.";
    let note = first(results.rows.len(), ROWS, note);
    Page::new(&results.name)
        .live()
        .head(html! {
            p.note { (counts(results)) "." }
            @for note in &results.notes { div.warning { (note) } }
        })
        .section(comparisons(results))
        .sections(stages)
        .section(
            Section::new("Failed trials")
                .note(failed)
                .content(failures(results)),
        )
        .section(Section::new("Trials").note(note).content(trials(results)))
        .html()
}

/// `note` with a word on how much of a list is shown.
fn first(all: usize, shown: usize, note: &str) -> String {
    if all <= shown {
        return note.to_owned();
    }
    let more = format!("The first {shown} of {all}; the others are in results.csv and sweep.json.");
    format!("{note} {more}").trim_start().to_owned()
}

/// The questions of the sweep and their answers.
fn comparisons(results: &Results) -> Section {
    let tables = tables::groups(&results.answers).into_iter().map(|group| {
        let (header, mut rows) = tables::cells(group);
        let shown = first(rows.len(), ROWS, &tables::heading(group));
        rows.truncate(ROWS);
        let name = group.first().map_or("", |answer| answer.compare.as_str());
        html! {
            h3 { (name) }
            p.note { (shown) }
            (Table::new(&header).sorts(name).rows(rows))
            @for note in tables::notes(group, results) { p.note { (note) } }
        }
    });
    let reading = tables::READING.replace('*', "");
    tables.fold(Section::new("Comparisons").note(reading), Section::content)
}

/// What came out of a stage, or of a sweep without stages.
fn stage(results: &Results, named: bool) -> Vec<Section> {
    let section = |text: &str| match named {
        true => Section::new(format!("{}: {}", results.name, text.to_lowercase())),
        false => Section::new(text),
    };
    let (header, mut rows) = cells(results);
    rows.truncate(ROWS);
    let all = results.configurations.len();
    let best = Table::new(&header).sorts("configurations").rows(rows);
    let mut sections = vec![
        section("Best first")
            .note(first(all, ROWS, &judged(results)))
            .content(best),
    ];
    if !results.aims.is_empty() {
        sections.extend([
            section("The front")
                .note(fronts::PICTURES)
                .figures(fronts::pictures(results)),
            section("On the front")
                .note(fronts::READING)
                .content(fronts::table(results)),
        ]);
    }
    let mut notes = vec![
        "A point a configuration: mean and standard error over seeds. The other keys vary from \
         point to point."
            .to_owned(),
    ];
    if all > BEST + OTHERS {
        notes.push(format!(
            "Of {all} configurations the {BEST} best are drawn here and below, and {OTHERS} at most of the others."
        ));
    }
    let (charts, left_out) = keys(results);
    notes.extend(left_out);
    sections.push(
        section("What each key does")
            .note(notes.join(" "))
            .figures(charts),
    );
    if results.aims.is_empty() {
        let note = "The dashed line is the Pareto front: no other configuration has less cost and a better \
             metric.";
        sections.push(section("Against cost").note(note).figures(costs(results)));
    }
    sections.push(section("By epoch").figures(curves(results)));
    sections
}

/// What the configurations of a stage are judged by, in words.
fn judged(results: &Results) -> String {
    let word = |of: Direction| match of {
        Direction::Maximize => "higher is better",
        Direction::Minimize => "lower is better",
    };
    let over = "mean over the trials that are done, with its standard error where there are at least two seeds.";
    let metric = &results.metric;
    if results.aims.is_empty() {
        return format!(
            "Judged by {}, {}; {over}",
            metric.name,
            word(metric.direction)
        );
    }
    let aims: Vec<String> = results
        .aims
        .iter()
        .map(|aim| format!("{} ({})", aim.name, word(aim.direction)))
        .collect();
    format!(
        "Judged by {} together; the front first, then by {}: {over}",
        aims.join(", "),
        metric.name
    )
}

/// Arms, or one group without a name, as also where there are too many to be told apart.
pub(super) fn groups(results: &Results) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let arms = results.rows.iter().map(|row| row.arm.as_deref());
    let names: Vec<String> = arms
        .map(Option::unwrap_or_default)
        .filter(|name| seen.insert(*name))
        .map(str::to_owned)
        .collect();
    if names.len() > NAMES {
        return vec![String::new()];
    }
    names
}

fn group(groups: &[String], configuration: &Configuration) -> usize {
    let name = configuration.arm.clone().unwrap_or_default();
    groups.iter().position(|other| *other == name).unwrap_or(0)
}

/// The metric against each key, and against the arms; and what is not drawn, a sentence each.
fn keys(results: &Results) -> (Vec<Chart>, Vec<String>) {
    let groups = groups(results);
    let mut charts = Vec::new();
    let mut left_out = Vec::new();
    let arms = results.rows.iter().filter_map(|row| row.arm.as_deref());
    let arms = arms.collect::<BTreeSet<_>>().len();
    if arms > NAMES {
        left_out.push(format!(
            "The {arms} arms have no chart and no colours of their own: no more than {NAMES} can be told apart."
        ));
    }
    if groups.len() > 1 {
        let points = points(results, &groups, |c| Some(group(&groups, c) as f64));
        let axis = Axis::Names {
            what: String::new(),
            names: groups.clone(),
        };
        charts.push(scatter("arm", axis, thinned(&points, &[]), &groups));
    }
    for label in &results.labels {
        let texts: BTreeSet<String> = results
            .configurations
            .iter()
            .filter_map(|c| c.values.get(label).cloned())
            .collect();
        if texts.len() < 2 {
            continue;
        }
        let mut values = results.rows.iter().filter_map(|row| row.values.get(label));
        let is_numeric = values.all(|value: &Value| value.is_float() || value.is_integer());
        let names: Vec<String> = texts.into_iter().collect();
        if !is_numeric && names.len() > NAMES {
            left_out.push(format!(
                "{label} has {} values and no chart: no more than {NAMES} have room.",
                names.len()
            ));
            continue;
        }
        let place = |c: &Configuration| {
            let text = c.values.get(label)?;
            if is_numeric {
                text.parse().ok()
            } else {
                let at = names.iter().position(|name| name == text);
                at.map(|at| at as f64)
            }
        };
        let drawn = thinned(&points(results, &groups, place), &[]);
        let axis = match is_numeric {
            true => number_axis(label, &drawn.0),
            false => Axis::Names {
                what: label.clone(),
                names: names.clone(),
            },
        };
        charts.push(scatter(label, axis, drawn, &groups));
    }
    (charts, left_out)
}

/// A chart of points with the places of those on the front.
pub(super) fn scatter(
    title: &str,
    axis: Axis,
    (points, front): (Vec<Point>, Vec<usize>),
    groups: &[String],
) -> Chart {
    let groups = groups.to_vec();
    Chart::points(
        title,
        axis,
        Points {
            points,
            groups,
            front,
        },
    )
}

pub(super) fn points(
    results: &Results,
    groups: &[String],
    x: impl Fn(&Configuration) -> Option<f64>,
) -> Vec<Point> {
    results
        .configurations
        .iter()
        .filter_map(|c| {
            Some(Point {
                x: x(c)?,
                y: c.mean?,
                error: c.standard_error.unwrap_or(0.0),
                group: group(groups, c),
                label: c.name.clone(),
                faded: false,
            })
        })
        .collect()
}

fn costs(results: &Results) -> Vec<Chart> {
    let groups = groups(results);
    let chart = |cost: &String| {
        let points = points(results, &groups, |c| c.against.get(cost).copied());
        let front = pareto_front(&points, |a, b| results.metric.direction.is_better(a, b));
        let drawn = thinned(&points, &front);
        let title = format!("{} against {cost}", results.metric.name);
        scatter(&title, number_axis(cost, &drawn.0), drawn, &groups)
    };
    results.metric.against.iter().map(chart).collect()
}

/// The metric of trials by epoch; nothing where none has been measured twice.
fn curves(results: &Results) -> Option<Chart> {
    let drawn = results.rows.iter().filter(|row| row.curve.len() > 1);
    let line = |row: &Row| {
        let points = row.curve.iter();
        let points = points.map(|(epoch, value)| (f64::from(*epoch), *value));
        Series::new(row.trial.clone(), points.collect())
            .dashed(row.standing.state == State::Stopped)
    };
    let series: Vec<Series> = drawn.take(CURVES).map(line).collect();
    let name = &results.metric.name;
    let title = if results.rows.len() > CURVES {
        format!("{name}, the first {CURVES} trials; dashed: stopped early")
    } else {
        format!("{name}; dashed: stopped early")
    };
    let chart = || Chart::lines(title, Axis::Counts("epoch".to_owned()), series);
    (results.rows.iter().any(|row| row.curve.len() > 1)).then(chart)
}

fn failures(results: &Results) -> Markup {
    let failed = results
        .rows
        .iter()
        .filter(|row| row.standing.state == State::Failed);
    html! {
        @for row in failed.take(FAILED) {
            h3 { (row.trial) }
            p.note { (row.standing.reason.as_deref().unwrap_or_default()) }
            pre { (row.last_lines.join("\n")) }
        }
    }
}

fn trials(results: &Results) -> Table {
    let row = |row: &Row| {
        let has_page = row.standing.attempts > 0;
        let cells = results.cells(row).into_iter().enumerate();
        let cell = move |(index, text): (usize, String)| match (index, text.parse::<f64>()) {
            (0, _) if has_page => {
                let address = format!("trials/{text}/report.html");
                Cell::text(text).link(address)
            }
            (0, _) | (_, Err(_)) => Cell::text(text),
            (_, Ok(number)) => Cell::number(number),
        };
        cells.map(cell).collect::<Vec<Cell>>()
    };
    let rows = results.rows.iter().take(ROWS).map(row);
    Table::new(&results.header()).sorts("trials").rows(rows)
}
