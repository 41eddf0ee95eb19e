//! Random numbers of a search: each a pure function of its seed, the number of the point, and how many were drawn for
//! that point before.

use afterimage_random::box_muller;
use sha2::{Digest, Sha256};

use crate::space::fraction;

/// The random numbers for one point.
#[derive(Debug)]
pub(super) struct Draws {
    seed: u64,
    point: u64,
    count: u64,
}

impl Draws {
    /// Those of the point `point` of a search with `seed`.
    pub(super) fn new(seed: u64, point: usize) -> Self {
        Self {
            seed,
            point: point as u64,
            count: 0,
        }
    }

    /// A number from 0 up to 1.
    pub(super) fn uniform(&mut self) -> f64 {
        let mut hash = Sha256::new();
        hash.update(b"search");
        for word in [self.seed, self.point, self.count] {
            hash.update(word.to_le_bytes());
        }
        self.count += 1;
        fraction(hash)
    }

    /// A whole number from 0 up to `below`, which is at least 1.
    pub(super) fn index(&mut self, below: usize) -> usize {
        let at = (self.uniform() * below as f64) as usize;
        at.min(below.saturating_sub(1))
    }

    /// Whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// A number of the standard normal distribution.
    pub(super) fn normal(&mut self) -> f64 {
        box_muller(1.0 - self.uniform(), self.uniform())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_hang_on_seed_point_and_place_alone() {
        let of = |seed, point| {
            let mut draws = Draws::new(seed, point);
            [draws.uniform(), draws.uniform(), draws.uniform()]
        };
        assert_eq!(of(1, 2), of(1, 2));
        let all = [of(1, 2), of(1, 3), of(2, 2)].concat();
        let mut sorted = all.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        assert_eq!(sorted.len(), all.len());
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let n = 4000;
        let mut draws = Draws::new(7, 0);
        let (mut mean, mut square, mut uniform) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let x = draws.normal();
            mean += x / f64::from(n);
            square += x * x / f64::from(n);
            uniform += draws.uniform() / f64::from(n);
        }
        assert!(
            mean.abs() < 0.05 && (square - 1.0).abs() < 0.08,
            "{mean} {square}"
        );
        assert!((uniform - 0.5).abs() < 0.02, "{uniform}");
    }
}
