//! The most striking rows and cells.

use std::collections::BinaryHeap;

use crate::error::ValueError;
use crate::pass::{Block, Visit};

/// A cell, and by what it is ordered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The row, from 0.
    pub row: usize,
    /// The column, as a position in the problem.
    pub column: usize,
    /// Its value.
    pub value: f64,
    /// Standard error of the value.
    pub error: f64,
    /// Number of learners behind the value.
    pub count: u32,
    /// Its distance from the class's mean in standard deviations.
    pub z: f64,
    key: f64,
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let place = (self.row, self.column).cmp(&(other.row, other.column));
        self.key.total_cmp(&other.key).then(place)
    }
}

/// What cells are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The value, lowest first.
    Value,
    /// The distance |z| from the class's mean, farthest first.
    Distance,
}

/// Keeps the cells that come first.
#[derive(Debug)]
pub struct FirstCells {
    by: By,
    most: usize,
    /// Least |z| of a cell that is kept.
    least: f64,
    heap: BinaryHeap<Ranked>,
}

impl FirstCells {
    /// Keeps up to `most` cells; by distance, those of at least `least` deviations.
    pub fn new(by: By, most: usize, least: f64) -> Self {
        Self {
            by,
            most,
            least,
            heap: BinaryHeap::new(),
        }
    }

    /// The cells, first ones first.
    pub fn into_cells(self) -> Vec<Ranked> {
        self.heap.into_sorted_vec()
    }
}

impl Visit for FirstCells {
    fn visit(&mut self, block: &Block<'_>) -> Result<(), ValueError> {
        let width = block.cells.columns;
        for (at, (&value, &z)) in block.cells.value.iter().zip(block.z).enumerate() {
            let key = match self.by {
                By::Value => value,
                By::Distance => -z.abs(),
            };
            if key.is_nan() || (self.by == By::Distance && z.abs() < self.least) {
                continue;
            }
            if self.heap.len() >= self.most && self.heap.peek().is_none_or(|last| key >= last.key) {
                continue;
            }
            self.heap.push(Ranked {
                row: block.rows.start + at / width,
                column: at % width,
                value,
                error: block.cells.error[at],
                count: block.cells.count[at],
                z,
                key,
            });
            if self.heap.len() > self.most {
                self.heap.pop();
            }
        }
        Ok(())
    }
}
