//! Weighted k-nearest-neighbour accuracy of frozen embeddings (Wu et al., CVPR 2018, §3.4).

use rayon::prelude::*;

/// Embeddings `[N, D]` in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    values: Vec<f32>,
    width: usize,
}

impl Embeddings {
    /// Embeddings of `values.len() / width` samples.
    pub fn new(values: Vec<f32>, width: usize) -> Self {
        Self {
            values,
            width: width.max(1),
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Dimensions of an embedding.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All numbers in row-major order.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// One sample's embedding.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..(index + 1) * self.width]
    }

    /// Every row scaled to length 1; a row of zeros stays.
    pub fn normalized(mut self) -> Self {
        for row in self.values.chunks_exact_mut(self.width) {
            let norm = row
                .iter()
                .map(|&x| f64::from(x).powi(2))
                .sum::<f64>()
                .sqrt();
            if norm > 0.0 {
                row.iter_mut()
                    .for_each(|x| *x = (f64::from(*x) / norm) as f32);
            }
        }
        self
    }
}

/// Share of `queries` whose weighted vote among the `k` nearest of `bank` names their label.
///
/// Similarity is the cosine, a neighbour's vote weighs `exp(similarity / temperature)`; ties in
/// similarity go to the smaller index and ties in votes to the smaller class, so that the figure is
/// the same for any number of threads.
pub fn accuracy(
    bank: &Embeddings,
    bank_labels: &[u32],
    queries: &Embeddings,
    query_labels: &[u32],
    k: usize,
    temperature: f64,
) -> f64 {
    if queries.is_empty() || bank.is_empty() {
        return f64::NAN;
    }
    let named = named(bank, bank_labels, queries, k, temperature);
    let right = named.iter().zip(query_labels).filter(|(a, b)| a == b);
    right.count() as f64 / queries.len() as f64
}

/// The class that the weighted vote among the `k` nearest of `bank` names, for each of `queries`; see
/// [`accuracy`]. None where there is no bank.
pub fn named(
    bank: &Embeddings,
    bank_labels: &[u32],
    queries: &Embeddings,
    k: usize,
    temperature: f64,
) -> Vec<u32> {
    if bank.is_empty() {
        return Vec::new();
    }
    let classes = bank_labels.iter().max().map_or(0, |&c| c as usize + 1);
    let k = k.clamp(1, bank.len());
    (0..queries.len())
        .into_par_iter()
        .map(|q| {
            let mut near: Vec<(f32, usize)> = (0..bank.len())
                .map(|b| (dot(queries.row(q), bank.row(b)), b))
                .collect();
            let order =
                |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            near.select_nth_unstable_by(k - 1, order);
            near.truncate(k);
            near.sort_unstable_by(order);
            let mut votes = vec![0.0f64; classes];
            for (similarity, b) in near {
                // Cosines are at most 1, so the exponent of the difference cannot overflow.
                votes[bank_labels[b] as usize] +=
                    ((f64::from(similarity) - 1.0) / temperature).exp();
            }
            let best = votes
                .iter()
                .enumerate()
                .fold(
                    (0, f64::MIN),
                    |best, (class, &v)| if v > best.1 { (class, v) } else { best },
                );
            best.0 as u32
        })
        .collect()
}

/// Dot product in eight fixed lanes: vectorised, and the same on every machine.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f32 = a8
        .remainder()
        .iter()
        .zip(b8.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a8.zip(b8) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f32>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(points: &[[f32; 2]]) -> Embeddings {
        Embeddings::new(points.concat(), 2).normalized()
    }

    #[test]
    fn a_query_takes_the_label_of_its_neighbours() {
        let bank = plane(&[[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]);
        let queries = plane(&[[5.0, 0.2], [0.2, 5.0]]);
        assert_eq!(
            accuracy(&bank, &[0, 0, 1, 1], &queries, &[0, 1], 2, 0.07),
            1.0
        );
        assert_eq!(
            accuracy(&bank, &[0, 0, 1, 1], &queries, &[1, 1], 2, 0.07),
            0.5
        );
    }

    #[test]
    fn temperature_decides_between_one_near_and_two_far() {
        let bank = plane(&[[1.0, 0.0], [0.7, 0.7], [0.7, 0.7]]);
        let query = plane(&[[1.0, 0.05]]);
        assert_eq!(accuracy(&bank, &[0, 1, 1], &query, &[0], 3, 0.07), 1.0);
        assert_eq!(accuracy(&bank, &[0, 1, 1], &query, &[1], 3, 10.0), 1.0);
    }

    #[test]
    fn k_beyond_the_bank_and_zero_embeddings_are_harmless() {
        let bank = plane(&[[0.0, 0.0], [1.0, 0.0]]);
        let query = plane(&[[0.0, 0.0]]);
        assert_eq!(accuracy(&bank, &[0, 1], &query, &[0], 99, 0.07), 1.0);
        assert!(accuracy(&bank, &[0, 1], &Embeddings::new(vec![], 2), &[], 1, 0.1).is_nan());
    }
}
