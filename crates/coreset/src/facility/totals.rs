//! What all distances of each point add up to.

use std::ops::Range;
use std::sync::atomic::{AtomicI32, Ordering};

use super::cloud::Cloud;
use super::sweep::{Pair, Sums};

/// Sums of distances, and the largest of them, which tiles add to in any order.
pub(crate) struct Totals {
    sums: Sums,
    largest: AtomicI32,
}

impl Totals {
    /// Zeros.
    pub(crate) fn new(cloud: &Cloud) -> Self {
        Self {
            sums: Sums::new(cloud),
            largest: AtomicI32::new(0),
        }
    }

    /// Adds the distances of a tile to the totals of its rows and columns.
    pub(crate) fn add(&self, cloud: &Cloud, pair: &Pair<'_>) {
        let real = |range: &Range<usize>| cloud.len().saturating_sub(range.start).min(range.len());
        let (rows, columns) = (real(&pair.rows), real(&pair.columns));
        let mut of_rows = vec![0; rows];
        let mut of_columns = vec![0; columns];
        let largest = pulp::Arch::new().dispatch(OfTile {
            steps: pair.steps,
            width: pair.columns.len(),
            of_rows: &mut of_rows,
            of_columns: &mut of_columns,
        });
        self.largest.fetch_max(largest, Ordering::Relaxed);
        self.sums.add(pair.right, &of_columns);
        if pair.left != pair.right {
            self.sums.add(pair.left, &of_rows);
        }
    }

    /// Σ of the distances to all points, for each point, and the largest distance.
    pub(crate) fn finish(self) -> (Vec<i64>, i32) {
        (self.sums.finish(), self.largest.into_inner())
    }
}

struct OfTile<'a> {
    steps: &'a [i32],
    width: usize,
    of_rows: &'a mut [i64],
    of_columns: &'a mut [i64],
}

impl pulp::WithSimd for OfTile<'_> {
    type Output = i32;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> i32 {
        let mut largest = 0;
        for (row, of_row) in self.steps.chunks_exact(self.width).zip(self.of_rows) {
            let row = &row[..self.of_columns.len()];
            // A row of a panel sums to less than 2³⁵, and sixteen partial sums keep lanes apart.
            *of_row += row.iter().map(|d| i64::from(*d)).sum::<i64>();
            largest = row.iter().fold(largest, |largest, d| largest.max(*d));
            for (sum, d) in self.of_columns.iter_mut().zip(row) {
                *sum += i64::from(*d);
            }
        }
        largest
    }
}
