//! How many rows have which value.

use afterimage_report::short;
use maud::{Markup, html};

use super::Valued;

/// Bars.
const BARS: usize = 24;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 150.0;
/// Room below the bars.
const BELOW: f64 = 18.0;

/// An SVG picture of the rows by Data-OOB; those whose labels look wrong are drawn over the others.
pub(super) fn of_rows(valued: &Valued) -> Markup {
    let values = || {
        let rows = valued.rows.iter().zip(&valued.said);
        let values = rows.map(|(row, said)| (row.data_oob.value, said.suspect));
        values.filter(|(value, _)| value.is_finite())
    };
    let low = values().fold(f64::INFINITY, |low, (value, _)| low.min(value));
    let high = values().fold(f64::NEG_INFINITY, |high, (value, _)| high.max(value));
    if low >= high {
        return Markup::default();
    }
    let (mut all, mut wrong) = ([0usize; BARS], [0usize; BARS]);
    for (value, suspect) in values() {
        let at = (((value - low) / (high - low)) * BARS as f64) as usize;
        all[at.min(BARS - 1)] += 1;
        wrong[at.min(BARS - 1)] += usize::from(suspect);
    }
    let most = all.iter().copied().max().unwrap_or(1) as f64;
    let note = match wrong.iter().sum::<usize>() {
        0 => "",
        _ => "; solid: the label looks wrong",
    };
    let edge = |at: usize| short(low + (high - low) * at as f64 / BARS as f64);
    html! {
        figure {
            figcaption { "Rows by Data-OOB" (note) }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="Histogram of Data-OOB" {
                @for (at, (all, wrong)) in all.into_iter().zip(wrong).enumerate() {
                    g {
                        title {
                            (edge(at)) " to " (edge(at + 1)) ": " (all) " rows, " (wrong) " of them look wrong"
                        }
                        (bar(at, all as f64 / most, "0.35"))
                        (bar(at, wrong as f64 / most, "1"))
                    }
                }
                text x="0" y=(HEIGHT) font-size="12" { (short(low)) }
                text x=(WIDTH) y=(HEIGHT) font-size="12" text-anchor="end" { (short(high)) }
            }
        }
    }
}

/// The bar at place `at`, of a share of the height.
fn bar(at: usize, share: f64, opacity: &str) -> Markup {
    let step = WIDTH / BARS as f64;
    let height = (HEIGHT - BELOW) * share;
    html! {
        rect x=(format!("{:.1}", at as f64 * step)) y=(format!("{:.1}", HEIGHT - BELOW - height))
            width=(format!("{:.1}", step - 1.0)) height=(format!("{height:.1}")) fill="currentColor"
            opacity=(opacity) {}
    }
}
