//! Heat maps as inline SVG: a row a layer, a column an epoch or a share of units.

use super::download::{cell as csv_cell, csv_link, digits};
use super::page::{escape, short};

/// Units of a letter of a row's name, and a row's height.
const LETTER: f64 = 6.4;
const ROW: f64 = 22.0;
const TOP: f64 = 22.0;
/// The widest and narrowest column, and what all of them have together.
const COLUMN: (f64, f64) = (86.0, 14.0);
const WIDTH: f64 = 520.0;
/// A column that holds its number in figures.
const FIGURES: f64 = 48.0;
/// Letters of a row's name; its end tells more than its beginning.
const LETTERS: usize = 28;
/// How much of its colour the smallest value has.
const FAINTEST: f64 = 0.12;
/// Swatches of a legend.
const SWATCHES: u32 = 9;

/// A cell: its value, which colours it, and what hovering tells.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatCell {
    /// The value; NaN where nothing was measured.
    pub value: f64,
    /// What hovering tells.
    pub title: String,
    /// Whether chance may have made it: it cannot be told apart from 0.
    pub unsure: bool,
}

/// How values become colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Blue below 0, white at 0, red above, as far as this number on both sides.
    Signed(f64),
    /// From dark to light between two numbers.
    Between(f64, f64),
}

/// A map of values.
#[derive(Debug, Clone)]
pub struct HeatMap<'a> {
    /// The heading.
    pub title: &'a str,
    /// Names of the columns.
    pub columns: &'a [String],
    /// Rows with their names; as many cells as there are columns.
    pub rows: &'a [(String, Vec<HeatCell>)],
    /// How values become colours.
    pub scale: Scale,
}

impl HeatMap<'_> {
    /// The figure: title, numbers as CSV, map and legend.
    pub fn html(&self) -> String {
        let left = self.left();
        let column = (WIDTH / self.columns.len().max(1) as f64).clamp(COLUMN.1, COLUMN.0);
        let right = left + column * self.columns.len() as f64;
        let bottom = TOP + ROW * self.rows.len() as f64;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {right:.0} {bottom:.0}\" style=\"max-width:{right:.0}px;min-width:{:.0}px\" role=img \
             aria-label=\"{}\">",
            right.min(460.0),
            escape(self.title)
        );
        // A name needs about 40 units.
        let every = (40.0 / column).ceil().max(1.0) as usize;
        for (at, name) in self.columns.iter().enumerate() {
            // The last one is always named.
            if !(self.columns.len() - 1 - at).is_multiple_of(every) {
                continue;
            }
            svg += &format!(
                "<text x={:.1} y={:.1} class=x>{}</text>",
                left + column * (at as f64 + 0.5),
                TOP - 7.0,
                escape(name)
            );
        }
        for (at, (name, cells)) in self.rows.iter().enumerate() {
            let y = TOP + ROW * at as f64;
            svg += &format!(
                "<text x={:.1} y={:.1} class=y>{}<title>{}</title></text>",
                left - 8.0,
                y + 15.0,
                escape(&end_of(name)),
                escape(name)
            );
            for (place, cell) in cells.iter().enumerate() {
                svg += &self.drawn(cell, left + column * place as f64, y, column);
            }
        }
        format!(
            "<figure class=wide><figcaption>{}{}</figcaption><div class=scroll>{svg}</svg></div>{}</figure>",
            escape(self.title),
            csv_link(self.title, &self.csv()),
            self.legend()
        )
    }

    /// Room for the names of rows.
    fn left(&self) -> f64 {
        let letters = self
            .rows
            .iter()
            .map(|(name, _)| name.chars().count().min(LETTERS));
        16.0 + LETTER * letters.max().unwrap_or(0) as f64
    }

    fn drawn(&self, cell: &HeatCell, x: f64, y: f64, column: f64) -> String {
        let (fill, ink) = self.scale.colours(cell.value);
        let (paint, ink) = match cell.unsure && !cell.value.is_nan() {
            true => ("class=unsure".to_owned(), "var(--soft)"),
            false => (format!("fill=\"{fill}\""), ink),
        };
        let text = match (column >= FIGURES, cell.value.is_nan()) {
            (false, _) => String::new(),
            (true, true) => self.figures(x + column / 2.0, y, ink, "–"),
            (true, false) => {
                self.figures(x + column / 2.0, y, ink, &self.scale.written(cell.value))
            }
        };
        format!(
            "<g><title>{}</title><rect x={:.1} y={:.1} width={:.1} height={:.1} {paint} />{text}</g>",
            escape(&cell.title),
            x + 0.5,
            y + 0.5,
            column - 1.0,
            ROW - 1.0
        )
    }

    fn figures(&self, x: f64, y: f64, ink: &str, text: &str) -> String {
        format!(
            "<text x={x:.1} y={:.1} class=x style=\"fill:{ink}\">{text}</text>",
            y + 15.0
        )
    }

    fn csv(&self) -> String {
        let header: Vec<String> = ["layer"]
            .into_iter()
            .chain(self.columns.iter().map(String::as_str))
            .map(csv_cell)
            .collect();
        let mut text = header.join(",") + "\n";
        for (name, cells) in self.rows {
            let values = cells.iter().map(|cell| digits(cell.value));
            let row: Vec<String> = [csv_cell(name)].into_iter().chain(values).collect();
            text += &(row.join(",") + "\n");
        }
        text
    }

    fn legend(&self) -> String {
        let cells = || self.rows.iter().flat_map(|(_, cells)| cells);
        let (low, high) = self.scale.ends();
        let swatches: String = (0..SWATCHES)
            .map(|at| {
                let value = low + (high - low) * f64::from(at) / f64::from(SWATCHES - 1);
                format!(
                    "<i style=\"background:{}\"></i>",
                    self.scale.colours(value).0
                )
            })
            .collect();
        let mut html = format!(
            "<p class=scale>{} <span>{swatches}</span> {}",
            short(low),
            short(high)
        );
        if cells().any(|cell| cell.unsure && !cell.value.is_nan()) {
            html += " <span><i class=unsure></i> not told apart from 0</span>";
        }
        if cells().any(|cell| cell.value.is_nan()) {
            html += " <span><i style=\"background:var(--rule)\"></i> not measured</span>";
        }
        html + "</p>"
    }
}

impl Scale {
    fn ends(self) -> (f64, f64) {
        match self {
            Self::Signed(most) => (-most, most),
            Self::Between(low, high) => (low, high),
        }
    }

    /// A value as its cell shows it.
    fn written(self, value: f64) -> String {
        match self {
            Self::Signed(_) => format!("{value:+.3}"),
            Self::Between(..) => format!("{value:.3}"),
        }
    }

    /// Of a cell and of the text in it.
    fn colours(self, value: f64) -> (String, &'static str) {
        if value.is_nan() {
            return ("var(--rule)".to_owned(), "var(--soft)");
        }
        match self {
            Self::Signed(most) => {
                let share = match most > 0.0 {
                    true => (value / most).clamp(-1.0, 1.0),
                    false => 0.0,
                };
                // What is not 0 must not look like it.
                let tint = match share == 0.0 {
                    true => 0.0,
                    false => FAINTEST + (1.0 - FAINTEST) * share.abs(),
                };
                // ColorBrewer's RdBu: told apart with the common colour blindnesses.
                let end = match share > 0.0 {
                    true => (178.0, 24.0, 43.0),
                    false => (33.0, 102.0, 172.0),
                };
                let ink = match share.abs() > 0.55 {
                    true => "#fff",
                    false => "#1d2129",
                };
                (mixed((247.0, 247.0, 247.0), end, tint), ink)
            }
            Self::Between(low, high) => {
                let share = match high > low {
                    true => ((value - low) / (high - low)).clamp(0.0, 1.0),
                    false => 0.5,
                };
                let ink = match share > 0.55 {
                    true => "#1d2129",
                    false => "#fff",
                };
                (viridis(share), ink)
            }
        }
    }
}

/// Five stops of matplotlib's viridis, whose lightness rises evenly.
fn viridis(share: f64) -> String {
    const STOPS: [(f64, f64, f64); 5] = [
        (68.0, 1.0, 84.0),
        (59.0, 82.0, 139.0),
        (33.0, 145.0, 140.0),
        (94.0, 201.0, 98.0),
        (253.0, 231.0, 37.0),
    ];
    let at = share * (STOPS.len() - 1) as f64;
    let below = (at as usize).min(STOPS.len() - 2);
    mixed(STOPS[below], STOPS[below + 1], at - below as f64)
}

fn mixed(from: (f64, f64, f64), to: (f64, f64, f64), share: f64) -> String {
    let mix = |a: f64, b: f64| (a + (b - a) * share).round() as u8;
    format!(
        "#{:02x}{:02x}{:02x}",
        mix(from.0, to.0),
        mix(from.1, to.1),
        mix(from.2, to.2)
    )
}

fn end_of(name: &str) -> String {
    let letters = name.chars().count();
    match letters > LETTERS {
        true => ['…']
            .into_iter()
            .chain(name.chars().skip(letters + 1 - LETTERS))
            .collect(),
        false => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(value: f64, unsure: bool) -> HeatCell {
        HeatCell {
            value,
            title: "a<b".to_owned(),
            unsure,
        }
    }

    #[test]
    fn colours_follow_the_sign_and_what_is_not_measured_is_grey() {
        let of = |value, most| Scale::Signed(most).colours(value).0;
        assert_eq!(of(0.0, 0.1), "#f7f7f7");
        assert_eq!(of(0.5, 0.1), "#b2182b");
        assert_eq!(of(-0.5, 0.1), "#2166ac");
        assert_eq!(of(f64::NAN, 0.1), "var(--rule)");
        assert_eq!(of(0.0, 0.0), "#f7f7f7");
        let of = |value| Scale::Between(0.0, 1.0).colours(value).0;
        assert_eq!(
            [of(0.0), of(0.5), of(1.0), of(2.0)],
            ["#440154", "#21918c", "#fde725", "#fde725"]
        );
    }

    #[test]
    fn what_may_be_chance_is_drawn_and_told_as_such() {
        let columns = ["10 %".to_owned(), "30 %".to_owned()];
        let html = |cells: Vec<HeatCell>| {
            HeatMap {
                title: "t",
                columns: &columns,
                rows: &[("s".to_owned(), cells)],
                scale: Scale::Signed(0.02),
            }
            .html()
        };
        let mixed = html(vec![cell(0.01, false), cell(f64::NAN, false)]);
        assert!(mixed.contains("+0.010") && mixed.contains('–'), "{mixed}");
        assert!(mixed.contains("not measured") && !mixed.contains("told apart"));
        assert!(!mixed.contains("a<b") && !mixed.contains("NaN"), "{mixed}");
        let unsure = html(vec![cell(0.01, true), cell(-0.02, false)]);
        assert_eq!(unsure.matches("class=unsure").count(), 2, "{unsure}");
        assert!(unsure.contains("not told apart from 0") && !unsure.contains("not measured"));
        assert!(unsure.contains("layer,10%20%25,30%20%25%0As,0.01,-0.02%0A"));
    }
}
