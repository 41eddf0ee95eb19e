//! A generator of one word, for what no run's numbers hang on.

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a state of 64 bits that steps by a constant. For resampling
/// and tests; what a run draws comes from a [`RandomKey`](crate::RandomKey).
///
/// # Examples
/// ```
/// use afterimage_random::SplitMix64;
/// let mut one = SplitMix64::new(1_234_567);
/// assert_eq!(one.bits(), 6_457_827_717_110_365_317);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The generator in this state.
    pub fn new(state: u64) -> Self {
        Self(state)
    }

    /// The next 64 bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        finish(self.0)
    }
}

/// 2⁶⁴ over the golden ratio, made odd.
pub(crate) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's output function: every bit of `z` has a say in every bit of the result.
#[inline]
pub(crate) fn finish(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_program() {
        let mut generator = SplitMix64::new(1_234_567);
        let found = [(); 3].map(|()| generator.bits());
        let wanted = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(found, wanted);
    }
}
