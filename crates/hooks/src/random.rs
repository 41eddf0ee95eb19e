//! Counter-based randomness: every draw is a pure function of what it is drawn for.
//!
//! ChaCha8 is keyed with (seed, stream, epoch, step, sample, view), 256 bits exactly, so that no
//! generator has a state that a checkpoint would have to keep, and any augmented view, shuffle or
//! bag can be made again, in any order and on any thread.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// What a random number is drawn for; two purposes never share numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Stream {
    /// Initial parameters.
    Init = 1,
    /// The order of the samples of an epoch.
    Order = 2,
    /// Augmented views of the training loop.
    View = 3,
    /// Augmented views of probes; apart from the training's, so that probing changes nothing.
    ProbeView = 4,
    /// The choice of the points that a probe looks at.
    ProbePoints = 5,
    /// The device generator of a step (dropout and the like).
    Device = 6,
    /// The split of the training samples into shared, candidates and independent points.
    Pair = 9,
    /// The layers that fine-tuning trains, where they are chosen at random.
    Layers = 10,
    /// Reserved for plugins; tell plugins apart by [`RandomKey::sample`] or [`RandomKey::view`].
    Plugin = 8,
    /// Which patches of a view a masked autoencoder hides.
    PatchMask = 11,
    /// Which training samples are planted, and the noise in them.
    Doses = 12,
}

/// The full name of one sequence of random numbers.
///
/// # Examples
/// ```
/// use afterimage_hooks::random::{RandomKey, Stream};
/// let key = RandomKey::new(7, Stream::View).epoch(3).sample(41).view(1);
/// assert_eq!(key.generator().uniform(), key.generator().uniform());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomKey {
    seed: u64,
    stream: Stream,
    epoch: u32,
    step: u64,
    sample: u32,
    view: u32,
}

impl RandomKey {
    /// The key of `stream` under the run's `seed`, with every counter at zero.
    pub fn new(seed: u64, stream: Stream) -> Self {
        Self {
            seed,
            stream,
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
        key[8..12].copy_from_slice(&(self.stream as u32).to_le_bytes());
        key[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        key[16..24].copy_from_slice(&self.step.to_le_bytes());
        key[24..28].copy_from_slice(&self.sample.to_le_bytes());
        key[28..32].copy_from_slice(&self.view.to_le_bytes());
        Generator(ChaCha8Rng::from_seed(key))
    }

    /// The first 64 bits of the sequence: a seed for a generator that is not ours.
    pub fn bits(self) -> u64 {
        self.generator().0.next_u64()
    }
}

/// Random numbers in the few forms that the project draws.
#[derive(Debug)]
pub struct Generator(ChaCha8Rng);

impl Generator {
    /// Uniform in `[0, 1)` with 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Uniform in `0..bound`, without modulo bias (Lemire's multiply and reject); 0 if `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        let threshold = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// A standard normal number (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Shuffles `items` in place (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u32 + 1) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn moments_are_those_of_the_named_distributions() {
        let mut generator = RandomKey::new(3, Stream::Plugin).generator();
        let n = 20_000;
        let normal: Vec<f64> = (0..n).map(|_| generator.normal()).collect();
        let mean = normal.iter().sum::<f64>() / n as f64;
        let variance = normal.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
        let mut counts = [0u32; 6];
        (0..n).for_each(|_| counts[generator.below(6) as usize] += 1);
        assert!(
            counts
                .iter()
                .all(|&c| (c as f64 - n as f64 / 6.0).abs() < 250.0),
            "{counts:?}"
        );
    }

    #[test]
    fn a_shuffle_is_a_permutation() {
        let mut items: Vec<u32> = (0..1000).collect();
        RandomKey::new(5, Stream::Order)
            .generator()
            .shuffle(&mut items);
        assert_ne!(items[..10], (0..10).collect::<Vec<_>>()[..]);
        items.sort_unstable();
        assert_eq!(items, (0..1000).collect::<Vec<_>>());
    }
}
