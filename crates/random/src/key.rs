//! Names of sequences of random numbers.

use crate::generator::Generator;

/// What random numbers are drawn for, as a number in the key. A crate lists its purposes in one enum, whose
/// numbers never change: sequences of two numbers have nothing in common.
pub trait Purpose: Copy {
    /// The number that stands in the key.
    fn number(self) -> u32;
}

/// The full name of one sequence of random numbers.
///
/// ChaCha8 is keyed with (seed, purpose, epoch, step, sample, view), 256 bits exactly. What a counter counts
/// is up to the purpose: a learner, a class or an attempt may stand in `step`.
///
/// # Examples
/// ```
/// use afterimage_random::{RandomKey, Stream};
/// let key = RandomKey::new(7, Stream::View).epoch(3).sample(41).view(1);
/// assert_eq!(key.generator().uniform(), key.generator().uniform());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomKey {
    seed: u64,
    purpose: u32,
    epoch: u32,
    step: u64,
    sample: u32,
    view: u32,
}

impl RandomKey {
    /// The key of `purpose`, as a [`Stream`](crate::Stream) of the training loop, under the run's `seed`, with
    /// every counter at zero.
    pub fn new(seed: u64, purpose: impl Purpose) -> Self {
        Self {
            seed,
            purpose: purpose.number(),
            epoch: 0,
            step: 0,
            sample: 0,
            view: 0,
        }
    }

    /// The same key at `epoch`.
    pub fn epoch(self, epoch: u32) -> Self {
        Self { epoch, ..self }
    }

    /// The same key at optimizer step `step`.
    pub fn step(self, step: u64) -> Self {
        Self { step, ..self }
    }

    /// The same key for sample `sample`.
    pub fn sample(self, sample: u32) -> Self {
        Self { sample, ..self }
    }

    /// The same key for view `view`.
    pub fn view(self, view: u32) -> Self {
        Self { view, ..self }
    }

    /// A generator at the start of this key's sequence.
    pub fn generator(self) -> Generator {
        let mut key = [0u8; 32];
        key[0..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..12].copy_from_slice(&self.purpose.to_le_bytes());
        key[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        key[16..24].copy_from_slice(&self.step.to_le_bytes());
        key[24..28].copy_from_slice(&self.sample.to_le_bytes());
        key[28..32].copy_from_slice(&self.view.to_le_bytes());
        Generator::of_key(key)
    }

    /// The first 64 bits of the sequence: a seed for a generator that is not ours.
    pub fn bits(self) -> u64 {
        self.generator().bits_64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;

    #[test]
    fn a_key_names_one_sequence_and_every_counter_counts() {
        let key = RandomKey::new(1, Stream::View);
        let same = [key.bits(), key.bits()];
        assert_eq!(same[0], same[1]);
        let others = [
            RandomKey::new(2, Stream::View),
            RandomKey::new(1, Stream::Order),
            key.epoch(1),
            key.step(1),
            key.sample(1),
            key.view(1),
        ];
        let mut all: Vec<u64> = others.iter().map(|k| k.bits()).collect();
        all.push(key.bits());
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 7);
    }

    #[test]
    fn the_bits_of_a_key_are_those_of_chacha8() {
        // From ChaCha8 written in Python by RFC 8439, with a counter of 64 bits.
        let key = RandomKey::new(7, Stream::View).epoch(3).step(5);
        let key = key.sample(41).view(1);
        assert_eq!(key.bits(), 0x4ddf_6708_0ea9_5fa7);
        #[derive(Clone, Copy)]
        struct Other(u32);
        impl Purpose for Other {
            fn number(self) -> u32 {
                self.0
            }
        }
        let bag = RandomKey::new(1, Other(0x100)).step(2).generator().bits();
        let subset = RandomKey::new(1, Other(1)).step(9).generator().bits();
        assert_eq!((bag, subset), (0x596f_f559, 0x6411_3c53));
    }
}
