//! What coresets draw random numbers for.

use afterimage_random::{Generator, RandomKey};

/// What a random number of a coreset is drawn for; two purposes here never share numbers. Their numbers may be those of
/// purposes of another crate.
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

impl afterimage_random::Purpose for Purpose {
    fn number(self) -> u32 {
        self as u32
    }
}

impl Purpose {
    /// The sequence of this purpose under `seed`; `index` tells sequences apart, as a sample or a step.
    pub(crate) fn draws(self, seed: u64, index: u64) -> Generator {
        RandomKey::new(seed, self).step(index).generator()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_purpose_and_index_all_count() {
        let first = |seed, purpose: Purpose, index| purpose.draws(seed, index).uniform();
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
}
