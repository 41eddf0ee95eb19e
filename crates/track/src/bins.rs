//! Values counted in buckets of equal width.

use serde::{Deserialize, Serialize};

/// A distribution as counts in buckets of equal width between its smallest and largest value.
///
/// Values that are NaN or infinite are counted apart: a single one would otherwise make every
/// edge NaN, and the picture of all the others with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bins {
    /// Smallest finite value; the left edge of the first bucket. 0 without finite values.
    pub low: f64,
    /// Largest finite value; the right edge of the last bucket. 0 without finite values.
    pub high: f64,
    /// Number of values per bucket; one bucket when all values are equal, none without values.
    pub counts: Vec<u64>,
    /// Mean of the finite values; 0 without any.
    pub mean: f64,
    /// Number of values that are NaN or infinite.
    pub not_finite: u64,
}

impl Bins {
    /// Counts `values` in at most `buckets` buckets. A value on an inner edge goes to the right.
    pub fn of(values: &[f64], buckets: usize) -> Self {
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let not_finite = (values.len() - finite.len()) as u64;
        if finite.is_empty() || buckets == 0 {
            return Self {
                low: 0.0,
                high: 0.0,
                counts: Vec::new(),
                mean: 0.0,
                not_finite,
            };
        }
        let low = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let high = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Each term is divided first: a sum of values near the largest float would overflow.
        let mean = finite.iter().map(|v| v / finite.len() as f64).sum();
        let counts = if low == high {
            vec![finite.len() as u64]
        } else {
            let mut counts = vec![0; buckets];
            for value in &finite {
                // Halved for the same reason: `high - low` may exceed the largest float.
                let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
                counts[((share * buckets as f64) as usize).min(buckets - 1)] += 1;
            }
            counts
        };
        Self {
            low,
            high,
            counts,
            mean,
            not_finite,
        }
    }

    /// Edge `index` of `counts.len() + 1`, in the unit of the values.
    pub fn edge(&self, index: usize) -> f64 {
        if index >= self.counts.len() {
            return self.high;
        }
        let share = index as f64 / self.counts.len() as f64;
        self.low * (1.0 - share) + self.high * share
    }

    /// Number of finite values.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_finite_is_counted_apart() {
        let bins = Bins::of(
            &[f64::NAN, 1.0, 3.0, f64::INFINITY, 2.0, f64::NEG_INFINITY],
            2,
        );
        assert_eq!((bins.low, bins.high, bins.not_finite), (1.0, 3.0, 3));
        assert_eq!(bins.counts, [1, 2]);
        assert_eq!(bins.mean, 2.0);
        assert_eq!(Bins::of(&[f64::NAN], 4).counts, [0_u64; 0]);
    }

    #[test]
    fn equal_values_need_one_bucket() {
        let bins = Bins::of(&[0.5; 7], 30);
        assert_eq!(
            (bins.counts.as_slice(), bins.edge(0), bins.edge(1)),
            (&[7][..], 0.5, 0.5)
        );
    }

    proptest! {
        #[test]
        fn every_finite_value_is_counted_once_between_its_edges(
            values in proptest::collection::vec(proptest::num::f64::NORMAL, 1..50), buckets in 1usize..40
        ) {
            let bins = Bins::of(&values, buckets);
            prop_assert_eq!(bins.total(), values.len() as u64);
            prop_assert!(values.contains(&bins.low) && values.contains(&bins.high));
            prop_assert!(bins.mean.is_finite());
            for i in 0..bins.counts.len() {
                prop_assert!(bins.edge(i) <= bins.edge(i + 1));
            }
        }

        #[test]
        fn an_even_spread_fills_all_buckets_alike(each in 1usize..20, buckets in 1usize..20) {
            let n = each * buckets;
            let values: Vec<f64> = (0..n).map(|i| (i as f64 + 0.5) / n as f64).collect();
            let bins = Bins::of(&values, buckets);
            let (min, max) = (bins.counts.iter().min(), bins.counts.iter().max());
            prop_assert!(max <= min.map(|m| m + 2).as_ref());
        }
    }
}
