//! Graph cut: near to all, far from each other.

use crate::facility::greedy::{SELECTED, highest};
use crate::facility::source::Source;

/// Greedy graph cut in similarities s = d₀ − d, d₀ the largest distance:
/// f(S) = 2 Σ_{i, j∈S} sᵢⱼ − Σ_{i∈S, j∈S} sᵢⱼ, monotone by its factor 2 (Iyer et al. 2021).
pub(crate) fn graph_cut(source: &mut impl Source, count: usize) -> Vec<usize> {
    let len = source.len();
    let largest = i64::from(source.largest());
    let all = len as i64 * largest;
    // 2 Σᵢ s(i, e) − s(e, e), and from there on −2 s(j, e) for each selected j.
    let mut gains: Vec<i64> = source.totals()[..len]
        .iter()
        .map(|total| 2 * (all - total) - largest)
        .collect();
    let mut row = Vec::new();
    let mut order = Vec::with_capacity(count);
    while order.len() < count {
        let next = highest(&gains);
        order.push(next);
        source.row(next, &mut row);
        for (gain, d) in gains
            .iter_mut()
            .zip(&row)
            .filter(|(gain, _)| **gain != SELECTED)
        {
            *gain -= 2 * (largest - i64::from(*d));
        }
        gains[next] = SELECTED;
    }
    order
}
