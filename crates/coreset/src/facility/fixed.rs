//! Distances as whole numbers of small steps.
//!
//! Sums of whole numbers have no rounding: gains are the same to the bit however they are summed,
//! so that all ways of greedy selection and any number of threads choose the same points.

use pulp::{Arch, Simd, WithSimd};

use super::cloud::{Cloud, Gathered, Products, Rows};

/// The most steps of a distance: a step is as fine as single precision near the largest distance, eight
/// distances fit an `i32`, and a distance fits 32 bits with the place of its point in a panel.
pub(crate) const FULL: i32 = 1 << 24;

/// A distance as it is held.
pub(crate) trait Cell: bytemuck::Pod + Send + Sync {
    /// Of steps.
    fn narrow(steps: i32) -> Self;
    /// In steps.
    fn wide(self) -> i32;
}

impl Cell for i32 {
    #[inline(always)]
    fn narrow(steps: i32) -> Self {
        steps
    }

    #[inline(always)]
    fn wide(self) -> i32 {
        self
    }
}

/// Half of the memory: steps of 2⁻¹⁶ of the largest possible distance.
impl Cell for u16 {
    #[inline(always)]
    fn narrow(steps: i32) -> Self {
        ((steps + 128) >> 8).min(i32::from(Self::MAX)) as Self
    }

    #[inline(always)]
    fn wide(self) -> i32 {
        i32::from(self) << 8
    }
}

/// Working memory for a tile of distances.
#[derive(Default)]
pub(crate) struct Tile {
    products: Products,
    gathered: Gathered,
    /// Distances in steps, `[left, right]`.
    pub(crate) steps: Vec<i32>,
}

impl Tile {
    /// Distances between rows and rows in steps.
    pub(crate) fn fill(&mut self, cloud: &Cloud, left: Rows<'_>, right: Rows<'_>) {
        cloud.products(left, right, &mut self.products);
        self.convert(cloud, left.norms, right.norms);
    }

    /// Distances between the points `ids` and rows in steps.
    pub(crate) fn fill_gathered(&mut self, cloud: &Cloud, ids: &[u32], right: Rows<'_>) {
        let mut gathered = std::mem::take(&mut self.gathered);
        let left = cloud.gather(ids, &mut gathered);
        self.fill(cloud, left, right);
        self.gathered = gathered;
    }

    fn convert(&mut self, cloud: &Cloud, left: &[f32], right: &[f32]) {
        self.steps.resize(left.len() * right.len(), 0);
        Arch::new().dispatch(Convert {
            products: &self.products.values,
            left,
            right,
            steps: cloud.steps(),
            out: &mut self.steps,
        });
    }
}

/// The whole part of a number of at least 1/2 and less than 2³¹: what `as i32` gives, in
/// instructions that compilers make vectors of.
#[inline(always)]
fn whole(number: f32) -> i32 {
    let bits = number.to_bits();
    let mantissa = (bits & 0x007F_FFFF) | 0x0080_0000;
    // The mantissa stands for 2^(exponent − 127), and its first bit here for 2³⁰.
    (mantissa << 7).wrapping_shr(157u32.wrapping_sub(bits >> 23)) as i32
}

struct Convert<'a> {
    products: &'a [f32],
    left: &'a [f32],
    right: &'a [f32],
    steps: f32,
    out: &'a mut [i32],
}

impl WithSimd for Convert<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.right.len();
        let rows = self
            .products
            .chunks_exact(width)
            .zip(self.out.chunks_exact_mut(width));
        for ((products, out), left) in rows.zip(self.left) {
            for ((out, product), right) in out.iter_mut().zip(products).zip(self.right) {
                let squared = (left + right - 2.0 * product).max(0.0);
                // Distances are not negative: cutting off after adding a half rounds to nearest.
                *out = whole(squared.sqrt() * self.steps + 0.5).min(FULL);
            }
        }
    }
}

/// A point whose distance to the nearest selected one fell from `old` to `new` steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fall {
    /// The point.
    pub(crate) point: u32,
    /// Before.
    pub(crate) old: i32,
    /// After.
    pub(crate) new: i32,
}

/// Rows that are read side by side.
const STREAMS: usize = 8;
/// Values taken at a time.
const LANES: usize = 16;

/// Takes from each candidate's gain what the fallen points no longer give it: for a point at
/// distance d that is max(0, old − d) − max(0, new − d).
///
/// `row(i)` holds the distances of the i-th fallen point to the candidates of `gains`; lengths are
/// multiples of [`LANES`].
pub(crate) fn take_gains<'a, C: Cell>(
    gains: &mut [i64],
    falls: &[Fall],
    row: impl Fn(usize) -> &'a [C],
) {
    for (chunk, group) in falls.chunks(STREAMS).enumerate() {
        let first = chunk * STREAMS;
        let mut rows = [row(first); STREAMS];
        let mut old = [0; STREAMS];
        let mut depth = [0; STREAMS];
        for (i, fall) in group.iter().enumerate() {
            rows[i] = row(first + i);
            old[i] = fall.old;
            depth[i] = fall.old - fall.new;
        }
        // A stream that is left over falls by nothing and counts nothing.
        Arch::new().dispatch(Take {
            gains,
            rows,
            old,
            depth,
        });
    }
}

struct Take<'a, C> {
    gains: &'a mut [i64],
    rows: [&'a [C]; STREAMS],
    old: [i32; STREAMS],
    depth: [i32; STREAMS],
}

impl<C: Cell> WithSimd for Take<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (gains, _) = self.gains.as_chunks_mut::<LANES>();
        let rows = self
            .rows
            .map(|row| &row.as_chunks::<LANES>().0[..gains.len()]);
        for (index, gains) in gains.iter_mut().enumerate() {
            let mut sums = [0i32; LANES];
            for ((row, old), depth) in rows.iter().zip(self.old).zip(self.depth) {
                let distances = &row[index];
                for (sum, distance) in sums.iter_mut().zip(distances) {
                    *sum += (old - distance.wide()).max(0).min(depth);
                }
            }
            for (gain, sum) in gains.iter_mut().zip(sums) {
                *gain -= i64::from(sum);
            }
        }
    }
}

/// What a candidate at `distances` from all points would bring: Σ max(0, nearest − distance).
pub(crate) fn gain(nearest: &[i32], distances: &[i32]) -> i64 {
    Arch::new().dispatch(Gain { nearest, distances })
}

struct Gain<'a> {
    nearest: &'a [i32],
    distances: &'a [i32],
}

impl WithSimd for Gain<'_> {
    type Output = i64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> i64 {
        let pairs = self.nearest.iter().zip(self.distances);
        pairs.map(|(near, d)| i64::from((near - d).max(0))).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whole_parts_are_those_of_a_cast(bits in 0.5f32.to_bits()..2_147_483_648f32.to_bits()) {
            let number = f32::from_bits(bits);
            prop_assert_eq!(whole(number), number as i32);
        }
    }

    #[test]
    fn whole_parts_at_the_ends() {
        for number in [
            0.5,
            0.99,
            1.0,
            1.99,
            2.0,
            8_388_607.5,
            8_388_608.0,
            16_777_216.0,
            2e9,
        ] {
            assert_eq!(whole(number), number as i32);
        }
    }
}
