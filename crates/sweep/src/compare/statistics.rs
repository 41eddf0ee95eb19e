//! The mean of paired differences and how sure it is.

use afterimage_numeric::quantile;
use afterimage_random::SplitMix64;
use sha2::{Digest, Sha256};

use crate::means::mean;
use crate::space::head;

/// Pairs that are needed before two arms can be told apart at all.
const FEWEST: usize = 3;
/// Bootstrap samples.
const RESAMPLES: usize = 10_000;
/// The share of intervals that hold the true mean.
const LEVEL: f64 = 0.95;

/// The mean of paired differences, with two 95 % intervals where there are at least two pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Pairs.
    pub pairs: usize,
    /// Their mean.
    pub mean: f64,
    /// Student's t interval of the mean.
    pub t: Option<(f64, f64)>,
    /// The percentile interval of the bootstrap over pairs.
    pub bootstrap: Option<(f64, f64)>,
}

/// What an interval says of a mean difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is above 0.
    Above,
    /// It is below 0.
    Below,
    /// Neither can be said.
    NotApart,
}

impl Told {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
            Self::NotApart => "not told apart",
        }
    }
}

impl Difference {
    /// The interval that both intervals lie in; none with fewer than three pairs.
    ///
    /// Of few pairs the bootstrap is too sure of itself (it only knows the values that it saw), so
    /// that Student's interval is the wider one; of skewed ones it is the other way round.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let (t, bootstrap) = (self.t?, self.bootstrap?);
        (self.pairs >= FEWEST).then(|| (t.0.min(bootstrap.0), t.1.max(bootstrap.1)))
    }

    /// Whether the mean is told apart from 0: both intervals must leave it out.
    pub fn told(&self) -> Told {
        match self.interval() {
            Some((low, _)) if low > 0.0 => Told::Above,
            Some((_, high)) if high < 0.0 => Told::Below,
            _ => Told::NotApart,
        }
    }
}

/// The mean of `differences` and its intervals; none without differences. The draws of the bootstrap
/// are a function of `key` and the number of differences.
pub fn difference(differences: &[f64], key: &str) -> Option<Difference> {
    let (pairs, (mean, _)) = (differences.len(), mean(differences));
    let several = pairs > 1;
    Some(Difference {
        pairs,
        mean: mean?,
        t: interval(differences),
        bootstrap: several.then(|| bootstrap(differences, key)),
    })
}

/// The interval of the mean by Student's t; none for fewer than two values.
pub(crate) fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let (mean, error) = mean(values);
    let (mean, error) = (mean?, error?);
    let half = t_quantile(values.len() as u32 - 1) * error;
    Some((mean - half, mean + half))
}

/// The percentile interval of the mean over resampled pairs (Efron 1979).
fn bootstrap(differences: &[f64], key: &str) -> (f64, f64) {
    let n = differences.len();
    let hash = Sha256::new_with_prefix(format!("{n} {key}"));
    let mut random = SplitMix64::new(head(hash));
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn = (0..n).map(|_| {
                let index = (u128::from(random.bits()) * n as u128) >> 64;
                differences.get(index as usize).copied().unwrap_or(0.0)
            });
            drawn.sum::<f64>() / n as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    (quantile(&means, tail), quantile(&means, 1.0 - tail))
}

/// The `t` beyond which a twentieth of Student's distribution lies on both sides together.
fn t_quantile(degrees: u32) -> f64 {
    let (mut low, mut high) = (0.0, 20.0);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if within(middle, degrees) < LEVEL {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The share of Student's distribution between −t and t (Abramowitz and Stegun 1964, 26.7.3 and
/// 26.7.4).
fn within(t: f64, degrees: u32) -> f64 {
    let angle = (t / f64::from(degrees).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let odd = degrees % 2 == 1;
    // Powers of the cosine below the degrees of freedom, of the other parity than they are.
    let mut power = if odd { 1 } else { 0 };
    let mut term = if odd { cosine } else { 1.0 };
    let mut sum = 0.0;
    while power + 2 <= degrees {
        sum += term;
        term *= cosine * cosine * f64::from(power + 1) / f64::from(power + 2);
        power += 2;
    }
    if odd {
        std::f64::consts::FRAC_2_PI * (angle + sine * sum)
    } else {
        sine * sum
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn students_quantiles_are_those_of_the_tables() {
        for (degrees, wanted) in [
            (1, 12.7062),
            (2, 4.3027),
            (3, 3.1824),
            (4, 2.7764),
            (9, 2.2622),
            (10, 2.2281),
            (29, 2.0452),
            (100, 1.9840),
        ] {
            let t = t_quantile(degrees);
            assert!((t - wanted).abs() < 1e-4, "{degrees}: {t}");
        }
    }

    #[test]
    fn five_pairs_by_hand() {
        // Mean 0.03, deviation √(0.001/4) = 0.015811, error 0.0070711, times 2.7764 is 0.019632.
        let found = difference(&[0.01, 0.02, 0.03, 0.04, 0.05], "x").unwrap();
        let (low, high) = found.t.unwrap();
        assert!((low - 0.010_368).abs() < 1e-6 && (high - 0.049_632).abs() < 1e-6);
        // All 5⁵ resamples, enumerated: 2.5 % of the means lie at or below 0.018, 97.5 % at or below 0.042.
        let (low, high) = found.bootstrap.unwrap();
        assert!(
            (low - 0.018).abs() < 1e-9 && (high - 0.042).abs() < 1e-9,
            "{low} {high}"
        );
        assert_eq!(found.told(), Told::Above);
        assert_eq!(
            found.interval().map(|(low, _)| low),
            found.t.map(|(low, _)| low)
        );
    }

    #[test]
    fn few_pairs_tell_nothing_apart() {
        assert_eq!(difference(&[], "x"), None);
        let one = difference(&[0.5], "x").unwrap();
        assert_eq!(
            (one.t, one.bootstrap, one.told()),
            (None, None, Told::NotApart)
        );
        let two = difference(&[0.5, 0.5], "x").unwrap();
        assert_eq!((two.interval(), two.told()), (None, Told::NotApart));
        assert_eq!(difference(&[0.5; 3], "x").unwrap().told(), Told::Above);
    }

    proptest! {
        #[test]
        fn signs_mirror_and_the_mean_lies_inside(
            values in prop::collection::vec(-1.0..1.0f64, 2..12), key in "[a-z]{0,4}"
        ) {
            let found = difference(&values, &key).unwrap();
            let negated: Vec<f64> = values.iter().map(|x| -x).collect();
            let mirrored = difference(&negated, &key).unwrap();
            prop_assert_eq!(found, difference(&values, &key).unwrap());
            let (low, high) = found.t.unwrap();
            prop_assert!(low <= found.mean && found.mean <= high);
            let (low, high) = found.bootstrap.unwrap();
            let (least, most) = values.iter().fold((1.0f64, -1.0f64), |(a, b), x| (a.min(*x), b.max(*x)));
            prop_assert!(least - 1e-12 <= low && low <= high && high <= most + 1e-12);
            let (other_low, other_high) = mirrored.bootstrap.unwrap();
            prop_assert!((low + other_high).abs() < 1e-9 && (high + other_low).abs() < 1e-9);
            let opposite = match found.told() {
                Told::Above => Told::Below,
                Told::Below => Told::Above,
                Told::NotApart => Told::NotApart,
            };
            prop_assert_eq!(mirrored.told(), opposite);
        }
    }
}
