//! What the training loop draws random numbers for.

use crate::key::Purpose;

/// What a random number of the training loop is drawn for; two streams never share numbers.
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
    /// Reserved for plugins; tell plugins apart by [`RandomKey::sample`](crate::RandomKey::sample) or
    /// [`RandomKey::view`](crate::RandomKey::view).
    Plugin = 8,
    /// Which patches of a view a masked autoencoder hides.
    PatchMask = 11,
    /// Which training samples are planted, and the noise in them.
    Doses = 12,
}

impl Purpose for Stream {
    fn number(self) -> u32 {
        self as u32
    }
}
