//! SAS: the samples that augmented views of others are most like, for self-supervised training.

use super::{best, dot, vectors};
use crate::points::Points;

/// Greedy choice on Σ_{i∉S} Σ_{j∈S} max(0, cos(i, j)) within the group (Joshi and Mirzasoleiman 2023):
/// near to many, and with `redundancy` not near to each other. Without it the choice is the ranking by
/// the sum over all others, which is what the released code computes: it reads rows that it has just
/// zeroed where it means to subtract them. One embedding stands for the expectation over views.
pub(crate) fn sas(points: &Points, ids: &[usize], count: usize, redundancy: bool) -> Vec<usize> {
    let mut unit = vectors(points, ids);
    for vector in &mut unit {
        let length = dot(vector, vector).sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|x| *x /= length);
        }
    }
    let near = |i: usize, j: usize| dot(&unit[i], &unit[j]).max(0.0);
    let all = 0..ids.len();
    let sum = |i: usize| {
        (0..ids.len())
            .filter(|j| *j != i)
            .map(|j| near(i, j))
            .sum::<f64>()
    };
    let mut gains: Vec<f64> = all.clone().map(sum).collect();
    let mut taken = vec![false; ids.len()];
    let mut order = Vec::with_capacity(count);
    while order.len() < count {
        let Some(next) = best(gains.iter().copied(), &taken) else {
            break;
        };
        taken[next] = true;
        order.push(next);
        if redundancy {
            // What was outside and is now inside counts no more, and counts against the pair.
            all.clone().for_each(|j| gains[j] -= 2.0 * near(next, j));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;

    #[test]
    fn redundancy_goes_to_the_other_crowd_and_the_released_code_does_not()
    -> Result<(), crate::CoresetError> {
        // Three directions near (1, 0), two near (0, 1).
        let rows = vec![1.0, 0.0, 1.0, 0.1, 1.0, 0.2, 0.0, 1.0, 0.1, 1.0];
        let points = Points::Rows(Matrix::new("rows", 5, 2, rows)?);
        let ids = [0, 1, 2, 3, 4];
        let released = sas(&points, &ids, 3, false);
        let mut crowd = released.clone();
        crowd.sort_unstable();
        assert_eq!(crowd, [0, 1, 2]);
        let real = sas(&points, &ids, 2, true);
        assert_eq!(real[0], released[0]);
        assert!([3, 4].contains(&real[1]), "{real:?}");
        assert_eq!(sas(&points, &ids, 9, true).len(), 5);
        Ok(())
    }

    #[test]
    fn greedy_is_the_best_next_by_the_definition() -> Result<(), crate::CoresetError> {
        let values: Vec<f32> = (0..24).map(|i| ((i * 7 + 3) % 11) as f32 - 5.0).collect();
        let points = Points::Rows(Matrix::new("rows", 8, 3, values)?);
        let ids: Vec<usize> = (0..8).collect();
        let unit = vectors(&points, &ids);
        let cos = |i: usize, j: usize| {
            let lengths = dot(&unit[i], &unit[i]).sqrt() * dot(&unit[j], &unit[j]).sqrt();
            (dot(&unit[i], &unit[j]) / lengths).max(0.0)
        };
        let value = |chosen: &[usize]| -> f64 {
            let outside = (0..8).filter(|i| !chosen.contains(i));
            outside
                .map(|i| chosen.iter().map(|j| cos(i, *j)).sum::<f64>())
                .sum()
        };
        let order = sas(&points, &ids, 4, true);
        for place in 0..4 {
            let with = |j: usize| value(&[&order[..place], &[j]].concat());
            let open = (0..8).filter(|j| !order[..place].contains(j));
            let most = open.map(with).fold(f64::NEG_INFINITY, f64::max);
            assert!((with(order[place]) - most).abs() < 1e-9, "pick {place}");
        }
        Ok(())
    }
}
