//! Tables with a row for each unit of several sites.

use afterimage_hooks::{Column, Table};

/// The columns of such a table, each filled by a function of a site's report and a unit.
pub(crate) struct UnitRows<'a, R> {
    rows: Vec<(&'a R, usize)>,
    table: Table,
}

impl<'a, R> UnitRows<'a, R> {
    /// Rows for the units of each of `reports`, without columns.
    pub(crate) fn new(reports: &'a [R], units: impl Fn(&R) -> usize) -> Self {
        let of = |report: &'a R| (0..units(report)).map(move |unit| (report, unit));
        Self {
            rows: reports.iter().flat_map(of).collect(),
            table: Table::default(),
        }
    }

    /// Adds a column of numbers; what is missing or not finite is not defined.
    pub(crate) fn number(&mut self, name: &str, of: impl Fn(&R, usize) -> Option<f64>) {
        let or_nan = |value: Option<f64>| value.filter(|v| v.is_finite()).unwrap_or(f64::NAN);
        let values = self.rows.iter().map(|(r, unit)| or_nan(of(r, *unit)));
        let column = Column::F64(values.collect());
        self.push(name, column);
    }

    /// Adds a column of whole numbers.
    pub(crate) fn whole(&mut self, name: &str, of: impl Fn(&R, usize) -> i64) {
        let values = self.rows.iter().map(|(r, unit)| of(r, *unit));
        let column = Column::I64(values.collect());
        self.push(name, column);
    }

    /// Adds a column of words.
    pub(crate) fn text(&mut self, name: &str, of: impl Fn(&R, usize) -> String) {
        let values = self.rows.iter().map(|(r, unit)| of(r, *unit));
        let column = Column::Text(values.collect());
        self.push(name, column);
    }

    fn push(&mut self, name: &str, column: Column) {
        self.table.columns.push((name.to_owned(), column));
    }

    /// The table.
    pub(crate) fn table(self) -> Table {
        self.table
    }
}
