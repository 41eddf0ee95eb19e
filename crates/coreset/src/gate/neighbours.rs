//! Whether a sample's neighbours have its label.

use afterimage_matmul::{Into, Matrix as Block, product};
use rayon::prelude::*;

use crate::error::CoresetError;
use crate::matrix::Matrix;
use crate::points::same_length;

/// Rows whose similarities to all others are held at a time on each thread.
const ROWS: usize = 128;

/// For each sample the share in [0, 1] of its `k` nearest others, by cosine in `features` `[n, d]`,
/// that have its label; equal similarities go to the lower position. Runs on rayon's current pool; the
/// result does not depend on it.
///
/// A label that neighbours do not share is wrong, or right on an atypical sample: the share alone
/// cannot tell.
///
/// # Errors
/// Unequal lengths, or no neighbour: k of 0, fewer than two samples.
pub fn neighbour_agreement(
    features: &Matrix,
    labels: &[u32],
    k: usize,
) -> Result<Vec<f64>, CoresetError> {
    let shares = neighbour_shares(features, labels, k)?;
    let classes = shares.len() / labels.len().max(1);
    let own = labels.iter().enumerate();
    Ok(own
        .map(|(id, label)| f64::from(shares[id * classes + *label as usize]))
        .collect())
}

/// As [`neighbour_agreement`], the shares of all labels `[n, classes]`, up to the highest that occurs.
///
/// # Errors
/// As for [`neighbour_agreement`].
pub fn neighbour_shares(
    features: &Matrix,
    labels: &[u32],
    k: usize,
) -> Result<Vec<f32>, CoresetError> {
    let (len, width) = (features.rows(), features.columns());
    same_length(("features", len), ("labels", labels.len()))?;
    if k == 0 || len < 2 {
        let reason = format!("{k} neighbours of {len} samples tell nothing; take at least 1 of 2");
        return Err(CoresetError::setting("neighbours", reason));
    }
    let k = k.min(len - 1);
    let classes = labels.iter().max().map_or(0, |label| *label as usize + 1);
    let unit = directions(features);
    let all = Block::new(&unit, len, width).transposed();
    let blocks: Vec<usize> = (0..len).step_by(ROWS).collect();
    let shares = blocks.par_iter().flat_map_iter(|first| {
        let rows = ROWS.min(len - first);
        let mut cosines = vec![0.0; rows * len];
        let block = Block::new(&unit[first * width..][..rows * width], rows, width);
        product(&mut cosines, block, all, Into::Overwrite);
        let of = |row: usize| {
            let near = nearest(&cosines[row * len..][..len], first + row, k);
            let mut shares = vec![0.0f32; classes];
            for other in near {
                shares[labels[other] as usize] += 1.0;
            }
            shares.into_iter().map(move |count| count / k as f32)
        };
        (0..rows).flat_map(of).collect::<Vec<f32>>()
    });
    Ok(shares.collect())
}

/// The `k` samples most similar to `sample`, in no order.
fn nearest(cosines: &[f32], sample: usize, k: usize) -> Vec<usize> {
    let mut near: Vec<(f32, usize)> = cosines
        .iter()
        .copied()
        .zip(0..)
        .filter(|(_, other)| *other != sample)
        .collect();
    let order = |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    near.select_nth_unstable_by(k - 1, order);
    near.truncate(k);
    near.into_iter().map(|(_, other)| other).collect()
}

/// Rows scaled to length 1; a row of zeros stays.
fn directions(features: &Matrix) -> Vec<f32> {
    let mut unit = features.values().to_vec();
    for row in unit.chunks_exact_mut(features.columns().max(1)) {
        let length = crate::points::dot(row, row).sqrt();
        if length > 0.0 {
            row.iter_mut()
                .for_each(|x| *x = (f64::from(*x) / length) as f32);
        }
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_label_among_its_like_is_alone() -> Result<(), CoresetError> {
        // Six directions near (1, 0), six near (0, 1); the last of each has the other's label.
        let rows: Vec<f32> = (0..12)
            .flat_map(|i| {
                let turn = 0.01 * (i % 6) as f32;
                if i < 6 { [1.0, turn] } else { [turn, 1.0] }
            })
            .collect();
        let features = Matrix::new("features", 12, 2, rows)?;
        let labels = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0];
        let shares = neighbour_agreement(&features, &labels, 5)?;
        for (sample, share) in shares.iter().enumerate() {
            let expected = if sample == 5 || sample == 11 {
                0.0
            } else {
                0.8
            };
            assert!((share - expected).abs() < 1e-6, "{sample}: {share}");
        }
        Ok(())
    }

    #[test]
    fn no_neighbour_is_an_error() -> Result<(), CoresetError> {
        let one = Matrix::new("features", 1, 2, vec![1.0, 0.0])?;
        assert!(neighbour_agreement(&one, &[0], 5).is_err());
        let two = Matrix::new("features", 2, 1, vec![1.0, 2.0])?;
        assert!(neighbour_agreement(&two, &[0, 1], 0).is_err());
        assert_eq!(neighbour_agreement(&two, &[3, 3], 9)?, [1.0, 1.0]);
        Ok(())
    }
}
