//! Max pooling over windows that touch, but do not overlap.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Buffer;
use super::lanes::{load, store, vectorized};

/// The sizes of a pooling: windows of `window` positions down and across, one beside the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) channels: usize,
    pub(crate) map: [usize; 2],
    pub(crate) window: [usize; 2],
}

impl Windows {
    /// Rows and columns of the output; positions beyond the last whole window are not read.
    pub(crate) fn output(&self) -> [usize; 2] {
        [self.map[0] / self.window[0], self.map[1] / self.window[1]]
    }

    fn input_len(&self) -> usize {
        self.map[0] * self.map[1] * self.channels
    }

    fn output_len(&self) -> usize {
        let [height, width] = self.output();
        height * width * self.channels
    }

    /// Positions of a window.
    fn size(&self) -> usize {
        self.window[0] * self.window[1]
    }

    /// Whether some positions of the map are in no window.
    fn leaves_positions(&self) -> bool {
        let [height, width] = self.output();
        [height * self.window[0], width * self.window[1]] != self.map
    }

    /// Where the channels of a position of the window of an output position begin.
    #[inline(always)]
    fn offset(&self, output: usize, position: usize) -> usize {
        let [_, width] = self.output();
        let y = output / width * self.window[0] + position / self.window[1];
        let x = output % width * self.window[1] + position % self.window[1];
        (y * self.map[1] + x) * self.channels
    }
}

/// The maxima of `[B, H, W, C]` as `[B, H', W', C]`, NaN where a window has one, and which position
/// of the window each is: the first of equal ones, as a whole number.
pub(crate) fn max_pool(input: &[f32], windows: Windows) -> (Buffer, Buffer) {
    let length = windows.output_len();
    let images = input.len() / windows.input_len();
    let mut maxima = Buffer::take(images * length);
    let mut winners = Buffer::take(images * length);
    maxima
        .par_chunks_mut(length)
        .zip(winners.par_chunks_mut(length))
        .zip(input.par_chunks(windows.input_len()))
        .for_each(|((maxima, winners), input)| {
            vectorized(Maxima {
                input,
                windows,
                maxima,
                winners,
            });
        });
    (maxima, winners)
}

struct Maxima<'a> {
    input: &'a [f32],
    windows: Windows,
    maxima: &'a mut [f32],
    winners: &'a mut [f32],
}

impl WithSimd for Maxima<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.windows.channels;
        for (output, (maxima, winners)) in self
            .maxima
            .chunks_exact_mut(channels)
            .zip(self.winners.chunks_exact_mut(channels))
            .enumerate()
        {
            for start in (0..channels).step_by(S::F32_LANES) {
                let at = |position: usize| {
                    let offset = self.windows.offset(output, position);
                    load(simd, &self.input[offset + start..offset + channels])
                };
                let mut maximum = at(0);
                let mut winner = simd.splat_f32s(0.0);
                for position in 1..self.windows.size() {
                    let value = at(position);
                    // No comparison with NaN is true: a NaN that came stays, and a new one enters.
                    let number = simd.equal_f32s(value, value);
                    let stays = simd.not_m32s(simd.greater_than_f32s(value, maximum));
                    let stays = simd.and_m32s(stays, number);
                    maximum = simd.select_f32s(stays, maximum, value);
                    winner = simd.select_f32s(stays, winner, simd.splat_f32s(position as f32));
                }
                store(simd, &mut maxima[start..], maximum);
                store(simd, &mut winners[start..], winner);
            }
        }
    }
}

/// The gradient of the input from the gradient of the maxima: each goes to the position that won.
pub(crate) fn max_pool_gradient(gradient: &[f32], winners: &[f32], windows: Windows) -> Buffer {
    let length = windows.output_len();
    let mut result = Buffer::take(gradient.len() / length * windows.input_len());
    result
        .par_chunks_mut(windows.input_len())
        .zip(gradient.par_chunks(length))
        .zip(winners.par_chunks(length))
        .for_each(|((result, gradient), winners)| {
            if windows.leaves_positions() {
                result.fill(0.0);
            }
            vectorized(Spread {
                gradient,
                winners,
                windows,
                result,
            });
        });
    result
}

struct Spread<'a> {
    gradient: &'a [f32],
    winners: &'a [f32],
    windows: Windows,
    result: &'a mut [f32],
}

impl WithSimd for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.windows.channels;
        let zero = simd.splat_f32s(0.0);
        for (output, (gradient, winners)) in self
            .gradient
            .chunks_exact(channels)
            .zip(self.winners.chunks_exact(channels))
            .enumerate()
        {
            for start in (0..channels).step_by(S::F32_LANES) {
                let gradient = load(simd, &gradient[start..]);
                let winner = load(simd, &winners[start..]);
                for position in 0..self.windows.size() {
                    let won = simd.equal_f32s(winner, simd.splat_f32s(position as f32));
                    let offset = self.windows.offset(output, position);
                    let target = &mut self.result[offset + start..offset + channels];
                    store(simd, target, simd.select_f32s(won, gradient, zero));
                }
            }
        }
    }
}
