//! Bits turned into numbers of a distribution, whatever they come from.

/// Uniform in `[0, 1)` from the upper 53 of 64 random bits.
#[inline]
pub fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// A standard normal number from two uniform ones, `u` in `(0, 1]` and `v` in `[0, 1)` (Box and Muller 1958).
#[inline]
pub fn box_muller(u: f64, v: f64) -> f64 {
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_the_ranges() {
        assert_eq!(fraction(0), 0.0);
        assert_eq!(fraction(u64::MAX), 1.0 - f64::EPSILON / 2.0);
        assert_eq!(fraction(1 << 63), 0.5);
        assert_eq!(box_muller(1.0, 0.25).abs(), 0.0);
        assert!((box_muller((-2.0f64).exp(), 0.0) - 2.0).abs() < 1e-12);
    }
}
