//! What the plugin `oob-value` puts on record.

use afterimage_hooks::{
    Column, Fault, Labels, SampleId, SampleValues, Samples, Scope, Split, Table,
};

use crate::online::{CellTally, SampleColumns};
use crate::plugin::cell_map::strip;
use crate::plugin::column_report::{by_column, lowest_cells};
use crate::plugin::oob_config::OobValueConfig;

/// Below this probability of being right a label is called doubtful.
const DOUBTFUL: f32 = 0.5;

/// Values with everything that is told about them.
pub(crate) struct Report<'a> {
    pub config: &'a OobValueConfig,
    pub tally: &'a CellTally,
    pub values: SampleValues,
    pub labels: Labels<'a>,
    /// Rows and columns of patches, where cells are patches.
    pub grid: Option<[usize; 2]>,
    /// The columns, where cells are those of a table.
    pub columns: Option<&'a SampleColumns>,
}

impl Report<'_> {
    /// Figures, histograms, pictures and the table of samples.
    pub fn publish(&self, scope: &mut Scope<'_>, samples: &dyn Samples) -> Result<(), Fault> {
        let tag = |what: &str| format!("value/{}/{what}", self.config.cells.name());
        let scored = self.lowest(usize::MAX);
        let all = self.values.values.len() as f64;
        scope.scalar(tag("scored"), scored.len() as f64 / all);
        if scored.is_empty() {
            return Ok(());
        }
        let count = scored.len() as f64;
        let values = |of: &[f32]| scored.iter().map(|&s| f64::from(of[s])).collect::<Vec<_>>();
        let sum: f64 = values(&self.values.values).iter().sum();
        scope.scalar(tag("mean"), sum / count);
        let doubtful = scored.iter().filter(|&&s| self.values.clean[s] < DOUBTFUL);
        scope.scalar(tag("doubtful"), doubtful.count() as f64 / count);
        if let Some(reliability) = self.tally.reliability() {
            scope.scalar(tag("reliability/halves"), reliability.halves);
            scope.scalar(tag("reliability/full"), reliability.full);
        }
        scope.histogram(tag("samples"), values(&self.values.values));
        let lowest = self.lowest(self.config.cell_rows);
        let contrasts: Vec<f64> = lowest
            .iter()
            .flat_map(|&s| (0..self.tally.cells()).map(move |cell| (s, cell)))
            .map(|(s, cell)| self.tally.contrast(s, cell))
            .filter(|contrast| contrast.is_finite())
            .collect();
        if !contrasts.is_empty() {
            scope.histogram(tag("contrast"), contrasts);
        }
        let pictures = self
            .lowest(self.config.pictures)
            .into_iter()
            .map(|s| {
                let cells = (0..self.tally.cells()).map(|cell| self.tally.cell(s, cell).value);
                let picture = samples.picture(Split::Train, SampleId(s as u32))?;
                Ok((picture, cells.collect()))
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        if let Some(image) = strip(&pictures, self.config.patch, self.grid) {
            scope.record(tag("lowest"), image);
            if let Some(names) = self.names(samples) {
                scope.text(tag("lowest_names"), names);
            }
        }
        if let Some(columns) = self.columns {
            let shown = self.lowest(self.config.pictures);
            let who = |s: usize| self.who(samples, s);
            let text = lowest_cells(self.tally, &columns.names(), &shown, &who);
            if !text.is_empty() {
                scope.text(tag("lowest_cells"), text);
            }
        }
        scope.table(tag("samples"), self.samples());
        Ok(())
    }

    /// The tables of cells and probabilities.
    pub fn finish(&self, scope: &mut Scope<'_>) {
        let tag = |what: &str| format!("value/{}/{what}", self.config.cells.name());
        let lowest = self.lowest(self.config.cell_rows);
        if !lowest.is_empty() && self.tally.cells() > 0 {
            scope.table(tag("cells"), self.cells(&lowest));
            if let Some(columns) = self.columns {
                let scored = self.lowest(usize::MAX);
                scope.table(tag("by_column"), by_column(self.tally, columns, &scored));
            }
        }
        let rows: Vec<Option<Vec<f64>>> = (0..self.tally.len())
            .map(|s| self.tally.probabilities(s))
            .collect();
        let labels = self.labels_of(0..rows.len());
        if let Some(table) = probability_table(labels, &rows) {
            scope.table(tag("probabilities"), table);
        }
    }

    /// The `most` scored samples with the lowest values, ascending; of equal ones the smaller id.
    fn lowest(&self, most: usize) -> Vec<usize> {
        let values = &self.values.values;
        let mut order: Vec<usize> = (0..values.len())
            .filter(|&s| values[s].is_finite())
            .collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
        order.truncate(most);
        order
    }

    /// The pictures of the lowest samples by name, in their order, as Markdown, one that shows no file by
    /// its id alone; nothing where none has a name.
    fn names(&self, samples: &dyn Samples) -> Option<String> {
        let lowest = self.lowest(self.config.pictures);
        let name = |s: &usize| samples.name(Split::Train, SampleId(*s as u32));
        lowest.iter().find_map(name)?;
        let line = |s: &usize| {
            let who = self.who(samples, *s);
            let label = self.labels.of_samples[*s] as usize;
            let label = self.labels.classes.get(label)?;
            let value = self.values.values[*s];
            Some(format!("- {who}, label {label}: {value:.3}\n"))
        };
        lowest.iter().map(line).collect()
    }

    /// A sample by its name, where it has one, and its id.
    fn who(&self, samples: &dyn Samples, s: usize) -> String {
        match samples.name(Split::Train, SampleId(s as u32)) {
            Some(name) => format!("`{name}` (#{s})"),
            None => format!("#{s}"),
        }
    }

    /// A row a sample; what was never scored is NaN.
    fn samples(&self) -> Table {
        let all = 0..self.values.values.len();
        let numbers = |of: &[f32]| Column::F64(of.iter().map(|&v| f64::from(v)).collect());
        table(vec![
            ("sample_id", Column::I64(all.map(|s| s as i64).collect())),
            ("label", self.labels_of(0..self.values.values.len())),
            ("value", numbers(&self.values.values)),
            ("standard_error", numbers(&self.values.standard_errors)),
            (
                "count",
                Column::I64(self.values.counts.iter().map(|&c| i64::from(c)).collect()),
            ),
            ("clean", numbers(&self.values.clean)),
        ])
    }

    /// A row a cell of the samples `lowest`; with the names of columns.
    fn cells(&self, lowest: &[usize]) -> Table {
        let places: Vec<(usize, usize)> = lowest
            .iter()
            .flat_map(|&s| (0..self.tally.cells()).map(move |cell| (s, cell)))
            .collect();
        let cells: Vec<_> = places
            .iter()
            .map(|&(s, cell)| self.tally.cell(s, cell))
            .collect();
        let whole = |of: &dyn Fn(usize) -> usize| {
            Column::I64((0..places.len()).map(|at| of(at) as i64).collect())
        };
        let columns = self.grid.map_or(self.tally.cells(), |[_, columns]| columns);
        let contrasts = places.iter().map(|&(s, cell)| self.tally.contrast(s, cell));
        let mut all = vec![
            ("sample_id", whole(&|at| places[at].0)),
            ("cell", whole(&|at| places[at].1)),
            ("row", whole(&|at| places[at].1 / columns)),
            ("column", whole(&|at| places[at].1 % columns)),
            (
                "value",
                Column::F64(cells.iter().map(|c| c.value).collect()),
            ),
            (
                "standard_error",
                Column::F64(cells.iter().map(|c| c.error).collect()),
            ),
            ("count", whole(&|at| cells[at].count as usize)),
            ("contrast", Column::F64(contrasts.collect())),
        ];
        if let Some(columns) = self.columns {
            let names = columns.names();
            let name = |&(_, cell): &(usize, usize)| names.get(cell).copied().unwrap_or_default();
            let names = places.iter().map(|place| name(place).to_owned());
            all.push(("name", Column::Text(names.collect())));
        }
        table(all)
    }

    fn labels_of(&self, samples: impl Iterator<Item = usize>) -> Column {
        Column::I64(
            samples
                .map(|s| i64::from(self.labels.of_samples[s]))
                .collect(),
        )
    }
}

/// A row for each sample in the order of ids, so that its place is its id: id, label, and
/// `pred_prob_<class>` for each class; NaN where nothing is known. `None` if nothing is known of any.
pub(crate) fn probability_table(labels: Column, rows: &[Option<Vec<f64>>]) -> Option<Table> {
    let classes = rows.iter().flatten().next()?.len();
    let ids = Column::I64((0..rows.len() as i64).collect());
    let mut columns = vec![("sample_id".to_owned(), ids), ("label".to_owned(), labels)];
    for class in 0..classes {
        let of = |row: &Option<Vec<f64>>| row.as_ref().map_or(f64::NAN, |row| row[class]);
        let column = Column::F64(rows.iter().map(of).collect());
        columns.push((format!("pred_prob_{class}"), column));
    }
    Some(Table { columns })
}

pub(crate) fn table(columns: Vec<(&str, Column)>) -> Table {
    let columns = columns.into_iter();
    Table {
        columns: columns
            .map(|(name, column)| (name.to_owned(), column))
            .collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_row_is_the_id_of_its_sample() {
        let rows = [None, Some(vec![0.25, 0.75]), None];
        let table = probability_table(Column::I64(vec![7, 8, 9]), &rows).unwrap();
        let names: Vec<&str> = table
            .columns
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["sample_id", "label", "pred_prob_0", "pred_prob_1"]);
        assert_eq!(table.columns[0].1, Column::I64(vec![0, 1, 2]));
        let Column::F64(second) = &table.columns[3].1 else {
            panic!("no numbers");
        };
        assert!(second[0].is_nan() && second[1] == 0.75 && second[2].is_nan());
        assert!(probability_table(Column::I64(vec![7]), &[None]).is_none());
    }
}
