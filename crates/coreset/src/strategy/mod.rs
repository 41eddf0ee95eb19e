//! Ways to choose samples out of one group. Positions are those in the group.

mod centre;
mod glister;
mod grad_match;
mod graph_cut;
mod herding;
mod leaning;
mod sas;
mod scores;

pub(crate) use centre::k_centre;
pub use glister::Validation;
pub(crate) use glister::glister;
pub(crate) use grad_match::grad_match;
pub(crate) use graph_cut::graph_cut;
pub(crate) use herding::herding;
#[cfg(feature = "plugin")]
pub(crate) use leaning::MOST as MOST_BONUS;
pub(crate) use leaning::leaning;
pub(crate) use sas::sas;
pub use scores::{el2n, forgetting_events, grand};
pub(crate) use scores::{highest, lowest};

use crate::points::Points;

/// The vectors of `ids` in f64 `[n, d]`; of last-layer gradients all r ⊗ (h, 1).
pub(crate) fn vectors(points: &Points, ids: &[usize]) -> Vec<Vec<f64>> {
    let wide = |row: &[f32]| -> Vec<f64> { row.iter().map(|x| f64::from(*x)).collect() };
    let vector = |id: &usize| match points {
        Points::Rows(rows) => wide(rows.row(*id)),
        Points::LastLayer(layer) => {
            let mut features = wide(layer.features().row(*id));
            features.push(1.0);
            let residuals = layer.residuals().row(*id).iter();
            residuals
                .flat_map(|r| features.iter().map(|h| f64::from(*r) * h))
                .collect()
        }
    };
    ids.iter().map(vector).collect()
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The position of the largest of `scores` that is not `taken`, the lowest if several.
pub(crate) fn best(scores: impl Iterator<Item = f64>, taken: &[bool]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (position, score) in scores.enumerate() {
        if !taken[position] && best.is_none_or(|(_, other)| score > other) {
            best = Some((position, score));
        }
    }
    best.map(|(position, _)| position)
}
