//! k-means in feature space.

use crate::matrix::LentMatrix;
use crate::random::Purpose;

/// Rounds at most.
const ROUNDS: usize = 50;

/// Clusters of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// The cluster of each row.
    pub of: Vec<u32>,
    /// The distance of each row to its centre.
    pub distances: Vec<f64>,
    /// Centres `[k, d]`.
    pub centres: Vec<Vec<f64>>,
}

/// Lloyd's algorithm from centres that are drawn in proportion to the squared distance to those
/// before (Arthur and Vassilvitskii 2007), for at most 50 rounds. There are no more clusters than
/// different rows.
pub fn k_means(rows: &LentMatrix<'_>, count: usize, seed: u64) -> Clusters {
    let mut centres = first_centres(rows, count, seed);
    let mut clusters = assign(rows, &centres);
    for _ in 0..ROUNDS {
        let mut sums = vec![vec![0.0; rows.columns()]; centres.len()];
        let mut counts = vec![0usize; centres.len()];
        for (row, cluster) in clusters.0.iter().enumerate() {
            counts[*cluster as usize] += 1;
            for (sum, x) in sums[*cluster as usize].iter_mut().zip(rows.row(row)) {
                *sum += f64::from(*x);
            }
        }
        for ((centre, sum), count) in centres.iter_mut().zip(sums).zip(counts) {
            // A centre that lost its rows stays where it is.
            if count > 0 {
                *centre = sum.into_iter().map(|sum| sum / count as f64).collect();
            }
        }
        let next = assign(rows, &centres);
        let settled = next.0 == clusters.0;
        clusters = next;
        if settled {
            break;
        }
    }
    Clusters {
        of: clusters.0,
        distances: clusters.1.into_iter().map(f64::sqrt).collect(),
        centres,
    }
}

fn first_centres(rows: &LentMatrix<'_>, count: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut draws = Purpose::Centres.draws(seed, 1);
    let wide = |row: usize| -> Vec<f64> { rows.row(row).iter().map(|x| f64::from(*x)).collect() };
    if rows.rows() == 0 {
        return Vec::new();
    }
    let mut centres = vec![wide(draws.below_wide(rows.rows()))];
    let mut nearest = vec![f64::INFINITY; rows.rows()];
    while centres.len() < count {
        let newest = &centres[centres.len() - 1];
        for (row, nearest) in nearest.iter_mut().enumerate() {
            *nearest = nearest.min(squared(rows.row(row), newest));
        }
        let total: f64 = nearest.iter().sum();
        if total <= 0.0 {
            break;
        }
        let mut mark = draws.uniform() * total;
        let chosen = nearest.iter().position(|d| {
            mark -= d;
            mark < 0.0
        });
        // Rounding can leave a rest behind the last row.
        let last = nearest.iter().rposition(|d| *d > 0.0).unwrap_or(0);
        centres.push(wide(chosen.unwrap_or(last)));
    }
    centres
}

/// The nearest centre of each row, the lowest if several, and the squared distance to it.
fn assign(rows: &LentMatrix<'_>, centres: &[Vec<f64>]) -> (Vec<u32>, Vec<f64>) {
    let nearest = |row: usize| {
        let mut best = (0, f64::INFINITY);
        for (index, centre) in centres.iter().enumerate() {
            let distance = squared(rows.row(row), centre);
            if distance < best.1 {
                best = (index as u32, distance);
            }
        }
        best
    };
    (0..rows.rows()).map(nearest).unzip()
}

fn squared(row: &[f32], centre: &[f64]) -> f64 {
    row.iter()
        .zip(centre)
        .map(|(x, c)| (f64::from(*x) - c).powi(2))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Matrix;

    #[test]
    fn finds_what_lies_apart() -> Result<(), crate::CoresetError> {
        let values = vec![0.0, 0.1, 0.2, 9.0, 9.1, 9.2, -7.0, -7.1];
        let clusters = k_means(&Matrix::new("rows", 8, 1, values)?, 3, 4);
        let of = &clusters.of;
        assert!(
            of[0] == of[1] && of[1] == of[2] && of[3] == of[4] && of[6] == of[7],
            "{of:?}"
        );
        assert!(of[0] != of[3] && of[3] != of[6], "{of:?}");
        assert!((clusters.distances[0] - 0.1).abs() < 1e-6);
        let same = k_means(&Matrix::new("rows", 3, 1, vec![2.0; 3])?, 3, 4);
        assert_eq!(same.centres.len(), 1);
        Ok(())
    }
}
