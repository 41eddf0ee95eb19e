//! The values of a table.

use std::ops::Range;

use afterimage_numeric::moments;
use rayon::prelude::*;

use crate::canonical::Canonical;
use crate::problem::{Problem, Target};
use crate::tally::{Moments, Tally};
use crate::votes::{Prediction, Votes};
use crate::zscore::ZScores;

/// Rows that a thread takes at a time.
const PART: usize = 64;

/// A mean over learners, with what is known of its precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean; NaN where no learner could tell.
    pub value: f64,
    /// Number of learners. Rows with equal cells and labels share one mean over all of them; the
    /// count is then the mean of their counts, rounded.
    pub count: u32,
    /// Standard error of the mean over learners; NaN with fewer than two.
    pub error: f64,
}

impl Estimate {
    fn new(moments: Moments, sharing: u32) -> Self {
        let all = f64::from(moments.count);
        let value = moments.sum / all;
        let count = (moments.count + sharing / 2) / sharing;
        let spread = (moments.squares - moments.sum * value).max(0.0) / (all - 1.0);
        Self {
            value: if moments.count == 0 { f64::NAN } else { value },
            count,
            error: if count < 2 {
                f64::NAN
            } else {
                (spread / f64::from(count)).sqrt()
            },
        }
    }
}

/// Values of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowValue {
    /// Data-OOB: the mean score over all learners that have not seen the row (arXiv 2304.07718,
    /// equation 2).
    pub data_oob: Estimate,
    /// The mean of the row's cell values, "2D-OOB-data" in the paper; NaN if no cell has one.
    pub marginal: f64,
}

/// Values of some rows' cells, row by row; missing values are NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CellBlock {
    /// Cells of each row: all columns of the problem.
    pub columns: usize,
    /// 2D-OOB: the mean score over the learners that saw the column and not the row.
    pub value: Vec<f64>,
    /// Number of these learners.
    pub count: Vec<u32>,
    /// Standard error of the value.
    pub error: Vec<f64>,
    /// The value minus the mean score over the learners that saw neither.
    pub contrast: Vec<f64>,
    /// Standard error of the contrast.
    pub contrast_error: Vec<f64>,
}

/// Values of all rows and cells. They are made from what was tallied when they are asked for, so
/// that a table of any length takes little memory.
pub struct Valuation {
    canonical: Canonical,
    /// Group of each row's place, by row.
    group: Vec<u32>,
    usable: Vec<usize>,
    columns: usize,
    tally: Tally,
    votes: Votes,
    pool: rayon::ThreadPool,
}

impl Valuation {
    pub(crate) fn new(
        problem: &Problem,
        canonical: Canonical,
        (tally, votes): (Tally, Votes),
        pool: rayon::ThreadPool,
    ) -> Self {
        let mut group = vec![0; canonical.row.len()];
        for (at, bounds) in canonical.groups.windows(2).enumerate() {
            for place in bounds[0]..bounds[1] {
                group[canonical.row[place as usize] as usize] = at as u32;
            }
        }
        Self {
            canonical,
            group,
            usable: problem.usable(),
            columns: problem.columns().len(),
            tally,
            votes,
            pool,
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.group.len()
    }

    /// False: a problem has rows.
    pub fn is_empty(&self) -> bool {
        self.group.is_empty()
    }

    /// Number of columns, constant ones included.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The threads that the values were made on.
    pub fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }

    /// Values of all rows.
    pub fn rows(&self) -> Vec<RowValue> {
        self.pool.install(|| {
            (0..self.len())
                .into_par_iter()
                .with_min_len(64)
                .map_init(
                    || vec![Moments::default(); self.tally.columns()],
                    |cells, row| self.row(row, cells),
                )
                .collect()
        })
    }

    /// What the learners that have not seen it say of each row of `problem`, the one that was valued.
    pub fn predictions(&self, problem: &Problem) -> Vec<Prediction> {
        let groups = self.canonical.groups.as_slice();
        let scale = match problem.target() {
            Target::Classes { .. } => (0.0, 1.0),
            Target::Numbers(values) => {
                // In the order of the places, as the learners have them.
                let in_order = self.canonical.row.iter().map(|&row| values[row as usize]);
                let (mean, variance) = moments(in_order);
                (mean, variance.sqrt())
            }
        };
        let of_groups = self.votes.of_groups(groups, scale);
        let of_row = |group: &u32| of_groups[*group as usize];
        self.group.iter().map(of_row).collect()
    }

    fn row(&self, row: usize, cells: &mut [Moments]) -> RowValue {
        let (all, sharing) = self.moments(row, cells);
        let present = || cells.iter().filter(|cell| cell.count > 0);
        let sum: f64 = present().map(|cell| cell.sum / f64::from(cell.count)).sum();
        RowValue {
            data_oob: Estimate::new(all, sharing),
            marginal: sum / present().count() as f64,
        }
    }

    /// Values of the cells of `rows`.
    pub fn cells(&self, rows: Range<usize>) -> CellBlock {
        let (width, size) = (self.columns, rows.len() * self.columns);
        let mut block = CellBlock {
            columns: width,
            value: vec![f64::NAN; size],
            count: vec![0; size],
            error: vec![f64::NAN; size],
            contrast: vec![f64::NAN; size],
            contrast_error: vec![f64::NAN; size],
        };
        let part = PART * width;
        self.pool.install(|| {
            block
                .value
                .par_chunks_mut(part)
                .zip(block.count.par_chunks_mut(part))
                .zip(block.error.par_chunks_mut(part))
                .zip(block.contrast.par_chunks_mut(part))
                .zip(block.contrast_error.par_chunks_mut(part))
                .enumerate()
                .for_each(
                    |(at, ((((value, count), error), contrast), contrast_error))| {
                        let mut cells = vec![Moments::default(); self.tally.columns()];
                        for row in 0..value.len() / width {
                            let given = rows.start + at * PART + row;
                            let (all, sharing) = self.moments(given, &mut cells);
                            for (&moments, &column) in cells.iter().zip(&self.usable) {
                                let cell = row * width + column;
                                let with = Estimate::new(moments, sharing);
                                let without = Estimate::new(all.minus(moments), sharing);
                                value[cell] = with.value;
                                count[cell] = with.count;
                                error[cell] = with.error;
                                contrast[cell] = with.value - without.value;
                                contrast_error[cell] = with.error.hypot(without.error);
                            }
                        }
                    },
                );
        });
        block
    }

    /// How far each cell of `problem`, the one that was valued, lies from its class's mean.
    pub fn distances(&self, problem: &Problem) -> ZScores {
        ZScores::in_order(problem, &self.canonical.row)
    }

    /// Moments of the row's cells and of the row, over all rows of its group, and how many these
    /// are.
    fn moments(&self, row: usize, cells: &mut [Moments]) -> (Moments, u32) {
        cells.fill(Moments::default());
        let group = self.group[row] as usize;
        let (from, to) = (
            self.canonical.groups[group],
            self.canonical.groups[group + 1],
        );
        let all = (from..to).fold(Moments::default(), |sum, place| {
            sum.plus(self.tally.place(place as usize, cells))
        });
        (all, to - from)
    }
}
