//! How likely a label is right, given the values of all samples.

/// Rounds of expectation and maximisation; the fit moves no more after some dozens.
const ROUNDS: usize = 100;
/// Least standard deviation of a component, in units of the values.
const LEAST: f64 = 0.01;

/// A normal component: weight, mean, standard deviation.
#[derive(Debug, Clone, Copy)]
struct Component {
    weight: f64,
    mean: f64,
    deviation: f64,
}

impl Component {
    fn log_density(self, x: f64) -> f64 {
        self.weight.ln() - self.deviation.ln() - ((x - self.mean) / self.deviation).powi(2) / 2.0
    }

    /// Fitted to `values` with these shares.
    fn fit(values: &[f64], shares: impl Fn(usize) -> f64) -> Self {
        let (mut all, mut sum) = (0.0, 0.0);
        for (at, x) in values.iter().enumerate() {
            all += shares(at);
            sum += shares(at) * x;
        }
        let mean = sum / all;
        let squares: f64 = values
            .iter()
            .enumerate()
            .map(|(at, x)| shares(at) * (x - mean).powi(2))
            .sum();
        Self {
            weight: (all / values.len() as f64).clamp(1e-6, 1.0),
            mean,
            deviation: (squares / all).sqrt().max(LEAST),
        }
    }
}

/// The probability that each sample belongs to the higher of two normal components fitted to all
/// values (as the losses are split in DivideMix, Li, Socher and Hoi, ICLR 2020), made monotone from the
/// lower component's mean outwards: it never falls as the value rises. NaN stays NaN. Where values do not differ, or fewer than four are
/// there, all are 1: nothing speaks against a label.
pub fn clean_prior(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len())
        .filter(|&i| values[i].is_finite())
        .collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
    let sorted: Vec<f64> = order.iter().map(|&i| values[i]).collect();
    let mut prior = vec![f64::NAN; values.len()];
    let Some(Posterior {
        mut high,
        lower_mean,
    }) = posterior(&sorted)
    else {
        order.iter().for_each(|&sample| prior[sample] = 1.0);
        return prior;
    };
    // Between the means the posterior rises. Outside, the wider component has both tails: beyond the
    // lower mean it must not lift the lowest values, nor sink the highest.
    let pivot = sorted
        .partition_point(|x| *x < lower_mean)
        .min(sorted.len() - 1);
    for at in (0..pivot).rev() {
        high[at] = high[at].min(high[at + 1]);
    }
    for at in pivot + 1..high.len() {
        high[at] = high[at].max(high[at - 1]);
    }
    for (&sample, &p) in order.iter().zip(&high) {
        prior[sample] = p;
    }
    prior
}

/// The probabilities of the higher component, unmended, and the mean of the lower.
struct Posterior {
    high: Vec<f64>,
    lower_mean: f64,
}

/// Of ascending values; `None` where there are no two components.
fn posterior(sorted: &[f64]) -> Option<Posterior> {
    let (first, last) = (sorted.first()?, sorted.last()?);
    if sorted.len() < 4 || last - first < LEAST {
        return None;
    }
    // The start halves the range, not the samples: wrong labels are few and far down.
    let middle = f64::midpoint(*first, *last);
    let cut = sorted
        .partition_point(|x| *x < middle)
        .clamp(1, sorted.len() - 1);
    let mut high: Vec<f64> = (0..sorted.len())
        .map(|at| f64::from(u8::from(at >= cut)))
        .collect();
    let mut means = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let upper = Component::fit(sorted, |at| high[at]);
        let lower = Component::fit(sorted, |at| 1.0 - high[at]);
        if !(upper.mean.is_finite() && lower.mean.is_finite()) {
            return None;
        }
        means = (lower.mean, upper.mean);
        for (p, &x) in high.iter_mut().zip(sorted) {
            *p = 1.0 / (1.0 + (lower.log_density(x) - upper.log_density(x)).exp());
        }
    }
    // Spreads of their own can carry the components past one another.
    if means.0 > means.1 {
        high.iter_mut().for_each(|p| *p = 1.0 - *p);
    }
    Some(Posterior {
        high,
        lower_mean: means.0.min(means.1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_heaps_are_told_apart() {
        let mut values: Vec<f64> = (0..90).map(|i| 0.8 + 0.002 * f64::from(i)).collect();
        values.extend((0..10).map(|i| 0.1 + 0.02 * f64::from(i)));
        values.push(f64::NAN);
        let prior = clean_prior(&values);
        assert!(prior[..90].iter().all(|p| *p > 0.99));
        assert!(prior[90..100].iter().all(|p| *p < 0.01));
        assert!(prior[100].is_nan());
    }

    #[test]
    fn a_wide_upper_component_does_not_lift_the_lowest_values() {
        // Nearly normal numbers: sums of 12 uniform ones.
        let mut state = 1u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut normal = |mean: f64, deviation: f64| {
            let sum: f64 = (0..12).map(|_| uniform()).sum();
            (mean + deviation * (sum - 6.0)).clamp(0.0, 1.0)
        };
        let mut values: Vec<f64> = (0..400).map(|_| normal(0.1, 0.03)).collect();
        values.extend((0..1600).map(|_| normal(0.6, 0.2)));
        let prior = clean_prior(&values);
        let doubtful = |range: &[f64]| range.iter().filter(|p| **p < 0.5).count();
        assert!(doubtful(&prior[..400]) > 360, "{}", doubtful(&prior[..400]));
        assert!(doubtful(&prior[400..]) < 80, "{}", doubtful(&prior[400..]));
        let lowest = (0..2000).min_by(|a, b| values[*a].total_cmp(&values[*b]));
        assert!(lowest.is_some_and(|id| prior[id] < 0.5));
    }

    #[test]
    fn it_never_falls_with_the_value_and_is_a_probability() {
        let values: Vec<f64> = (0..500)
            .map(|i| (f64::from(i * 7919 % 500) / 500.0).sqrt())
            .collect();
        let prior = clean_prior(&values);
        let mut pairs: Vec<(f64, f64)> = values.iter().copied().zip(prior).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(pairs.iter().all(|p| (0.0..=1.0).contains(&p.1)));
        assert!(pairs.windows(2).all(|w| w[0].1 <= w[1].1));
    }

    #[test]
    fn where_nothing_differs_nothing_is_doubted() {
        assert_eq!(clean_prior(&[0.5; 20]), [1.0; 20]);
        assert_eq!(clean_prior(&[0.1, 0.9]), [1.0; 2]);
        assert!(clean_prior(&[f64::NAN])[0].is_nan());
        assert!(clean_prior(&[]).is_empty());
    }
}
