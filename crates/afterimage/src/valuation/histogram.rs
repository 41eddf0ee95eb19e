//! How many rows have which value.

use afterimage_track::html::short;

use super::Valued;

/// Bars.
const BARS: usize = 24;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 150.0;
/// Room below the bars.
const BELOW: f64 = 18.0;

/// An SVG picture of the rows by Data-OOB; those whose labels look wrong are drawn over the others.
pub(super) fn of_rows(valued: &Valued) -> String {
    let values = || {
        let rows = valued.rows.iter().zip(&valued.said);
        let values = rows.map(|(row, said)| (row.data_oob.value, said.suspect));
        values.filter(|(value, _)| value.is_finite())
    };
    let low = values().fold(f64::INFINITY, |low, (value, _)| low.min(value));
    let high = values().fold(f64::NEG_INFINITY, |high, (value, _)| high.max(value));
    if low >= high {
        return String::new();
    }
    let (mut all, mut wrong) = ([0usize; BARS], [0usize; BARS]);
    for (value, suspect) in values() {
        let at = (((value - low) / (high - low)) * BARS as f64) as usize;
        all[at.min(BARS - 1)] += 1;
        wrong[at.min(BARS - 1)] += usize::from(suspect);
    }
    let most = all.iter().copied().max().unwrap_or(1) as f64;
    let step = WIDTH / BARS as f64;
    let bar = |at: usize, count: usize, opacity: &str| {
        let height = (HEIGHT - BELOW) * count as f64 / most;
        format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=currentColor \
             opacity=\"{opacity}\"/>",
            at as f64 * step,
            HEIGHT - BELOW - height,
            step - 1.0
        )
    };
    let mut svg = format!(
        "<figure><figcaption>Rows by Data-OOB{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=img \
         aria-label=\"Histogram of Data-OOB\">",
        match wrong.iter().sum::<usize>() {
            0 => "",
            _ => "; dark: the label looks wrong",
        }
    );
    for (at, (all, wrong)) in all.into_iter().zip(wrong).enumerate() {
        let from = low + (high - low) * at as f64 / BARS as f64;
        let to = low + (high - low) * (at + 1) as f64 / BARS as f64;
        svg += &format!(
            "<g><title>{} to {}: {all} rows, {wrong} of them look wrong</title>{}{}</g>",
            short(from),
            short(to),
            bar(at, all, "0.35"),
            bar(at, wrong, "1")
        );
    }
    svg + &format!(
        "<text x=0 y={HEIGHT} font-size=12>{}</text><text x={WIDTH} y={HEIGHT} font-size=12 \
         text-anchor=end>{}</text></svg></figure>",
        short(low),
        short(high)
    )
}
