//! Line charts as inline SVG.

use super::download::{ROWS, chart_csv, csv_link};
use super::page::{escape, short};

/// About the width of a column of the page, so that text keeps its size.
const WIDTH: f64 = 370.0;
const HEIGHT: f64 = 220.0;
/// Space around the plot: left, right, top, bottom.
const MARGIN: (f64, f64, f64, f64) = (46.0, 14.0, 8.0, 34.0);
/// Points drawn of one series; more than the plot has pixels cannot be told apart.
const POINTS: usize = 600;
/// Letters of a name along the axis; its end tells more than its beginning.
const LETTERS: usize = 22;
/// Series that get a colour of their own; more are coloured along their order.
const COLOURS: usize = 8;
/// Lines whose names stand below a chart at once; those of more are asked for.
const NAMED: usize = 14;

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub label: String,
    /// Horizontal place and value; values that are not finite leave a gap.
    pub points: Vec<(f64, f64)>,
    /// For controls, which are to be told from what they control without colour.
    pub dashed: bool,
}

/// What stands along the horizontal axis.
#[derive(Debug, Clone, PartialEq)]
pub enum Axis {
    /// Optimizer steps.
    Steps,
    /// Whole numbers of something else, such as epochs.
    Counts(String),
    /// Numbers of something else.
    Values(String),
    /// Names, at 0, 1, 2, ….
    Names(Vec<String>),
}

/// Draws a chart with its title and legend.
pub fn line_chart(title: &str, axis: &Axis, series: &[Series]) -> String {
    error_chart(title, axis, series, &[])
}

/// As [`line_chart`], with a bar of one standard error up and down at each point: `errors` has the
/// errors of each series' points; none where it is shorter, and where they are not finite.
pub fn error_chart(title: &str, axis: &Axis, series: &[Series], errors: &[Vec<f64>]) -> String {
    let all = || {
        series
            .iter()
            .flat_map(|s| &s.points)
            .filter(|p| p.1.is_finite())
    };
    let missing = series
        .iter()
        .flat_map(|s| &s.points)
        .filter(|p| !p.1.is_finite())
        .count();
    let mut note = String::new();
    if missing > 0 {
        note = format!("<p class=note>Not drawn, NaN or infinite: {missing}</p>");
    }
    let plot = if all().next().is_none() {
        "<p class=note>No finite values.</p>".to_owned()
    } else {
        let x = match axis {
            // Each name has its place, also where nothing was measured.
            Axis::Names(names) => (0.0, names.len().saturating_sub(1) as f64),
            _ => span(all().map(|p| p.0)),
        };
        let barred = series.iter().zip(errors).flat_map(|(one, errors)| {
            let ends = one.points.iter().zip(errors);
            ends.flat_map(|(p, e)| [p.1 - e, p.1 + e])
        });
        let values = all().map(|p| p.1).chain(barred.filter(|y| y.is_finite()));
        let y = padded(span(values));
        plot(title, axis, series, errors, Frame { x, y })
    };
    format!(
        "<figure><figcaption>{}{}</figcaption>{plot}{}{note}</figure>",
        escape(title),
        numbers(title, axis, series, errors),
        legend(series)
    )
}

/// The link to the numbers of a chart; of very long series to what is drawn of them.
fn numbers(title: &str, axis: &Axis, series: &[Series], errors: &[Vec<f64>]) -> String {
    let longest = series.iter().map(|one| one.points.len()).max();
    let csv = match longest.unwrap_or_default() {
        0 => return String::new(),
        length if length > ROWS => {
            let drawn = |one: &Series| Series {
                points: thinned(&one.points),
                ..one.clone()
            };
            chart_csv(axis, &series.iter().map(drawn).collect::<Vec<_>>(), &[])
        }
        _ => chart_csv(axis, series, errors),
    };
    csv_link(title, &csv)
}

/// Maps values to pixels.
#[derive(Clone, Copy)]
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn left(&self, x: f64) -> f64 {
        let share = if self.x.1 > self.x.0 {
            (x - self.x.0) / (self.x.1 - self.x.0)
        } else {
            0.5
        };
        MARGIN.0 + share * (WIDTH - MARGIN.0 - MARGIN.1)
    }

    fn top(&self, y: f64) -> f64 {
        let share = (y - self.y.0) / (self.y.1 - self.y.0);
        HEIGHT - MARGIN.3 - share * (HEIGHT - MARGIN.2 - MARGIN.3)
    }
}

fn plot(title: &str, axis: &Axis, series: &[Series], errors: &[Vec<f64>], frame: Frame) -> String {
    let names = match axis {
        Axis::Names(names) => tell_apart(names),
        _ => Vec::new(),
    };
    let foot = room_below(&names);
    let (right, bottom) = (WIDTH - MARGIN.1, HEIGHT - MARGIN.3);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=img aria-label=\"{}\" data-x=\"{} {} {} {right} {} {bottom}\"{}>",
        HEIGHT + foot,
        escape(title),
        frame.x.0,
        frame.x.1,
        MARGIN.0,
        MARGIN.2,
        if names.is_empty() { "" } else { " data-names" }
    );
    for tick in ticks(frame.y, 5) {
        let top = frame.top(tick);
        svg += &format!(
            "<path class=rule d=\"M{} {top:.1}H{right}\"/><text x={} y={:.1} class=y>{}</text>",
            MARGIN.0,
            MARGIN.0 - 6.0,
            top + 4.0,
            short(tick)
        );
    }
    svg += &match axis {
        Axis::Steps => number_axis(frame, bottom, "step", true),
        Axis::Counts(what) => number_axis(frame, bottom, what, true),
        Axis::Values(what) => number_axis(frame, bottom, what, false),
        Axis::Names(_) => name_axis(frame, bottom, &names, foot),
    };
    for (index, one) in series.iter().enumerate() {
        let colour = colour(index, series.len());
        if let Some(errors) = errors.get(index) {
            svg += &bars(one, errors, &colour, frame);
        }
        svg += &line(one, &colour, frame);
    }
    svg + "<path class=cursor /></svg>"
}

fn number_axis(frame: Frame, bottom: f64, what: &str, whole: bool) -> String {
    let mut svg = String::new();
    for tick in ticks(frame.x, 5)
        .into_iter()
        .filter(|tick| !whole || tick.fract() == 0.0)
    {
        svg += &format!(
            "<text x={:.1} y={} class=x>{}</text>",
            frame.left(tick),
            bottom + 16.0,
            short(tick)
        );
    }
    svg + &format!(
        "<text x={} y={} class=y>{}</text>",
        WIDTH - MARGIN.1,
        HEIGHT - 4.0,
        escape(what)
    )
}

/// Names of sites without `encoder.` in front and `.act` behind, where all sites have it.
fn tell_apart(names: &[String]) -> Vec<String> {
    let sites = || names.iter().filter(|name| name.contains('.'));
    let front = if sites().all(|name| name.starts_with("encoder.")) {
        "encoder."
    } else {
        ""
    };
    let end = if sites().all(|name| name.ends_with(".act")) {
        ".act"
    } else {
        ""
    };
    let told = |name: &String| {
        let name = name.strip_prefix(front).unwrap_or(name);
        name.strip_suffix(end).unwrap_or(name).to_owned()
    };
    names.iter().map(told).collect()
}

/// Pixels that turned names need below the plot.
fn room_below(names: &[String]) -> f64 {
    let longest = names.iter().map(|name| name.chars().count()).max();
    longest.map_or(0.0, |letters| letters.min(LETTERS) as f64 * 3.9)
}

fn name_axis(frame: Frame, bottom: f64, names: &[String], foot: f64) -> String {
    // Turned names need about 16 pixels each.
    let every = names.len().div_ceil(19).max(1);
    let mut svg = String::new();
    for (index, name) in names.iter().enumerate().step_by(every) {
        let (left, top) = (frame.left(index as f64), bottom + 12.0);
        let letters = name.chars().count();
        let shown: String = match letters > LETTERS {
            true => "…"
                .chars()
                .chain(name.chars().skip(letters + 1 - LETTERS))
                .collect(),
            false => name.clone(),
        };
        svg += &format!(
            "<text x={left:.1} y={top:.1} class=y transform=\"rotate(-40 {left:.1} {top:.1})\">{}<title>{}</title></text>",
            escape(&shown),
            escape(name)
        );
    }
    svg + &format!(
        "<text x={} y={:.0} class=y>layer, from input to output</text>",
        WIDTH - MARGIN.1,
        HEIGHT + foot - 4.0
    )
}

fn bars(series: &Series, errors: &[f64], colour: &str, frame: Frame) -> String {
    let mut path = String::new();
    for (&(x, y), &error) in series.points.iter().zip(errors) {
        if y.is_finite() && error.is_finite() && error > 0.0 {
            let (low, high) = (frame.top(y - error), frame.top(y + error));
            path += &format!("M{:.1} {low:.1}V{high:.1}", frame.left(x));
        }
    }
    match path.is_empty() {
        true => path,
        false => format!("<path class=error stroke=\"{colour}\" d=\"{path}\"/>"),
    }
}

fn line(series: &Series, colour: &str, frame: Frame) -> String {
    let points = thinned(&series.points);
    let mut path = String::new();
    let mut dots = String::new();
    let mut pen_down = false;
    let alone = |i: usize| {
        let gap = |j: Option<&(f64, f64)>| j.is_none_or(|p| !p.1.is_finite());
        gap(i.checked_sub(1).and_then(|j| points.get(j))) && gap(points.get(i + 1))
    };
    for (index, &(x, y)) in points.iter().enumerate() {
        if !y.is_finite() {
            pen_down = false;
            continue;
        }
        let (left, top) = (frame.left(x), frame.top(y));
        path += &format!("{}{left:.1} {top:.1}", if pen_down { "L" } else { "M" });
        pen_down = true;
        // A lone value would be an invisible line.
        if points.len() <= 60 || alone(index) {
            dots += &format!(
                "<circle cx={left:.1} cy={top:.1} r=2.2 fill=\"{colour}\"><title>{}: {} at {}</title></circle>",
                escape(&series.label),
                short(y),
                short(x)
            );
        }
    }
    let dash = if series.dashed {
        " stroke-dasharray=\"5 4\""
    } else {
        ""
    };
    format!(
        "<path class=line stroke=\"{colour}\"{dash} d=\"{path}\"><title>{}</title></path>{dots}",
        escape(&series.label)
    )
}

fn legend(series: &[Series]) -> String {
    if series.len() < 2 {
        return String::new();
    }
    let mut html = String::new();
    if series.len() > NAMED {
        let last = &series[series.len() - 1].label;
        html += &format!(
            "<details class=legend><summary>{} lines, from {} (blue) to {} (red)</summary>",
            series.len(),
            escape(&series[0].label),
            escape(last)
        );
    }
    html += "<ul class=legend>";
    for index in 0..series.len() {
        let one = &series[index];
        let kind = if one.dashed { "dashed" } else { "solid" };
        html += &format!(
            "<li><i style=\"border-top:2.5px {kind} {}\"></i>{}</li>",
            colour(index, series.len()),
            escape(&one.label)
        );
    }
    html += "</ul>";
    if series.len() > NAMED {
        html += "</details>";
    }
    html
}

/// The colour of series `index` of `count`: named in the style sheet for few series, a scale from
/// blue to red along their order for many.
pub fn colour(index: usize, count: usize) -> String {
    if count <= COLOURS {
        return format!("var(--c{index})");
    }
    let share = index as f64 / (count - 1) as f64;
    format!("hsl({:.0} 65% 52%)", 250.0 - 250.0 * share)
}

/// Keeps the smallest and the largest value of each stretch, so that spikes stay.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
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

fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    })
}

/// Leaves some air above and below; a constant gets a range around it.
fn padded((low, high): (f64, f64)) -> (f64, f64) {
    let air = if high > low {
        (high - low) * 0.05
    } else {
        low.abs().max(1.0) * 0.1
    };
    (low - air, high + air)
}

/// Round numbers in `range`, about `count` of them: multiples of 1, 2 or 5 times a power of ten.
pub fn ticks(range: (f64, f64), count: usize) -> Vec<f64> {
    let width = range.1 - range.0;
    if !(width.is_finite() && width > 0.0) {
        return vec![range.0];
    }
    let rough = width / count as f64;
    let power = 10f64.powf(rough.log10().floor());
    let unit = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|m| m * power >= rough)
        .unwrap_or(10.0)
        * power;
    let first = (range.0 / unit).ceil();
    let last = (range.1 / unit).floor();
    (0..=((last - first).clamp(0.0, 50.0) as usize))
        .map(|i| (first + i as f64) * unit)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let close = |a: Vec<f64>, b: &[f64]| {
            a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-9)
        };
        assert!(close(ticks((0.0, 1.0), 5), &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]));
        assert!(close(ticks((-3.0, 12.0), 4), &[0.0, 5.0, 10.0]));
        assert_eq!(ticks((2.0, 2.0), 5), [2.0]);
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
        let series = Series {
            label: "a<b".to_owned(),
            points,
            dashed: false,
        };
        let html = line_chart("t", &Axis::Steps, &[series]);
        let path = html.split("class=line").nth(1).unwrap_or_default();
        let path = path
            .split("d=\"")
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
        let series = Series {
            label: "candidates".to_owned(),
            points: vec![(0.0, 0.1), (1.0, 0.3)],
            dashed: false,
        };
        let names = ["encoder.res1a.act", "encoder.res2b.act"].map(str::to_owned);
        let html = error_chart(
            "t",
            &Axis::Names(names.to_vec()),
            &[series],
            &[vec![0.1, 0.2]],
        );
        assert!(
            html.contains(">res1a<") && html.contains(">res2b<"),
            "{html}"
        );
        let path = html.split("class=error").nth(1).unwrap_or_default();
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
        let constant = Series {
            label: "c".to_owned(),
            points: vec![(5.0, 2.0)],
            dashed: true,
        };
        let html = line_chart("t", &Axis::Steps, &[constant]);
        assert!(html.contains("<circle") && !html.contains("NaN"), "{html}");
        assert!(line_chart("t", &Axis::Steps, &[]).contains("No finite values"));
    }
}
