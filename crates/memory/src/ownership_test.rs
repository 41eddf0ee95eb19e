//! Whether more units belong to points that were trained on than chance gives.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use afterimage_hooks::SampleId;
use afterimage_hooks::random::{Generator, RandomKey};
use afterimage_numeric::{mean_and_deviation, quantile};
use serde::{Deserialize, Serialize};

use crate::calibration::compare_maxima;
use crate::error::MemoryError;
use crate::unit_max::UnitState;

/// The test of ownership: candidates, which the encoder was trained on, against as many independent
/// points, which it was not.
///
/// Each unit belongs to the set that holds its largest activation. Without memorization the sets are
/// interchangeable, and half of the units are expected in each. Units are not independent, since a
/// striking point owns many: the binomial reference is too narrow. What is exchanged are points, so
/// that the other references move each point with all of its units.
///
/// # Examples
/// ```
/// use afterimage_hooks::SampleId;
/// use afterimage_hooks::random::{RandomKey, Stream};
/// use afterimage_memory::{OwnershipTest, UnitState};
///
/// let (mut candidates, mut independent) = (UnitState::new(3), UnitState::new(3));
/// candidates.update(&[SampleId(0), SampleId(1)], &[3.0, 0.5, 1.0, 0.0, 2.0, 1.0])?;
/// independent.update(&[SampleId(7), SampleId(8)], &[1.0, 1.0, 2.0, 1.0, 1.0, 0.0])?;
/// let test = OwnershipTest::new([(&candidates, &independent)])?;
/// assert_eq!(test.share(), 2.0 / 3.0);
/// let interval = test.bootstrap(RandomKey::new(0, Stream::Plugin), 200);
/// assert!(interval.low <= test.share() && test.share() <= interval.high);
/// # Ok::<(), afterimage_memory::MemoryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnershipTest {
    /// Points in each of the two sets.
    points: u64,
    tied: usize,
    candidates: BTreeMap<SampleId, u32>,
    independent: BTreeMap<SampleId, u32>,
}

/// The spread of a share over resampled points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Standard error; NaN where fewer than two draws own units.
    pub standard_error: f64,
    /// The 2.5 % quantile.
    pub low: f64,
    /// The 97.5 % quantile.
    pub high: f64,
}

impl OwnershipTest {
    /// The test over one site or several: for each the probe of the candidates and that of the
    /// independent points, which are the same two sets at every site. Units without a score in
    /// either probe are left out.
    ///
    /// # Errors
    /// Probes of another site or number of points.
    pub fn new<'a>(
        sites: impl IntoIterator<Item = (&'a UnitState, &'a UnitState)>,
    ) -> Result<Self, MemoryError> {
        let mut test = Self {
            points: 0,
            tied: 0,
            candidates: BTreeMap::new(),
            independent: BTreeMap::new(),
        };
        let mut first = true;
        for (candidates, independent) in sites {
            if !first && candidates.points() != test.points {
                return Err(MemoryError::Points {
                    left: test.points,
                    right: candidates.points(),
                });
            }
            (test.points, first) = (candidates.points(), false);
            for (unit, order) in compare_maxima(candidates, independent)?.iter().enumerate() {
                let (probe, counts) = match order {
                    None => continue,
                    Some(Ordering::Greater) => (candidates, &mut test.candidates),
                    Some(Ordering::Less) => (independent, &mut test.independent),
                    Some(Ordering::Equal) => {
                        test.tied += 1;
                        continue;
                    }
                };
                if let Some(owner) = probe.owner(unit) {
                    *counts.entry(owner).or_insert(0) += 1;
                }
            }
        }
        Ok(test)
    }

    /// Points in each of the two sets.
    pub fn points(&self) -> u64 {
        self.points
    }

    /// Units that belong to candidates.
    pub fn owned(&self) -> u64 {
        self.candidates.values().copied().map(u64::from).sum()
    }

    /// Units that belong to either set.
    pub fn units(&self) -> u64 {
        self.counts().map(u64::from).sum()
    }

    /// Units with equal largest activations in both sets, dead ones among them; they say nothing.
    pub fn tied(&self) -> usize {
        self.tied
    }

    /// Points that own units.
    pub fn owners(&self) -> usize {
        self.candidates.len() + self.independent.len()
    }

    /// Share of the untied units that belong to candidates; NaN without units.
    pub fn share(&self) -> f64 {
        self.owned() as f64 / self.units() as f64
    }

    fn counts(&self) -> impl Iterator<Item = u32> + '_ {
        let both = self.candidates.values().chain(self.independent.values());
        both.copied()
    }

    /// Two-sided probability of a share as far from one half if units were independent: the binomial
    /// reference, which is too small wherever points own several units.
    pub fn binomial_p(&self) -> f64 {
        binomial_two_sided(self.owned(), self.units())
    }

    /// Variance of the number of units that belong to candidates when the points are dealt at random
    /// into two sets of this size.
    fn exchange_variance(&self) -> f64 {
        let all = 2.0 * self.points as f64;
        let mean = self.units() as f64 / all;
        let squares: f64 = self.counts().map(|n| f64::from(n).powi(2)).sum();
        // Drawing half of a finite population without replacement.
        self.points as f64 / 2.0 * (squares - all * mean * mean) / (all - 1.0)
    }

    /// How many standard deviations the number of units that belong to candidates lies above one
    /// half, when points are exchanged with all of their units; NaN where all own as many.
    pub fn z(&self) -> f64 {
        let surplus = self.owned() as f64 - self.units() as f64 / 2.0;
        let variance = self.exchange_variance();
        if variance > 0.0 {
            surplus / variance.sqrt()
        } else {
            f64::NAN
        }
    }

    /// By how much the variance under exchanged points exceeds the binomial's: about the mean number
    /// of other units that a unit shares its owner with, plus 1.
    pub fn design_effect(&self) -> f64 {
        self.exchange_variance() / (self.units() as f64 / 4.0)
    }

    /// Two-sided probability of a share as far from one half when the points are dealt at random into
    /// two sets of this size, from `draws` deals.
    pub fn exchange_p(&self, key: RandomKey, draws: usize) -> f64 {
        let counts: Vec<u32> = self.counts().collect();
        let units = self.units();
        let distance = |owned: u64| (2 * owned).abs_diff(units);
        let observed = distance(self.owned());
        let mut generator = key.generator();
        let as_far = (0..draws)
            .filter(|_| distance(self.dealt(&counts, &mut generator)) >= observed)
            .count();
        (1 + as_far) as f64 / (1 + draws) as f64
    }

    /// Units that belong to candidates in one deal; points without units need not be dealt.
    fn dealt(&self, counts: &[u32], generator: &mut Generator) -> u64 {
        let (mut seats, mut left) = (self.points, 2 * self.points);
        let mut owned = 0;
        for count in counts {
            if generator.uniform() * (left as f64) < seats as f64 {
                seats -= 1;
                owned += u64::from(*count);
            }
            left -= 1;
        }
        owned
    }

    /// The spread of the share when the points of each set are drawn anew with replacement, each
    /// with the units that it owns (cluster bootstrap), from `draws` draws.
    ///
    /// A point that is not drawn takes its units out of the count; they do not go to the next point,
    /// which only a probe that keeps every activation could know.
    pub fn bootstrap(&self, key: RandomKey, draws: usize) -> Interval {
        let mut generator = key.generator();
        let sets = [&self.candidates, &self.independent]
            .map(|owned| -> Vec<u32> { owned.values().copied().collect() });
        let points = u32::try_from(self.points).unwrap_or(u32::MAX);
        let mut drawn = |counts: &[u32]| -> u64 {
            (0..points)
                .filter_map(|_| counts.get(generator.below(points) as usize))
                .map(|count| u64::from(*count))
                .sum()
        };
        let mut shares = Vec::with_capacity(draws);
        for _ in 0..draws {
            let owned = drawn(&sets[0]) as f64;
            let share = owned / (owned + drawn(&sets[1]) as f64);
            if share.is_finite() {
                shares.push(share);
            }
        }
        shares.sort_unstable_by(f64::total_cmp);
        Interval {
            standard_error: mean_and_deviation(&shares).1,
            low: quantile(&shares, 0.025),
            high: quantile(&shares, 0.975),
        }
    }
}

/// Probability that a binomial number of `n` trials of one half lies as far from n/2 as `k` does.
fn binomial_two_sided(k: u64, n: u64) -> f64 {
    if n == 0 {
        return f64::NAN;
    }
    if 2 * k == n {
        return 1.0;
    }
    let k = k.min(n - k);
    let log_choose: f64 = (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum();
    let mut term = (log_choose - n as f64 * std::f64::consts::LN_2).exp();
    let mut tail = 0.0;
    for j in (0..=k).rev() {
        tail += term;
        term *= j as f64 / (n - j + 1) as f64;
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
#[path = "ownership_test_tests.rs"]
mod tests;
