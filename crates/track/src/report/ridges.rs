//! Histograms over epochs as inline SVG: one ridge an epoch, the first on top.

use crate::{Bins, HistogramLine};

use super::chart::ticks;
use super::download::{csv_link, digits};
use super::load::evenly;
use super::page::{escape, short};

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

/// Draws the distributions of one tag, in the order of time.
pub fn ridge_chart(title: &str, lines: &[HistogramLine]) -> String {
    let drawn: Vec<&HistogramLine> = lines
        .iter()
        .filter(|line| !line.bins.counts.is_empty())
        .collect();
    let lost: u64 = lines.iter().map(|line| line.bins.not_finite).sum();
    let mut note = String::new();
    if lost > 0 {
        note = format!("<p class=note>Not counted, NaN or infinite: {lost}</p>");
    }
    if drawn.is_empty() {
        return format!(
            "<figure><figcaption>{}</figcaption>{note}</figure>",
            escape(title)
        );
    }
    let chosen: Vec<&HistogramLine> = evenly(drawn.len(), RIDGES)
        .into_iter()
        .map(|i| drawn[i])
        .collect();
    let low = chosen
        .iter()
        .map(|line| line.bins.low)
        .fold(f64::INFINITY, f64::min);
    let high = chosen
        .iter()
        .map(|line| line.bins.high)
        .fold(f64::NEG_INFINITY, f64::max);
    let range = if high > low {
        (low, high)
    } else {
        (low - 0.5, low + 0.5)
    };
    let height = PEAK + ROW * (chosen.len() - 1) as f64 + FOOT + 4.0;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=img aria-label=\"{}\">",
        escape(title)
    );
    let left = |v: f64| LEFT + (v - range.0) / (range.1 - range.0) * (WIDTH - LEFT - RIGHT);
    for tick in ticks(range, 6) {
        let (x, y) = (left(tick), height - FOOT);
        svg += &format!("<path class=rule d=\"M{x:.1} 4V{y:.1}\"/>");
        svg += &format!(
            "<text x={x:.1} y={:.1} class=x>{}</text>",
            y + 16.0,
            short(tick)
        );
    }
    for (index, line) in chosen.iter().enumerate() {
        let base = 4.0 + PEAK + ROW * index as f64;
        let share = index as f64 / (chosen.len().max(2) - 1) as f64;
        svg += &ridge(line, range, base, share * 100.0);
    }
    format!(
        "<figure><figcaption>{}{}</figcaption>{svg}</svg>{note}</figure>",
        escape(title),
        csv_link(title, &csv(&chosen))
    )
}

/// The buckets that hold something, a row each.
fn csv(lines: &[&HistogramLine]) -> String {
    let mut text = "epoch,from,to,count\n".to_owned();
    for line in lines {
        let held = line.bins.counts.iter().enumerate();
        for (index, count) in held.filter(|(_, count)| **count > 0) {
            text += &format!(
                "{},{},{},{count}\n",
                line.epoch,
                digits(line.bins.edge(index)),
                digits(line.bins.edge(index + 1))
            );
        }
    }
    text
}

fn ridge(line: &HistogramLine, range: (f64, f64), base: f64, late: f64) -> String {
    let heights = resampled(&line.bins, range);
    let top = heights.iter().copied().fold(0.0, f64::max);
    let step = (WIDTH - LEFT - RIGHT) / CELLS as f64;
    let mut path = format!("M{LEFT} {base:.1}");
    for (cell, height) in heights.iter().enumerate() {
        let x = LEFT + (cell as f64 + 0.5) * step;
        let y = base - if top > 0.0 { height / top * PEAK } else { 0.0 };
        path += &format!("L{x:.1} {y:.1}");
    }
    path += &format!("L{} {base:.1}Z", WIDTH - RIGHT);
    format!(
        "<path class=ridge fill=\"color-mix(in oklab,var(--c1) {late:.0}%,var(--c0))\" d=\"{path}\"><title>epoch {}: {} values, mean {}</title></path>\
         <text x={} y={:.1} class=y>{}</text>",
        line.epoch,
        line.bins.total(),
        short(line.bins.mean),
        LEFT - 5.0,
        base,
        line.epoch
    )
}

/// Spreads the counts over cells of `range`, each bucket evenly over its width.
fn resampled(bins: &Bins, range: (f64, f64)) -> Vec<f64> {
    let mut cells = vec![0.0; CELLS];
    let place = |v: f64| (v - range.0) / (range.1 - range.0) * CELLS as f64;
    for (index, &count) in bins.counts.iter().enumerate() {
        let (from, to) = (place(bins.edge(index)), place(bins.edge(index + 1)));
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

    #[test]
    fn resampling_keeps_the_count() {
        let bins = Bins::of(&[0.0, 0.1, 0.2, 0.7, 1.0], 7);
        for range in [(0.0, 1.0), (-2.0, 3.0), (-0.1, 1.0)] {
            let sum: f64 = resampled(&bins, range).iter().sum();
            assert!((sum - 5.0).abs() < 1e-9, "{range:?}: {sum}");
        }
        let spike = resampled(&Bins::of(&[0.5; 4], 7), (0.0, 1.0));
        assert_eq!(spike.iter().filter(|&&c| c > 0.0).count(), 1);
    }

    #[test]
    fn nothing_but_nan_is_said_in_words() {
        let bins = Bins::of(&[f64::NAN; 3], 7);
        let line = HistogramLine {
            tag: "t".into(),
            epoch: 1,
            step: 1,
            author: "a".into(),
            bins,
        };
        let html = ridge_chart("t", &[line]);
        assert!(
            html.contains("infinite: 3<") && !html.contains("<svg"),
            "{html}"
        );
    }
}
