//! Herding: the mean of the selection follows the mean of all.

use super::{best, dot, vectors};
use crate::points::Points;

/// Herding (Welling 2009): the point that points most along what the mean of all is ahead of the
/// sum of the selected ones, w ← w + μ − x.
pub(crate) fn herding(points: &Points, ids: &[usize], count: usize) -> Vec<usize> {
    let vectors = vectors(points, ids);
    let width = vectors.first().map_or(0, Vec::len);
    let mut mean = vec![0.0; width];
    for vector in &vectors {
        mean.iter_mut()
            .zip(vector)
            .for_each(|(mean, x)| *mean += x / ids.len() as f64);
    }
    let mut ahead = mean.clone();
    let mut taken = vec![false; ids.len()];
    let mut order = Vec::with_capacity(count);
    while order.len() < count {
        let Some(next) = best(vectors.iter().map(|vector| dot(vector, &ahead)), &taken) else {
            break;
        };
        taken[next] = true;
        order.push(next);
        for ((ahead, mean), x) in ahead.iter_mut().zip(&mean).zip(&vectors[next]) {
            *ahead += mean - x;
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;

    #[test]
    fn a_pair_of_opposites_comes_before_what_is_off_the_mean() -> Result<(), crate::CoresetError> {
        // Mean (0.5, 0): along it first, then what brings the sum back.
        let rows = Matrix::new("rows", 4, 2, vec![2.0, 0.0, -1.0, 0.0, 0.5, 3.0, 0.5, -3.0])?;
        let order = herding(&Points::Rows(rows), &[0, 1, 2, 3], 4);
        assert_eq!(order[..2], [0, 1]);
        Ok(())
    }
}
