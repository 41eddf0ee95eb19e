//! Scores of single samples, and choices by rank.

use crate::matrix::LentMatrix;
use crate::points::Points;

/// EL2N (Paul et al. 2021): the length of the residual p − y `[n, C]` of each sample.
pub fn el2n(residuals: &LentMatrix<'_>) -> Vec<f64> {
    (0..residuals.rows())
        .map(|row| crate::points::dot(residuals.row(row), residuals.row(row)).sqrt())
        .collect()
}

/// GraNd of the last layer (Paul et al. 2021): the length of each sample's gradient.
pub fn grand(gradients: &Points) -> Vec<f64> {
    (0..gradients.len())
        .map(|sample| gradients.norm(sample))
        .collect()
}

/// Forgetting events (Toneva et al. 2019) from one row of right (`true`) and wrong predictions a
/// sample, in the order of the epochs: how often right was followed by wrong. A sample that was
/// never right counts more than any other.
pub fn forgetting_events(right: &[Vec<bool>]) -> Vec<f64> {
    let events = |row: &Vec<bool>| {
        if row.contains(&true) {
            row.windows(2).filter(|pair| pair[0] && !pair[1]).count() as f64
        } else {
            row.len() as f64
        }
    };
    right.iter().map(events).collect()
}

/// The positions of the `count` lowest scores, lowest first; equal scores by position.
pub(crate) fn lowest(scores: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(a.cmp(b)));
    order.truncate(count);
    order
}

/// The positions of the `count` highest scores, highest first; equal scores by position.
pub(crate) fn highest(scores: &[f64], count: usize) -> Vec<usize> {
    let negated: Vec<f64> = scores.iter().map(|score| -score).collect();
    lowest(&negated, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_go_by_score_and_then_by_position() {
        assert_eq!(lowest(&[2.0, 1.0, 2.0, 0.5], 3), [3, 1, 0]);
        assert_eq!(highest(&[2.0, 1.0, 2.0, 0.5], 3), [0, 2, 1]);
    }

    #[test]
    fn what_was_never_learned_counts_as_most_forgotten() {
        let right = [
            vec![false, true, false, true, false],
            vec![true; 5],
            vec![false; 5],
        ];
        assert_eq!(forgetting_events(&right), [2.0, 0.0, 5.0]);
    }
}
