//! One self-contained HTML page about a sweep.

use std::collections::BTreeSet;

use afterimage_sweep::{Configuration, Direction, Results, Row, State};
use afterimage_track::html::{
    self, Series, digits, escape, line_chart, live_document, section, short, sorted_table,
};
use toml::Value;

use super::fronts;
use super::scatter::{Axis, Point, Scatter, pareto_front};
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

/// Points of a chart: the best ones, and some of the others.
const BEST: usize = 300;
const OTHERS: usize = 300;

pub(super) fn render(results: &Results) -> String {
    let mut body = format!("<h1>{}</h1>", escape(&results.name));
    body += &format!("<p class=note>{}.</p>", escape(&counts(results)));
    for note in &results.notes {
        body += &format!("<div class=warning>{}</div>", escape(note));
    }
    body += &comparisons(results);
    for part in results.by_stage() {
        body += &stage(&part, !results.stages.is_empty());
    }
    let failed = first(results.count(State::Failed), FAILED, "");
    body += &section("Failed trials", &failed, &failures(results));
    let note = "The name leads to the trial's own report, where it has one.";
    let note = first(results.rows.len(), ROWS, note);
    body += &section("Trials", &note, &trials(results));
    live_document(&results.name, &body)
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
fn comparisons(results: &Results) -> String {
    let mut tables = String::new();
    for group in tables::groups(&results.answers) {
        let (header, mut rows) = tables::cells(group);
        let shown = first(rows.len(), ROWS, &tables::heading(group));
        rows.truncate(ROWS);
        let name = group.first().map_or("", |answer| answer.compare.as_str());
        tables += &format!(
            "<h3>{}</h3><p class=note>{}</p>{}",
            escape(name),
            escape(&shown),
            sorted_table(name, &header, &rows)
        );
        for note in tables::notes(group, results) {
            tables += &format!("<p class=note>{}</p>", escape(&note));
        }
    }
    section("Comparisons", &tables::READING.replace('*', ""), &tables)
}

/// What came out of a stage, or of a sweep without stages.
fn stage(results: &Results, named: bool) -> String {
    let title = |text: &str| match named {
        true => format!("{}: {}", results.name, text.to_lowercase()),
        false => text.to_owned(),
    };
    let (header, mut rows) = cells(results);
    rows.truncate(ROWS);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let judged = judged(results);
    let all = results.configurations.len();
    let judged = first(all, ROWS, &judged);
    let mut body = section(
        &title("Best first"),
        &judged,
        &sorted_table("configurations", &header, &rows),
    );
    let mut points =
        "A point a configuration: mean and standard error over seeds. The other keys vary from \
                      point to point."
            .to_owned();
    if all > BEST + OTHERS {
        points += &format!(
            " Of {all} configurations the {BEST} best are drawn here and below, and {OTHERS} at most of the others."
        );
    }
    if !results.aims.is_empty() {
        let pictures = fronts::pictures(results);
        body += &section(&title("The front"), fronts::PICTURES, &pictures);
        let table = fronts::table(results);
        body += &section(&title("On the front"), fronts::READING, &table);
    }
    let (charts, left_out) = keys(results);
    let points = [points].into_iter().chain(left_out);
    let points: Vec<String> = points.collect();
    body += &section(&title("What each key does"), &points.join(" "), &charts);
    if results.aims.is_empty() {
        body += &section(
            &title("Against cost"),
            "The dashed line is the Pareto front: no other configuration has less cost and a better \
             metric.",
            &costs(results),
        );
    }
    body + &section(&title("By epoch"), "", &curves(results))
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
fn keys(results: &Results) -> (String, Vec<String>) {
    let groups = groups(results);
    let mut charts = String::new();
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
        let (points, _) = thinned(&points, &[]);
        charts += &Scatter {
            title: "arm",
            x_label: "",
            axis: Axis::Names(groups.clone()),
            points: &points,
            groups: &groups,
            front: &[],
        }
        .html();
    }
    for label in &results.labels {
        let values: Vec<&Value> = results
            .rows
            .iter()
            .filter_map(|row| row.values.get(label))
            .collect();
        let texts: BTreeSet<String> = results
            .configurations
            .iter()
            .filter_map(|c| c.values.get(label).cloned())
            .collect();
        if texts.len() < 2 {
            continue;
        }
        let numeric = values
            .iter()
            .all(|value| value.is_float() || value.is_integer());
        let names: Vec<String> = texts.into_iter().collect();
        if !numeric && names.len() > NAMES {
            left_out.push(format!(
                "{label} has {} values and no chart: no more than {NAMES} have room.",
                names.len()
            ));
            continue;
        }
        let place = |c: &Configuration| {
            let text = c.values.get(label)?;
            if numeric {
                text.parse().ok()
            } else {
                names
                    .iter()
                    .position(|name| name == text)
                    .map(|index| index as f64)
            }
        };
        let (points, _) = thinned(&points(results, &groups, place), &[]);
        let axis = if numeric {
            number_axis(&points)
        } else {
            Axis::Names(names.clone())
        };
        let chart = Scatter {
            title: label,
            x_label: label,
            axis,
            points: &points,
            groups: &groups,
            front: &[],
        };
        charts += &chart.html();
    }
    (charts, left_out)
}

/// A logarithmic axis for numbers above 0 that span more than a decade.
pub(super) fn number_axis(points: &[Point]) -> Axis {
    let low = points.iter().map(|p| p.x).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|p| p.x).fold(0.0, f64::max);
    if low > 0.0 && high / low > 10.0 {
        Axis::Log
    } else {
        Axis::Linear
    }
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

/// Of many points, best first, the best ones, some of the others, and all of `front`, with the new places of
/// the latter.
pub(super) fn thinned(all: &[Point], front: &[usize]) -> (Vec<Point>, Vec<usize>) {
    let between = all.len().saturating_sub(BEST).div_ceil(OTHERS).max(1);
    let front: BTreeSet<usize> = front.iter().copied().collect();
    let stays = |place: usize| {
        place < BEST || (place - BEST).is_multiple_of(between) || front.contains(&place)
    };
    let kept: Vec<usize> = (0..all.len()).filter(|&place| stays(place)).collect();
    let places = kept.iter().enumerate();
    let places = places.filter(|(_, place)| front.contains(place));
    let mut places: Vec<usize> = places.map(|(new, _)| new).collect();
    let points: Vec<Point> = kept
        .iter()
        .filter_map(|&place| all.get(place).cloned())
        .collect();
    // A line from left to right.
    let x = |place: &usize| points.get(*place).map_or(f64::NAN, |point| point.x);
    places.sort_by(|a, b| x(a).total_cmp(&x(b)));
    (points, places)
}

fn costs(results: &Results) -> String {
    let groups = groups(results);
    let mut charts = String::new();
    for cost in &results.metric.against {
        let points = points(results, &groups, |c| c.against.get(cost).copied());
        let front = pareto_front(&points, |a, b| results.metric.direction.is_better(a, b));
        let (points, front) = thinned(&points, &front);
        let chart = Scatter {
            title: &format!("{} against {cost}", results.metric.name),
            x_label: cost,
            axis: number_axis(&points),
            points: &points,
            groups: &groups,
            front: &front,
        };
        charts += &chart.html();
    }
    charts
}

fn curves(results: &Results) -> String {
    let drawn: Vec<&Row> = results
        .rows
        .iter()
        .filter(|row| row.curve.len() > 1)
        .take(CURVES)
        .collect();
    if drawn.is_empty() {
        return String::new();
    }
    let series: Vec<Series> = drawn
        .iter()
        .map(|row| Series {
            label: row.trial.clone(),
            points: row
                .curve
                .iter()
                .map(|(epoch, value)| (f64::from(*epoch), *value))
                .collect(),
            dashed: row.standing.state == State::Stopped,
        })
        .collect();
    let title = if results.rows.len() > CURVES {
        format!(
            "{}, the first {CURVES} trials; dashed: stopped early",
            results.metric.name
        )
    } else {
        format!("{}; dashed: stopped early", results.metric.name)
    };
    line_chart(&title, &html::Axis::Counts("epoch".to_owned()), &series)
}

fn failures(results: &Results) -> String {
    results
        .rows
        .iter()
        .filter(|row| row.standing.state == State::Failed)
        .take(FAILED)
        .map(|row| {
            format!(
                "<h3>{}</h3><p class=note>{}</p><pre>{}</pre>",
                escape(&row.trial),
                escape(row.standing.reason.as_deref().unwrap_or_default()),
                escape(&row.last_lines.join("\n"))
            )
        })
        .collect()
}

fn trials(results: &Results) -> String {
    let header: String = results
        .header()
        .iter()
        .map(|name| format!("<th>{}</th>", escape(name)))
        .collect();
    let rows: String = results
        .rows
        .iter()
        .take(ROWS)
        .map(|row| {
            let cells: String = results
                .cells(row)
                .iter()
                .enumerate()
                .map(|(index, cell)| match (index, cell.parse::<f64>()) {
                    (0, _) if row.standing.attempts > 0 => {
                        let name = escape(cell);
                        format!("<td><a href=\"trials/{name}/report.html\">{name}</a></td>")
                    }
                    (0, _) | (_, Err(_)) => format!("<td>{}</td>", escape(cell)),
                    (_, Ok(number)) => format!(
                        "<td class=number data-v=\"{}\">{}</td>",
                        digits(number),
                        short(number)
                    ),
                })
                .collect();
            format!("<tr>{cells}</tr>")
        })
        .collect();
    format!(
        "<div class=scroll><table class=sorts data-name=trials><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_points_the_best_and_the_front_stay() {
        let point = |index: usize| Point {
            x: 20_000.0 - index as f64,
            y: 1.0 - index as f64 * 1e-5,
            error: 0.0,
            group: 0,
            label: index.to_string(),
            faded: false,
        };
        let all: Vec<Point> = (0..10_000).map(point).collect();
        // The cheapest, which is the worst, and the best.
        let (points, front) = thinned(&all, &[9_999, 0]);
        assert!(points.len() <= BEST + OTHERS + 2, "{}", points.len());
        let labels: Vec<&str> = front.iter().map(|&at| points[at].label.as_str()).collect();
        assert_eq!(labels, ["9999", "0"]);
        assert_eq!(points[BEST - 1].label, (BEST - 1).to_string());
        let few = thinned(&all[..BEST + OTHERS], &[]).0;
        assert_eq!(few.len(), BEST + OTHERS);
    }
}
