//! Whether few points own many units.

use std::collections::BTreeMap;

use afterimage_hooks::SampleId;
use serde::{Deserialize, Serialize};

/// How unequally units are spread over the points of a probe.
///
/// With fewer units than points even ownership by chance looks concentrated: compare with held-out
/// points of equal number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Concentration {
    /// Share of the points that own any unit, in [0, 1].
    pub owning_points: f64,
    /// Gini coefficient of the numbers of owned units over all points: 0 when all own as many,
    /// towards 1 when one owns all.
    pub gini: f64,
    /// Entropy of the owner of a unit drawn at random over its largest possible value: 1 when no
    /// point owns more than it must, 0 when one owns all. NaN where one unit or point leaves no
    /// choice.
    pub entropy: f64,
    /// Share of the owned units that belong to the hundredth of the points that own most, at least
    /// one point.
    pub top_hundredth: f64,
    /// The same for the tenth of the points.
    pub top_tenth: f64,
}

impl Concentration {
    /// Of the numbers of units that points own ([`units_by_owner`](crate::units_by_owner),
    /// [`owned_units`](crate::owned_units)) in a probe of `points` points; nothing if no unit has an
    /// owner.
    pub fn new(owned: &BTreeMap<SampleId, u32>, points: u64) -> Option<Self> {
        let mut counts: Vec<u64> = owned
            .values()
            .map(|count| u64::from(*count))
            .filter(|count| *count > 0)
            .collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let units: u64 = counts.iter().sum();
        if units == 0 {
            return None;
        }
        let (n, total) = (points as f64, units as f64);
        // Ranks from the richest: Σ (N + 1 − rank) · count over the ascending order.
        let weighted: f64 = counts
            .iter()
            .enumerate()
            .map(|(rank, count)| (n - rank as f64) * *count as f64)
            .sum();
        let entropy: f64 = counts
            .iter()
            .map(|count| *count as f64 / total)
            .map(|share| -share * share.ln())
            .sum();
        let top = |part: u64| {
            let points = points.div_ceil(part).max(1) as usize;
            counts.iter().take(points).sum::<u64>() as f64 / total
        };
        Some(Self {
            owning_points: counts.len() as f64 / n,
            gini: 2.0 * weighted / (n * total) - (n + 1.0) / n,
            entropy: entropy / (units.min(points) as f64).ln(),
            top_hundredth: top(100),
            top_tenth: top(10),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn owned(counts: &[u32]) -> BTreeMap<SampleId, u32> {
        (0..).map(SampleId).zip(counts.iter().copied()).collect()
    }

    #[test]
    fn one_owner_of_all_and_equal_owners_are_the_ends() {
        let all = Concentration::new(&owned(&[8]), 4).unwrap();
        assert_eq!(
            (all.gini, all.entropy, all.owning_points),
            (0.75, 0.0, 0.25)
        );
        assert_eq!((all.top_hundredth, all.top_tenth), (1.0, 1.0));
        let equal = Concentration::new(&owned(&[2; 4]), 4).unwrap();
        assert!(equal.gini.abs() < 1e-12 && (equal.entropy - 1.0).abs() < 1e-12);
        assert_eq!((equal.owning_points, equal.top_tenth), (1.0, 0.25));
        // Two units cannot have more than two owners among a hundred points.
        let few = Concentration::new(&owned(&[1, 1]), 100).unwrap();
        assert!((few.entropy - 1.0).abs() < 1e-12 && few.gini > 0.97);
        assert_eq!(Concentration::new(&owned(&[]), 10), None);
    }

    proptest! {
        #[test]
        fn gini_is_the_mean_difference_of_two_points(
            counts in prop::collection::vec(0u32..9, 1..20), silent in 0usize..20,
        ) {
            let mut all = counts.clone();
            all.extend(vec![0; silent]);
            let n = all.len() as f64;
            let total: u32 = all.iter().sum();
            let Some(found) = Concentration::new(&owned(&counts), all.len() as u64) else {
                prop_assert_eq!(total, 0);
                return Ok(());
            };
            let differences: f64 = all
                .iter()
                .flat_map(|a| all.iter().map(move |b| f64::from(a.abs_diff(*b))))
                .sum();
            let gini = differences / (2.0 * n * f64::from(total));
            prop_assert!((found.gini - gini).abs() < 1e-9, "{} {}", found.gini, gini);
        }
    }
}
