//! The probability that a label is right, from signals that no one has labelled.

use afterimage_numeric::moments;

use crate::error::CoresetError;
use crate::points::same_length;

use super::mixture::Mixture;

/// Rounds of expectation and maximization at most.
const ROUNDS: usize = 300;
/// Change of the mean log-likelihood at which they end.
const SETTLED: f64 = 1e-9;

/// What a mixture made of signals.
#[derive(Debug, Clone, PartialEq)]
pub struct CleanPrior {
    /// Probability in [0, 1] that the label of each sample is right.
    pub clean: Vec<f64>,
    /// Distance of the two components, averaged over signals, in units of their spread; near 0 where
    /// there is one crowd alone.
    pub separation: f64,
}

/// The probability that each label is right: the posterior of the higher of two components that share
/// their spreads, over all `signals` at once (one row of numbers a signal, higher where the label is
/// more plausible, NaN where nothing is known), fitted by expectation and maximization. How many labels
/// of a class are right may differ from class to class (`classes`, the observed labels).
///
/// Where a probability is `known` already from other evidence, the signals add to it: it takes the place
/// of the classes' shares.
///
/// With `atypicality` (one number a sample that did not see labels), the signals of right labels may
/// fall as it rises: then a sample that neighbours do not vouch for because it is atypical is not taken
/// for a mislabelled one. Signals that are the same for all samples say nothing; without any other, all
/// labels are held to be right.
///
/// The components share their spreads and the right one is never the lower, so that the probability
/// never falls as a signal rises. Signals whose components coincide leave what is known, or the shares of
/// the classes. The order of the samples does not matter, to the bit. On data without wrong labels the mixture still finds two crowds, easy and hard samples: look at `separation`.
///
/// # Errors
/// Unequal lengths, or atypicality that is not finite, with the sample's id.
pub fn clean_prior(
    signals: &[&[f64]],
    classes: &[u32],
    known: Option<&[f64]>,
    atypicality: Option<&[f64]>,
) -> Result<CleanPrior, CoresetError> {
    let len = classes.len();
    if let Some(known) = known {
        same_length(("labels", len), ("priors", known.len()))?;
    }
    for signal in signals {
        same_length(("labels", len), ("a signal of label quality", signal.len()))?;
    }
    if let Some(atypicality) = atypicality {
        same_length(("labels", len), ("atypicality", atypicality.len()))?;
        if let Some(id) = atypicality.iter().position(|u| !u.is_finite()) {
            let reason = format!("of sample {id} is not finite");
            return Err(CoresetError::setting("atypicality", reason));
        }
    }
    let order = value_order(signals, classes, known, atypicality);
    let sorted = |values: &[f64]| order.iter().map(|id| values[*id]).collect::<Vec<f64>>();
    let classes: Vec<u32> = order.iter().map(|id| classes[*id]).collect();
    let (known, atypicality) = (known.map(sorted), atypicality.map(sorted));
    let prior = of_sorted(
        &signals.iter().map(|s| sorted(s)).collect::<Vec<_>>(),
        &classes,
        known.as_deref(),
        atypicality.as_deref(),
    );
    let mut clean = vec![0.0; len];
    order
        .iter()
        .zip(&prior.clean)
        .for_each(|(id, p)| clean[*id] = *p);
    Ok(CleanPrior { clean, ..prior })
}

/// Samples by what is known of them; equals are the same to every sum, in whatever order.
fn value_order(
    signals: &[&[f64]],
    classes: &[u32],
    known: Option<&[f64]>,
    atypicality: Option<&[f64]>,
) -> Vec<usize> {
    let numbers: Vec<&[f64]> = signals
        .iter()
        .copied()
        .chain(known)
        .chain(atypicality)
        .collect();
    let of = |values: &[f64], id: usize| {
        let x = values[id];
        if x.is_nan() { f64::NAN } else { x }
    };
    let mut order: Vec<usize> = (0..classes.len()).collect();
    order.sort_by(|a, b| {
        let each = numbers.iter().map(|v| of(v, *a).total_cmp(&of(v, *b)));
        let first = each.fold(classes[*a].cmp(&classes[*b]), std::cmp::Ordering::then);
        first.then(a.cmp(b))
    });
    order
}

fn of_sorted(
    signals: &[Vec<f64>],
    classes: &[u32],
    known: Option<&[f64]>,
    atypicality: Option<&[f64]>,
) -> CleanPrior {
    let signals: Vec<Vec<f64>> = signals.iter().filter_map(|s| standardized(s)).collect();
    if signals.is_empty() {
        return CleanPrior {
            clean: known.map_or_else(|| vec![1.0; classes.len()], <[f64]>::to_vec),
            separation: 0.0,
        };
    }
    let atypicality = atypicality.and_then(standardized);
    let mut mixture = Mixture::start(&signals, classes, known, atypicality.as_deref());
    let mut before = f64::NEG_INFINITY;
    for _ in 0..ROUNDS {
        mixture.maximize();
        let likelihood = mixture.expect();
        if (likelihood - before).abs() < SETTLED {
            break;
        }
        before = likelihood;
    }
    CleanPrior {
        separation: mixture.separation(),
        clean: match known {
            Some(known) if !mixture.tells() => known.to_vec(),
            _ => mixture.clean,
        },
    }
}

/// Deviations from the mean in units of the standard deviation; unknown stays unknown. Nothing for a
/// signal without spread.
fn standardized(values: &[f64]) -> Option<Vec<f64>> {
    let known = values.iter().copied().filter(|x| x.is_finite());
    let (mean, variance) = moments(known);
    let spread = variance.sqrt();
    let scale = |x: &f64| {
        if x.is_finite() {
            (x - mean) / spread
        } else {
            f64::NAN
        }
    };
    (spread > 1e-9 * mean.abs().max(1e-3)).then(|| values.iter().map(scale).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    /// 2,000 samples of 4 classes; `wrong` of them have signals two deviations lower.
    fn world(wrong: f64) -> (Vec<f64>, Vec<f64>, Vec<u32>, Vec<bool>) {
        let mut draws = Purpose::Rate.draws(5, 0);
        let (mut a, mut b, mut classes, mut right) = (vec![], vec![], vec![], vec![]);
        for sample in 0..2000 {
            let is_right = draws.uniform() >= wrong;
            let level = if is_right { 1.0 } else { -1.0 };
            a.push(level + draws.normal());
            b.push(10.0 + 3.0 * (level + draws.normal()));
            classes.push(sample % 4);
            right.push(is_right);
        }
        (a, b, classes, right)
    }

    #[test]
    fn probabilities_are_as_often_right_as_they_say() -> Result<(), CoresetError> {
        for wrong in [0.2, 0.5, 0.8] {
            let (a, b, classes, right) = world(wrong);
            let prior = clean_prior(&[&a, &b], &classes, None, None)?;
            let mean = prior.clean.iter().sum::<f64>() / 2000.0;
            assert!((mean - (1.0 - wrong)).abs() < 0.05, "{wrong}: {mean}");
            let sure = prior.clean.iter().zip(&right).filter(|(c, _)| **c > 0.9);
            let (count, good) = sure.fold((0, 0), |(n, good), (_, right)| {
                (n + 1, good + usize::from(*right))
            });
            assert!(
                count > 50 && good as f64 > 0.9 * count as f64,
                "{good} of {count}"
            );
        }
        Ok(())
    }

    #[test]
    fn more_of_a_signal_is_never_less_clean_and_nothing_known_is_the_class()
    -> Result<(), CoresetError> {
        let (mut a, b, classes, _) = world(0.5);
        a[7] = f64::NAN;
        let prior = clean_prior(&[&a], &classes, None, None)?;
        let mut order: Vec<usize> = (0..2000).filter(|i| *i != 7 && classes[*i] == 1).collect();
        order.sort_by(|i, j| a[*i].total_cmp(&a[*j]));
        assert!(
            order
                .windows(2)
                .all(|p| prior.clean[p[0]] <= prior.clean[p[1]])
        );
        assert!((prior.clean[7] - 0.5).abs() < 0.1, "{}", prior.clean[7]);
        assert_eq!(
            clean_prior(&[&vec![3.0; 2000]], &classes, None, None)?.clean,
            [1.0; 2000]
        );
        assert!(clean_prior(&[&b[1..]], &classes, None, None).is_err());
        Ok(())
    }

    #[test]
    fn what_is_known_before_counts_and_signals_add_to_it() -> Result<(), CoresetError> {
        let (a, b, classes, right) = world(0.5);
        let auroc = |clean: &[f64]| crate::quality::auroc(clean, &right);
        let first = clean_prior(&[&a], &classes, None, None)?.clean;
        let both = clean_prior(&[&b], &classes, Some(&first), None)?.clean;
        assert!(
            auroc(&both) > auroc(&first) + 0.01,
            "{} {}",
            auroc(&both),
            auroc(&first)
        );
        assert_eq!(clean_prior(&[], &classes, Some(&first), None)?.clean, first);
        assert!(clean_prior(&[&b], &classes, Some(&first[1..]), None).is_err());
        Ok(())
    }

    #[test]
    fn atypical_samples_are_excused_by_it_and_others_are_not() -> Result<(), CoresetError> {
        // Right labels of atypical samples have signals almost as low as wrong ones.
        let mut draws = Purpose::Rate.draws(9, 1);
        let (mut signal, mut atypical, mut right) = (vec![], vec![], vec![]);
        for _ in 0..4000 {
            let u = draws.uniform();
            let is_right = draws.uniform() < 0.7;
            let level = if is_right { 3.0 - 2.5 * u } else { 0.0 };
            signal.push(level + 0.5 * draws.normal());
            atypical.push(u);
            right.push(is_right);
        }
        let classes = vec![0; 4000];
        let recall = |prior: &CleanPrior| {
            let hard = (0..4000).filter(|i| right[*i] && atypical[*i] > 0.7);
            let (n, kept) = hard.fold((0, 0), |(n, kept), i| {
                (n + 1, kept + usize::from(prior.clean[i] >= 0.5))
            });
            kept as f64 / f64::from(n)
        };
        let blind = clean_prior(&[&signal], &classes, None, None)?;
        let seeing = clean_prior(&[&signal], &classes, None, Some(&atypical))?;
        assert!(
            recall(&seeing) > recall(&blind) + 0.1,
            "{} {}",
            recall(&seeing),
            recall(&blind)
        );
        // A number that has nothing to do with the signal changes little.
        let noise: Vec<f64> = (0..4000).map(|_| draws.normal()).collect();
        let idle = clean_prior(&[&signal], &classes, None, Some(&noise))?;
        let moved = idle
            .clean
            .iter()
            .zip(&blind.clean)
            .map(|(a, b)| (a - b).abs());
        assert!(moved.fold(0.0, f64::max) < 0.1);
        let mut broken = atypical.clone();
        broken[3] = f64::NAN;
        let error = clean_prior(&[&signal], &classes, None, Some(&broken)).map(|_| ());
        assert!(error.is_err_and(|error| error.to_string().contains("sample 3")));
        Ok(())
    }

    #[test]
    fn the_order_of_the_samples_changes_no_bit() -> Result<(), CoresetError> {
        let (mut a, b, classes, _) = world(0.3);
        a[11] = f64::NAN;
        let known: Vec<f64> = (0..2000).map(|id| f64::from(id * 7 % 19) / 18.0).collect();
        let atypical: Vec<f64> = (0..2000).map(|id| f64::from(id * 5 % 23) / 22.0).collect();
        let order: Vec<usize> = (0..2000).map(|id| id * 1213 % 2000).collect();
        let mixed = |values: &[f64]| order.iter().map(|id| values[*id]).collect::<Vec<f64>>();
        let straight = clean_prior(&[&a, &b], &classes, Some(&known), Some(&atypical))?;
        let other = clean_prior(
            &[&mixed(&a), &mixed(&b)],
            &order.iter().map(|id| classes[*id]).collect::<Vec<u32>>(),
            Some(&mixed(&known)),
            Some(&mixed(&atypical)),
        )?;
        assert_eq!(mixed(&straight.clean), other.clean);
        assert_eq!(straight.separation.to_bits(), other.separation.to_bits());
        Ok(())
    }

    #[test]
    fn signals_that_tell_nothing_leave_what_was_known() -> Result<(), CoresetError> {
        // The same of every sample is known: nothing sets the two components apart but rounding.
        let mut draws = Purpose::Rate.draws(3, 4);
        let signal: Vec<f64> = (0..300).map(|_| draws.normal()).collect();
        let prior = clean_prior(&[&signal], &vec![0; 300], Some(&[0.7; 300]), None)?;
        assert_eq!(prior.clean, [0.7; 300]);
        // A signal that is lower where labels are right does not count against them.
        let known: Vec<f64> = signal.iter().map(|x| 1.0 / (1.0 + x.exp())).collect();
        let prior = clean_prior(&[&signal], &vec![0; 300], Some(&known), None)?;
        assert_eq!(prior.clean, known);
        assert_eq!(prior.separation, 0.0);
        Ok(())
    }

    #[test]
    fn an_excuse_steeper_than_the_gap_never_turns_a_signal_around() -> Result<(), CoresetError> {
        // Beyond an atypicality of a third right labels have lower signals than wrong ones.
        let mut draws = Purpose::Rate.draws(6, 2);
        let (mut signal, mut atypical, mut known) = (vec![], vec![], vec![]);
        for id in 0..4000 {
            let u = f64::from(id % 8) / 7.0;
            let is_right = draws.uniform() < 0.7;
            let level = if is_right { 2.0 - 6.0 * u } else { 0.0 };
            signal.push(level + 0.5 * draws.normal());
            atypical.push(u);
            known.push(if is_right { 0.9 } else { 0.1 });
        }
        let classes = vec![0; 4000];
        for known in [None, Some(known.as_slice())] {
            let clean = clean_prior(&[&signal], &classes, known, Some(&atypical))?.clean;
            let mut order: Vec<usize> = (0..4000).collect();
            let before = |id: usize| (id % 8, known.map_or(0, |known| (known[id] * 10.0) as u32));
            order.sort_by(|a, b| {
                before(*a)
                    .cmp(&before(*b))
                    .then(signal[*a].total_cmp(&signal[*b]))
            });
            for pair in order.windows(2).filter(|p| before(p[0]) == before(p[1])) {
                assert!(clean[pair[0]] <= clean[pair[1]], "{pair:?}");
            }
        }
        Ok(())
    }
}
