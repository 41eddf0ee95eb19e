//! GradMatch: few weighted gradients that add up to the sum of all.

use super::{best, dot, vectors};
use crate::points::Points;
use crate::random::Purpose;

/// The ridge that keeps near-equal gradients from taking weights against each other.
const RIDGE: f64 = 0.5;
/// Coordinate rounds after each choice; weights of the choice before are where they start.
const ROUNDS: usize = 20;

/// Orthogonal matching pursuit with weights w ≥ 0 on ‖Σ wᵢ gᵢ − Σ g‖² + λ‖w‖² (Killamsetty et al.
/// 2021). What the budget has left when no gradient helps any more is filled with random samples of
/// weight 1. Returns positions and weights.
pub(crate) fn grad_match(
    points: &Points,
    ids: &[usize],
    count: usize,
    seed: u64,
) -> (Vec<usize>, Vec<f64>) {
    let vectors = vectors(points, ids);
    let width = vectors.first().map_or(0, Vec::len);
    let mut rest = vec![0.0; width];
    for vector in &vectors {
        rest.iter_mut().zip(vector).for_each(|(rest, x)| *rest += x);
    }
    let smallest = 1e-12 * dot(&rest, &rest).sqrt();
    let mut order: Vec<usize> = Vec::new();
    let mut weights: Vec<f64> = Vec::new();
    let mut taken = vec![false; ids.len()];
    while order.len() < count {
        let next = best(vectors.iter().map(|vector| dot(vector, &rest)), &taken);
        let Some(next) = next.filter(|next| dot(&vectors[*next], &rest) > smallest) else {
            break;
        };
        taken[next] = true;
        order.push(next);
        weights.push(0.0);
        fit(&vectors, &order, &mut weights, &mut rest);
    }
    let left: Vec<usize> = (0..ids.len())
        .filter(|position| !taken[*position])
        .collect();
    let fill = Purpose::Subset
        .draws(seed, ids.len() as u64)
        .chosen_wide(&left, count - order.len());
    weights.resize(order.len() + fill.len(), 1.0);
    order.extend(fill);
    (order, weights)
}

/// Minimises over the weights by coordinates, keeping `rest` = Σ g − Σ wᵢ gᵢ.
fn fit(vectors: &[Vec<f64>], order: &[usize], weights: &mut [f64], rest: &mut [f64]) {
    for _ in 0..ROUNDS {
        let mut moved = 0.0f64;
        for (weight, position) in weights.iter_mut().zip(order) {
            let vector = &vectors[*position];
            let size = dot(vector, vector) + RIDGE;
            let step = (dot(vector, rest) - RIDGE * *weight) / size;
            let new = (*weight + step).max(0.0);
            let change = new - *weight;
            *weight = new;
            rest.iter_mut()
                .zip(vector)
                .for_each(|(rest, x)| *rest -= change * x);
            moved = moved.max(change.abs());
        }
        if moved < 1e-9 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;

    #[test]
    fn one_direction_needs_one_gradient() -> Result<(), crate::CoresetError> {
        let rows = Matrix::new("gradients", 3, 2, vec![3.0, 0.0, 30.0, 0.0, 0.0, 20.0])?;
        let (order, weights) = grad_match(&Points::Rows(rows), &[0, 1, 2], 2, 0);
        assert_eq!(order, [1, 2]);
        // (900 w − 990)·… = 0 with the ridge: 30 · 33 / (900 + 0.5).
        assert!((weights[0] - 990.0 / 900.5).abs() < 1e-6, "{weights:?}");
        assert!((weights[1] - 400.0 / 400.5).abs() < 1e-6, "{weights:?}");
        Ok(())
    }
}
