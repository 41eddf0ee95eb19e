//! How far samples lie from the nearest chosen one, beside a random choice.

use afterimage_coreset::RandomChoices;
use afterimage_report::{Axis, Cell, Chart, Section, Series, Table, short};
use maud::html;

use super::Choice;

/// Bins of the histogram.
const BINS: usize = 40;
/// The part of the distances that the histogram shows; the rest is far out, and counted.
const SHOWN: f64 = 0.995;

/// Distances of the samples that are looked at.
///
/// Of each there is one: NaN for a sample that was chosen itself, infinite where nothing of its group was.
pub(super) struct Distances<'a> {
    pub(super) chosen: Vec<f32>,
    pub(super) random: Option<&'a [f32]>,
}

impl<'a> Distances<'a> {
    pub(super) fn of(choice: &Choice<'a>) -> Self {
        Self {
            chosen: choice.coreset.distances(choice.points, choice.looked_at),
            random: choice.at_random.map(RandomChoices::distances),
        }
    }

    pub(super) fn section(&self, choice: &Choice<'_>) -> Section {
        let section = Section::new("Distances");
        let chosen = sorted(&self.chosen);
        if chosen.is_empty() {
            return section;
        }
        let random = self.random.map(sorted);
        let top = [Some(&chosen), random.as_ref()]
            .into_iter()
            .flatten()
            .map(|sorted| quantile(sorted, SHOWN))
            .fold(0.0, f64::max);
        let mut series = vec![Series::new("this choice", histogram(&chosen, top))];
        let mut rows = vec![row("this choice", &chosen, top)];
        if let Some(random) = &random {
            series.push(Series::new("at random", histogram(random, top)).dashed(true));
            rows.push(row("at random, one draw", random, top));
        }
        let header = [
            "",
            "samples",
            "mean",
            "median",
            "95 % within",
            "99 % within",
            "largest",
            "beyond the histogram",
        ];
        let chart = (top > 0.0).then(|| {
            Chart::lines(
                "Share of samples by distance",
                Axis::Values("distance to the nearest chosen sample".to_owned()),
                series,
            )
        });
        section
            .note(note(choice, top))
            .figures(chart)
            .content(html! { div.wide { (Table::new(&header).rows(rows)) } })
    }
}

fn note(choice: &Choice<'_>, top: f64) -> String {
    let some = match choice.looked_at.len() < choice.points.len() {
        true => format!(", of {} evenly spread ones", choice.looked_at.len()),
        false => String::new(),
    };
    let bins = match top > 0.0 {
        true => format!(
            " The histogram has {BINS} bins of {}, each at its middle.",
            short(top / BINS as f64)
        ),
        false => String::new(),
    };
    format!(
        "From each sample that was not chosen itself to the nearest chosen one{}{some}.{bins}",
        choice.of_group()
    )
}

/// The finite ones, in ascending order.
fn sorted(distances: &[f32]) -> Vec<f32> {
    let finite = distances.iter().copied();
    let mut finite: Vec<f32> = finite.filter(|distance| distance.is_finite()).collect();
    finite.sort_unstable_by(f32::total_cmp);
    finite
}

/// The smallest of `sorted` that at least a `share` of them does not exceed; 0 of none.
fn quantile(sorted: &[f32], share: f64) -> f64 {
    let place = (share * sorted.len() as f64).ceil() as usize;
    let value = sorted.get(place.saturating_sub(1).min(sorted.len().saturating_sub(1)));
    value.copied().map_or(0.0, f64::from)
}

/// The middle of each of equal bins from 0 to `top` with the share of `sorted` in it; `top` is in the last.
fn histogram(sorted: &[f32], top: f64) -> Vec<(f64, f64)> {
    let width = top / BINS as f64;
    let edge = |at: usize| match at {
        BINS => top,
        _ => at as f64 * width,
    };
    let below = |at: usize| match at {
        BINS => sorted.partition_point(|distance| f64::from(*distance) <= top),
        _ => sorted.partition_point(|distance| f64::from(*distance) < edge(at)),
    };
    (0..BINS)
        .map(|at| {
            let count = below(at + 1) - below(at);
            let middle = (edge(at) + edge(at + 1)) / 2.0;
            (middle, count as f64 / sorted.len().max(1) as f64)
        })
        .collect()
}

fn row(name: &str, sorted: &[f32], top: f64) -> Vec<Cell> {
    let sum: f64 = sorted.iter().map(|distance| f64::from(*distance)).sum();
    let beyond = sorted.len() - sorted.partition_point(|distance| f64::from(*distance) <= top);
    vec![
        Cell::text(name),
        Cell::from(sorted.len().to_string()),
        Cell::number(sum / sorted.len().max(1) as f64),
        Cell::number(quantile(sorted, 0.5)),
        Cell::number(quantile(sorted, 0.95)),
        Cell::number(quantile(sorted, 0.99)),
        Cell::number(quantile(sorted, 1.0)),
        Cell::from(beyond.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_bins_are_by_hand() {
        let distances = sorted(&[3.0, f32::NAN, 1.0, f32::INFINITY, 2.0, 4.0]);
        assert_eq!(distances, [1.0, 2.0, 3.0, 4.0]);
        let found = [0.0, 0.5, 0.51, 1.0].map(|share| quantile(&distances, share));
        assert_eq!(found, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(quantile(&[], 0.5), 0.0);
        // Bins of 0.1 from 0 to 4: 1 begins the eleventh, 4 is in the last.
        let bins = histogram(&distances, 4.0);
        assert_eq!(bins.len(), BINS);
        assert_eq!(bins[10].1, 0.25);
        assert_eq!(bins[BINS - 1].1, 0.25);
        assert!((bins[0].0 - 0.05).abs() < 1e-12);
        let all: f64 = bins.iter().map(|(_, share)| share).sum();
        assert_eq!(all, 1.0);
        // What lies beyond is not in the bins.
        let all: f64 = histogram(&distances, 3.0).iter().map(|bin| bin.1).sum();
        assert_eq!(all, 0.75);
    }
}
