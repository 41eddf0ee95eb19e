//! Rows that hang together, as sets.

use super::points::Points;
use crate::problem::Target;

/// Rows that are equal in every cell, or nearly.
#[derive(Debug, Clone, PartialEq)]
pub struct NearSet {
    /// The rows, in ascending order.
    pub rows: Vec<u32>,
    /// The largest distance of one of them from the nearest other: 0 if all are equal.
    pub distance: f64,
    /// How many different labels they have.
    pub labels: usize,
}

/// Points joined into sets.
pub(super) struct Joined(Vec<u32>);

impl Joined {
    pub fn new(points: usize) -> Self {
        Self((0..points as u32).collect())
    }

    pub fn join(&mut self, one: u32, other: u32) {
        let (a, b) = (self.root(one), self.root(other));
        self.0[a.max(b) as usize] = a.min(b);
    }

    pub fn root(&mut self, mut at: u32) -> u32 {
        while self.0[at as usize] != at {
            let above = self.0[self.0[at as usize] as usize];
            self.0[at as usize] = above;
            at = above;
        }
        at
    }

    /// The sets of more than one row, the worst first: those of several labels, and of these the closest.
    /// `distances` are those of the nearest rows, by row.
    pub fn sets(mut self, points: &Points, target: &Target, distances: &[f64]) -> Vec<NearSet> {
        let count = points.len();
        let mut order: Vec<(u32, u32)> = (0..count as u32).map(|at| (self.root(at), at)).collect();
        order.sort_unstable();
        let mut sets: Vec<NearSet> = order
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|set| set.len() > 1 || points.rows(set[0].1 as usize).len() > 1)
            .map(|set| {
                let rows = set.iter().flat_map(|(_, at)| points.rows(*at as usize));
                let mut rows: Vec<u32> = rows.copied().collect();
                rows.sort_unstable();
                let far = rows.iter().map(|&row| distances[row as usize]);
                NearSet {
                    distance: far.fold(0.0, f64::max),
                    labels: labels(target, &rows),
                    rows,
                }
            })
            .collect();
        sets.sort_by(|a, b| {
            let contrary = (b.labels > 1).cmp(&(a.labels > 1));
            contrary
                .then(a.distance.total_cmp(&b.distance))
                .then(a.rows[0].cmp(&b.rows[0]))
        });
        sets
    }
}

fn labels(target: &Target, rows: &[u32]) -> usize {
    let mut keys: Vec<u64> = (rows.iter())
        .map(|&row| match target {
            Target::Classes { codes, .. } => u64::from(codes[row as usize]),
            Target::Numbers(values) => (values[row as usize] + 0.0).to_bits(),
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}
