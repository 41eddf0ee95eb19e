//! Which trials go on: asynchronous successive halving and the median rule.

use std::collections::BTreeMap;

use afterimage_numeric::mean;

use crate::config::{Direction, StoppingConfig};

/// What trials reported at the epochs where they are compared: by trial, then by epoch.
pub type Rungs = BTreeMap<String, BTreeMap<u32, f64>>;

/// A rule that stops trials, with the direction of the metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopping {
    rule: StoppingConfig,
    direction: Direction,
}

impl Stopping {
    /// The rule in `config` for a metric of `direction`.
    pub fn new(rule: StoppingConfig, direction: Direction) -> Self {
        Self { rule, direction }
    }

    /// The first epoch above `after` at which trials are compared.
    ///
    /// Successive halving compares at first·factorᵏ, k = 0, 1, …; the median rule at every epoch
    /// from the first on.
    pub fn next_rung(&self, after: u32) -> u32 {
        match self.rule {
            StoppingConfig::Asha { first, factor } => {
                let mut rung = first.max(1);
                while rung <= after {
                    rung = rung.saturating_mul(factor.max(2));
                    if rung == u32::MAX {
                        break;
                    }
                }
                rung
            }
            StoppingConfig::Median { first, .. } => first.max(after.saturating_add(1)),
        }
    }

    /// Whether `trial`, which reported `value` at `epoch`, goes on, given what `rungs` holds of the
    /// other trials.
    pub fn keeps(&self, rungs: &Rungs, trial: &str, epoch: u32, value: f64) -> bool {
        let others = || {
            rungs
                .iter()
                .filter(|(name, _)| *name != trial)
                .map(|(_, seen)| seen)
        };
        match self.rule {
            StoppingConfig::Asha { factor, .. } => {
                let earlier: Vec<f64> = others()
                    .filter_map(|seen| seen.get(&epoch).copied())
                    .collect();
                asha_keeps(self.direction, factor, &earlier, value)
            }
            StoppingConfig::Median { trials, .. } => {
                let averages: Vec<f64> = others()
                    .filter(|seen| seen.contains_key(&epoch))
                    .map(|seen| {
                        let so_far: Vec<f64> = seen.range(..=epoch).map(|(_, x)| *x).collect();
                        mean(&so_far)
                    })
                    .collect();
                let own = rungs
                    .get(trial)
                    .into_iter()
                    .flat_map(|seen| seen.range(..epoch));
                let best = own.fold(value, |best, (_, &x)| {
                    if self.direction.is_better(x, best) {
                        x
                    } else {
                        best
                    }
                });
                median_keeps(self.direction, trials as usize, &averages, best)
            }
        }
    }

    /// Why a trial was stopped at `epoch`, in words.
    pub fn reason(&self, epoch: u32, value: f64) -> String {
        match self.rule {
            StoppingConfig::Asha { factor, .. } => {
                format!("not among the best 1/{factor} at epoch {epoch} ({value})")
            }
            StoppingConfig::Median { .. } => format!(
                "best so far worse than the median of the others at epoch {epoch} ({value})"
            ),
        }
    }
}

/// Whether a trial with `value` is among the best 1/`factor` of those that have come to this rung,
/// itself and `earlier`; the first `factor` − 1 to come always are. Equal values share a rank.
///
/// The stopping form of asynchronous successive halving (Li et al. 2020, "A System for Massively
/// Parallel Hyperparameter Tuning"): a trial is judged once, when it comes to the rung, so that none
/// waits for others.
pub fn asha_keeps(direction: Direction, factor: u32, earlier: &[f64], value: f64) -> bool {
    let all = earlier.len() + 1;
    let kept = all / factor.max(1) as usize;
    let better = earlier
        .iter()
        .filter(|&&x| direction.is_better(x, value))
        .count();
    kept == 0 || better < kept
}

/// Whether the best value of a trial so far is not worse than the median of `averages`, the running
/// averages of the other trials up to the same epoch; with fewer than `least` of them it always is.
///
/// The median stopping rule (Golovin et al. 2017, "Google Vizier", §3.2.2). An even number of
/// averages has the worse of the two middle ones as its median.
pub fn median_keeps(direction: Direction, least: usize, averages: &[f64], best: f64) -> bool {
    if averages.len() < least.max(1) {
        return true;
    }
    let mut ranked = averages.to_vec();
    ranked.sort_by(|&a, &b| direction.is_better(b, a).cmp(&direction.is_better(a, b)));
    ranked
        .get(ranked.len() / 2)
        .is_none_or(|&median| !direction.is_better(median, best))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: [Direction; 2] = [Direction::Maximize, Direction::Minimize];

    fn directions() -> impl Strategy<Value = Direction> {
        prop::sample::select(&BOTH[..])
    }

    fn opposite(direction: Direction) -> Direction {
        match direction {
            Direction::Maximize => Direction::Minimize,
            Direction::Minimize => Direction::Maximize,
        }
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-100.0..100.0f64, 0..40)
    }

    proptest! {
        #[test]
        fn the_best_always_goes_on(d in directions(), factor in 2u32..6, earlier in values()) {
            let best = earlier.iter().copied().fold(0.0, |a, b| if d.is_better(b, a) { b } else { a });
            prop_assert!(asha_keeps(d, factor, &earlier, best));
            prop_assert!(median_keeps(d, 1, &earlier, best));
        }

        #[test]
        fn a_better_value_is_never_worse_off(
            d in directions(), factor in 2u32..6, others in values(), a in -100.0..100.0f64, b in -100.0..100.0f64
        ) {
            let (good, bad) = if d.is_better(a, b) { (a, b) } else { (b, a) };
            prop_assert!(asha_keeps(d, factor, &others, good) >= asha_keeps(d, factor, &others, bad));
            prop_assert!(median_keeps(d, 3, &others, good) >= median_keeps(d, 3, &others, bad));
        }

        #[test]
        fn directions_mirror_each_other(d in directions(), factor in 2u32..6, others in values(), x in -100.0..100.0f64) {
            let mirrored: Vec<f64> = others.iter().map(|x| -x).collect();
            prop_assert_eq!(asha_keeps(d, factor, &others, x), asha_keeps(opposite(d), factor, &mirrored, -x));
            prop_assert_eq!(median_keeps(d, 3, &others, x), median_keeps(opposite(d), 3, &mirrored, -x));
        }

        #[test]
        fn the_order_of_the_others_is_nothing(d in directions(), factor in 2u32..6, mut others in values(), x in -100.0..100.0f64) {
            let before = (asha_keeps(d, factor, &others, x), median_keeps(d, 3, &others, x));
            others.reverse();
            prop_assert_eq!(before, (asha_keeps(d, factor, &others, x), median_keeps(d, 3, &others, x)));
        }

        #[test]
        fn of_a_full_rung_exactly_the_best_part_goes_on(d in directions(), factor in 2u32..6, n in 1usize..40) {
            let all: Vec<f64> = (0..n).map(|i| i as f64).collect();
            let kept = (0..n).filter(|&i| {
                let others: Vec<f64> = all.iter().copied().filter(|&x| x != i as f64).collect();
                asha_keeps(d, factor, &others, i as f64)
            }).count();
            let few = n < factor as usize;
            prop_assert_eq!(kept, if few { n } else { n / factor as usize });
        }

        #[test]
        fn what_is_no_number_is_stopped_once_there_are_enough(d in directions(), factor in 2u32..6, n in 6usize..40) {
            let others: Vec<f64> = (0..n).map(|i| i as f64).collect();
            prop_assert!(!asha_keeps(d, factor, &others, f64::NAN));
            prop_assert!(!median_keeps(d, 3, &others, f64::NAN));
            let nans = vec![f64::NAN; n];
            prop_assert!(asha_keeps(d, factor, &nans, 0.0) && median_keeps(d, 3, &nans, 0.0));
        }

        #[test]
        fn rungs_rise(first in 1u32..20, factor in 2u32..6, after in 0u32..5000) {
            let rule = |config| Stopping::new(config, Direction::Maximize);
            let asha = rule(StoppingConfig::Asha { first, factor });
            let rung = asha.next_rung(after);
            prop_assert!(rung > after);
            let mut power = first;
            while power < rung { power *= factor; }
            prop_assert_eq!(power, rung);
            prop_assert!(power == first || power / factor <= after);
            let median = rule(StoppingConfig::Median { first, trials: 3 });
            prop_assert_eq!(median.next_rung(after), first.max(after + 1));
        }
    }

    #[test]
    fn the_median_rule_takes_running_averages_and_the_own_best() {
        let rule = StoppingConfig::Median {
            first: 1,
            trials: 3,
        };
        let stopping = Stopping::new(rule, Direction::Maximize);
        let seen = |values: &[f64]| {
            (1u32..)
                .zip(values.iter().copied())
                .collect::<BTreeMap<_, _>>()
        };
        let mut rungs: Rungs = [("a", [0.2, 0.4]), ("b", [0.4, 0.6]), ("c", [0.6, 0.8])]
            .map(|(name, values)| (name.to_owned(), seen(&values)))
            .into();
        // Averages at epoch 2: 0.3, 0.5, 0.7.
        assert!(stopping.keeps(&rungs, "d", 2, 0.5));
        assert!(!stopping.keeps(&rungs, "d", 2, 0.49));
        rungs.insert("d".to_owned(), seen(&[0.55]));
        assert!(
            stopping.keeps(&rungs, "d", 2, 0.1),
            "its best was above the median"
        );
        rungs.remove("a");
        assert!(stopping.keeps(&rungs, "e", 2, 0.0), "too few others");
    }
}
