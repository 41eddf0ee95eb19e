//! Columns as ranks: what trees split on.
//!
//! A tree asks of a cell only whether it lies below a threshold, so every column is ranked once for
//! the whole table and all trees read 16-bit ranks. Columns of up to 65,535 different values are
//! split exactly; others, or with fewer bins asked for, at the bounds of bins of equal counts.

use crate::problem::{Cells, NO_LEVEL};

/// The largest number of ranks of a column, the one for missing cells included.
pub const MOST_RANKS: usize = 1 << 16;

/// One column as ranks, in canonical order of the rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranked {
    /// The rank of each place.
    pub ranks: Vec<u16>,
    /// Smallest and largest number of each rank; empty for categories.
    pub bounds: Vec<(f32, f32)>,
    /// Number of ranks.
    pub count: usize,
    /// Whether ranks are ordered, or names of categories.
    pub ordered: bool,
    /// Whether rank 0 stands for missing cells.
    pub missing: bool,
}

impl Ranked {
    /// Ranks `cells`, read in the order `row`, with at most `most` ranks.
    pub fn new(cells: &Cells, row: &[u32], most: usize) -> Self {
        match cells {
            Cells::Numbers(values) => Self::numbers(values, row, most.clamp(3, MOST_RANKS)),
            Cells::Levels { codes, names } => {
                // One rank a level, behind that of missing cells.
                let last = MOST_RANKS as u32 - 1;
                let rank = |&r: &u32| match codes[r as usize] {
                    NO_LEVEL => 0,
                    code => (code + 1).min(last) as u16,
                };
                Self {
                    ranks: row.iter().map(rank).collect(),
                    bounds: Vec::new(),
                    count: (names.len() + 1).min(MOST_RANKS),
                    ordered: false,
                    missing: true,
                }
            }
        }
    }

    fn numbers(values: &[f32], row: &[u32], most: usize) -> Self {
        let mut sorted: Vec<u64> = row
            .iter()
            .enumerate()
            .filter(|(_, r)| !values[**r as usize].is_nan())
            .map(|(place, &r)| u64::from(ordered_bits(values[r as usize])) << 32 | place as u64)
            .collect();
        sorted.sort_unstable();
        let missing = sorted.len() < row.len();
        let first = u16::from(missing);
        let different = sorted.chunk_by(|a, b| a >> 32 == b >> 32).count();
        let bins = most - usize::from(first);
        let mut ranks = vec![0u16; row.len()];
        let mut bounds: Vec<(f32, f32)> = vec![(f32::NAN, f32::NAN); usize::from(first)];
        let (mut before, mut last_bin) = (0, usize::MAX);
        for (index, equal) in sorted.chunk_by(|a, b| a >> 32 == b >> 32).enumerate() {
            let value = from_ordered_bits((equal[0] >> 32) as u32);
            // A bin ends where its share of the rows is reached; equal cells stay together.
            let bin = if different <= bins {
                index
            } else {
                before * bins / sorted.len()
            };
            before += equal.len();
            match bounds.last_mut() {
                Some(last) if bin == last_bin => last.1 = value,
                _ => bounds.push((value, value)),
            }
            last_bin = bin;
            let rank = (bounds.len() - 1) as u16;
            equal
                .iter()
                .for_each(|&key| ranks[key as u32 as usize] = rank);
        }
        Self {
            ranks,
            count: bounds.len(),
            bounds,
            ordered: true,
            missing,
        }
    }

    /// The largest rank that lies on the lower side of the threshold halfway between the ranks
    /// `below` and `above`: where a row that the node has not seen is sent.
    pub fn halfway(&self, below: u16, above: u16) -> u16 {
        let (low, high) = (usize::from(below), usize::from(above));
        let threshold = f64::midpoint(
            f64::from(self.bounds[low].1),
            f64::from(self.bounds[high].0),
        );
        let between = &self.bounds[low + 1..high];
        below + between.partition_point(|bound| f64::from(bound.1) <= threshold) as u16
    }
}

/// Bits in the order of the numbers; −0 is 0.
fn ordered_bits(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 0 {
        bits | 1 << 31
    } else {
        !bits
    }
}

fn from_ordered_bits(bits: u32) -> f32 {
    f32::from_bits(if bits >> 31 == 1 {
        bits & !(1 << 31)
    } else {
        !bits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(values: &[f32], most: usize) -> Ranked {
        let row: Vec<u32> = (0..values.len() as u32).collect();
        Ranked::new(&Cells::Numbers(values.to_vec()), &row, most)
    }

    #[test]
    fn ranks_follow_the_numbers_and_missing_comes_first() {
        let column = ranked(&[2.0, -1.0, f32::NAN, -0.0, 0.0, 2.0, f32::INFINITY], 100);
        assert_eq!(column.ranks, [3, 1, 0, 2, 2, 3, 4]);
        assert_eq!((column.count, column.missing), (5, true));
        assert_eq!(ranked(&[3.0, 1.0], 100).ranks, [1, 0]);
    }

    #[test]
    fn bins_hold_about_equal_counts_and_never_part_equal_cells() {
        let values: Vec<f32> = (0..1000).map(|i| (i * 7 % 500) as f32).collect();
        let column = ranked(&values, 10);
        assert_eq!(column.count, 10);
        for bin in 0..10 {
            assert_eq!(column.ranks.iter().filter(|&&r| r == bin).count(), 100);
        }
        for (value, rank) in values.iter().zip(&column.ranks) {
            let (low, high) = column.bounds[usize::from(*rank)];
            assert!((low..=high).contains(value));
        }
    }

    #[test]
    fn the_threshold_is_halfway_between_what_the_node_saw() {
        let column = ranked(&[0.0, 1.0, 4.9, 5.0, 5.1, 10.0], 100);
        assert_eq!(column.halfway(0, 5), 3);
        assert_eq!(column.halfway(0, 1), 0);
        assert_eq!(column.halfway(1, 2), 1);
    }
}
