//! The probability that a label is right, from signals that no one has labelled.

use crate::error::CoresetError;
use crate::points::same_length;

/// Rounds of expectation and maximization at most.
const ROUNDS: usize = 300;
/// Change of the mean log-likelihood at which they end.
const SETTLED: f64 = 1e-9;
/// The least spread of a signal within a component, in units of its spread over all samples.
const FLOOR: f64 = 0.1;
/// A distance of two components, in units of their spread, that rounding alone can make: they are held
/// to be one.
const LEAST_GAP: f64 = 1e-6;
/// Samples of the average class that each class is thought to hold beside its own.
const PSEUDO: f64 = 10.0;

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
    let known = || values.iter().filter(|x| x.is_finite());
    let count = known().count() as f64;
    let mean = known().sum::<f64>() / count;
    let spread = (known().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
    let scale = |x: &f64| {
        if x.is_finite() {
            (x - mean) / spread
        } else {
            f64::NAN
        }
    };
    (spread > 1e-9 * mean.abs().max(1e-3)).then(|| values.iter().map(scale).collect())
}

/// One signal's two components.
#[derive(Debug, Clone, Copy)]
struct Components {
    /// Mean where the label is wrong.
    wrong: f64,
    /// Mean where it is right, at an atypicality of 0.
    right: f64,
    /// Change of that mean with atypicality; at most 0.
    slope: f64,
    variance: f64,
}

impl Components {
    /// How much higher the mean of right labels is than that of wrong ones, at an atypicality of `u`;
    /// never less than 0, where a signal would speak against what it speaks for.
    fn gap(&self, u: f64) -> f64 {
        let gap = self.right + self.slope * u - self.wrong;
        if gap < LEAST_GAP * self.variance.sqrt() {
            0.0
        } else {
            gap
        }
    }
}

struct Mixture<'a> {
    signals: &'a [Vec<f64>],
    classes: Vec<usize>,
    atypicality: Option<&'a [f64]>,
    /// The probability before any signal, away from 0 and 1 so that signals can have their say.
    known: Option<Vec<f64>>,
    /// The present probability that each label is right.
    clean: Vec<f64>,
    /// Share of right labels of each class.
    shares: Vec<f64>,
    components: Vec<Components>,
}

impl<'a> Mixture<'a> {
    fn start(
        signals: &'a [Vec<f64>],
        classes: &[u32],
        known: Option<&[f64]>,
        atypicality: Option<&'a [f64]>,
    ) -> Self {
        let mut names: Vec<u32> = classes.to_vec();
        names.sort_unstable();
        names.dedup();
        let place = |class: &u32| names.binary_search(class).unwrap_or_default();
        // Before anything is known: right where signals are high together.
        let first = |sample: usize| {
            let known = signals.iter().map(|s| s[sample]).filter(|x| !x.is_nan());
            let (sum, count) = known.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
            1.0 / (1.0 + (-3.0 * sum / f64::max(count, 1.0)).exp())
        };
        let known: Option<Vec<f64>> =
            known.map(|known| known.iter().map(|c| c.clamp(0.02, 0.98)).collect());
        Self {
            signals,
            classes: classes.iter().map(place).collect(),
            atypicality,
            clean: match &known {
                Some(known) => known.clone(),
                None => (0..classes.len()).map(first).collect(),
            },
            known,
            shares: vec![0.5; names.len()],
            components: Vec::new(),
        }
    }

    fn maximize(&mut self) {
        let mean = self.clean.iter().sum::<f64>() / self.clean.len().max(1) as f64;
        let mut right = vec![PSEUDO * mean; self.shares.len()];
        let mut all = vec![PSEUDO; self.shares.len()];
        for (class, clean) in self.classes.iter().zip(&self.clean) {
            right[*class] += clean;
            all[*class] += 1.0;
        }
        let shares = right.iter().zip(&all).map(|(right, all)| right / all);
        self.shares = shares.map(|share| share.clamp(1e-3, 1.0 - 1e-3)).collect();
        self.components = self.signals.iter().map(|s| self.components_of(s)).collect();
    }

    fn components_of(&self, signal: &[f64]) -> Components {
        // Sums weighted by right and wrong; with atypicality a weighted line through the right ones.
        let (mut wrong, mut wrongs) = (0.0, 1e-9);
        let (mut w, mut wx, mut wu, mut wux, mut wuu) = (1e-9, 0.0, 0.0, 0.0, 0.0);
        for (sample, x) in known(signal) {
            let clean = self.clean[sample];
            let u = self.atypicality.map_or(0.0, |u| u[sample]);
            wrong += (1.0 - clean) * x;
            wrongs += 1.0 - clean;
            w += clean;
            wx += clean * x;
            wu += clean * u;
            wux += clean * u * x;
            wuu += clean * u * u;
        }
        let spread = wuu - wu * wu / w;
        let slope = if spread > 1e-6 * w {
            (wux - wu * wx / w) / spread
        } else {
            0.0
        };
        let slope = slope.min(0.0);
        let wrong = wrong / wrongs;
        let right = ((wx - slope * wu) / w).max(wrong);
        let (mut squares, mut count) = (0.0, 0.0);
        for (sample, x) in known(signal) {
            let clean = self.clean[sample];
            let u = self.atypicality.map_or(0.0, |u| u[sample]);
            let level = (right + slope * u).max(wrong);
            squares += clean * (x - level).powi(2) + (1.0 - clean) * (x - wrong).powi(2);
            count += 1.0;
        }
        Components {
            wrong,
            right,
            slope,
            variance: (squares / f64::max(count, 1.0)).max(FLOOR * FLOOR),
        }
    }

    /// New probabilities; returns the mean log-likelihood.
    fn expect(&mut self) -> f64 {
        let mut total = 0.0;
        for sample in 0..self.clean.len() {
            let share = match &self.known {
                Some(known) => known[sample],
                None => self.shares[self.classes[sample]],
            };
            // The log-likelihood if wrong, and how much more likely it is if right: a line in the signal,
            // because both components have one variance, and so the posterior is monotone.
            let (mut wrong, mut odds) = ((1.0 - share).ln(), (share / (1.0 - share)).ln());
            for (signal, c) in self.signals.iter().zip(&self.components) {
                let x = signal[sample];
                if x.is_nan() {
                    continue;
                }
                let gap = c.gap(self.atypicality.map_or(0.0, |u| u[sample]));
                let above = x - c.wrong;
                wrong -= 0.5 * (c.variance.ln() + above.powi(2) / c.variance);
                odds += gap * (above - gap / 2.0) / c.variance;
            }
            self.clean[sample] = 1.0 / (1.0 + (-odds).exp());
            total += wrong + odds.max(0.0) + (-odds.abs()).exp().ln_1p();
        }
        total / self.clean.len().max(1) as f64
    }

    /// Whether any signal tells right from wrong for any sample.
    fn tells(&self) -> bool {
        let lowest = |u: &[f64]| u.iter().copied().fold(f64::INFINITY, f64::min);
        let most_typical = self.atypicality.map_or(0.0, lowest);
        self.components.iter().any(|c| c.gap(most_typical) > 0.0)
    }

    fn separation(&self) -> f64 {
        let each = self.components.iter();
        let sum: f64 = each.map(|c| (c.right - c.wrong) / c.variance.sqrt()).sum();
        sum / self.components.len().max(1) as f64
    }
}

fn known(signal: &[f64]) -> impl Iterator<Item = (usize, f64)> {
    let each = signal.iter().copied().enumerate();
    each.filter(|(_, x)| !x.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Draws, Purpose};

    /// 2,000 samples of 4 classes; `wrong` of them have signals two deviations lower.
    fn world(wrong: f64) -> (Vec<f64>, Vec<f64>, Vec<u32>, Vec<bool>) {
        let mut draws = Draws::new(5, Purpose::Rate, 0);
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
        let mut draws = Draws::new(9, Purpose::Rate, 1);
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
        let mut draws = Draws::new(3, Purpose::Rate, 4);
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
        let mut draws = Draws::new(6, Purpose::Rate, 2);
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
