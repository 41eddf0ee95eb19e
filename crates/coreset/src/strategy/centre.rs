//! k-centre: the farthest point comes next.

use crate::points::Points;

/// Greedy k-centre (Gonzalez 1985): the point with the largest distance to its nearest selected one,
/// from `first` on; at most twice the smallest possible radius.
pub(crate) fn k_centre(points: &Points, ids: &[usize], count: usize, first: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(count);
    let mut nearest = vec![f64::INFINITY; ids.len()];
    let mut taken = vec![false; ids.len()];
    let mut next = Some(first);
    while let Some(point) = next.filter(|_| order.len() < count) {
        order.push(point);
        taken[point] = true;
        for (near, id) in nearest.iter_mut().zip(ids) {
            *near = near.min(points.distance(*id, ids[point]));
        }
        next = super::best(nearest.iter().copied(), &taken);
    }
    order
}
