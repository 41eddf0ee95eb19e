//! Points with error bars, for one thing against another.

use maud::{Markup, html};

use super::frame::{Frame, Size, WIDTH};
use super::{Axis, padded, rules};
use crate::colour::of_group;
use crate::number::{short, span};

const SIZE: Size = Size {
    height: 240.0,
    margin: (50.0, 14.0, 8.0, 38.0),
};
/// The air around points, as a share of their distance.
const AIR: f64 = 0.06;

/// A point with its error bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Horizontal place; one without any on the axis is not drawn.
    pub x: f64,
    /// Value; one that is not finite is not drawn.
    pub y: f64,
    /// Half the length of the error bar; 0 for none.
    pub error: f64,
    /// Index of the group that it is coloured by.
    pub group: usize,
    /// What it is called.
    pub label: String,
    /// Whether it is drawn faintly, as one that others beat.
    pub faded: bool,
}

/// The points of a chart, in groups.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Points {
    /// The points.
    pub points: Vec<Point>,
    /// Names of the groups; a legend names them where there are two or more.
    pub groups: Vec<String>,
    /// Indices of points that a dashed line joins, from left to right.
    pub front: Vec<usize>,
}

/// The points that have a place.
fn placed(is_logarithmic: bool, points: &Points) -> impl Iterator<Item = &Point> {
    points.points.iter().filter(move |point| {
        let across = match is_logarithmic {
            true => point.x.log10(),
            false => point.x,
        };
        across.is_finite() && point.y.is_finite()
    })
}

/// Where the points stand; none without one that has a place.
pub(super) fn frame(axis: &Axis, points: &Points) -> Option<Frame> {
    let is_logarithmic = matches!(axis, Axis::Log(_));
    let all = || placed(is_logarithmic, points);
    all().next()?;
    let x = match axis {
        Axis::Layers(names) | Axis::Names { names, .. } => (-0.5, names.len() as f64 - 0.5),
        Axis::Log(_) => padded(span(all().map(|p| p.x.log10())), AIR),
        Axis::Steps | Axis::Counts(_) | Axis::Values(_) => padded(span(all().map(|p| p.x)), AIR),
    };
    let y = span(all().flat_map(|p| [p.y - p.error, p.y + p.error]));
    Some(Frame {
        size: SIZE,
        x,
        y: padded(y, AIR),
        is_logarithmic,
    })
}

pub(super) fn plot(title: &str, axis: &Axis, points: &Points, frame: Frame) -> Markup {
    let joined: Vec<String> = points
        .front
        .iter()
        .filter_map(|&index| points.points.get(index))
        .map(|p| format!("{:.1} {:.1}", frame.left(p.x), frame.top(p.y)))
        .collect();
    let height = SIZE.height + axis.foot();
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" aria-label=(title) {
            (rules(&frame))
            (axis.drawn(&frame))
            @if joined.len() > 1 {
                path.line stroke="var(--soft)" stroke-dasharray="5 4" d={ "M" (joined.join("L")) } {}
            }
            @for point in placed(frame.is_logarithmic, points) {
                (drawn(point, &of_group(point.group, points.groups.len()), &frame))
            }
        }
    }
}

fn drawn(point: &Point, paint: &str, frame: &Frame) -> Markup {
    let (x, y) = (frame.left(point.x), frame.top(point.y));
    let (low, high) = (
        frame.top(point.y - point.error),
        frame.top(point.y + point.error),
    );
    let faint = point.faded.then_some("0.25");
    html! {
        @if point.error > 0.0 {
            path stroke=(paint) opacity=[faint] stroke-width="1.4" d=(format!("M{x:.1} {low:.1}V{high:.1}")) {}
        }
        circle cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="3.2" fill=(paint) opacity=[faint] {
            title { (point.label) ": " (short(point.y)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Chart;
    use super::*;
    use maud::Render as _;

    fn points(of: &[(f64, f64)]) -> Points {
        let point = |&(x, y): &(f64, f64)| Point {
            x,
            y,
            error: 0.0,
            group: 0,
            label: "<p>".to_owned(),
            faded: false,
        };
        Points {
            points: of.iter().map(point).collect(),
            groups: vec!["g".to_owned()],
            front: Vec::new(),
        }
    }

    #[test]
    fn a_chart_is_harmless_and_without_nan() {
        let all = points(&[(1e-4, 0.5), (1e-2, 0.5), (f64::NAN, 1.0), (0.0, 1.0)]);
        let names = Axis::Names {
            what: "x".to_owned(),
            names: vec!["<i>".to_owned()],
        };
        for axis in [Axis::Log("x".into()), Axis::Values("x".into()), names] {
            let html = Chart::points("a<b", axis, all.clone());
            let html = html.render().into_string();
            assert!(
                !html.contains("NaN") && !html.contains("inf") && !html.contains("<p>"),
                "{html}"
            );
            assert!(html.contains("<circle") && !html.contains("a<b") && !html.contains("<i>"));
        }
    }

    #[test]
    fn nothing_finite_is_no_chart_and_a_front_is_a_line() {
        let none = points(&[(f64::NAN, 1.0)]);
        let axis = || Axis::Values("x".to_owned());
        let shown = |points: Points| Chart::points("t", axis(), points).render().into_string();
        assert_eq!(shown(none), "");
        let mut two = points(&[(1.0, 1.0), (2.0, 2.0)]);
        two.front = vec![0, 1];
        let html = shown(two);
        assert_eq!(html.matches("class=\"line\"").count(), 1, "{html}");
        assert!(
            html.contains("name,group,x,y,se%0A%3Cp%3E,g,1,1,0%0A"),
            "{html}"
        );
    }
}
