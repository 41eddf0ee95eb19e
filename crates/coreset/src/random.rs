//! Random choices as pure functions of a seed, a purpose and a number.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// What a random number is drawn for; two purposes never share numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Purpose {
    /// Random subsets.
    Subset = 1,
    /// The candidates of a step of stochastic greedy.
    Candidates = 2,
    /// Initial centres of k-means.
    Centres = 3,
    /// Points that stand for all in the sparse search.
    Sample = 4,
    /// Which labels are flipped, and to what.
    Flip = 5,
    /// A permutation of classes.
    Derangement = 6,
    /// The directions of instance-dependent noise.
    Direction = 7,
    /// Flip rates of instance-dependent noise.
    Rate = 8,
    /// Priors exchanged within a class.
    Permutation = 9,
    /// Places within equal stretches of the samples.
    Stretch = 10,
    /// Directions that the search for principal axes begins with.
    Axes = 11,
}

/// The numbers of one purpose, seed and index.
#[derive(Debug)]
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    /// The sequence of `purpose` under `seed`; `index` tells sequences apart, as a sample or a step.
    pub(crate) fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..12].copy_from_slice(&(purpose as u32).to_le_bytes());
        key[16..24].copy_from_slice(&index.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in `[0, 1)` with 53 bits.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `0..bound`, without modulo bias (Lemire's multiply and reject); 0 if `bound` is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        let threshold = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as usize;
            }
        }
    }

    /// A standard normal number (Box–Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// `count` of `items` in random order (Fisher–Yates, stopped early); all if there are fewer.
    pub(crate) fn choose<T: Clone>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut items = items.to_vec();
        let count = count.min(items.len());
        for i in 0..count {
            let j = i + self.below(items.len() - i);
            items.swap(i, j);
        }
        items.truncate(count);
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_purpose_and_index_all_count() {
        let first = |seed, purpose, index| Draws::new(seed, purpose, index).uniform();
        let one = first(1, Purpose::Subset, 0);
        assert_eq!(one, first(1, Purpose::Subset, 0));
        for other in [
            first(2, Purpose::Subset, 0),
            first(1, Purpose::Flip, 0),
            first(1, Purpose::Subset, 1),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_choice_has_no_item_twice_and_each_as_often() {
        let mut seen = [0; 6];
        for index in 0..6000 {
            let chosen = Draws::new(3, Purpose::Subset, index).choose(&[0, 1, 2, 3, 4, 5], 2);
            assert_ne!(chosen[0], chosen[1]);
            chosen.iter().for_each(|&item: &usize| seen[item] += 1);
        }
        assert!(
            seen.iter().all(|&n| (n as f64 - 2000.0).abs() < 150.0),
            "{seen:?}"
        );
    }
}
