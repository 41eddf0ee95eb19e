//! Lines with error bars.

use maud::{Markup, html};

use super::frame::{Frame, Size, WIDTH};
use super::{Axis, Series, padded, rules};
use crate::colour::of_group;
use crate::number::{short, span};

const SIZE: Size = Size {
    height: 220.0,
    margin: (46.0, 14.0, 8.0, 34.0),
};
/// Points drawn of one series; more than the plot has pixels cannot be told apart.
const POINTS: usize = 600;
/// Points that have a dot each, which tells its number.
const DOTS: usize = 60;

/// Where the series stand; none without a finite value.
pub(super) fn frame(axis: &Axis, series: &[Series]) -> Option<Frame> {
    let is_logarithmic = matches!(axis, Axis::Log(_));
    let all = || {
        let points = series.iter().flat_map(|one| &one.points);
        points.filter(|point| point.1.is_finite())
    };
    all().next()?;
    let x = match axis {
        // Each name has its place, also where nothing was measured.
        Axis::Layers(names) | Axis::Names { names, .. } => {
            (0.0, names.len().saturating_sub(1) as f64)
        }
        Axis::Log(_) => span(all().map(|p| p.0.log10()).filter(|x| x.is_finite())),
        Axis::Steps | Axis::Counts(_) | Axis::Values(_) => span(all().map(|p| p.0)),
    };
    let barred = series.iter().flat_map(|one| {
        let ends = one.points.iter().zip(&one.errors);
        ends.flat_map(|(p, e)| [p.1 - e, p.1 + e])
    });
    let values = all().map(|p| p.1).chain(barred.filter(|y| y.is_finite()));
    Some(Frame {
        size: SIZE,
        x,
        y: padded(span(values), 0.05),
        is_logarithmic,
    })
}

/// The picture. `data-x` tells the page's script where places are: both ends of the axis, then left, right, top
/// and bottom of the plot.
pub(super) fn plot(title: &str, axis: &Axis, series: &[Series], frame: Frame) -> Markup {
    let is_named = matches!(axis, Axis::Layers(_) | Axis::Names { .. });
    let places = format!(
        "{} {} {} {} {} {}",
        frame.x.0,
        frame.x.1,
        frame.left_edge(),
        frame.right(),
        frame.top_edge(),
        frame.bottom()
    );
    let height = SIZE.height + axis.foot();
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" aria-label=(title)
            data-x=[(!frame.is_logarithmic).then_some(places)] data-names[is_named] {
            (rules(&frame))
            (axis.drawn(&frame))
            @for (index, one) in series.iter().enumerate() {
                @let colour = of_group(index, series.len());
                (bars(one, &colour, &frame))
                (line(one, &colour, &frame))
            }
            path.cursor {}
        }
    }
}

fn bars(series: &Series, colour: &str, frame: &Frame) -> Markup {
    let mut path = String::new();
    for (&(x, y), &error) in series.points.iter().zip(&series.errors) {
        if y.is_finite() && error.is_finite() && error > 0.0 {
            let (low, high) = (frame.top(y - error), frame.top(y + error));
            path += &format!("M{:.1} {low:.1}V{high:.1}", frame.left(x));
        }
    }
    html! { @if !path.is_empty() { path.error stroke=(colour) d=(path) {} } }
}

fn line(series: &Series, colour: &str, frame: &Frame) -> Markup {
    let points = thinned(&series.points);
    let mut path = String::new();
    let mut dots = Vec::new();
    let mut pen_down = false;
    let alone = |i: usize| {
        let gap = |j: Option<&(f64, f64)>| j.is_none_or(|p| !p.1.is_finite());
        gap(i.checked_sub(1).and_then(|j| points.get(j))) && gap(points.get(i + 1))
    };
    for (index, &(x, y)) in points.iter().enumerate() {
        let (left, top) = (frame.left(x), frame.top(y));
        if !(y.is_finite() && left.is_finite()) {
            pen_down = false;
            continue;
        }
        path += &format!("{}{left:.1} {top:.1}", if pen_down { "L" } else { "M" });
        pen_down = true;
        // A lone value would be an invisible line.
        if points.len() <= DOTS || alone(index) {
            dots.push((left, top, format!("{} at {}", short(y), short(x))));
        }
    }
    html! {
        path.line stroke=(colour) stroke-dasharray=[series.dashed.then_some("5 4")] d=(path) {
            title { (series.label) }
        }
        @for (left, top, told) in dots {
            circle cx=(format!("{left:.1}")) cy=(format!("{top:.1}")) r="2.2" fill=(colour) {
                title { (series.label) ": " (told) }
            }
        }
    }
}

/// Keeps the smallest and the largest value of each stretch, so that spikes stay.
pub(super) fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= POINTS {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil(POINTS / 2);
    let mut kept = Vec::with_capacity(POINTS);
    for part in points.chunks(stretch) {
        let finite = || part.iter().enumerate().filter(|(_, p)| p.1.is_finite());
        let low = finite().min_by(|a, b| a.1.1.total_cmp(&b.1.1));
        let high = finite().max_by(|a, b| a.1.1.total_cmp(&b.1.1));
        match (low, high) {
            (Some((i, low)), Some((j, high))) if i < j => kept.extend([*low, *high]),
            (Some((i, low)), Some((j, high))) if j < i => kept.extend([*high, *low]),
            (Some((_, only)), _) => kept.push(*only),
            _ => kept.push((part[0].0, f64::NAN)),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::Chart;
    use super::*;
    use maud::Render as _;

    fn shown(axis: Axis, series: Vec<Series>) -> String {
        Chart::lines("t", axis, series).render().into_string()
    }

    #[test]
    fn a_spike_survives_thinning() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), 0.0)).collect();
        points[7777].1 = 9.0;
        let kept = thinned(&points);
        assert!(kept.len() <= POINTS && kept.contains(&(7777.0, 9.0)));
        assert!(kept.windows(2).all(|w| w[0].0 < w[1].0));
    }

    #[test]
    fn what_is_not_finite_leaves_a_gap_and_a_note() {
        let points = vec![(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 1.5)];
        let html = shown(Axis::Steps, vec![Series::new("a<b", points)]);
        let path = html.split("class=\"line\"").nth(1).unwrap_or_default();
        let path = path
            .split(" d=\"")
            .nth(1)
            .and_then(|d| d.split('"').next())
            .unwrap_or_default();
        assert_eq!(
            (path.matches('M').count(), path.matches('L').count()),
            (2, 1),
            "{path}"
        );
        let svg = html.split("</svg>").next().unwrap_or_default();
        assert!(html.contains("infinite: 1<"), "{html}");
        assert!(!html.contains("a<b") && !svg.contains("NaN"), "{html}");
    }

    #[test]
    fn errors_are_drawn_inside_the_plot_and_layers_are_named() {
        let series = Series::new("candidates", vec![(0.0, 0.1), (1.0, 0.3)]);
        let names = ["encoder.res1a.act", "encoder.res2b.act"].map(str::to_owned);
        let axis = Axis::Layers(names.to_vec());
        let html = shown(axis, vec![series.errors(vec![0.1, 0.2])]);
        assert!(
            html.contains(">res1a<") && html.contains(">res2b<"),
            "{html}"
        );
        let path = html.split("class=\"error\"").nth(1).unwrap_or_default();
        let tops: Vec<f64> = path
            .split(&['V', 'M', ' ', '"'][..])
            .filter_map(|word| word.parse().ok())
            .collect();
        assert!(
            !tops.is_empty() && tops.iter().all(|top| (0.0..=WIDTH).contains(top)),
            "{path}"
        );
    }

    #[test]
    fn a_constant_and_an_empty_series_are_drawn_without_nan() {
        let constant = Series::new("c", vec![(5.0, 2.0)]).dashed(true);
        let html = shown(Axis::Steps, vec![constant]);
        assert!(html.contains("<circle") && !html.contains("NaN"), "{html}");
        assert!(shown(Axis::Steps, Vec::new()).contains("No finite values"));
    }

    #[test]
    fn a_logarithmic_axis_leaves_out_what_has_no_place() {
        let points = vec![(0.0, 1.0), (0.1, 2.0), (100.0, 3.0)];
        let html = shown(Axis::Log("rate".to_owned()), vec![Series::new("s", points)]);
        assert!(!html.contains("inf") && !html.contains("NaN"), "{html}");
        assert_eq!(html.matches("<circle").count(), 2);
    }
}
