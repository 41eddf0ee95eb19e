//! One pass over all cells, in blocks of rows.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::ValueError;
use crate::problem::Problem;
use crate::valuation::{CellBlock, Valuation};
use crate::zscore::ZScores;

/// Cells of a block; their values, and what is made of them to write them, take some 100 MB.
pub(crate) const BLOCK: usize = 1 << 20;

/// Some rows with all that is known of their cells.
pub struct Block<'a> {
    /// Which rows.
    pub rows: Range<usize>,
    /// Their values.
    pub cells: &'a CellBlock,
    /// Their distances from the class's mean, as in [`ZScores::of`].
    pub z: &'a [f64],
}

/// What looks at every block.
pub trait Visit: Send {
    /// Takes the next block; blocks come in the order of the rows.
    ///
    /// # Errors
    /// What keeps the visitor from going on; it ends the pass.
    fn visit(&mut self, block: &Block<'_>) -> Result<(), ValueError>;
}

/// Shows all cells to the visitors, block by block, so that any number of rows takes the memory of
/// one block.
///
/// # Errors
/// The first error of a visitor.
pub fn visit_cells(
    problem: &Problem,
    values: &Valuation,
    z: &ZScores,
    visitors: &mut [&mut dyn Visit],
) -> Result<(), ValueError> {
    let width = problem.columns().len();
    let rows = problem.rows();
    let step = (BLOCK / width).clamp(1, rows);
    values.pool().install(|| {
        for from in (0..rows).step_by(step) {
            let range = from..(from + step).min(rows);
            let cells = values.cells(range.clone());
            let z: Vec<f64> = (0..range.len() * width)
                .into_par_iter()
                .with_min_len(1 << 12)
                .map(|at| z.of(problem, from + at / width, at % width))
                .collect();
            let block = Block {
                rows: range,
                cells: &cells,
                z: &z,
            };
            for visitor in visitors.iter_mut() {
                visitor.visit(&block)?;
            }
        }
        Ok(())
    })
}
