//! What transitions between classes, and a reading of scores, make of the observed labels.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use afterimage_numeric::{Cholesky, softmax};
use rayon::prelude::*;

/// Penalty on the square of each correction.
const SHRINK: f64 = 0.01;
/// Pseudo-samples of each class whose labels follow symmetric noise, as a part of its samples.
const SYMMETRIC: f64 = 0.1;
/// Pull of the scale towards 1. Without it a weak signal, where most labels are wrong, is taken over by the
/// corrections, which fit the noise.
const STEADY: f64 = 0.1;
/// Weight of the logarithm of the volume that the rows of the matrix span, a class of it.
const VOLUME: f64 = 0.03;
/// Weight of the cross-entropy of equal shares and those of the true classes.
const SHARES: f64 = 1.0;
/// Keeps the volume of a singular matrix above 0.
const LEAST: f64 = 1e-6;
/// Samples worked on at a time, at least, and parts that are held at a time, at most.
const ROWS: usize = 512;
const PARTS: usize = 16;

/// A reading of scores, and transitions between classes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameters {
    classes: usize,
    /// Root of the scale of all scores in the logits of the true classes: a score never speaks against
    /// its own class.
    root: f64,
    /// What the logarithm of the scale gains with atypicality.
    fade: f64,
    /// What each class's score (rows) adds to each logit (columns), `[classes, classes]`.
    corrections: Vec<f64>,
    offsets: Vec<f64>,
    /// Rows that add up to 1, `[classes, classes]`.
    pub(super) transitions: Vec<f64>,
}

impl Parameters {
    /// Scores as they are, and symmetric noise that leaves the part `right` of labels as they were.
    pub(super) fn start(classes: usize, right: f64) -> Self {
        Self {
            classes,
            root: 1.0,
            fade: 0.0,
            corrections: vec![0.0; classes * classes],
            offsets: vec![0.0; classes],
            transitions: symmetric(classes, right),
        }
    }

    /// Numbers of any size, of which the transitions are softmaxes.
    pub(super) fn to_vec(&self) -> Vec<f64> {
        let logits = self.transitions.iter().map(|t| t.max(1e-300).ln());
        [self.root, self.fade]
            .into_iter()
            .chain(self.corrections.iter().copied())
            .chain(self.offsets.iter().copied())
            .chain(logits)
            .collect()
    }

    /// The inverse of [`Self::to_vec`].
    pub(super) fn from_slice(at: &[f64], classes: usize) -> Self {
        let (corrections, rest) = at[2..].split_at(classes * classes);
        let (offsets, logits) = rest.split_at(classes);
        let mut transitions = logits.to_vec();
        transitions.chunks_exact_mut(classes).for_each(softmax);
        Self {
            classes,
            root: at[0],
            fade: at[1],
            corrections: corrections.to_vec(),
            offsets: offsets.to_vec(),
            transitions,
        }
    }

    /// The mean over classes of the share of their labels that stay as they are.
    pub(super) fn right(&self) -> f64 {
        let diagonal = self.transitions.iter().step_by(self.classes + 1);
        diagonal.sum::<f64>() / self.classes as f64
    }

    /// Of the scores of a sample so atypical.
    fn scale(&self, atypicality: f64) -> f64 {
        self.root * self.root * (self.fade * atypicality).exp()
    }

    /// The probability of each true class at a row of scores of a sample so atypical.
    fn probabilities(&self, row: &[f64], atypicality: f64, into: &mut [f64]) {
        let scale = self.scale(atypicality);
        for ((logit, x), offset) in into.iter_mut().zip(row).zip(&self.offsets) {
            *logit = scale * x + offset;
        }
        for (x, corrections) in row.iter().zip(self.corrections.chunks_exact(self.classes)) {
            for (logit, correction) in into.iter_mut().zip(corrections) {
                *logit += x * correction;
            }
        }
        softmax(into);
    }

    /// The probability that `label` is right at a row of scores of a sample so atypical.
    pub(super) fn posterior(&self, row: &[f64], atypicality: f64, label: usize) -> f64 {
        let mut truth = vec![0.0; self.classes];
        self.probabilities(row, atypicality, &mut truth);
        let joint = |class: usize| truth[class] * self.transitions[class * self.classes + label];
        let all: f64 = (0..self.classes).map(joint).sum();
        if all > 0.0 {
            (joint(label) / all).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

/// Noise that takes labels to every other class alike and leaves the part `right`.
fn symmetric(classes: usize, right: f64) -> Vec<f64> {
    let other = (1.0 - right) / (classes - 1).max(1) as f64;
    (0..classes * classes)
        .map(|at| {
            if at % (classes + 1) == 0 {
                right
            } else {
                other
            }
        })
        .collect()
}

/// Turns a gradient by probabilities into one by their logits.
fn through_softmax(probabilities: &[f64], gradient: &mut [f64]) {
    let pairs = probabilities.iter().zip(gradient.iter());
    let mean: f64 = pairs.map(|(p, g)| p * g).sum();
    for (g, p) in gradient.iter_mut().zip(probabilities) {
        *g = p * (*g - mean);
    }
}

/// A value and its derivatives by all parameters.
#[derive(Debug, Clone)]
pub(super) struct Slope {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
}

/// What transitions are fitted to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed<'a> {
    /// Scores `[n, classes]`, of mean 0 and spread 1.
    pub(super) rows: &'a [f64],
    pub(super) labels: &'a [usize],
    /// One number a sample, of mean 0; all 0 where nothing is known.
    pub(super) atypicality: &'a [f64],
    pub(super) classes: usize,
    /// Whether true classes are equally frequent.
    pub(super) balanced: bool,
}

/// The negative logarithm of the likelihood of labels, a sample, with its priors.
pub(super) struct Likelihood<'a> {
    of: Observed<'a>,
    /// What transitions are drawn to.
    symmetric: Vec<f64>,
    /// The last place that was asked for: value and gradient are asked for one after the other.
    last: Mutex<Option<(Vec<f64>, Slope)>>,
}

/// Sums over a block of samples.
struct Sums {
    value: f64,
    root: f64,
    fade: f64,
    corrections: Vec<f64>,
    offsets: Vec<f64>,
    /// How many samples of each true class have each label, in expectation.
    counts: Vec<f64>,
}

impl<'a> Likelihood<'a> {
    /// `right` is the share of labels that the noise to which transitions are drawn leaves as they are.
    pub(super) fn new(of: Observed<'a>, right: f64) -> Self {
        let least = 1.0 / of.classes as f64;
        Self {
            of,
            symmetric: symmetric(of.classes, right.clamp(least.min(0.99), 0.99)),
            last: Mutex::new(None),
        }
    }

    pub(super) fn at(&self, at: &[f64]) -> Slope {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((place, slope)) = &*last
            && place == at
        {
            return slope.clone();
        }
        let slope = self.evaluate(&Parameters::from_slice(at, self.of.classes));
        *last = Some((at.to_vec(), slope.clone()));
        slope
    }

    fn evaluate(&self, at: &Parameters) -> Slope {
        let (classes, len) = (self.of.classes, self.of.labels.len() as f64);
        let mut truth = vec![0.0; self.of.rows.len()];
        truth
            .par_chunks_exact_mut(classes)
            .zip(self.of.rows.par_chunks_exact(classes))
            .zip(self.of.atypicality)
            .for_each(|((truth, row), u)| at.probabilities(row, *u, truth));
        let mut shares = vec![0.0; classes];
        for row in truth.chunks_exact(classes) {
            shares.iter_mut().zip(row).for_each(|(m, p)| *m += p / len);
        }
        // Cross-entropy with equal shares, and what each sample's probabilities do to it.
        let weight = if self.of.balanced {
            SHARES / classes as f64
        } else {
            0.0
        };
        let shares: Vec<f64> = shares.iter().map(|m| m.max(f64::MIN_POSITIVE)).collect();
        let pull: Vec<f64> = shares.iter().map(|m| -weight / m / len).collect();
        let rows = self.of.labels.len().div_ceil(PARTS).max(ROWS);
        let blocks: Vec<usize> = (0..self.of.labels.len()).step_by(rows).collect();
        let parts: Vec<Sums> = blocks
            .par_iter()
            .map(|first| self.sums(at, &truth, &pull, *first..first + rows))
            .collect();
        let mut value = -weight * shares.iter().map(|m| m.ln()).sum::<f64>();
        let mut gradient = vec![0.0; 2 + 2 * classes * classes + classes];
        let (head, turns) = gradient.split_at_mut(2 + classes * classes + classes);
        let pseudo = SYMMETRIC * len / classes as f64;
        let mut counts: Vec<f64> = self.symmetric.iter().map(|t| pseudo * t).collect();
        for part in parts {
            value += part.value;
            let terms = [&part.root, &part.fade]
                .into_iter()
                .chain(&part.corrections)
                .chain(&part.offsets);
            head.iter_mut().zip(terms).for_each(|(g, term)| *g += term);
            counts
                .iter_mut()
                .zip(&part.counts)
                .for_each(|(sum, c)| *sum += c);
        }
        let beyond = at.root * at.root - 1.0;
        value += 0.5 * STEADY * beyond * beyond;
        head[0] += STEADY * beyond * 2.0 * at.root;
        for (g, correction) in head[2..].iter_mut().zip(&at.corrections) {
            value += 0.5 * SHRINK * correction * correction;
            *g += SHRINK * correction;
        }
        let pairs = self.symmetric.iter().zip(&at.transitions);
        value -= pseudo / len
            * pairs
                .map(|(t, x)| t * x.max(f64::MIN_POSITIVE).ln())
                .sum::<f64>();
        let (volume, by_cell) = volume(&at.transitions, classes);
        let weight = VOLUME / classes as f64;
        value += weight * volume;
        let rows = at.transitions.chunks_exact(classes);
        let rows = rows
            .zip(by_cell.chunks_exact(classes))
            .zip(counts.chunks_exact(classes));
        for (turns, ((row, by_cell), counts)) in turns.chunks_exact_mut(classes).zip(rows) {
            let mut outer: Vec<f64> = by_cell.iter().map(|x| weight * x).collect();
            through_softmax(row, &mut outer);
            let all: f64 = counts.iter().sum();
            for (((g, outer), t), count) in turns.iter_mut().zip(&outer).zip(row).zip(counts) {
                *g = outer - (count - all * t) / len;
            }
        }
        Slope { value, gradient }
    }

    /// Sums over the samples of a range, all but the counts of which are over the number of samples.
    fn sums(&self, at: &Parameters, truth: &[f64], pull: &[f64], range: Range<usize>) -> Sums {
        let (classes, len) = (self.of.classes, self.of.labels.len() as f64);
        let mut sums = Sums {
            value: 0.0,
            root: 0.0,
            fade: 0.0,
            corrections: vec![0.0; classes * classes],
            offsets: vec![0.0; classes],
            counts: vec![0.0; classes * classes],
        };
        let mut slope = vec![0.0; classes];
        for id in range.start..range.end.min(self.of.labels.len()) {
            let row = &self.of.rows[id * classes..][..classes];
            let truth = &truth[id * classes..][..classes];
            let label = self.of.labels[id];
            let passed = |class: usize| truth[class] * at.transitions[class * classes + label];
            let all = (0..classes).map(passed).sum::<f64>().max(f64::MIN_POSITIVE);
            sums.value -= all.ln() / len;
            slope.copy_from_slice(pull);
            through_softmax(truth, &mut slope);
            for class in 0..classes {
                let found = passed(class) / all;
                slope[class] += (truth[class] - found) / len;
                sums.counts[class * classes + label] += found;
            }
            let each = sums.corrections.chunks_exact_mut(classes).zip(row);
            for (corrections, x) in each {
                for (sum, slope) in corrections.iter_mut().zip(&slope) {
                    *sum += x * slope;
                }
            }
            for (offset, slope) in sums.offsets.iter_mut().zip(&slope) {
                *offset += slope;
            }
            let by_scale: f64 = slope.iter().zip(row).map(|(slope, x)| slope * x).sum();
            let u = self.of.atypicality[id];
            sums.root += by_scale * 2.0 * at.root * (at.fade * u).exp();
            sums.fade += by_scale * at.scale(u) * u;
        }
        sums
    }
}

/// ln |det T|, nearly, and its derivatives by the cells of T `[classes, classes]`.
fn volume(matrix: &[f64], classes: usize) -> (f64, Vec<f64>) {
    let cell = |row: usize, column: usize| matrix[row * classes + column];
    let mut square = vec![0.0; classes * classes];
    for row in 0..classes {
        for column in 0..classes {
            let dot: f64 = (0..classes).map(|k| cell(k, row) * cell(k, column)).sum();
            square[row * classes + column] = dot + if row == column { LEAST } else { 0.0 };
        }
    }
    let factor = Cholesky::new(square, classes);
    // The derivative is T (TᵀT)⁻¹: each of its rows solves for one of T.
    let mut slope = matrix.to_vec();
    slope
        .chunks_exact_mut(classes)
        .for_each(|row| factor.solve(row));
    (factor.log_determinant() / 2.0, slope)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gradients_are_those_of_the_value(
            values in prop::collection::vec(-1.5f64..1.5, 2 + 9 + 3 + 9),
            balanced: bool,
        ) {
            let rows: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 23) / 11.0 - 1.0).collect();
            let labels: Vec<usize> = (0..20).map(|i| i * 7 % 3).collect();
            let atypicality: Vec<f64> = (0..20).map(|i| f64::from(i * 3 % 20) / 19.0 - 0.5).collect();
            let of = Observed {
                rows: &rows,
                labels: &labels,
                atypicality: &atypicality,
                classes: 3,
                balanced,
            };
            let likelihood = Likelihood::new(of, 0.7);
            let slope = likelihood.at(&values);
            for (place, derivative) in slope.gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut values = values.clone();
                    values[place] += by;
                    likelihood.at(&values).value
                };
                // Of fourth order: a matrix that is nearly singular bends sharply.
                let rise = |by: f64| moved(by) - moved(-by);
                let found = (8.0 * rise(1e-5) - rise(2e-5)) / 12e-5;
                prop_assert!((found - derivative).abs() < 1e-5 * (1.0 + found.abs()), "{place}: {found} {derivative}");
            }
        }

        #[test]
        fn parameters_come_back(right in 0.2f64..0.95, root in -3.0f64..3.0) {
            let before = Parameters { root, fade: root / 3.0, ..Parameters::start(4, right) };
            let after = Parameters::from_slice(&before.to_vec(), 4);
            prop_assert!((after.right() - right).abs() < 1e-12);
            prop_assert_eq!((after.root, after.fade), (root, root / 3.0));
        }
    }

    #[test]
    fn volume_is_the_logarithm_of_the_determinant() {
        let (found, _) = volume(&[0.7, 0.3, 0.1, 0.9], 2);
        assert!((found - 0.6f64.ln()).abs() < 1e-4, "{found}");
    }
}
