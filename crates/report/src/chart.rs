//! Charts as inline SVG: lines, or points with error bars, along one kind of axis.

mod axis;
mod frame;
mod lines;
mod numbers;
mod points;

use maud::{Markup, Render, html};

use crate::colour::of_group;
use crate::csv::csv_link;
use crate::number::short;

pub use axis::Axis;
pub(crate) use axis::ticks;
use frame::Frame;
pub use points::{Point, Points};

/// Lines whose names stand below a chart at once; those of more are asked for.
const NAMED: usize = 14;

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub label: String,
    /// Horizontal place and value; values that are not finite leave a gap.
    pub points: Vec<(f64, f64)>,
    /// One standard error of each point, drawn as a bar up and down; none where it is shorter than the points, and
    /// where it is not finite.
    pub errors: Vec<f64>,
    /// For controls, which are to be told from what they control without colour.
    pub dashed: bool,
}

impl Series {
    /// A solid line without error bars.
    pub fn new(label: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self {
            label: label.into(),
            points,
            errors: Vec::new(),
            dashed: false,
        }
    }

    /// Dashes the line where `dashed` is true.
    #[must_use]
    pub fn dashed(mut self, dashed: bool) -> Self {
        self.dashed = dashed;
        self
    }

    /// Draws a bar of one standard error at each point.
    #[must_use]
    pub fn errors(mut self, errors: Vec<f64>) -> Self {
        self.errors = errors;
        self
    }
}

/// A chart with its title, its legend and its numbers as CSV.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    title: String,
    axis: Axis,
    marks: Marks,
}

/// What stands on the chart.
#[derive(Debug, Clone, PartialEq)]
enum Marks {
    Lines(Vec<Series>),
    Points(Points),
}

impl Chart {
    /// A chart of lines.
    pub fn lines(title: impl Into<String>, axis: Axis, series: Vec<Series>) -> Self {
        Self {
            title: title.into(),
            axis,
            marks: Marks::Lines(series),
        }
    }

    /// A chart of lines over epochs, or over steps where one of them has several values an epoch. With each line,
    /// whose places are steps, come the epochs of its points.
    pub fn over_time(title: impl Into<String>, lines: Vec<(Series, Vec<u32>)>) -> Self {
        let is_by_epoch = lines
            .iter()
            .all(|(_, epochs)| epochs.windows(2).all(|pair| pair[0] < pair[1]));
        let at_epochs = |(mut line, epochs): (Series, Vec<u32>)| {
            for (point, epoch) in line.points.iter_mut().zip(epochs) {
                point.0 = f64::from(epoch);
            }
            line
        };
        match is_by_epoch {
            true => {
                let lines = lines.into_iter().map(at_epochs).collect();
                Self::lines(title, Axis::Counts("epoch".to_owned()), lines)
            }
            false => {
                let lines = lines.into_iter().map(|(line, _)| line).collect();
                Self::lines(title, Axis::Steps, lines)
            }
        }
    }

    /// A chart of points. It is nothing where none is finite.
    pub fn points(title: impl Into<String>, axis: Axis, points: Points) -> Self {
        Self {
            title: title.into(),
            axis,
            marks: Marks::Points(points),
        }
    }

    fn figure(&self, csv: &str, plot: Markup, below: Markup) -> Markup {
        html! {
            figure {
                figcaption {
                    (self.title)
                    @if !csv.is_empty() { (csv_link(&self.title, csv)) }
                }
                (plot)
                (below)
            }
        }
    }

    fn of_lines(&self, series: &[Series]) -> Markup {
        let all = series.iter().flat_map(|one| &one.points);
        let missing = all.filter(|point| !point.1.is_finite()).count();
        let plot = match lines::frame(&self.axis, series) {
            Some(frame) => lines::plot(&self.title, &self.axis, series, frame),
            None => html! { p.note { "No finite values." } },
        };
        let below = html! {
            (legend(series))
            @if missing > 0 { p.note { "Not drawn, NaN or infinite: " (missing) } }
        };
        self.figure(&numbers::of_lines(&self.axis, series), plot, below)
    }

    fn of_points(&self, points: &Points) -> Markup {
        let Some(frame) = points::frame(&self.axis, points) else {
            return Markup::default();
        };
        let plot = points::plot(&self.title, &self.axis, points, frame);
        let groups = &points.groups;
        let below = html! {
            @if groups.len() > 1 { (key(groups.iter().map(|name| (name.as_str(), false)))) }
        };
        self.figure(&numbers::of_points(&self.axis, points), plot, below)
    }
}

impl Render for Chart {
    fn render(&self) -> Markup {
        match &self.marks {
            Marks::Lines(series) => self.of_lines(series),
            Marks::Points(points) => self.of_points(points),
        }
    }
}

/// The names of lines with their colours; nothing for one line alone.
fn legend(series: &[Series]) -> Markup {
    let names = || series.iter().map(|one| (one.label.as_str(), one.dashed));
    match series {
        [] | [_] => Markup::default(),
        [first, .., last] if series.len() > NAMED => html! {
            details.legend {
                summary {
                    (series.len()) " lines, from " (first.label) " (blue) to " (last.label) " (red)"
                }
                (key(names()))
            }
        },
        _ => key(names()),
    }
}

/// A list of names, each with its colour, and whether its line is dashed.
fn key<'a>(names: impl ExactSizeIterator<Item = (&'a str, bool)>) -> Markup {
    let count = names.len();
    let border = |index, dashed: bool| {
        let kind = if dashed { "dashed" } else { "solid" };
        format!("border-top:2.5px {kind} {}", of_group(index, count))
    };
    html! {
        ul.legend {
            @for (index, (name, dashed)) in names.enumerate() {
                li { i style=(border(index, dashed)) {} (name) }
            }
        }
    }
}

/// The horizontal rules with their numbers.
fn rules(frame: &Frame) -> Markup {
    let (left, right) = (frame.left_edge(), frame.right());
    html! {
        @for tick in ticks(frame.y, 5) {
            @let top = frame.top(tick);
            path.rule d=(format!("M{left} {top:.1}H{right}")) {}
            text.y x=(left - 6.0) y=(format!("{:.1}", top + 4.0)) { (short(tick)) }
        }
    }
}

/// The smallest and the largest with some air around them, a share of their distance; a constant gets a range
/// around it.
fn padded((low, high): (f64, f64), share: f64) -> (f64, f64) {
    let air = if high > low {
        (high - low) * share
    } else {
        low.abs().max(1.0) * 0.1
    };
    (low - air, high + air)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_several_values_an_epoch_are_drawn_over_steps() {
        let chart = |epochs: &[u32]| {
            let line = Series::new("s", vec![(10.0, 1.0), (20.0, 2.0)]);
            let chart = Chart::over_time("t", vec![(line, epochs.to_vec())]);
            chart.render().into_string()
        };
        assert!(chart(&[1, 2]).contains("epoch,s%0A1,1%0A2,2%0A"));
        assert!(chart(&[1, 1]).contains("step,s%0A10,1%0A20,2%0A"));
    }

    #[test]
    fn a_legend_of_many_lines_folds() {
        let lines = |count: usize| -> Vec<Series> {
            let line = |at: usize| Series::new(format!("<{at}>"), vec![(0.0, at as f64)]);
            (0..count).map(line).collect()
        };
        let shown = |count| Chart::lines("t", Axis::Steps, lines(count)).render();
        assert!(!shown(1).into_string().contains("legend"));
        assert!(shown(NAMED).into_string().contains("<ul class=\"legend\">"));
        let many = shown(NAMED + 1).into_string();
        let words = "15 lines, from &lt;0&gt; (blue) to &lt;14&gt; (red)";
        assert!(many.contains(words) && many.contains("<details"), "{many}");
    }
}
