//! How labels went wrong, as a matrix of transitions between classes, and what that says of each label.

use argmin::core::{CostFunction, Error, Executor, Gradient};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::likelihood::{Likelihood, Observed, Parameters};
use super::scored_classes;
use crate::error::CoresetError;
use crate::points::same_length;

/// Share of labels that are held to be right before anything is known.
const START: f64 = 0.6;
/// Rounds at most, each with transitions drawn to the symmetric noise of the round before.
const ROUNDS: usize = 12;
/// Change of the share of right labels at which they end.
const SETTLED: f64 = 2e-3;
/// Steps of the optimizer in a round.
const STEPS: u64 = 60;
/// Steps that the optimizer remembers.
const MEMORY: usize = 10;
/// More classes would take hours.
const MOST_CLASSES: usize = 200;

/// Whether and how the transitions between true and observed labels are estimated.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Transitions {
    /// Not: every label is compared with labels drawn blindly.
    #[default]
    None,
    /// They are, with nothing known of the true classes.
    Free,
    /// They are, where the true classes are known to be equally frequent.
    Balanced,
}

/// What a matrix of transitions says of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Corrected {
    /// Probability in [0, 1] that the observed label of each sample is right.
    pub clean: Vec<f64>,
    /// Probability `[classes, classes]` of each observed label (columns), given the true one (rows). A
    /// label that never occurs is given by its own class alone.
    pub transitions: Vec<f64>,
}

/// The probability that each observed label is right, from `scores` `[n, classes]` that a sample's own
/// label had no part in, by Bayes' rule with a matrix of transitions T that is estimated along the way:
///
/// P(observed z | x) = Σ_y P(y | x) T_yz, and P(right) = P(y = z | x) T_zz / P(z | x).
///
/// P(y | x) is a softmax of the scores by a scale, offsets, and small corrections. Since the identity fits
/// almost as well, priors decide: rows of T are drawn towards symmetric noise of the strength found; of two
/// matrices the one of less volume is preferred; and with `balanced` the true classes are held to be
/// equally frequent, so that labels that are given too often are known to hold others' samples. Without
/// that knowledge asymmetric noise between classes that look alike is hardly told from classes that look
/// alike. With `atypicality` (one number a sample, from something that saw no labels) the logarithm of the
/// scale may rise or fall with it: what scores say of atypical samples may count for less.
///
/// On SimCLR embeddings of 5,000 images of CIFAR-10 and Fashion-MNIST the mean probability was off by up to
/// 0.07 where none, two fifths of five classes, or 80 % of labels were wrong, and by up to 0.13 where half
/// were; `balanced` raised the area under the curve there also where half of the classes had half as many
/// images. With fewer than some 100 samples a class it is not to be relied on.
///
/// Takes some 300 passes of samples times the square of classes: on one core 2 s for 50,000 samples of 10
/// classes, a minute for 100 classes. Runs on rayon's current pool; the result does not depend on it. The
/// order of the samples moves it by rounding, which the optimizer enlarges.
///
/// Sources: loss correction by transitions, Patrini et al., CVPR 2017; least volume, VolMinNet, Li et
/// al., ICML 2021; alignment with known class shares, ReMixMatch, Berthelot et al., ICLR 2020. Optimizer:
/// L-BFGS, Liu and Nocedal 1989.
///
/// # Errors
/// Unequal lengths, a label without a score, scores or atypicality that are not finite, with the sample's
/// id, or of a size that nothing can be fitted to; more than 200 labels that occur.
pub fn by_transitions(
    scores: &[f32],
    labels: &[u32],
    balanced: bool,
    atypicality: Option<&[f64]>,
) -> Result<Corrected, CoresetError> {
    let len = labels.len();
    let classes = scored_classes(scores, labels)?;
    if let Some(at) = scores.iter().position(|x| !x.is_finite()) {
        let reason = format!("of sample {} are not finite", at / classes.max(1));
        return Err(CoresetError::setting("scores", reason));
    }
    let atypicality = match atypicality {
        None => vec![0.0; len],
        Some(u) => {
            same_length(("labels", len), ("atypicality", u.len()))?;
            if let Some(id) = u.iter().position(|u| !u.is_finite()) {
                let reason = format!("of sample {id} is not finite");
                return Err(CoresetError::setting("atypicality", reason));
            }
            let mean = u.iter().sum::<f64>() / len.max(1) as f64;
            u.iter().map(|u| u - mean).collect()
        }
    };
    let mut names = labels.to_vec();
    names.sort_unstable();
    names.dedup();
    let mut transitions: Vec<f64> = (0..classes * classes)
        .map(|at| f64::from(u8::from(at % (classes + 1) == 0)))
        .collect();
    if names.len() < 2 {
        let clean = vec![1.0; len];
        return Ok(Corrected { clean, transitions });
    }
    if names.len() > MOST_CLASSES {
        let reason = format!(
            "of {} classes would take hours; at most {MOST_CLASSES} can be estimated: set \"none\"",
            names.len()
        );
        return Err(CoresetError::setting("transitions", reason));
    }
    let place = |label: &u32| names.binary_search(label).unwrap_or_default();
    let known: Vec<usize> = labels.iter().map(place).collect();
    let rows = standardized(scores, classes, &names, &known);
    let fit = fitted(Observed {
        rows: &rows,
        labels: &known,
        atypicality: &atypicality,
        classes: names.len(),
        balanced,
    })?;
    for (from, name) in names.iter().enumerate() {
        for (to, other) in names.iter().enumerate() {
            let at = *name as usize * classes + *other as usize;
            transitions[at] = fit.transitions[from * names.len() + to];
        }
    }
    let clean = rows
        .par_chunks_exact(names.len())
        .zip(&known)
        .zip(&atypicality)
        .map(|((row, label), u)| fit.posterior(row, *u, *label))
        .collect();
    Ok(Corrected { clean, transitions })
}

/// Scores of the labels that occur, about each label's mean, in units of their common spread.
fn standardized(scores: &[f32], classes: usize, names: &[u32], labels: &[usize]) -> Vec<f64> {
    let mut rows: Vec<f64> = scores
        .chunks_exact(classes)
        .flat_map(|row| names.iter().map(|name| f64::from(row[*name as usize])))
        .collect();
    let count = labels.len() as f64;
    // The others have one sample less of a sample's own label; where features say little that is most of
    // what its score says.
    for (row, label) in rows.chunks_exact_mut(names.len()).zip(labels) {
        row[*label] += 1.0 / (count - 1.0);
    }
    let mut mean = vec![0.0; names.len()];
    for row in rows.chunks_exact(names.len()) {
        mean.iter_mut().zip(row).for_each(|(m, x)| *m += x / count);
    }
    let mut squares = 0.0;
    for row in rows.chunks_exact_mut(names.len()) {
        for (x, mean) in row.iter_mut().zip(&mean) {
            *x -= mean;
            squares += *x * *x;
        }
    }
    let spread = (squares / rows.len() as f64).sqrt();
    // Rounding is no spread.
    let largest = mean.iter().fold(f64::MIN_POSITIVE, |m, x| m.max(x.abs()));
    let unit = if spread > 1e-6 * largest {
        spread
    } else {
        f64::INFINITY
    };
    rows.iter_mut().for_each(|x| *x /= unit);
    rows
}

fn fitted(of: Observed<'_>) -> Result<Parameters, CoresetError> {
    let mut best = Parameters::start(of.classes, START);
    for _ in 0..ROUNDS {
        let before = best.right();
        let likelihood = Likelihood::new(of, before);
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY);
        let run = Executor::new(Problem(&likelihood), solver)
            .configure(|state| state.param(best.to_vec()).max_iters(STEPS))
            .timer(false)
            .ctrlc(false)
            .run();
        // A line search that finds nothing better ends the round early, at the best place so far.
        let found = run.ok().and_then(|mut run| run.state.take_best_param());
        let found = found.filter(|found| found.iter().all(|x| x.is_finite()));
        let found = found.ok_or_else(|| {
            let reason = "cannot be fitted to scores of this size; set \"none\"";
            CoresetError::setting("transitions", reason)
        })?;
        best = Parameters::from_slice(&found, of.classes);
        if (best.right() - before).abs() < SETTLED {
            break;
        }
    }
    Ok(best)
}

struct Problem<'a>(&'a Likelihood<'a>);

impl CostFunction for Problem<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, at: &Vec<f64>) -> Result<f64, Error> {
        // A line search would go on for ever.
        let value = self.0.at(at).value;
        if value.is_finite() {
            Ok(value)
        } else {
            Err(Error::msg("not finite"))
        }
    }
}

impl Gradient for Problem<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, at: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.0.at(at).gradient)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::quality::auroc;
    use crate::random::Purpose;

    #[derive(Deserialize)]
    struct Reference {
        scores: Vec<f32>,
        labels: Vec<u32>,
        right: Vec<bool>,
        atypicality: Vec<f64>,
        free: Found,
        balanced: Found,
        fading: Found,
    }

    #[derive(Deserialize)]
    struct Found {
        clean: Vec<f64>,
        transitions: Vec<f64>,
    }

    fn reference() -> Reference {
        let text = include_str!("../../testdata/transitions.json");
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_likelihood_is_greatest_where_scipy_finds_it() {
        let reference = reference();
        let u = reference.atypicality.as_slice();
        for (balanced, u, expected) in [
            (false, None, &reference.free),
            (true, None, &reference.balanced),
            (true, Some(u), &reference.fading),
        ] {
            let found = by_transitions(&reference.scores, &reference.labels, balanced, u).unwrap();
            let pairs = found.clean.iter().zip(&expected.clean);
            let cells = found.transitions.iter().zip(&expected.transitions);
            for (found, expected) in pairs.chain(cells) {
                assert!((found - expected).abs() < 2e-3, "{found} {expected}");
            }
        }
    }

    /// 4,000 samples of four equally frequent classes; 0 and 1 are hardly told apart, and the part `wrong`
    /// of 0 is called 1.
    fn world(wrong: f64) -> (Vec<f32>, Vec<u32>, Vec<bool>) {
        let mut draws = Purpose::Rate.draws(8, 0);
        let (mut scores, mut labels, mut right) = (vec![], vec![], vec![]);
        for sample in 0..4000 {
            let truth = sample % 4;
            let flipped = truth == 0 && draws.uniform() < wrong;
            labels.push(if flipped { 1 } else { truth });
            right.push(!flipped);
            let near = |class| match (truth, class) {
                (a, b) if a == b => 0.5,
                (0, 1) | (1, 0) => 0.3,
                _ => 0.0,
            };
            scores.extend((0..4).map(|class| (near(class) + 0.3 * draws.normal()) as f32));
        }
        (scores, labels, right)
    }

    #[test]
    fn labels_given_too_often_are_traced_where_classes_are_known_to_be_balanced() {
        let (scores, labels, right) = world(0.4);
        let blind = super::super::against_other_labels(&scores, &labels, None).unwrap();
        let of = |balanced| by_transitions(&scores, &labels, balanced, None).unwrap();
        let (free, balanced) = (of(false), of(true));
        let off = |found: &Corrected| (found.transitions[1] - 0.4).abs();
        assert!(off(&balanced) < 0.1, "{:?}", balanced.transitions);
        assert!(off(&free) > 0.2, "{:?}", free.transitions);
        assert!(auroc(&balanced.clean, &right) > auroc(&blind, &right) + 0.1);
        let mean = balanced.clean.iter().sum::<f64>() / 4000.0;
        assert!((mean - 0.9).abs() < 0.05, "{mean}");
        let clean = world(0.0);
        let found = by_transitions(&clean.0, &clean.1, true, None).unwrap();
        let mean = found.clean.iter().sum::<f64>() / 4000.0;
        assert!(mean > 0.95, "{mean}");
    }

    #[test]
    fn scores_that_hold_hardly_more_than_the_base_rate_are_not_turned_round() {
        // Leave-one-out scores of features that tell little: less for a sample's own label.
        let mut draws = Purpose::Rate.draws(2, 5);
        let (mut scores, mut labels, mut right) = (vec![], vec![], vec![]);
        for sample in 0..4000u32 {
            let truth = sample % 10;
            let label = if draws.uniform() < 0.2 {
                truth
            } else {
                (draws.uniform() * 10.0) as u32
            };
            labels.push(label);
            right.push(label == truth);
            scores.extend((0..10).map(|class| {
                let told = if class == truth { 1e-4 } else { 0.0 };
                let own = if class == label { 1.0 / 3999.0 } else { 0.0 };
                (0.1 + told - own + 1e-4 * draws.normal()) as f32
            }));
        }
        let found = by_transitions(&scores, &labels, true, None).unwrap();
        let auroc = auroc(&found.clean, &right);
        assert!(auroc > 0.6, "{auroc}");
    }

    #[test]
    fn threads_change_no_bit() {
        let (scores, labels, _) = world(0.2);
        let of = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let found = pool
                .unwrap()
                .install(|| by_transitions(&scores, &labels, true, None));
            found.unwrap()
        };
        assert_eq!(of(1), of(3));
    }

    #[test]
    fn labels_that_do_not_occur_are_left_out_and_a_single_one_is_right() {
        let reference = reference();
        // A label 1 between those of the reference that no sample has.
        let shifted = |label: &u32| if *label > 0 { label + 1 } else { 0 };
        let labels: Vec<u32> = reference.labels.iter().map(shifted).collect();
        let rows = reference.scores.chunks(3);
        let scores: Vec<f32> = rows.flat_map(|row| [row[0], 9.0, row[1], row[2]]).collect();
        let wide = by_transitions(&scores, &labels, true, None).unwrap();
        let narrow = by_transitions(&reference.scores, &reference.labels, true, None).unwrap();
        assert_eq!(wide.clean, narrow.clean);
        assert_eq!(wide.transitions[4..8], [0.0, 1.0, 0.0, 0.0]);
        assert!(auroc(&wide.clean, &reference.right) > 0.8);
        let one = by_transitions(&[0.3, 0.1, 0.2, 0.4], &[1, 1], true, None).unwrap();
        assert_eq!(one.clean, [1.0, 1.0]);
        // Scores that tell nothing say the same of every sample of a label.
        let blind = by_transitions(&[0.5; 40], &[0, 1].repeat(10), true, None).unwrap();
        let first = blind.clean[0];
        assert!(
            blind.clean.iter().all(|c| (c - first).abs() < 1e-6),
            "{:?}",
            blind.clean
        );
    }

    #[test]
    fn what_cannot_be_scored_is_an_error() {
        let message = |scores: &[f32], labels: &[u32]| {
            by_transitions(scores, labels, true, None)
                .unwrap_err()
                .to_string()
        };
        assert!(message(&[0.0; 4], &[0, 2]).contains("label 2 of sample 1"));
        assert!(message(&[0.0, 1.0, f32::NAN, 0.0], &[0, 1]).contains("sample 1"));
        assert!(message(&[0.0; 5], &[0, 1]).contains('5'));
        // Nothing can be found out along a line of that size; the search ends where it is.
        let huge = by_transitions(&[0.1, 0.2, 0.3, 0.1], &[0, 1], true, Some(&[-1e300, 1e300]));
        assert_eq!(huge.unwrap().clean.len(), 2);
        let many: Vec<u32> = (0..201).collect();
        assert!(message(&vec![0.0; 201 * 201], &many).contains("at most 200"));
        let broken = by_transitions(&[0.0; 4], &[0, 1], true, Some(&[0.0, f64::NAN]));
        assert!(broken.unwrap_err().to_string().contains("sample 1"));
    }
}
