//! The numbers of a figure as a CSV file that the page holds.

use maud::{Markup, html};

use crate::section::anchor;

/// A word as a cell of a CSV file: quoted where it holds a comma, a quote or a line break.
pub fn csv_cell(word: &str) -> String {
    match word.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", word.replace('"', "\"\"")),
        false => word.to_owned(),
    }
}

/// A link that saves `csv` as a file named by `title`; the page's script reads it, too.
pub(crate) fn csv_link(title: &str, csv: &str) -> Markup {
    let mut data = String::with_capacity(csv.len() + csv.len() / 8);
    for byte in csv.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b',' | b'.' | b'-' | b'_' | b'/' => {
                data.push(char::from(byte));
            }
            other => data.push_str(&format!("%{other:02X}")),
        }
    }
    html! {
        a.csv download={ (anchor(title)) ".csv" } aria-label={ "Numbers of " (title) " as CSV" }
            href={ "data:text/csv;charset=utf-8," (data) } { "CSV" }
    }
}

/// A line of cells that are CSV already.
pub(crate) fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    cells.join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_its_file_and_nothing_else() {
        let link = csv_link("a<b", "x,\"é\n\"#%&\n").into_string();
        assert!(
            link.contains("utf-8,x,%22%C3%A9%0A%22%23%25%26%0A\""),
            "{link}"
        );
        assert!(link.contains("Numbers of a&lt;b as CSV"), "{link}");
        assert!(link.contains("download=\"ab.csv\""), "{link}");
    }

    #[test]
    fn a_cell_is_quoted_where_it_must_be() {
        let cells = ["a", "b, \"c\"", "d\ne"].map(csv_cell);
        assert_eq!(cells, ["a", "\"b, \"\"c\"\"\"", "\"d\ne\""]);
    }
}
