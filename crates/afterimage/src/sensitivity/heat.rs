//! Heat maps of sites and fractions.

use afterimage_track::html::{escape, short};

const LEFT: f64 = 190.0;
const CELL: (f64, f64) = (86.0, 24.0);
const TOP: f64 = 22.0;

/// A cell: its value, which colours it, and what hovering tells.
pub(super) struct Cell {
    pub(super) value: f64,
    pub(super) title: String,
}

/// A map with a row a site and a column a fraction. Colours run from blue (below 0) over white to red
/// (above 0), as far as `most` on both sides; grey is not measured.
pub(super) fn map(
    title: &str,
    columns: &[String],
    rows: &[(String, Vec<Cell>)],
    most: f64,
) -> String {
    let right = LEFT + CELL.0 * columns.len() as f64;
    let bottom = TOP + CELL.1 * rows.len() as f64;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {right:.0} {bottom:.0}\" style=\"max-width:{right:.0}px\" role=img \
         aria-label=\"{}\">",
        escape(title)
    );
    for (at, name) in columns.iter().enumerate() {
        svg += &format!(
            "<text x={:.1} y={:.1} class=x>{}</text>",
            LEFT + CELL.0 * (at as f64 + 0.5),
            TOP - 7.0,
            escape(name)
        );
    }
    for (at, (name, cells)) in rows.iter().enumerate() {
        let y = TOP + CELL.1 * at as f64;
        svg += &format!(
            "<text x={:.1} y={:.1} class=y>{}</text>",
            LEFT - 8.0,
            y + 16.0,
            escape(name)
        );
        for (place, Cell { value, title }) in cells.iter().enumerate() {
            let x = LEFT + CELL.0 * place as f64;
            let (fill, ink) = colours(*value, most);
            let text = if value.is_nan() {
                "–".to_owned()
            } else {
                format!("{value:+.3}")
            };
            svg += &format!(
                "<g><title>{}</title><rect x={x:.1} y={y:.1} width={:.1} height={:.1} fill=\"{fill}\"/>\
                 <text x={:.1} y={:.1} class=x style=\"fill:{ink}\">{text}</text></g>",
                escape(title),
                CELL.0 - 1.0,
                CELL.1 - 1.0,
                x + CELL.0 / 2.0,
                y + 16.0
            );
        }
    }
    format!(
        "<figure><figcaption>{}</figcaption><div class=scroll>{svg}</svg></div><p class=note>Blue to \
         red: −{most} to {most}. Hover over a cell for its numbers.</p></figure>",
        escape(title),
        most = short(most)
    )
}

/// Of a cell and of the text in it.
fn colours(value: f64, most: f64) -> (String, &'static str) {
    if value.is_nan() {
        return ("var(--rule)".to_owned(), "var(--soft)");
    }
    let share = if most > 0.0 {
        (value / most).clamp(-1.0, 1.0)
    } else {
        0.0
    };
    // ColorBrewer's RdBu: told apart with the common colour blindnesses.
    let end = if share > 0.0 {
        (178.0, 24.0, 43.0)
    } else {
        (33.0, 102.0, 172.0)
    };
    let middle = (247.0, 247.0, 247.0);
    let mix = |a: f64, b: f64| (a + (b - a) * share.abs()).round() as u8;
    let fill = format!(
        "#{:02x}{:02x}{:02x}",
        mix(middle.0, end.0),
        mix(middle.1, end.1),
        mix(middle.2, end.2)
    );
    let ink = if share.abs() > 0.55 {
        "#fff"
    } else {
        "#1d2129"
    };
    (fill, ink)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_sign_and_what_is_not_measured_is_grey() {
        assert_eq!(colours(0.0, 0.1).0, "#f7f7f7");
        assert_eq!(colours(0.5, 0.1).0, "#b2182b");
        assert_eq!(colours(-0.5, 0.1).0, "#2166ac");
        assert_eq!(colours(f64::NAN, 0.1).0, "var(--rule)");
        assert_eq!(colours(0.0, 0.0).0, "#f7f7f7");
        let cell = |value| Cell {
            value,
            title: "a<b".to_owned(),
        };
        let rows = [("s".to_owned(), vec![cell(0.01), cell(f64::NAN)])];
        let columns = ["10 %".to_owned(), "30 %".to_owned()];
        let html = map("t", &columns, &rows, 0.02);
        assert!(html.contains("+0.010") && html.contains('–'), "{html}");
        assert!(!html.contains("a<b") && !html.contains("NaN"), "{html}");
    }
}
