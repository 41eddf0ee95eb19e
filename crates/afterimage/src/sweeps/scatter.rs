//! Charts of points with error bars as inline SVG, for a key or a cost against the metric.

use afterimage_track::html::{cell, colour, csv_link, digits, escape, short, ticks};

const WIDTH: f64 = 370.0;
const HEIGHT: f64 = 240.0;
/// Space around the plot: left, right, top, bottom.
const MARGIN: (f64, f64, f64, f64) = (50.0, 14.0, 8.0, 38.0);

/// A point with its error bar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Half the length of the error bar; 0 for none.
    pub(super) error: f64,
    /// Index of the group that it is coloured by.
    pub(super) group: usize,
    pub(super) label: String,
    /// Whether it is drawn faintly, as one that others beat.
    pub(super) faded: bool,
}

/// What stands along the horizontal axis.
pub(super) enum Axis {
    /// Numbers.
    Linear,
    /// Numbers above 0, by their logarithm.
    Log,
    /// Names at 0, 1, 2, ….
    Names(Vec<String>),
}

/// A chart with its title and legend.
pub(super) struct Scatter<'a> {
    pub(super) title: &'a str,
    pub(super) x_label: &'a str,
    pub(super) axis: Axis,
    pub(super) points: &'a [Point],
    pub(super) groups: &'a [String],
    /// Indices of points that a line joins, from left to right.
    pub(super) front: &'a [usize],
}

impl Scatter<'_> {
    pub(super) fn html(&self) -> String {
        let across = |x: f64| {
            if matches!(self.axis, Axis::Log) {
                x.log10()
            } else {
                x
            }
        };
        let finite: Vec<&Point> = self
            .points
            .iter()
            .filter(|p| across(p.x).is_finite() && p.y.is_finite())
            .collect();
        if finite.is_empty() {
            return String::new();
        }
        let x = match &self.axis {
            Axis::Names(names) => (-0.5, names.len() as f64 - 0.5),
            _ => padded(span(finite.iter().map(|p| across(p.x)))),
        };
        let y = padded(span(
            finite.iter().flat_map(|p| [p.y - p.error, p.y + p.error]),
        ));
        let left = |v: f64| MARGIN.0 + (v - x.0) / (x.1 - x.0) * (WIDTH - MARGIN.0 - MARGIN.1);
        let top =
            |v: f64| HEIGHT - MARGIN.3 - (v - y.0) / (y.1 - y.0) * (HEIGHT - MARGIN.2 - MARGIN.3);
        let (right, bottom) = (WIDTH - MARGIN.1, HEIGHT - MARGIN.3);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=img aria-label=\"{}\">",
            escape(self.title)
        );
        for tick in ticks(y, 5) {
            svg += &format!(
                "<path class=rule d=\"M{} {:.1}H{right}\"/><text x={} y={:.1} class=y>{}</text>",
                MARGIN.0,
                top(tick),
                MARGIN.0 - 6.0,
                top(tick) + 4.0,
                short(tick)
            );
        }
        for (at, text) in self.marks(x) {
            svg += &format!(
                "<text x={:.1} y={} class=x>{}</text>",
                left(at),
                bottom + 16.0,
                escape(&text)
            );
        }
        svg += &format!(
            "<text x={right} y={} class=y>{}</text>",
            HEIGHT - 4.0,
            escape(self.x_label)
        );
        let joined: Vec<String> = self
            .front
            .iter()
            .filter_map(|&index| self.points.get(index))
            .map(|p| format!("{:.1} {:.1}", left(across(p.x)), top(p.y)))
            .collect();
        if joined.len() > 1 {
            svg += &format!(
                "<path class=line stroke=\"var(--soft)\" stroke-dasharray=\"5 4\" d=\"M{}\"/>",
                joined.join("L")
            );
        }
        for p in finite {
            let paint = colour(p.group, self.groups.len());
            let (cx, cy) = (left(across(p.x)), top(p.y));
            let faint = if p.faded { " opacity=0.25" } else { "" };
            if p.error > 0.0 {
                svg += &format!(
                    "<path stroke=\"{paint}\"{faint} stroke-width=1.4 d=\"M{cx:.1} {:.1}V{:.1}\"/>",
                    top(p.y - p.error),
                    top(p.y + p.error)
                );
            }
            svg += &format!(
                "<circle cx={cx:.1} cy={cy:.1} r=3.2 fill=\"{paint}\"{faint}><title>{}: {}</title></circle>",
                escape(&p.label),
                short(p.y)
            );
        }
        svg += "</svg>";
        format!(
            "<figure><figcaption>{}{}</figcaption>{svg}{}</figure>",
            escape(self.title),
            csv_link(self.title, &self.csv()),
            self.legend()
        )
    }

    /// The points, a row each.
    fn csv(&self) -> String {
        let mut text = "name,group,x,y,se\n".to_owned();
        for point in self.points {
            let x = match &self.axis {
                Axis::Names(names) => cell(names.get(point.x as usize).map_or("", String::as_str)),
                Axis::Linear | Axis::Log => digits(point.x),
            };
            let group = self.groups.get(point.group).map_or("", String::as_str);
            let row = [
                cell(&point.label),
                cell(group),
                x,
                digits(point.y),
                digits(point.error),
            ];
            text += &(row.join(",") + "\n");
        }
        text
    }

    fn marks(&self, x: (f64, f64)) -> Vec<(f64, String)> {
        match &self.axis {
            Axis::Linear => ticks(x, 5).into_iter().map(|at| (at, short(at))).collect(),
            Axis::Log => decades(x)
                .into_iter()
                .map(|at| (at.log10(), short(at)))
                .collect(),
            Axis::Names(names) => names
                .iter()
                .enumerate()
                .map(|(index, name)| {
                    let short: String = name.chars().take(14).collect();
                    (index as f64, short)
                })
                .collect(),
        }
    }

    fn legend(&self) -> String {
        if self.groups.len() < 2 {
            return String::new();
        }
        let items: String = self
            .groups
            .iter()
            .enumerate()
            .map(|(index, name)| {
                format!(
                    "<li><i style=\"border-top:2.5px solid {}\"></i>{}</li>",
                    colour(index, self.groups.len()),
                    escape(name)
                )
            })
            .collect();
        format!("<ul class=legend>{items}</ul>")
    }
}

/// Round numbers whose logarithms lie in `range`: 1, 2 and 5 times powers of ten, or the powers alone
/// where these are many.
fn decades(range: (f64, f64)) -> Vec<f64> {
    let (first, last) = (range.0.floor() as i32, range.1.ceil() as i32);
    let steps: &[f64] = if range.1 - range.0 > 2.5 {
        &[1.0]
    } else {
        &[1.0, 2.0, 5.0]
    };
    (first..=last)
        .take(40)
        .flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)))
        .filter(|number| (range.0..=range.1).contains(&number.log10()))
        .collect()
}

/// The points that no other beats in both: less `x` and better `y`; from left to right.
pub(super) fn pareto_front(points: &[Point], is_better: impl Fn(f64, f64) -> bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len())
        .filter(|&i| points[i].x.is_finite() && points[i].y.is_finite())
        .collect();
    order.sort_by(|&a, &b| points[a].x.total_cmp(&points[b].x));
    let mut front: Vec<usize> = Vec::new();
    for index in order {
        let Some(&last) = front.last() else {
            front.push(index);
            continue;
        };
        if is_better(points[index].y, points[last].y) {
            if points[index].x == points[last].x {
                front.pop();
            }
            front.push(index);
        }
    }
    front
}

fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    })
}

fn padded((low, high): (f64, f64)) -> (f64, f64) {
    let air = if high > low {
        (high - low) * 0.06
    } else {
        low.abs().max(1.0) * 0.1
    };
    (low - air, high + air)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(of: &[(f64, f64)]) -> Vec<Point> {
        of.iter()
            .map(|&(x, y)| Point {
                x,
                y,
                error: 0.0,
                group: 0,
                label: "<p>".to_owned(),
                faded: false,
            })
            .collect()
    }

    #[test]
    fn the_front_holds_what_nothing_beats() {
        let all = points(&[
            (1.0, 0.5),
            (2.0, 0.4),
            (2.0, 0.6),
            (3.0, 0.6),
            (4.0, 0.9),
            (0.5, f64::NAN),
        ]);
        assert_eq!(pareto_front(&all, |a, b| a > b), [0, 2, 4]);
        assert_eq!(pareto_front(&all, |a, b| a < b), [0, 1]);
        assert!(pareto_front(&[], |a, b| a > b).is_empty());
    }

    #[test]
    fn logarithmic_marks_are_round() {
        let close = |a: Vec<f64>, b: &[f64]| {
            a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x / y - 1.0).abs() < 1e-9)
        };
        assert!(close(decades((-1.1, 0.1)), &[0.1, 0.2, 0.5, 1.0]));
        assert!(close(decades((-4.2, -0.9)), &[1e-4, 1e-3, 1e-2, 1e-1]));
    }

    #[test]
    fn a_chart_is_harmless_and_without_nan() {
        let all = points(&[(1e-4, 0.5), (1e-2, 0.5), (f64::NAN, 1.0), (0.0, 1.0)]);
        let chart = |axis| {
            Scatter {
                title: "a<b",
                x_label: "x",
                axis,
                points: &all,
                groups: &["g".to_owned()],
                front: &[],
            }
            .html()
        };
        for axis in [Axis::Log, Axis::Linear, Axis::Names(vec!["<i>".to_owned()])] {
            let html = chart(axis);
            assert!(
                !html.contains("NaN") && !html.contains("inf") && !html.contains("<p>"),
                "{html}"
            );
            assert!(html.contains("<circle") && !html.contains("a<b") && !html.contains("<i>"));
        }
    }
}
