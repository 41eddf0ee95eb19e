//! Randomness without a state that anybody has to keep: every draw is a pure function of what it is drawn
//! for.
//!
//! A [`RandomKey`] names a sequence, and its [`Generator`] draws from it; no checkpoint holds a generator, and
//! any view, shuffle, bag or subset can be made again, in any order and on any thread. Each crate lists what
//! it draws numbers for as a [`Purpose`]; those of the training loop are [`Stream`]s.
//!
//! Hashes are here, too, where a number must follow from a name or from what a row holds: [`fnv1a_32`] and
//! [`fnv1a_64`] of texts, [`mix`] of words.

mod generator;
mod hash;
mod key;
mod split_mix;
mod stream;
mod transform;

pub use generator::Generator;
pub use hash::{fnv1a_32, fnv1a_64, mix};
pub use key::{Purpose, RandomKey};
pub use split_mix::SplitMix64;
pub use stream::Stream;
pub use transform::{box_muller, fraction};
