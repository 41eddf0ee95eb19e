//! Columns of a table about samples as cells of the heads.

use crate::design::Scale;
use crate::error::ValueError;
use crate::problem::{Cells, Column, NO_LEVEL};

/// Columns of a table with a row for each sample, as what heads take in: a number is one input, divided by the
/// deviation of its column around its mean; a category one for each kind that there is. What is missing is 0,
/// the mean of numbers and none of the kinds. Cells are the columns that are not constant, in order, as for
/// [`value_online`](crate::value_online).
///
/// # Examples
/// ```
/// use afterimage_value::{Cells, Column, SampleColumns};
///
/// let column = |name: &str, cells| Column { name: name.to_owned(), cells };
/// let columns = [
///     column("weight", Cells::Numbers(vec![1.0, 3.0, f32::NAN])),
///     column("site", Cells::Levels { codes: vec![0, 1, 1], names: vec!["a".into(), "b".into()] }),
/// ];
/// // Sample 0 is told of in the second row.
/// let cells = SampleColumns::new(&columns, &[1, 0, 2]);
/// assert_eq!(cells.widths(), [1, 2]);
/// assert_eq!(cells.of(&[0, 2]).unwrap(), [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SampleColumns {
    samples: usize,
    columns: Vec<SampleColumn>,
    constant: Vec<String>,
    empty: Vec<String>,
}

/// One column by sample.
#[derive(Debug, Clone, PartialEq)]
struct SampleColumn {
    name: String,
    inputs: Inputs,
}

#[derive(Debug, Clone, PartialEq)]
enum Inputs {
    /// In deviations from the mean.
    Numbers(Vec<f32>),
    /// The kind of each sample, and the number of kinds.
    Kinds(Vec<u32>, usize),
}

impl Inputs {
    fn width(&self) -> usize {
        match self {
            Inputs::Numbers(_) => 1,
            Inputs::Kinds(_, kinds) => *kinds,
        }
    }
}

impl SampleColumns {
    /// The cells of as many samples as `row` is long; `row[s]` is the row of sample `s`. Rows of no sample count
    /// for nothing.
    ///
    /// # Panics
    /// A row beyond the columns.
    pub fn new(columns: &[Column], row: &[u32]) -> Self {
        let mut cells = Self {
            samples: row.len(),
            columns: Vec::new(),
            constant: Vec::new(),
            empty: Vec::new(),
        };
        for Column { name, cells: all } in columns {
            let inputs = match all {
                Cells::Numbers(values) => numbers(values, row),
                Cells::Levels { codes, .. } => kinds(codes, row),
            };
            match inputs {
                Found::Cells(inputs) => cells.columns.push(SampleColumn {
                    name: name.clone(),
                    inputs,
                }),
                Found::Constant => cells.constant.push(name.clone()),
                Found::Nothing => cells.empty.push(name.clone()),
            }
        }
        cells
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Inputs of each cell.
    pub fn widths(&self) -> Vec<usize> {
        let columns = self.columns.iter();
        columns.map(|column| column.inputs.width()).collect()
    }

    /// Name of the column of each cell.
    pub fn names(&self) -> Vec<&str> {
        let columns = self.columns.iter();
        columns.map(|column| column.name.as_str()).collect()
    }

    /// Names of columns that say the same of all samples, and are no cells.
    pub fn constant(&self) -> &[String] {
        &self.constant
    }

    /// Names of columns that say nothing of any sample, and are no cells.
    pub fn empty(&self) -> &[String] {
        &self.empty
    }

    /// Inputs of the samples `ids`, `[ids, inputs]`.
    ///
    /// # Errors
    /// A sample without a row.
    pub fn of(&self, ids: &[u32]) -> Result<Vec<f32>, ValueError> {
        let width: usize = self.widths().iter().sum();
        let mut inputs = vec![0.0; ids.len() * width];
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.samples) {
            return Err(ValueError::Setting(format!(
                "sample {id} has no row in the table, which has one for each of {} samples",
                self.samples
            )));
        }
        for (row, &id) in inputs.chunks_exact_mut(width.max(1)).zip(ids) {
            let mut from = 0;
            for SampleColumn { inputs, .. } in &self.columns {
                match inputs {
                    Inputs::Numbers(values) => row[from] = values[id as usize],
                    Inputs::Kinds(codes, _) => {
                        let code = codes[id as usize];
                        if code != NO_LEVEL {
                            row[from + code as usize] = 1.0;
                        }
                    }
                }
                from += inputs.width();
            }
        }
        Ok(inputs)
    }
}

/// What a column says of the samples.
enum Found {
    Cells(Inputs),
    /// The same of all.
    Constant,
    /// Nothing of any.
    Nothing,
}

fn numbers(values: &[f32], row: &[u32]) -> Found {
    let of_samples = || row.iter().map(|&r| values[r as usize]);
    if !of_samples().any(f32::is_finite) {
        return Found::Nothing;
    }
    let first = of_samples().next();
    if of_samples().all(|value| Some(value) == first) {
        return Found::Constant;
    }
    let scale = Scale::of(values, row);
    Found::Cells(Inputs::Numbers(
        of_samples().map(|value| scale.apply(value)).collect(),
    ))
}

/// Kinds that no sample has are left out, so that they cost the heads nothing.
fn kinds(codes: &[u32], row: &[u32]) -> Found {
    let of_samples = || row.iter().map(|&r| codes[r as usize]);
    let mut present: Vec<u32> = of_samples().filter(|&code| code != NO_LEVEL).collect();
    present.sort_unstable();
    present.dedup();
    if present.is_empty() {
        return Found::Nothing;
    }
    if present.len() == 1 && of_samples().all(|code| code != NO_LEVEL) {
        return Found::Constant;
    }
    let kind = |code: u32| {
        present
            .binary_search(&code)
            .map_or(NO_LEVEL, |at| at as u32)
    };
    Found::Cells(Inputs::Kinds(
        of_samples().map(kind).collect(),
        present.len(),
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::online::{Batch, OnlineSettings, OnlineValuer};
    use crate::problem::{Problem, Target};

    fn column(name: &str, cells: Cells) -> Column {
        Column {
            name: name.to_owned(),
            cells,
        }
    }

    fn levels(codes: &[u32], names: &[&str]) -> Cells {
        Cells::Levels {
            codes: codes.to_vec(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn inputs_are_those_of_a_table_that_is_valued_by_itself() {
        let columns = vec![
            column("a", Cells::Numbers(vec![1.0, f32::NAN, -2.5, 7.0])),
            column("same", Cells::Numbers(vec![3.0; 4])),
            column("b", levels(&[1, NO_LEVEL, 0, 2], &["x", "y", "z"])),
            column("c", Cells::Numbers(vec![0.1, f32::INFINITY, 0.3, 0.2])),
        ];
        let target = Target::Classes {
            codes: vec![0, 1, 0, 1],
            names: vec!["no".to_owned(), "yes".to_owned()],
        };
        let row = [0, 1, 2, 3];
        let cells = SampleColumns::new(&columns, &row);
        let problem = Problem::new(columns, target, None).unwrap();
        let design = Design::new(&problem, &problem.usable(), &row);
        assert_eq!(cells.widths(), design.widths());
        assert_eq!(cells.names(), ["a", "b", "c"]);
        assert_eq!(cells.constant(), ["same"]);
        for id in row {
            assert_eq!(cells.of(&[id]).unwrap(), design.place(id as usize), "{id}");
        }
    }

    #[test]
    fn rows_of_no_sample_count_for_nothing() {
        let columns = [
            column("a", Cells::Numbers(vec![900.0, 1.0, 3.0, f32::NAN])),
            column("b", levels(&[2, 0, 1, 0], &["x", "y", "z"])),
            column("one", levels(&[1, 0, 0, 0], &["x", "y"])),
            column(
                "none",
                Cells::Numbers(vec![4.0, f32::NAN, f32::NAN, f32::NAN]),
            ),
            column("gaps", levels(&[1, 0, 0, NO_LEVEL], &["x", "y"])),
        ];
        let cells = SampleColumns::new(&columns, &[3, 2, 1]);
        assert_eq!(
            (cells.names(), cells.widths()),
            (vec!["a", "b", "gaps"], vec![1, 2, 1])
        );
        assert_eq!(
            (cells.constant(), cells.empty()),
            (&["one".to_owned()][..], &["none".to_owned()][..])
        );
        assert_eq!(
            cells.of(&[0, 1, 2]).unwrap(),
            [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, -1.0, 1.0, 0.0, 1.0]
        );
        assert!(
            cells
                .of(&[3])
                .unwrap_err()
                .to_string()
                .contains("3 samples")
        );
    }

    /// Three columns tell the class and one does not; in every tenth row the second one tells the other class.
    #[test]
    fn a_damaged_column_has_the_lowest_cells_of_its_rows() {
        let (rows, damaged) = (200usize, |row: usize| row % 10 == 7);
        let class = |row: usize| (row / 10 + row) % 2;
        let noise =
            |row: usize, column: usize| ((row * 37 + column * 101) % 97) as f32 / 97.0 - 0.5;
        let tells = |of: &dyn Fn(usize) -> usize, column: usize| {
            let number = |row| of(row) as f32 * 2.0 - 1.0 + 0.5 * noise(row, column);
            Cells::Numbers((0..rows).map(number).collect())
        };
        let site = (0..rows).map(|row| class(row) as u32).collect::<Vec<_>>();
        let columns = [
            column("height", tells(&class, 0)),
            column(
                "width",
                tells(&|row| class(row) ^ usize::from(damaged(row)), 1),
            ),
            column("site", levels(&site, &["north", "south"])),
            column(
                "junk",
                Cells::Numbers((0..rows).map(|row| noise(row, 3)).collect()),
            ),
        ];
        let order: Vec<u32> = (0..rows as u32).collect();
        let cells = SampleColumns::new(&columns, &order);
        let settings = OnlineSettings {
            rate: 0.02,
            ..OnlineSettings::default()
        };
        let mut valuer = OnlineValuer::new(settings, rows, &cells.widths(), 2, true).unwrap();
        for pass in 0..20 {
            for ids in order.chunks(50) {
                let inputs = cells.of(ids).unwrap();
                let labels: Vec<u32> = ids.iter().map(|&id| class(id as usize) as u32).collect();
                let batch = Batch {
                    ids,
                    inputs: &inputs,
                    labels: &labels,
                };
                valuer.step(batch, pass > 2).unwrap();
            }
        }
        let mean = |cell: usize| {
            let of = (0..rows).filter(|&row| damaged(row));
            let values: Vec<f64> = of.map(|row| valuer.tally().cell(row, cell).value).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        let means: Vec<f64> = (0..4).map(mean).collect();
        assert!(
            [0, 2, 3]
                .iter()
                .all(|&other| means[1] < means[other] - 0.02),
            "{means:?}"
        );
    }
}
