//! The two tile sizes of Winograd's minimal filtering for 3×3 kernels.
//!
//! One dimension: `y = Aᵀ[(G g) ⊙ (Bᵀ d)]` with m outputs y, a = m + 2 inputs d and 3 weights g.
//! Two dimensions apply each matrix from both sides. Source: Lavin and Gray, "Fast Algorithms for
//! Convolutional Neural Networks", arXiv 1509.09308, section 4.

use pulp::Simd;

/// The matrices of F(m×m, 3×3) with A = m + 2; of arrays of outputs the last two are unused.
pub(crate) trait Tile<const A: usize>: Send + Sync + 'static {
    /// Outputs a side.
    const OUTPUTS: usize = A - 2;

    /// G: weights to products.
    const FILTER: [[f32; 3]; A];

    /// `Bᵀ d`: inputs to products.
    fn data<S: Simd>(simd: S, d: [S::f32s; A]) -> [S::f32s; A];

    /// `Aᵀ p`: products to outputs.
    fn output<S: Simd>(simd: S, p: [S::f32s; A]) -> [S::f32s; A];

    /// `A e`: the transpose of [`output`](Self::output).
    fn gradient<S: Simd>(simd: S, e: [S::f32s; A]) -> [S::f32s; A];
}

/// F(2×2, 3×3): 16 products for 4 outputs.
pub(crate) struct Two;

/// F(4×4, 3×3): 36 products for 16 outputs, with the points 0, ±1, ±2 and ∞.
pub(crate) struct Four;

impl Tile<4> for Two {
    const FILTER: [[f32; 3]; 4] = [
        [1.0, 0.0, 0.0],
        [0.5, 0.5, 0.5],
        [0.5, -0.5, 0.5],
        [0.0, 0.0, 1.0],
    ];

    #[inline(always)]
    fn data<S: Simd>(simd: S, [d0, d1, d2, d3]: [S::f32s; 4]) -> [S::f32s; 4] {
        [
            simd.sub_f32s(d0, d2),
            simd.add_f32s(d1, d2),
            simd.sub_f32s(d2, d1),
            simd.sub_f32s(d1, d3),
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [p0, p1, p2, p3]: [S::f32s; 4]) -> [S::f32s; 4] {
        let zero = simd.splat_f32s(0.0);
        [
            simd.add_f32s(p0, simd.add_f32s(p1, p2)),
            simd.sub_f32s(simd.sub_f32s(p1, p2), p3),
            zero,
            zero,
        ]
    }

    #[inline(always)]
    fn gradient<S: Simd>(simd: S, [e0, e1, ..]: [S::f32s; 4]) -> [S::f32s; 4] {
        [
            e0,
            simd.add_f32s(e0, e1),
            simd.sub_f32s(e0, e1),
            simd.sub_f32s(simd.splat_f32s(0.0), e1),
        ]
    }
}

impl Tile<6> for Four {
    const FILTER: [[f32; 3]; 6] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];

    #[inline(always)]
    fn data<S: Simd>(simd: S, [d0, d1, d2, d3, d4, d5]: [S::f32s; 6]) -> [S::f32s; 6] {
        let times = |factor: f32, x, y| simd.mul_add_e_f32s(simd.splat_f32s(factor), x, y);
        let even = times(-4.0, d2, d4);
        let odd = times(-4.0, d1, d3);
        let outer = simd.sub_f32s(d4, d2);
        let inner = simd.sub_f32s(d3, d1);
        [
            times(4.0, d0, times(-5.0, d2, d4)),
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            times(2.0, inner, outer),
            times(-2.0, inner, outer),
            times(4.0, d1, times(-5.0, d3, d5)),
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [p0, p1, p2, p3, p4, p5]: [S::f32s; 6]) -> [S::f32s; 6] {
        let times = |factor: f32, x, y| simd.mul_add_e_f32s(simd.splat_f32s(factor), x, y);
        let zero = simd.splat_f32s(0.0);
        let near = simd.add_f32s(p1, p2);
        let far = simd.add_f32s(p3, p4);
        let near_difference = simd.sub_f32s(p1, p2);
        let far_difference = simd.sub_f32s(p3, p4);
        [
            simd.add_f32s(p0, simd.add_f32s(near, far)),
            times(2.0, far_difference, near_difference),
            times(4.0, far, near),
            simd.add_f32s(times(8.0, far_difference, near_difference), p5),
            zero,
            zero,
        ]
    }

    #[inline(always)]
    fn gradient<S: Simd>(simd: S, [e0, e1, e2, e3, ..]: [S::f32s; 6]) -> [S::f32s; 6] {
        let times = |factor: f32, x, y| simd.mul_add_e_f32s(simd.splat_f32s(factor), x, y);
        let even = simd.add_f32s(e0, e2);
        let odd = simd.add_f32s(e1, e3);
        let far_even = times(4.0, e2, e0);
        let far_odd = times(4.0, e3, e1);
        [
            e0,
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            times(2.0, far_odd, far_even),
            times(-2.0, far_odd, far_even),
            e3,
        ]
    }
}
