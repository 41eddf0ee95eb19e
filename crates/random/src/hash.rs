//! Hashes that are the same on every machine and in every version.

use crate::split_mix::{GOLDEN, finish};

/// FNV-1a of a name, 32 bits: for counters of a key, so that what is drawn for a name hangs on nothing else.
///
/// # Examples
/// ```
/// assert_eq!(afterimage_random::fnv1a_32("unitmem"), 0xae6b_98e4);
/// ```
pub fn fnv1a_32(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// FNV-1a of a name, 64 bits.
///
/// # Examples
/// ```
/// assert_eq!(afterimage_random::fnv1a_64("unitmem"), 0x89aa_d584_743d_88a4);
/// ```
pub fn fnv1a_64(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A hash of words, one after the other: SplitMix64's output function over a running state.
///
/// # Examples
/// ```
/// use afterimage_random::mix;
/// let hash = [1, 2].into_iter().fold(0, mix);
/// assert_ne!(hash, [2, 1].into_iter().fold(0, mix));
/// ```
#[inline]
pub fn mix(state: u64, word: u64) -> u64 {
    finish(
        state
            .wrapping_add(GOLDEN)
            .wrapping_mul(0xd134_2543_de82_ef95)
            ^ word,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_an_independent_program() {
        // FNV-1a's offsets for the empty text, and values computed in Python.
        assert_eq!(fnv1a_32(""), 0x811c_9dc5);
        assert_eq!(fnv1a_64(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a_32("encoder.stem.conv.weight"), 0x07b5_d2e4);
        assert_eq!(fnv1a_64("encoder.stem.conv.weight"), 0xead9_4eee_3d09_44c4);
        assert_eq!(mix(0, 0), 0xe868_698b_a209_f922);
        assert_eq!(mix(mix(0, 1), 2), 0x09dc_95dc_a5ad_7017);
    }
}
