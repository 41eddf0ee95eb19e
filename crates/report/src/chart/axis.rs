//! What stands along the horizontal axis.

use maud::{Markup, html};

use super::frame::Frame;
use crate::name::ending;
use crate::number::short;

/// Letters of a layer's name along the axis.
const LETTERS: usize = 22;
/// Letters of another name along the axis.
const BEGINNING: usize = 14;

/// What stands along the horizontal axis.
#[derive(Debug, Clone, PartialEq)]
pub enum Axis {
    /// Optimizer steps.
    Steps,
    /// Whole numbers of something else, such as epochs.
    Counts(String),
    /// Numbers of something else.
    Values(String),
    /// Numbers of something else that are above 0, by their logarithm.
    Log(String),
    /// Names of layers from input to output, at 0, 1, 2, ….
    Layers(Vec<String>),
    /// Names of something else, at 0, 1, 2, ….
    Names {
        /// What they are names of.
        what: String,
        /// The names.
        names: Vec<String>,
    },
}

impl Axis {
    /// What the axis is called in a CSV file.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Steps => "step",
            Self::Counts(what) | Self::Values(what) | Self::Log(what) => what,
            Self::Names { what, .. } => what,
            Self::Layers(_) => "layer",
        }
    }

    /// The name at `x`, where the axis has names.
    pub(super) fn named(&self, x: f64) -> Option<&str> {
        match self {
            Self::Layers(names) | Self::Names { names, .. } => {
                Some(names.get(x as usize).map_or("", String::as_str))
            }
            Self::Steps | Self::Counts(_) | Self::Values(_) | Self::Log(_) => None,
        }
    }

    /// Pixels below the plot that turned names need beyond one line.
    pub(super) fn foot(&self) -> f64 {
        let names = match self {
            Self::Layers(names) => tell_apart(names),
            _ => Vec::new(),
        };
        let longest = names.iter().map(|name| name.chars().count()).max();
        longest.map_or(0.0, |letters| letters.min(LETTERS) as f64 * 3.9)
    }

    /// Marks and name of the axis.
    pub(super) fn drawn(&self, frame: &Frame) -> Markup {
        match self {
            Self::Steps => numbers(frame, "step", true),
            Self::Counts(what) => numbers(frame, what, true),
            Self::Values(what) => numbers(frame, what, false),
            Self::Log(what) => {
                let marks = decades(frame.x).into_iter();
                marked(frame, marks.map(|at| (at, short(at))), what)
            }
            Self::Names { what, names } => {
                let beginning = |name: &String| name.chars().take(BEGINNING).collect();
                let marks = names.iter().enumerate();
                let marks = marks.map(|(at, name)| (at as f64, beginning(name)));
                marked(frame, marks, what)
            }
            Self::Layers(names) => layers(frame, &tell_apart(names), self.foot()),
        }
    }
}

fn numbers(frame: &Frame, what: &str, is_whole: bool) -> Markup {
    let marks = ticks(frame.x, 5).into_iter();
    let marks = marks.filter(|tick| !is_whole || tick.fract() == 0.0);
    marked(frame, marks.map(|at| (at, short(at))), what)
}

/// Texts at their places, and the name of the axis on the right below them.
fn marked(frame: &Frame, marks: impl Iterator<Item = (f64, String)>, what: &str) -> Markup {
    html! {
        @for (at, text) in marks {
            text.x x=(format!("{:.1}", frame.left(at))) y=(frame.bottom() + 16.0) { (text) }
        }
        text.y x=(frame.right()) y=(frame.size.height - 4.0) { (what) }
    }
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

fn layers(frame: &Frame, names: &[String], foot: f64) -> Markup {
    // Turned names need about 16 pixels each.
    let every = names.len().div_ceil(19).max(1);
    let top = frame.bottom() + 12.0;
    html! {
        @for (index, name) in names.iter().enumerate().step_by(every) {
            @let left = frame.left(index as f64);
            text.y x=(format!("{left:.1}")) y=(format!("{top:.1}"))
                transform=(format!("rotate(-40 {left:.1} {top:.1})")) {
                (ending(name, LETTERS))
                title { (name) }
            }
        }
        text.y x=(frame.right()) y=(format!("{:.0}", frame.size.height + foot - 4.0)) {
            "layer, from input to output"
        }
    }
}

/// Round numbers in `range`, about `count` of them: multiples of 1, 2 or 5 times a power of ten.
pub(crate) fn ticks(range: (f64, f64), count: usize) -> Vec<f64> {
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
    fn logarithmic_marks_are_round() {
        let close = |a: Vec<f64>, b: &[f64]| {
            a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x / y - 1.0).abs() < 1e-9)
        };
        assert!(close(decades((-1.1, 0.1)), &[0.1, 0.2, 0.5, 1.0]));
        assert!(close(decades((-4.2, -0.9)), &[1e-4, 1e-3, 1e-2, 1e-1]));
    }
}
