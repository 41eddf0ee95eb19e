//! Histograms over epochs as inline SVG: one ridge an epoch, the first on top.

use maud::{Markup, Render, html};

use crate::chart::ticks;
use crate::csv::csv_link;
use crate::number::{digits, evenly, short};

const WIDTH: f64 = 370.0;
/// Distance of two ridges, and the height of one; they overlap.
const ROW: f64 = 17.0;
const PEAK: f64 = 34.0;
const LEFT: f64 = 34.0;
const RIGHT: f64 = 10.0;
const FOOT: f64 = 22.0;
/// Epochs drawn.
const RIDGES: usize = 12;
/// Points along a ridge.
const CELLS: usize = 60;

/// The distribution of an epoch's values.
#[derive(Debug, Clone, PartialEq)]
pub struct Ridge {
    /// The epoch.
    pub epoch: u32,
    /// Number of values per bucket; none without finite values.
    pub counts: Vec<u64>,
    /// Edges of the buckets, one more than there are buckets, rising.
    pub edges: Vec<f64>,
    /// Mean of the finite values.
    pub mean: f64,
    /// Number of values that are NaN or infinite.
    pub not_finite: u64,
}

impl Ridge {
    /// The outer edges; none where nothing is counted.
    fn range(&self) -> Option<(f64, f64)> {
        let ends = (*self.edges.first()?, *self.edges.last()?);
        (!self.counts.is_empty()).then_some(ends)
    }

    /// Buckets with their edges.
    fn buckets(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        let edges = self.edges.windows(2);
        let buckets = edges.zip(&self.counts);
        buckets.map(|(edges, &count)| (edges[0], edges[1], count))
    }
}

/// The distributions of one thing over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Ridges {
    title: String,
    lost: u64,
    drawn: Vec<Ridge>,
}

impl Ridges {
    /// A chart of `ridges`, in the order of time, that is called `title`.
    pub fn new(title: impl Into<String>, ridges: Vec<Ridge>) -> Self {
        let lost = ridges.iter().map(|ridge| ridge.not_finite).sum();
        let held = ridges.into_iter().filter(|ridge| ridge.range().is_some());
        let held: Vec<Ridge> = held.collect();
        let chosen = evenly(held.len(), RIDGES);
        let drawn = held.into_iter().enumerate();
        let drawn = drawn.filter(|(at, _)| chosen.binary_search(at).is_ok());
        Self {
            title: title.into(),
            lost,
            drawn: drawn.map(|(_, ridge)| ridge).collect(),
        }
    }

    /// The smallest and the largest value; none where there is nothing to draw.
    fn range(&self) -> Option<(f64, f64)> {
        let ranges = self.drawn.iter().filter_map(Ridge::range);
        let (low, high) = ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        match high > low {
            true => Some((low, high)),
            false => Some((low - 0.5, low + 0.5)),
        }
    }

    fn plot(&self, range: (f64, f64)) -> Markup {
        let count = self.drawn.len();
        let height = PEAK + ROW * (count - 1) as f64 + FOOT + 4.0;
        let left = |v: f64| LEFT + (v - range.0) / (range.1 - range.0) * (WIDTH - LEFT - RIGHT);
        let y = height - FOOT;
        html! {
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(self.title) {
                @for tick in ticks(range, 6) {
                    @let x = left(tick);
                    path.rule d=(format!("M{x:.1} 4V{y:.1}")) {}
                    text.x x=(format!("{x:.1}")) y=(format!("{:.1}", y + 16.0)) { (short(tick)) }
                }
                @for (index, ridge) in self.drawn.iter().enumerate() {
                    @let base = 4.0 + PEAK + ROW * index as f64;
                    @let late = index as f64 / (count.max(2) - 1) as f64;
                    (drawn(ridge, range, base, late * 100.0))
                }
            }
        }
    }

    /// The buckets that hold something, a row each.
    fn csv(&self) -> String {
        let mut text = "epoch,from,to,count\n".to_owned();
        for ridge in &self.drawn {
            for (from, to, count) in ridge.buckets().filter(|bucket| bucket.2 > 0) {
                text += &format!("{},{},{},{count}\n", ridge.epoch, digits(from), digits(to));
            }
        }
        text
    }
}

impl Render for Ridges {
    fn render(&self) -> Markup {
        let range = self.range();
        html! {
            figure {
                figcaption {
                    (self.title)
                    @if range.is_some() { (csv_link(&self.title, &self.csv())) }
                }
                @if let Some(range) = range { (self.plot(range)) }
                @if self.lost > 0 { p.note { "Not counted, NaN or infinite: " (self.lost) } }
            }
        }
    }
}

fn drawn(ridge: &Ridge, range: (f64, f64), base: f64, late: f64) -> Markup {
    let heights = resampled(ridge, range);
    let top = heights.iter().copied().fold(0.0, f64::max);
    let step = (WIDTH - LEFT - RIGHT) / CELLS as f64;
    let mut path = format!("M{LEFT} {base:.1}");
    for (cell, height) in heights.iter().enumerate() {
        let x = LEFT + (cell as f64 + 0.5) * step;
        let y = base - if top > 0.0 { height / top * PEAK } else { 0.0 };
        path += &format!("L{x:.1} {y:.1}");
    }
    path += &format!("L{} {base:.1}Z", WIDTH - RIGHT);
    let total: u64 = ridge.counts.iter().sum();
    html! {
        path.ridge fill=(format!("color-mix(in oklab,var(--c1) {late:.0}%,var(--c0))")) d=(path) {
            title { "epoch " (ridge.epoch) ": " (total) " values, mean " (short(ridge.mean)) }
        }
        text.y x=(LEFT - 5.0) y=(format!("{base:.1}")) { (ridge.epoch) }
    }
}

/// Spreads the counts over cells of `range`, each bucket evenly over its width.
fn resampled(ridge: &Ridge, range: (f64, f64)) -> Vec<f64> {
    let mut cells = vec![0.0; CELLS];
    let place = |v: f64| (v - range.0) / (range.1 - range.0) * CELLS as f64;
    for (from, to, count) in ridge.buckets() {
        let (from, to) = (place(from), place(to));
        let first = (from.max(0.0) as usize).min(CELLS - 1);
        let last = (to.max(0.0) as usize).min(CELLS - 1);
        if first == last || to <= from {
            cells[first] += count as f64;
            continue;
        }
        for (cell, sum) in cells.iter_mut().enumerate().take(last + 1).skip(first) {
            let overlap = to.min(cell as f64 + 1.0) - from.max(cell as f64);
            *sum += count as f64 * overlap.max(0.0) / (to - from);
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ridge(counts: &[u64], edges: &[f64], not_finite: u64) -> Ridge {
        Ridge {
            epoch: 1,
            counts: counts.to_vec(),
            edges: edges.to_vec(),
            mean: 0.5,
            not_finite,
        }
    }

    #[test]
    fn resampling_keeps_the_count() {
        let spread = ridge(&[2, 1, 0, 1, 1], &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0], 0);
        for range in [(0.0, 1.0), (-2.0, 3.0), (-0.1, 1.0)] {
            let sum: f64 = resampled(&spread, range).iter().sum();
            assert!((sum - 5.0).abs() < 1e-9, "{range:?}: {sum}");
        }
        let spike = resampled(&ridge(&[4], &[0.5, 0.5], 0), (0.0, 1.0));
        assert_eq!(spike.iter().filter(|&&c| c > 0.0).count(), 1);
    }

    #[test]
    fn nothing_but_nan_is_said_in_words() {
        let html = Ridges::new("t", vec![ridge(&[], &[0.0], 3)]).render();
        let html = html.into_string();
        assert!(
            html.contains("infinite: 3<") && !html.contains("<svg"),
            "{html}"
        );
    }

    #[test]
    fn of_many_epochs_some_are_drawn_and_all_losses_are_told() {
        let ridges = vec![ridge(&[1, 0], &[0.0, 1.0, 2.0], 1); 40];
        let html = Ridges::new("t", ridges).render().into_string();
        assert_eq!(html.matches("class=\"ridge\"").count(), RIDGES);
        assert!(html.contains("infinite: 40<"), "{html}");
        assert!(html.contains("count%0A1,0,1,1%0A"), "{html}");
    }
}
