//! Counter-based randomness: every bag, subset and order is a pure function of what it is drawn for.
//!
//! ChaCha8 is keyed with (seed, purpose, learner), laid out as the keys of the training loop are, so
//! that no generator has a state that outlives its use and any learner can be made again, alone, in
//! any order and on any thread.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// What numbers are drawn for; two purposes never share numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Which rows a learner sees, and how often.
    Bag = 0x100,
    /// Which columns a learner sees.
    Subset = 0x101,
    /// Choices inside of a learner: candidate columns of a tree's node, initial weights, orders.
    Learner = 0x102,
    /// Which labels are made wrong on purpose, and what they become.
    Planted = 0x103,
    /// Directions along which rows are cut into parts of neighbours; by pass.
    NearParts = 0x104,
    /// How often the heads of an online bank see a sample; by sample.
    OnlineBag = 0x110,
    /// Which cells a head of an online bank sees in a step; by step and head.
    OnlineMask = 0x111,
    /// Initial weights of an online bank.
    OnlineWeights = 0x112,
    /// The samples whose two half-banks are compared.
    OnlineWatch = 0x113,
    /// The order of a table's rows; by epoch.
    OnlineOrder = 0x114,
}

/// A sequence of random numbers of one purpose and one learner.
#[derive(Debug)]
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// The sequence of `learner` under `seed`.
    pub fn new(seed: u64, purpose: Purpose, learner: u32) -> Self {
        Self::at(seed, purpose, u64::from(learner), 0)
    }

    /// The sequence of two counters under `seed`.
    pub fn at(seed: u64, purpose: Purpose, major: u64, minor: u32) -> Self {
        let mut key = [0u8; 32];
        key[0..8].copy_from_slice(&seed.to_le_bytes());
        key[8..12].copy_from_slice(&(purpose as u32).to_le_bytes());
        key[16..24].copy_from_slice(&major.to_le_bytes());
        key[24..28].copy_from_slice(&minor.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// The next 32 bits.
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Uniform in `0..bound`, without modulo bias (Lemire's multiply and reject); 0 if `bound` is 0.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(bound);
            let low = product as u32;
            // The division is needed only where a rejection is possible at all.
            if low >= bound || low >= bound.wrapping_neg().checked_rem(bound).unwrap_or(0) {
                return (product >> 32) as u32;
            }
        }
    }

    /// Uniform in `[0, 1)` with 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Puts a uniform choice of `count` items at the front, in random order (Fisher–Yates).
    pub fn choose<T>(&mut self, items: &mut [T], count: usize) {
        for i in 0..count.min(items.len()) {
            let j = i + self.below((items.len() - i) as u32) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_one_sequence() {
        let first = |seed, purpose, learner| Draws::new(seed, purpose, learner).uniform();
        assert_eq!(first(1, Purpose::Bag, 2), first(1, Purpose::Bag, 2));
        assert_ne!(first(1, Purpose::Bag, 2), first(2, Purpose::Bag, 2));
        assert_ne!(first(1, Purpose::Bag, 2), first(1, Purpose::Subset, 2));
        assert_ne!(first(1, Purpose::Bag, 2), first(1, Purpose::Bag, 3));
    }

    #[test]
    fn numbers_below_a_bound_are_uniform() {
        let mut draws = Draws::new(3, Purpose::Learner, 0);
        let mut counts = [0u32; 6];
        (0..60_000).for_each(|_| counts[draws.below(6) as usize] += 1);
        assert!(
            counts.iter().all(|c| c.abs_diff(10_000) < 400),
            "{counts:?}"
        );
        assert_eq!(draws.below(0), 0);
        assert_eq!(draws.below(1), 0);
    }

    #[test]
    fn a_choice_has_no_repetition() {
        let mut items: Vec<u32> = (0..100).collect();
        Draws::new(5, Purpose::Subset, 9).choose(&mut items, 30);
        let mut chosen = items[..30].to_vec();
        assert_ne!(chosen, (0..30).collect::<Vec<_>>());
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 30);
    }
}
