//! Columns as numbers for models that add them up: standardised, categories one-hot.

use afterimage_numeric::moments;

use crate::problem::{Cells, NO_LEVEL, Problem};

/// Numbers that stand for one row: one for each numeric column, one for each category.
pub(crate) fn width(problem: &Problem) -> usize {
    let columns = problem.columns().iter();
    columns.map(|column| block(&column.cells)).sum()
}

/// Most numbers that `count` columns take of one row.
pub(crate) fn widest(problem: &Problem, count: usize) -> usize {
    let mut blocks: Vec<usize> = problem.columns().iter().map(|c| block(&c.cells)).collect();
    blocks.sort_unstable_by(|a, b| b.cmp(a));
    blocks.iter().take(count).sum()
}

fn block(cells: &Cells) -> usize {
    match cells {
        Cells::Numbers(_) => 1,
        Cells::Levels { names, .. } => names.len(),
    }
}

/// The cells of the usable columns, by place.
#[derive(Debug)]
pub(crate) struct Design {
    /// `[rows, width]`.
    values: Vec<f32>,
    width: usize,
    /// Where the numbers of each usable column begin and end.
    spans: Vec<(usize, usize)>,
}

impl Design {
    /// The columns `usable` in the order `row`. Numbers are centred and divided by their standard
    /// deviation over the table; what is missing or infinite becomes 0, the mean.
    pub fn new(problem: &Problem, usable: &[usize], row: &[u32]) -> Self {
        let mut spans = Vec::with_capacity(usable.len());
        let mut width = 0;
        for &at in usable {
            let end = width + block(&problem.columns()[at].cells);
            spans.push((width, end));
            width = end;
        }
        let mut values = vec![0.0; row.len() * width];
        for (&at, &(from, _)) in usable.iter().zip(&spans) {
            match &problem.columns()[at].cells {
                Cells::Numbers(cells) => standardise(cells, row, width, &mut values[from..]),
                Cells::Levels { codes, .. } => {
                    for (place, &r) in row.iter().enumerate() {
                        let code = codes[r as usize];
                        if code != NO_LEVEL {
                            values[place * width + from + code as usize] = 1.0;
                        }
                    }
                }
            }
        }
        Self {
            values,
            width,
            spans,
        }
    }

    /// Positions of the numbers of the columns in `subset`.
    pub fn numbers_of(&self, subset: &[usize]) -> Vec<usize> {
        let spans = subset.iter().map(|&at| self.spans[at]);
        spans.flat_map(|(from, to)| from..to).collect()
    }

    /// How many numbers each usable column takes.
    pub fn widths(&self) -> Vec<usize> {
        self.spans.iter().map(|(from, to)| to - from).collect()
    }

    /// The numbers of a place.
    pub fn place(&self, place: usize) -> &[f32] {
        &self.values[place * self.width..][..self.width]
    }
}

fn standardise(cells: &[f32], row: &[u32], width: usize, values: &mut [f32]) {
    let scale = Scale::of(cells, row);
    for (place, &r) in row.iter().enumerate() {
        values[place * width] = scale.apply(cells[r as usize]);
    }
}

/// Mean and standard deviation of the finite cells of some rows of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    mean: f64,
    deviation: f64,
}

impl Scale {
    /// Those of the rows `row` of `cells`.
    pub fn of(cells: &[f32], row: &[u32]) -> Self {
        let finite = row.iter().map(|&r| f64::from(cells[r as usize]));
        let (mean, variance) = moments(finite.filter(|v| v.is_finite()));
        let deviation = variance.sqrt();
        Self { mean, deviation }
    }

    /// The cell in deviations from the mean; 0, the mean, where it is missing or infinite, or all are alike.
    pub fn apply(self, cell: f32) -> f32 {
        let z = (f64::from(cell) - self.mean) / self.deviation;
        if z.is_finite() { z as f32 } else { 0.0 }
    }
}
