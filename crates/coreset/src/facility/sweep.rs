//! All pairs of points, tile by tile.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::cloud::Cloud;
use super::fixed::Tile;
use super::team::Team;

/// Distances between two panels of points.
pub(crate) struct Pair<'a> {
    /// The panel of the rows, by number.
    pub(crate) left: usize,
    /// The panel of the columns, by number; not below `left`.
    pub(crate) right: usize,
    /// The points of the rows.
    pub(crate) rows: Range<usize>,
    /// The points of the columns.
    pub(crate) columns: Range<usize>,
    /// Distances in steps, `[rows, columns]`; of points with themselves 0.
    pub(crate) steps: &'a [i32],
}

/// Visits every pair of panels once: half of the distances, since they are symmetric. The order
/// depends on the team.
pub(crate) fn sweep<M: Default + Send>(
    cloud: &Cloud,
    team: Team,
    visit: impl Fn(&mut M, &Pair<'_>) + Sync,
) {
    let panels = cloud.panels();
    team.map_with(panels.len(), |(tile, memory): &mut (Tile, M), left| {
        let rows = panels[left].clone();
        for (right, columns) in panels.iter().enumerate().skip(left) {
            let (a, b) = (cloud.rows(rows.clone()), cloud.rows(columns.clone()));
            tile.fill(cloud, a, b);
            if left == right {
                // Rounding must not part a point from itself.
                tile.steps
                    .iter_mut()
                    .step_by(columns.len() + 1)
                    .for_each(|d| *d = 0);
            }
            let pair = Pair {
                left,
                right,
                rows: rows.clone(),
                columns: columns.clone(),
                steps: &tile.steps,
            };
            visit(memory, &pair);
        }
    });
}

/// One whole number a point, that tiles add to in any order.
pub(crate) struct Sums {
    panels: Vec<Mutex<Vec<i64>>>,
}

impl Sums {
    /// Zeros.
    pub(crate) fn new(cloud: &Cloud) -> Self {
        let panels = cloud.panels();
        Self {
            panels: panels
                .iter()
                .map(|panel| Mutex::new(vec![0; panel.len()]))
                .collect(),
        }
    }

    /// Adds `terms` to the points of a panel.
    pub(crate) fn add(&self, panel: usize, terms: &[i64]) {
        let mut sums = self.panels[panel]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        sums.iter_mut()
            .zip(terms)
            .for_each(|(sum, term)| *sum += term);
    }

    /// The sums in the order of the points.
    pub(crate) fn finish(self) -> Vec<i64> {
        let panels = self.panels.into_iter();
        panels
            .flat_map(|panel| panel.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect()
    }
}
