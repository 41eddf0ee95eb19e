//! What values draw random numbers for: every bag, subset and order is a pure function of it.

use afterimage_random::{Generator, RandomKey};

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

impl afterimage_random::Purpose for Purpose {
    fn number(self) -> u32 {
        self as u32
    }
}

impl Purpose {
    /// The sequence of `learner` under `seed`.
    pub fn draws(self, seed: u64, learner: u32) -> Generator {
        self.draws_at(seed, u64::from(learner), 0)
    }

    /// The sequence of two counters under `seed`.
    pub fn draws_at(self, seed: u64, major: u64, minor: u32) -> Generator {
        let key = RandomKey::new(seed, self);
        key.step(major).sample(minor).generator()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_one_sequence() {
        let first = |seed, purpose: Purpose, learner| purpose.draws(seed, learner).uniform();
        assert_eq!(first(1, Purpose::Bag, 2), first(1, Purpose::Bag, 2));
        assert_ne!(first(1, Purpose::Bag, 2), first(2, Purpose::Bag, 2));
        assert_ne!(first(1, Purpose::Bag, 2), first(1, Purpose::Subset, 2));
        assert_ne!(first(1, Purpose::Bag, 2), first(1, Purpose::Bag, 3));
        let second = Purpose::Bag.draws_at(1, 2, 1).uniform();
        assert_ne!(first(1, Purpose::Bag, 2), second);
    }
}
