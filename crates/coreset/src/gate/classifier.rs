//! What a linear classifier says of each sample without having learned from it.

use afterimage_matmul::{Into, Matrix as Block, product};
use afterimage_numeric::Cholesky;
use rayon::prelude::*;

use crate::error::CoresetError;
use crate::matrix::Matrix;
use crate::points::same_length;

/// Penalties that are tried, in units of the number of samples: what shrinks features of unit variance
/// little to what leaves hardly more than the direction of each class's mean.
const PENALTIES: [f64; 10] = [1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// Samples worked on at a time.
const ROWS: usize = 512;

/// What is at least left of a sample's residual when others predict it, so that a sample that decides
/// its own prediction does not divide by 0.
const LEAST: f64 = 1e-6;

/// For each sample the scores `[n, classes]` of all labels, up to the highest that occurs, by ridge
/// regression of label indicators on standardised `features` `[n, d]`, each sample scored by the fit to
/// all others. The intercept is not penalised; the penalty is the one with the least squared error of
/// these predictions, so that noisier labels are answered with more shrinkage.
///
/// Fits to all but one need not be made: the residual of the fit to all, over one less the sample's
/// leverage, is that of the fit to the others. Features are standardised once, with the sample itself.
/// Scores add up to 1 and are near probabilities, but can lie outside of [0, 1]. Memory:
/// once the features again, 28 bytes a pair of features, and two tables of scores. The result does not
/// depend on rayon's pool.
///
/// Sources: PRESS, Allen 1974; leverage and exact leave-one-out, Cook and Weisberg 1982.
///
/// # Errors
/// Unequal lengths, or fewer than two samples.
pub fn classifier_scores(features: &Matrix, labels: &[u32]) -> Result<Vec<f32>, CoresetError> {
    let len = features.rows();
    same_length(("features", len), ("labels", labels.len()))?;
    if len < 2 {
        let reason = format!("{len} samples teach no classifier; give at least 2");
        return Err(CoresetError::setting("features", reason));
    }
    let classes = labels.iter().max().map_or(0, |label| *label as usize + 1);
    let problem = Problem {
        rows: standardized(features),
        width: features.columns(),
        labels,
        classes,
        frequency: frequency(labels, classes),
    };
    let (gram, sums) = (problem.gram(), problem.sums());
    let best = PENALTIES
        .iter()
        .map(|penalty| problem.left_out(&gram, &sums, penalty * len as f64))
        .min_by(|a, b| a.error.total_cmp(&b.error));
    Ok(best.map_or_else(Vec::new, |best| best.scores))
}

/// Predictions for each sample by the fit to all others.
struct LeftOut {
    /// `[n, classes]`
    scores: Vec<f32>,
    /// Sum of squares of what they miss.
    error: f64,
}

struct Problem<'a> {
    /// Standardised features `[n, width]`.
    rows: Vec<f32>,
    width: usize,
    labels: &'a [u32],
    classes: usize,
    /// Share of each label.
    frequency: Vec<f64>,
}

impl Problem<'_> {
    fn blocks(&self) -> impl Iterator<Item = &[f32]> {
        self.rows.chunks((ROWS * self.width).max(1))
    }

    fn block<'b>(&self, rows: &'b [f32]) -> Block<'b> {
        Block::new(rows, rows.len() / self.width.max(1), self.width)
    }

    /// Products of all pairs of features, summed over samples, `[width, width]`.
    fn gram(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.width * self.width];
        let mut part = vec![0.0f32; self.width * self.width];
        for rows in self.blocks() {
            let block = self.block(rows);
            product(&mut part, block.transposed(), block, Into::Overwrite);
            for (sum, x) in sums.iter_mut().zip(&part) {
                *sum += f64::from(*x);
            }
        }
        sums
    }

    /// The features of each label's samples, summed `[classes, width]`.
    fn sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.classes * self.width];
        for (row, label) in self.rows.chunks_exact(self.width.max(1)).zip(self.labels) {
            let of_label = &mut sums[*label as usize * self.width..][..self.width];
            for (sum, x) in of_label.iter_mut().zip(row) {
                *sum += f64::from(*x);
            }
        }
        sums
    }

    /// Predictions under a penalty, from [`Self::gram`] and [`Self::sums`].
    fn left_out(&self, gram: &[f64], sums: &[f64], penalty: f64) -> LeftOut {
        let mut penalised = gram.to_vec();
        penalised
            .iter_mut()
            .step_by(self.width + 1)
            .for_each(|cell| *cell += penalty);
        // In coordinates z = L⁻¹·x a leverage is |z|², and a coefficient L⁻¹·Σx.
        let turn = Cholesky::new(penalised, self.width).inverse_factor();
        let turned = |of_label: &[f64]| -> Vec<f32> {
            let rows = turn.chunks_exact(self.width.max(1));
            let dot =
                |row: &[f64]| row.iter().zip(of_label).map(|(t, x)| t * x).sum::<f64>() as f32;
            rows.map(dot).collect()
        };
        let slopes: Vec<f32> = sums
            .chunks_exact(self.width.max(1))
            .flat_map(turned)
            .collect();
        let turn: Vec<f32> = turn.iter().map(|x| *x as f32).collect();
        let count = self.labels.len() as f64;
        let blocks: Vec<(&[f32], &[u32])> = self.blocks().zip(self.labels.chunks(ROWS)).collect();
        let of_block = |(rows, labels): &(&[f32], &[u32])| {
            let mut turned = vec![0.0f32; rows.len()];
            let to = Block::new(&turn, self.width, self.width).transposed();
            product(&mut turned, self.block(rows), to, Into::Overwrite);
            let mut scores = vec![0.0f32; labels.len() * self.classes];
            let slopes = Block::new(&slopes, self.classes, self.width).transposed();
            product(&mut scores, self.block(&turned), slopes, Into::Overwrite);
            let mut error = 0.0;
            for (at, label) in labels.iter().enumerate() {
                let turned = &turned[at * self.width..][..self.width];
                let long: f64 = turned.iter().map(|z| f64::from(*z).powi(2)).sum();
                let leverage = 1.0 / count + long;
                let kept = (1.0 - leverage).max(LEAST);
                let of_sample = &mut scores[at * self.classes..][..self.classes];
                for (class, score) in of_sample.iter_mut().enumerate() {
                    let truth = f64::from(u8::from(class == *label as usize));
                    let missed = (truth - self.frequency[class] - f64::from(*score)) / kept;
                    error += missed * missed;
                    *score = (truth - missed) as f32;
                }
            }
            (scores, error)
        };
        let parts: Vec<(Vec<f32>, f64)> = blocks.par_iter().map(of_block).collect();
        let error = parts.iter().map(|(_, error)| error).sum();
        let scores = parts.into_iter().flat_map(|(scores, _)| scores).collect();
        LeftOut { scores, error }
    }
}

fn frequency(labels: &[u32], classes: usize) -> Vec<f64> {
    let mut frequency = vec![0.0; classes];
    for label in labels {
        frequency[*label as usize] += 1.0 / labels.len() as f64;
    }
    frequency
}

/// Columns of mean 0 and variance 1; a column without spread becomes 0.
fn standardized(features: &Matrix) -> Vec<f32> {
    let ids: Vec<usize> = (0..features.rows()).collect();
    let mean = features.mean(&ids);
    let mut variance = vec![0.0f64; features.columns()];
    for id in &ids {
        for ((sum, mean), x) in variance.iter_mut().zip(&mean).zip(features.row(*id)) {
            *sum += (f64::from(*x) - mean).powi(2) / ids.len() as f64;
        }
    }
    let scale = |(variance, mean): (&f64, &f64)| {
        let spread = variance.sqrt();
        if spread > 1e-6 * mean.abs().max(f64::MIN_POSITIVE) {
            1.0 / spread
        } else {
            0.0
        }
    };
    let scales: Vec<f64> = variance.iter().zip(&mean).map(scale).collect();
    let values = features.values().chunks_exact(features.columns().max(1));
    values
        .flat_map(|row| {
            let each = row.iter().zip(&mean).zip(&scales);
            each.map(|((x, mean), scale)| ((f64::from(*x) - mean) * scale) as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::random::Purpose;

    const WIDTH: usize = 6;

    /// Points of three classes whose means differ; of `wrong` the label is another.
    fn world(len: usize, wrong: f64) -> (Matrix, Vec<u32>, Vec<bool>) {
        let mut draws = Purpose::Rate.draws(4, 0);
        let (mut values, mut labels, mut right) = (vec![], vec![], vec![]);
        for sample in 0..len {
            let truth = sample % 3;
            let is_right = draws.uniform() >= wrong;
            let turn = 1 + draws.below_wide(2);
            labels.push(if is_right { truth } else { (truth + turn) % 3 } as u32);
            right.push(is_right);
            for column in 0..WIDTH {
                let level = if column == truth { 2.0 } else { 0.0 };
                values.push((10.0 + 3.0 * (level + draws.normal())) as f32);
            }
        }
        let features = Matrix::new("features", len, WIDTH, values).unwrap();
        (features, labels, right)
    }

    /// Ridge regression on all but `out` by elimination, with the features as standardised on all.
    fn fit_without(rows: &[f32], labels: &[u32], out: usize, penalty: f64) -> Vec<f64> {
        let kept: Vec<usize> = (0..labels.len()).filter(|id| *id != out).collect();
        let row = |id: usize| rows[id * WIDTH..][..WIDTH].iter().map(|x| f64::from(*x));
        let size = WIDTH + 1;
        let mut gram = vec![0.0; size * size];
        let mut sums = [const { [0.0; WIDTH + 1] }; 3];
        for id in &kept {
            let with: Vec<f64> = row(*id).chain([1.0]).collect();
            for i in 0..size {
                for j in 0..size {
                    gram[i * size + j] += with[i] * with[j];
                }
                sums[labels[*id] as usize][i] += with[i];
            }
        }
        (0..WIDTH).for_each(|i| gram[i * size + i] += penalty);
        let factor = Cholesky::new(gram, size);
        sums.iter_mut().for_each(|sums| factor.solve(sums));
        let with: Vec<f64> = row(out).chain([1.0]).collect();
        let of_class = |fit: &[f64; WIDTH + 1]| with.iter().zip(fit).map(|(x, f)| x * f).sum();
        sums.iter().map(of_class).collect()
    }

    #[test]
    fn scores_are_those_of_fits_without_the_sample_at_the_best_penalty() {
        let (features, labels, _) = world(60, 0.2);
        let scores = classifier_scores(&features, &labels).unwrap();
        let rows = standardized(&features);
        let errors = PENALTIES.map(|penalty| {
            let fits: Vec<Vec<f64>> = (0..60)
                .map(|out| fit_without(&rows, &labels, out, penalty * 60.0))
                .collect();
            let missed = |(out, fit): (usize, &Vec<f64>)| -> f64 {
                let truth = |class: usize| f64::from(u8::from(class == labels[out] as usize));
                (0..3)
                    .map(|class| (truth(class) - fit[class]).powi(2))
                    .sum()
            };
            (fits.iter().enumerate().map(missed).sum::<f64>(), fits)
        });
        let best = errors.iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        for (score, fitted) in scores.iter().zip(best.1.iter().flatten()) {
            assert!(
                (f64::from(*score) - fitted).abs() < 1e-4,
                "{score} {fitted}"
            );
        }
        for row in scores.chunks(3) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn wrong_labels_score_low_also_where_most_are_wrong() {
        for (wrong, least) in [(0.2, 0.93), (0.6, 0.7)] {
            let (features, labels, right) = world(1500, wrong);
            let scores = classifier_scores(&features, &labels).unwrap();
            let own: Vec<f64> = (0..1500)
                .map(|id| f64::from(scores[id * 3 + labels[id] as usize]))
                .collect();
            let auroc = crate::quality::auroc(&own, &right);
            assert!(auroc > least, "{wrong}: {auroc}");
        }
    }

    #[test]
    fn threads_and_order_change_nothing_and_constant_features_say_nothing() {
        let (features, labels, _) = world(1200, 0.3);
        let scores = classifier_scores(&features, &labels).unwrap();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(3)
            .build()
            .unwrap();
        assert_eq!(
            pool.install(|| classifier_scores(&features, &labels))
                .unwrap(),
            scores
        );
        let order: Vec<usize> = (0..1200).map(|id| id * 7 % 1200).collect();
        let mixed: Vec<f32> = order
            .iter()
            .flat_map(|id| features.row(*id).to_vec())
            .collect();
        let mixed = Matrix::new("features", 1200, WIDTH, mixed).unwrap();
        let theirs: Vec<u32> = order.iter().map(|id| labels[*id]).collect();
        let of_mixed = classifier_scores(&mixed, &theirs).unwrap();
        for (at, id) in order.iter().enumerate() {
            for class in 0..3 {
                assert!((of_mixed[at * 3 + class] - scores[id * 3 + class]).abs() < 1e-4);
            }
        }
        let constant = Matrix::new("features", 4, 2, vec![7.0; 8]).unwrap();
        let scores = classifier_scores(&constant, &[0, 1, 1, 1]).unwrap();
        // Each sample by the frequencies among the others.
        assert!((scores[0] - 0.0).abs() < 1e-6 && (scores[3] - 2.0 / 3.0).abs() < 1e-6);
        assert!(classifier_scores(&constant, &[0, 1]).is_err());
        let one = Matrix::new("features", 1, 2, vec![7.0; 2]).unwrap();
        assert!(classifier_scores(&one, &[0]).is_err());
    }
}
