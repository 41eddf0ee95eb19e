//! Max pooling over windows that touch, but do not overlap.

use rayon::prelude::*;

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

    /// Where the channels of a position of the window of an output position begin.
    fn offset(&self, output: usize, position: usize) -> usize {
        let [_, width] = self.output();
        let y = output / width * self.window[0] + position / self.window[1];
        let x = output % width * self.window[1] + position % self.window[1];
        (y * self.map[1] + x) * self.channels
    }
}

/// The maxima of `[B, H, W, C]` as `[B, H', W', C]`, and which position of the window each is; the
/// first of equal ones.
pub(crate) fn max_pool(input: &[f32], windows: Windows) -> (Vec<f32>, Vec<u8>) {
    let (channels, length) = (windows.channels, windows.output_len());
    let images = input.len() / windows.input_len();
    let mut maxima = vec![0.0; images * length];
    let mut winners = vec![0u8; images * length];
    maxima
        .par_chunks_mut(length)
        .zip(winners.par_chunks_mut(length))
        .zip(input.par_chunks(windows.input_len()))
        .for_each(|((maxima, winners), input)| {
            for (output, (maxima, winners)) in maxima
                .chunks_mut(channels)
                .zip(winners.chunks_mut(channels))
                .enumerate()
            {
                let start = windows.offset(output, 0);
                maxima.copy_from_slice(&input[start..start + channels]);
                for position in 1..windows.window[0] * windows.window[1] {
                    let start = windows.offset(output, position);
                    let values = &input[start..start + channels];
                    for ((maximum, winner), value) in
                        maxima.iter_mut().zip(winners.iter_mut()).zip(values)
                    {
                        // NaN wins, as in burn, so that a diverged map is not hidden.
                        let wins = *value > *maximum || (value.is_nan() && !maximum.is_nan());
                        *winner = if wins { position as u8 } else { *winner };
                        *maximum = if wins { *value } else { *maximum };
                    }
                }
            }
        });
    (maxima, winners)
}

/// The gradient of the input from the gradient of the maxima: each goes to the position that won.
pub(crate) fn max_pool_gradient(gradient: &[f32], winners: &[u8], windows: Windows) -> Vec<f32> {
    let (channels, length) = (windows.channels, windows.output_len());
    let images = gradient.len() / length;
    let mut result = vec![0.0; images * windows.input_len()];
    result
        .par_chunks_mut(windows.input_len())
        .zip(gradient.par_chunks(length))
        .zip(winners.par_chunks(length))
        .for_each(|((result, gradient), winners)| {
            for (output, (gradient, winners)) in gradient
                .chunks(channels)
                .zip(winners.chunks(channels))
                .enumerate()
            {
                for position in 0..windows.window[0] * windows.window[1] {
                    let start = windows.offset(output, position);
                    for ((target, value), winner) in result[start..start + channels]
                        .iter_mut()
                        .zip(gradient)
                        .zip(winners)
                    {
                        *target = if *winner == position as u8 { *value } else { 0.0 };
                    }
                }
            }
        });
    result
}
