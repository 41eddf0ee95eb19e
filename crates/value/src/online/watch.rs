//! How far two halves of a bank agree on the cells of some samples.

use serde::{Deserialize, Serialize};

use crate::draw::Purpose;

/// Least mean square of what cells differ by within samples, in squares of scores.
const LEAST: f64 = 1e-8;

/// Agreement of two halves of a bank about cells, within samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reliability {
    /// Correlation of the cell values of both halves after each sample's mean is taken off.
    pub halves: f64,
    /// What two whole banks would correlate at: 2r / (1 + r) (Spearman 1910, Brown 1910).
    pub full: f64,
    /// Cells behind it.
    pub cells: u64,
}

/// Sums by half for the watched samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watch {
    cells: usize,
    /// Watched samples, ascending.
    samples: Vec<u32>,
    /// `[2, samples, cells]`.
    sums: Vec<f32>,
    counts: Vec<u16>,
}

impl Watch {
    /// Watches `most` of `samples` samples, chosen by the seed alone.
    pub fn new(seed: u64, samples: usize, cells: usize, most: usize) -> Self {
        let mut chosen: Vec<u32> = (0..samples as u32).collect();
        if most < samples {
            Purpose::OnlineWatch
                .draws_at(seed, 0, 0)
                .choose(&mut chosen, most);
            chosen.truncate(most);
            chosen.sort_unstable();
        }
        Self {
            cells,
            sums: vec![0.0; 2 * chosen.len() * cells],
            counts: vec![0; 2 * chosen.len() * cells],
            samples: chosen,
        }
    }

    /// Where a sample's sums lie, if it is watched.
    pub fn find(&self, sample: u32) -> Option<usize> {
        self.samples.binary_search(&sample).ok()
    }

    /// Adds a score of the watched sample `at` by a head of the half `half`.
    pub fn add(&mut self, at: usize, half: usize, mask: &[u8], score: f32) {
        let from = (half * self.samples.len() + at) * self.cells;
        add(
            &mut self.sums[from..][..self.cells],
            &mut self.counts[from..][..self.cells],
            mask,
            score,
        );
    }

    pub fn merge(&mut self, other: &Self) -> bool {
        let fits = self.samples == other.samples && self.cells == other.cells;
        if fits {
            self.sums
                .iter_mut()
                .zip(&other.sums)
                .for_each(|(a, b)| *a += b);
            let counts = self.counts.iter_mut().zip(&other.counts);
            counts.for_each(|(a, b)| *a = a.saturating_add(*b));
        }
        fits
    }

    pub fn reliability(&self) -> Option<Reliability> {
        let half = self.samples.len() * self.cells;
        let (sums, counts) = (self.sums.split_at(half), self.counts.split_at(half));
        let mean = |sums: &[f32], counts: &[u16], at: usize| {
            (counts[at] > 0).then(|| f64::from(sums[at]) / f64::from(counts[at]))
        };
        let (mut ab, mut aa, mut bb, mut cells) = (0.0, 0.0, 0.0, 0);
        for sample in 0..self.samples.len() {
            let pairs: Vec<(f64, f64)> = (sample * self.cells..(sample + 1) * self.cells)
                .filter_map(|at| Some((mean(sums.0, counts.0, at)?, mean(sums.1, counts.1, at)?)))
                .collect();
            let count = pairs.len() as f64;
            let (a, b) = pairs.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
            for (x, y) in &pairs {
                let (x, y) = (x - a / count, y - b / count);
                ab += x * y;
                aa += x * x;
                bb += y * y;
            }
            cells += pairs.len() as u64;
        }
        // What differs by rounding alone does not differ.
        if aa.min(bb) <= LEAST * cells as f64 {
            return None;
        }
        let halves = ab / (aa * bb).sqrt();
        Some(Reliability {
            halves,
            full: 2.0 * halves / (1.0 + halves),
            cells,
        })
    }

    pub fn bytes(&self) -> usize {
        self.sums.len() * 4 + self.counts.len() * 2 + self.samples.len() * 4
    }
}

/// Adds `score` to the sums of the cells that `mask` shows, and counts it.
#[inline]
pub(crate) fn add(sums: &mut [f32], counts: &mut [u16], mask: &[u8], score: f32) {
    for ((sum, count), &seen) in sums.iter_mut().zip(counts).zip(mask) {
        *sum += score * f32::from(seen);
        *count += u16::from(seen);
    }
}
