//! Heat maps as inline SVG: a row a layer, a column an epoch or a share of units.

use maud::{Markup, Render, html};

use crate::colour::{between, mixed};
use crate::csv::{csv_cell, csv_link, line};
use crate::name::ending;
use crate::number::{digits, short};

/// Units of a letter of a row's name, and a row's height.
const LETTER: f64 = 6.4;
const ROW: f64 = 22.0;
const TOP: f64 = 22.0;
/// The widest and narrowest column, and what all of them have together.
const COLUMN: (f64, f64) = (86.0, 14.0);
const WIDTH: f64 = 520.0;
/// A column that holds its number in figures.
const FIGURES: f64 = 48.0;
/// Letters of a row's name.
const LETTERS: usize = 28;
/// How much of its colour the smallest value has.
const FAINTEST: f64 = 0.12;
/// Swatches of a legend.
const SWATCHES: u32 = 9;
/// Five stops of matplotlib's viridis, whose lightness rises evenly.
const VIRIDIS: [(f64, f64, f64); 5] = [
    (68.0, 1.0, 84.0),
    (59.0, 82.0, 139.0),
    (33.0, 145.0, 140.0),
    (94.0, 201.0, 98.0),
    (253.0, 231.0, 37.0),
];

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

impl Render for HeatMap<'_> {
    /// The figure: title, numbers as CSV, map and legend.
    fn render(&self) -> Markup {
        html! {
            figure.wide {
                figcaption { (self.title) (csv_link(self.title, &self.csv())) }
                div.scroll { (self.map()) }
                (self.legend())
            }
        }
    }
}

impl HeatMap<'_> {
    fn map(&self) -> Markup {
        let left = self.left();
        let column = (WIDTH / self.columns.len().max(1) as f64).clamp(COLUMN.1, COLUMN.0);
        let right = left + column * self.columns.len() as f64;
        let bottom = TOP + ROW * self.rows.len() as f64;
        // A name needs about 40 units.
        let every = (40.0 / column).ceil().max(1.0) as usize;
        // The last one is always named.
        let is_named = |at: usize| (self.columns.len() - 1 - at).is_multiple_of(every);
        html! {
            svg viewBox=(format!("0 0 {right:.0} {bottom:.0}"))
                style=(format!("max-width:{right:.0}px;min-width:{:.0}px", right.min(460.0)))
                role="img" aria-label=(self.title) {
                @for (at, name) in self.columns.iter().enumerate().filter(|(at, _)| is_named(*at)) {
                    text.x x=(place(left + column * (at as f64 + 0.5))) y=(place(TOP - 7.0)) { (name) }
                }
                @for (at, (name, cells)) in self.rows.iter().enumerate() {
                    @let y = TOP + ROW * at as f64;
                    text.y x=(place(left - 8.0)) y=(place(y + 15.0)) { (ending(name, LETTERS)) title { (name) } }
                    @for (at, cell) in cells.iter().enumerate() {
                        (self.drawn(cell, left + column * at as f64, y, column))
                    }
                }
            }
        }
    }

    /// Room for the names of rows.
    fn left(&self) -> f64 {
        let letters = self
            .rows
            .iter()
            .map(|(name, _)| name.chars().count().min(LETTERS));
        16.0 + LETTER * letters.max().unwrap_or(0) as f64
    }

    fn drawn(&self, cell: &HeatCell, x: f64, y: f64, column: f64) -> Markup {
        let (fill, ink) = self.scale.colours(cell.value);
        let is_unsure = cell.unsure && !cell.value.is_nan();
        let (class, fill, ink) = match is_unsure {
            true => (Some("unsure"), None, "var(--soft)"),
            false => (None, Some(fill), ink),
        };
        html! {
            g {
                title { (cell.title) }
                rect class=[class] x=(place(x + 0.5)) y=(place(y + 0.5)) width=(place(column - 1.0))
                    height=(place(ROW - 1.0)) fill=[fill] {}
                @if column >= FIGURES {
                    text.x x=(place(x + column / 2.0)) y=(place(y + 15.0)) style={ "fill:" (ink) } {
                        (self.scale.written(cell.value))
                    }
                }
            }
        }
    }

    fn csv(&self) -> String {
        let columns = self.columns.iter().map(String::as_str);
        let mut text = line(["layer"].into_iter().chain(columns).map(csv_cell));
        for (name, cells) in self.rows {
            let values = cells.iter().map(|cell| digits(cell.value));
            text += &line([csv_cell(name)].into_iter().chain(values));
        }
        text
    }

    fn legend(&self) -> Markup {
        let cells = || self.rows.iter().flat_map(|(_, cells)| cells);
        let (low, high) = self.scale.ends();
        let colour = |at: u32| {
            let value = low + (high - low) * f64::from(at) / f64::from(SWATCHES - 1);
            self.scale.colours(value).0
        };
        html! {
            p.scale {
                (short(low)) " "
                span { @for at in 0..SWATCHES { i style={ "background:" (colour(at)) } {} } }
                " " (short(high))
                @if cells().any(|cell| cell.unsure && !cell.value.is_nan()) {
                    " " span { i.unsure {} " not told apart from 0" }
                }
                @if cells().any(|cell| cell.value.is_nan()) {
                    " " span { i style="background:var(--rule)" {} " not measured" }
                }
            }
        }
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
            _ if value.is_nan() => "–".to_owned(),
            Self::Signed(_) => format!("{value:+.3}"),
            Self::Between(..) => format!("{value:.3}"),
        }
    }

    /// Of a cell and of the text in it.
    fn colours(self, value: f64) -> (String, &'static str) {
        const DARK: &str = "#1d2129";
        const LIGHT: &str = "#fff";
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
                let ink = if share.abs() > 0.55 { LIGHT } else { DARK };
                (mixed((247.0, 247.0, 247.0), end, tint), ink)
            }
            Self::Between(low, high) => {
                let share = match high > low {
                    true => ((value - low) / (high - low)).clamp(0.0, 1.0),
                    false => 0.5,
                };
                let ink = if share > 0.55 { DARK } else { LIGHT };
                (between(&VIRIDIS, share), ink)
            }
        }
    }
}

/// A coordinate.
fn place(at: f64) -> String {
    format!("{at:.1}")
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
            let map = HeatMap {
                title: "t",
                columns: &columns,
                rows: &[("s".to_owned(), cells)],
                scale: Scale::Signed(0.02),
            };
            map.render().into_string()
        };
        let mixed = html(vec![cell(0.01, false), cell(f64::NAN, false)]);
        assert!(mixed.contains("+0.010") && mixed.contains('–'), "{mixed}");
        assert!(mixed.contains("not measured") && !mixed.contains("told apart"));
        assert!(!mixed.contains("a<b") && !mixed.contains("NaN"), "{mixed}");
        let unsure = html(vec![cell(0.01, true), cell(-0.02, false)]);
        assert_eq!(unsure.matches("class=\"unsure\"").count(), 2, "{unsure}");
        assert!(unsure.contains("not told apart from 0") && !unsure.contains("not measured"));
        assert!(unsure.contains("layer,10%20%25,30%20%25%0As,0.01,-0.02%0A"));
    }
}
