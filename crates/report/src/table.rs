//! Tables of text and numbers.

use maud::{Markup, Render, html};

use crate::number::{digits, short};
use crate::section::anchor;

/// A cell of a [`Table`].
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    text: String,
    below: Option<String>,
    link: Option<String>,
    value: Option<String>,
    is_number: bool,
}

impl Cell {
    /// Text that stands on the left even if it is a number.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            below: None,
            link: None,
            value: None,
            is_number: false,
        }
    }

    /// A number in four digits, on the right; sorting and the CSV file have seven.
    pub fn number(value: f64) -> Self {
        Self {
            value: Some(digits(value)),
            is_number: true,
            ..Self::text(short(value))
        }
    }

    /// Sorts by `value`, which also stands in the CSV file, whatever the cell shows.
    #[must_use]
    pub fn worth(mut self, value: f64) -> Self {
        self.value = Some(digits(value));
        self
    }

    /// Says `text` below, smaller.
    #[must_use]
    pub fn below(mut self, text: impl Into<String>) -> Self {
        self.below = Some(text.into());
        self
    }

    /// Leads to `address`: a file beside the page.
    #[must_use]
    pub fn link(mut self, address: impl Into<String>) -> Self {
        self.link = Some(address.into());
        self
    }
}

impl From<String> for Cell {
    /// Text; a number or a dash is aligned on the right.
    fn from(text: String) -> Self {
        let is_number = text.parse::<f64>().is_ok() || text == "–";
        Self {
            is_number,
            ..Self::text(text)
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Render for Cell {
    fn render(&self) -> Markup {
        html! {
            td class=[self.is_number.then_some("number")] data-v=[self.value.as_deref()] {
                @match &self.link {
                    Some(address) => a href=(address) { (self.text) },
                    None => (self.text),
                }
                @if let Some(below) = &self.below { small { (below) } }
            }
        }
    }
}

/// Rows of cells below a header.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Cell>>,
    name: Option<String>,
}

impl Table {
    /// A table without rows; one without a header where there are no names.
    pub fn new(header: &[impl AsRef<str>]) -> Self {
        Self {
            header: header.iter().map(|name| name.as_ref().to_owned()).collect(),
            rows: Vec::new(),
            name: None,
        }
    }

    /// Lets columns sort and rows filter on a [live](crate::Page::live) page; `name` is that of its CSV file. The
    /// table must have a header.
    #[must_use]
    pub fn sorts(mut self, name: &str) -> Self {
        self.name = Some(anchor(name));
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<Cell>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// As [`row`](Self::row), with several.
    #[must_use]
    pub fn rows<C: Into<Cell>>(
        mut self,
        rows: impl IntoIterator<Item = impl IntoIterator<Item = C>>,
    ) -> Self {
        for row in rows {
            self.row(row);
        }
        self
    }
}

impl Render for Table {
    fn render(&self) -> Markup {
        let sorts = self.name.is_some().then_some("sorts");
        html! {
            div.scroll {
                table class=[sorts] data-name=[self.name.as_deref()] {
                    @if !self.header.is_empty() {
                        thead { tr { @for name in &self.header { th { (name) } } } }
                    }
                    tbody {
                        @for row in &self.rows { tr { @for cell in row { (cell) } } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_say_what_they_are_and_what_they_are_worth() {
        let shown = |cell: Cell| cell.render().into_string();
        assert_eq!(shown("0.5".into()), "<td class=\"number\">0.5</td>");
        assert_eq!(shown("–".into()), "<td class=\"number\">–</td>");
        assert_eq!(shown("<b>".into()), "<td>&lt;b&gt;</td>");
        assert_eq!(shown(Cell::text("7")), "<td>7</td>");
        assert_eq!(
            shown(Cell::number(1.0 / 3.0)),
            "<td class=\"number\" data-v=\"0.3333333\">0.3333</td>"
        );
        assert_eq!(
            shown(Cell::text("a").worth(2.0).below("\"b\"")),
            "<td data-v=\"2\">a<small>&quot;b&quot;</small></td>"
        );
        assert_eq!(
            shown(Cell::text("t").link("t/report.html")),
            "<td><a href=\"t/report.html\">t</a></td>"
        );
    }

    #[test]
    fn a_table_has_its_header_and_name_where_they_are_given() {
        let plain = Table::new(&[""; 0]).rows([["a", "1"]]).render();
        assert_eq!(
            plain.into_string(),
            "<div class=\"scroll\"><table><tbody><tr><td>a</td><td class=\"number\">1</td></tr></tbody></table></div>"
        );
        let sorts = Table::new(&["<h>"]).sorts("A b").rows([["x"]]).render();
        assert_eq!(
            sorts.into_string(),
            "<div class=\"scroll\"><table class=\"sorts\" data-name=\"a-b\"><thead><tr><th>&lt;h&gt;</th></tr></thead>\
             <tbody><tr><td>x</td></tr></tbody></table></div>"
        );
    }
}
