//! Random numbers in the few forms that the project draws.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::transform::{box_muller, fraction};

/// The numbers of one sequence, one after the other; made by
/// [`RandomKey::generator`](crate::RandomKey::generator).
#[derive(Debug)]
pub struct Generator(ChaCha8Rng);

impl Generator {
    pub(crate) fn of_key(key: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(key))
    }

    /// The next 32 bits.
    #[inline]
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// The next 64 bits.
    #[inline]
    pub fn bits_64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)` with 53 bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        fraction(self.bits_64())
    }

    /// Uniform in `[low, high)`.
    #[inline]
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// True with probability `p`.
    #[inline]
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Uniform in `0..bound`, without modulo bias (Lemire's multiply and reject); 0 if `bound` is 0.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        loop {
            let product = u64::from(self.bits()) * u64::from(bound);
            let low = product as u32;
            // The division is needed only where a rejection is possible at all.
            if low >= bound || low >= bound.wrapping_neg().checked_rem(bound).unwrap_or(0) {
                return (product >> 32) as u32;
            }
        }
    }

    /// [`below`](Self::below) from 64 bits a number, for any bound; not the numbers of `below`.
    #[inline]
    pub fn below_wide(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        loop {
            let product = u128::from(self.bits_64()) * u128::from(bound);
            let low = product as u64;
            if low >= bound || low >= bound.wrapping_neg().checked_rem(bound).unwrap_or(0) {
                return (product >> 64) as usize;
            }
        }
    }

    /// A standard normal number (Box–Muller).
    #[inline]
    pub fn normal(&mut self) -> f64 {
        box_muller(1.0 - self.uniform(), self.uniform())
    }

    /// Shuffles `items` in place (Fisher–Yates, from the back).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u32 + 1) as usize;
            items.swap(i, j);
        }
    }

    /// Puts a uniform choice of `count` items at the front, in random order (Fisher–Yates, from the front and
    /// stopped early); all items if there are fewer. Not the order of [`shuffle`](Self::shuffle).
    pub fn choose<T>(&mut self, items: &mut [T], count: usize) {
        for i in 0..count.min(items.len()) {
            let j = i + self.below((items.len() - i) as u32) as usize;
            items.swap(i, j);
        }
    }

    /// `count` of `items` in random order, as [`choose`](Self::choose) puts them, by numbers of
    /// [`below_wide`](Self::below_wide); all if there are fewer.
    pub fn chosen_wide<T: Clone>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut items = items.to_vec();
        let count = count.min(items.len());
        for i in 0..count {
            let j = i + self.below_wide(items.len() - i);
            items.swap(i, j);
        }
        items.truncate(count);
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RandomKey, Stream};

    fn generator(seed: u64) -> Generator {
        RandomKey::new(seed, Stream::Plugin).generator()
    }

    #[test]
    fn draws_are_those_of_an_independent_program() {
        // ChaCha8 and each method written anew in Python.
        let key = RandomKey::new(7, Stream::View).epoch(3).step(5);
        let of = || key.sample(41).view(1).generator();
        let mut bits = of();
        assert_eq!([(); 2].map(|()| bits.bits()), [0x0ea9_5fa7, 0x4ddf_6708]);
        assert_eq!(of().uniform(), 0.304_190_101_115_329_07);
        let mut below = of();
        let found: Vec<u32> = (0..12).map(|_| below.below(6)).collect();
        assert_eq!(found, [0, 1, 0, 0, 3, 3, 5, 4, 3, 3, 2, 0]);
        let mut wide = of();
        let found: Vec<usize> = (0..12).map(|_| wide.below_wide(6)).collect();
        assert_eq!(found, [1, 0, 3, 4, 3, 0, 5, 0, 2, 2, 4, 1]);
        let mut normal = of();
        for wanted in [0.625_005_493_035_552_2, 0.016_556_210_576_620_742] {
            assert!((normal.normal() - wanted).abs() < 1e-14);
        }
        let all: Vec<u32> = (0..8).collect();
        let mut items = all.clone();
        of().shuffle(&mut items);
        assert_eq!(items, [4, 3, 1, 6, 5, 7, 2, 0]);
        let mut items = all.clone();
        of().choose(&mut items, 5);
        assert_eq!(items[..5], [0, 3, 2, 1, 6]);
        assert_eq!(of().chosen_wide(&all, 5), [2, 1, 5, 6, 3]);
    }

    #[test]
    fn moments_are_those_of_the_named_distributions() {
        let mut generator = generator(3);
        let n = 20_000;
        let normal: Vec<f64> = (0..n).map(|_| generator.normal()).collect();
        let mean = normal.iter().sum::<f64>() / n as f64;
        let variance = normal.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
    }

    #[test]
    fn numbers_below_a_bound_are_uniform() {
        let mut generator = generator(3);
        let mut counts = [[0u32; 6]; 2];
        for _ in 0..60_000 {
            counts[0][generator.below(6) as usize] += 1;
            counts[1][generator.below_wide(6)] += 1;
        }
        let even = |c: &u32| c.abs_diff(10_000) < 400;
        assert!(counts.iter().flatten().all(even), "{counts:?}");
        for bound in [0, 1] {
            assert_eq!(generator.below(bound), 0);
            assert_eq!(generator.below_wide(bound as usize), 0);
        }
    }

    #[test]
    fn a_shuffle_is_a_permutation() {
        let mut items: Vec<u32> = (0..1000).collect();
        generator(5).shuffle(&mut items);
        assert_ne!(items[..10], (0..10).collect::<Vec<_>>()[..]);
        items.sort_unstable();
        assert_eq!(items, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_choice_has_no_item_twice() {
        let mut items: Vec<u32> = (0..100).collect();
        generator(5).choose(&mut items, 30);
        let mut chosen = items[..30].to_vec();
        assert_ne!(chosen, (0..30).collect::<Vec<_>>());
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 30);
        assert_eq!(generator(1).chosen_wide(&[1, 2], 9).len(), 2);
    }

    #[test]
    fn each_item_is_chosen_as_often() {
        let mut seen = [0; 6];
        for step in 0..6000 {
            let key = RandomKey::new(3, Stream::Plugin).step(step);
            let chosen = key.generator().chosen_wide(&[0usize, 1, 2, 3, 4, 5], 2);
            assert_ne!(chosen[0], chosen[1]);
            chosen.iter().for_each(|&item| seen[item] += 1);
        }
        assert!(
            seen.iter().all(|&n| (f64::from(n) - 2000.0).abs() < 150.0),
            "{seen:?}"
        );
    }
}
