//! Sums of `f32` values without rounding, so that neither order nor sharding can be seen in them.

use serde::{Deserialize, Serialize};

/// 64-bit digits of the sum. Every `f32` is a multiple of 2⁻¹⁴⁹ below 2¹²⁸; 320 bits with sign hold
/// sums of 2⁴² of them.
const LIMBS: usize = 5;

/// The exponent of the unit in which the sum is counted: the smallest positive `f32`.
const UNIT_EXPONENT: i32 = -149;

/// An exact sum of finite `f32` values.
///
/// Adding is associative and commutative to the bit; equal sums have equal representations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ExactSum {
    /// Two's complement, the least significant digit first, in units of 2⁻¹⁴⁹.
    limbs: [u64; LIMBS],
}

impl ExactSum {
    /// Adds a finite value; anything else is left out.
    pub fn add(&mut self, value: f32) {
        if value.is_finite() {
            self.add_multiple(f64::from(value));
        }
    }

    /// Adds `value`, which must be finite and a multiple of 2⁻¹⁴⁹, as every `f32` is and every sum
    /// of `f32` that was formed without rounding.
    pub(crate) fn add_multiple(&mut self, value: f64) {
        if value == 0.0 {
            return;
        }
        let bits = value.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as i32 - 1075;
        let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
        let shift = exponent - UNIT_EXPONENT;
        // Bits below the unit are zeros, since the value is a multiple of it.
        let (mantissa, shift) = if shift < 0 {
            (mantissa >> -shift, 0)
        } else {
            (mantissa, shift as usize)
        };
        let wide = u128::from(mantissa) << (shift % 64);
        let mut addend = [0; LIMBS];
        addend[shift / 64] = wide as u64;
        if let Some(next) = addend.get_mut(shift / 64 + 1) {
            *next = (wide >> 64) as u64;
        }
        if value < 0.0 {
            addend = negate(addend);
        }
        self.limbs = add(self.limbs, addend);
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.limbs = add(self.limbs, other.limbs);
    }

    /// The sum rounded once, to the nearest `f64`, ties to even.
    pub fn to_f64(self) -> f64 {
        let negative = self.limbs[LIMBS - 1] >> 63 == 1;
        let magnitude = if negative {
            negate(self.limbs)
        } else {
            self.limbs
        };
        let Some(top) = magnitude.iter().rposition(|limb| *limb != 0) else {
            return 0.0;
        };
        let zeros = magnitude[top].leading_zeros();
        let (window, exponent) = if top == 0 {
            (magnitude[0], UNIT_EXPONENT)
        } else {
            let pair = (u128::from(magnitude[top]) << 64) | u128::from(magnitude[top - 1]);
            let shifted = pair << zeros;
            // The conversion keeps 53 of the window's 64 bits; one bit for all that lies below the
            // window is enough to round as if it saw every digit.
            let below = shifted as u64 != 0 || magnitude[..top - 1].iter().any(|limb| *limb != 0);
            let window = (shifted >> 64) as u64 | u64::from(below);
            (window, UNIT_EXPONENT + 64 * top as i32 - zeros as i32)
        };
        let scale = f64::from_bits(((exponent + 1023) as u64) << 52);
        let value = window as f64 * scale;
        if negative { -value } else { value }
    }
}

fn add(a: [u64; LIMBS], b: [u64; LIMBS]) -> [u64; LIMBS] {
    let mut out = [0; LIMBS];
    let mut carry = false;
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        let (sum, over) = a.overflowing_add(b);
        let (sum, over_again) = sum.overflowing_add(u64::from(carry));
        *out = sum;
        carry = over | over_again;
    }
    out
}

fn negate(a: [u64; LIMBS]) -> [u64; LIMBS] {
    let mut one = [0; LIMBS];
    one[0] = 1;
    add(a.map(|limb| !limb), one)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[f32]) -> ExactSum {
        let mut sum = ExactSum::default();
        values.iter().for_each(|v| sum.add(*v));
        sum
    }

    #[test]
    fn small_values_survive_large_ones() {
        let tiny = f32::from_bits(1);
        assert_eq!(sum(&[f32::MAX, tiny, -f32::MAX]).to_f64(), f64::from(tiny));
        assert_eq!(sum(&[1e30, 1.0, -1e30, -1.0]), ExactSum::default());
        assert_eq!(sum(&[f32::MAX; 4]).to_f64(), 4.0 * f64::from(f32::MAX));
        assert_eq!(sum(&[f32::MIN; 4]).to_f64(), 4.0 * f64::from(f32::MIN));
    }

    #[test]
    fn a_tie_is_decided_by_digits_far_below() {
        // 1 + 2⁻⁵³ lies half-way between two doubles; ties go to the even one.
        let half_way = [1.0, 2f32.powi(-53)];
        assert_eq!(sum(&half_way).to_f64(), 1.0);
        let above = [1.0, 2f32.powi(-53), f32::from_bits(1)];
        assert_eq!(sum(&above).to_f64(), 1.0 + f64::EPSILON);
        let below = [1.0, 2f32.powi(-53), -f32::from_bits(1)];
        assert_eq!(sum(&below).to_f64(), 1.0);
        let negative = [-1.0, -2f32.powi(-53), -f32::from_bits(1)];
        assert_eq!(sum(&negative).to_f64(), -1.0 - f64::EPSILON);
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        assert_eq!(
            sum(&[f32::NAN, 2.0, f32::INFINITY, f32::NEG_INFINITY]).to_f64(),
            2.0
        );
    }

    fn finite() -> impl Strategy<Value = f32> {
        any::<u32>()
            .prop_map(f32::from_bits)
            .prop_filter("finite", |v| v.is_finite())
    }

    proptest! {
        #[test]
        fn one_value_comes_back(value in finite()) {
            prop_assert_eq!(sum(&[value]).to_f64(), f64::from(value));
        }

        #[test]
        fn order_and_grouping_leave_no_trace(
            (values, shuffled) in prop::collection::vec(finite(), 0..40)
                .prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())),
            cut in any::<prop::sample::Index>(),
        ) {
            let (left, right) = shuffled.split_at(cut.index(shuffled.len() + 1));
            let mut merged = sum(right);
            merged.merge(&sum(left));
            prop_assert_eq!(merged, sum(&values));
        }

        #[test]
        fn the_sum_is_that_of_whole_numbers(
            values in prop::collection::vec((-(1i64 << 24)..1 << 24, -30i32..30), 1..50)
        ) {
            let floats: Vec<f32> =
                values.iter().map(|&(m, e)| m as f32 * 2f32.powi(e)).collect();
            // Whole multiples of 2⁻³⁰ fit an i128, whose conversion to f64 rounds to nearest even.
            let whole: i128 = values.iter().map(|&(m, e)| i128::from(m) << (e + 30)).sum();
            prop_assert_eq!(sum(&floats).to_f64(), whole as f64 * 2f64.powi(-30));
        }
    }
}
