//! A block of heads: networks of one hidden layer of rectified units, side by side in one matrix.
//!
//! Shapes: m samples, d inputs, H heads of the block, k hidden units of a head, C classes.

use afterimage_matmul::{Into, Matrix, product, product_strided};
use afterimage_numeric::{Adam, softmax_f32};
use serde::{Deserialize, Serialize};

use crate::draw::Purpose;

/// Sizes of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sizes {
    pub inputs: usize,
    pub heads: usize,
    pub hidden: usize,
    pub classes: usize,
}

/// The sizes of the four parts of the parameters: hidden weights `[d, H·k]`, hidden biases `[H·k]`,
/// output weights `[H, k, C]`, output biases `[H, C]`.
impl Sizes {
    fn width(self) -> usize {
        self.heads * self.hidden
    }

    fn parts(self) -> [usize; 4] {
        let (width, classes) = (self.width(), self.classes);
        [
            self.inputs * width,
            width,
            width * classes,
            self.heads * classes,
        ]
    }

    fn split(self, values: &[f32]) -> [&[f32]; 4] {
        let [a, b, c, _] = self.parts();
        let (first, rest) = values.split_at(a);
        let (second, rest) = rest.split_at(b);
        let (third, fourth) = rest.split_at(c);
        [first, second, third, fourth]
    }

    fn split_mut(self, values: &mut [f32]) -> [&mut [f32]; 4] {
        let [a, b, c, _] = self.parts();
        let (first, rest) = values.split_at_mut(a);
        let (second, rest) = rest.split_at_mut(b);
        let (third, fourth) = rest.split_at_mut(c);
        [first, second, third, fourth]
    }
}

/// What the heads of a block see of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// `[m, d]`.
    pub inputs: &'a [f32],
    /// `[m]`.
    pub labels: &'a [u32],
    /// How often a sample counts for a head, `[H, m]`.
    pub weights: &'a [f32],
    /// 1 for inputs that a head sees, `[H, d]`.
    pub masks: &'a [f32],
}

/// A block of heads with its optimizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heads {
    pub sizes: Sizes,
    parameters: Vec<f32>,
    adam: Adam,
}

/// What a forward pass leaves.
struct Forward {
    /// Activations `[m, H·k]`.
    hidden: Vec<f32>,
    /// `[H, m, C]`.
    probabilities: Vec<f32>,
}

impl Heads {
    /// Heads numbered from `first`; the weights of a head depend on seed and number alone.
    pub fn new(sizes: Sizes, seed: u64, first: usize) -> Self {
        let mut parameters = vec![0.0; sizes.parts().iter().sum()];
        let [weights, _, outputs, _] = sizes.split_mut(&mut parameters);
        let (width, hidden) = (sizes.width(), sizes.hidden);
        for head in 0..sizes.heads {
            let mut draws = Purpose::OnlineWeights.draws_at(seed, (first + head) as u64, 0);
            let mut between = |bound: f64| (bound * (2.0 * draws.uniform() - 1.0)) as f32;
            // He et al. 2015 for the hidden layer; outputs start small.
            let bound = (6.0 / sizes.inputs as f64).sqrt();
            for input in 0..sizes.inputs {
                let row = &mut weights[input * width + head * hidden..][..hidden];
                row.iter_mut().for_each(|weight| *weight = between(bound));
            }
            let bound = (1.0 / hidden as f64).sqrt();
            let size = hidden * sizes.classes;
            let rows = &mut outputs[head * size..][..size];
            rows.iter_mut().for_each(|weight| *weight = between(bound));
        }
        Self {
            sizes,
            adam: Adam::new(parameters.len()),
            parameters,
        }
    }

    fn forward(&self, seen: &Seen<'_>) -> Forward {
        let Sizes {
            inputs,
            heads,
            hidden,
            classes,
        } = self.sizes;
        let (width, samples) = (self.sizes.width(), seen.labels.len());
        let [weights, biases, outputs, output_biases] = self.sizes.split(&self.parameters);
        let masked = masked(weights, seen.masks, self.sizes);
        let mut activations = Vec::with_capacity(samples * width);
        (0..samples).for_each(|_| activations.extend_from_slice(biases));
        product(
            &mut activations,
            Matrix::new(seen.inputs, samples, inputs),
            Matrix::new(&masked, inputs, width),
            Into::Add,
        );
        activations.iter_mut().for_each(|a| *a = a.max(0.0));
        let mut probabilities = vec![0.0; heads * samples * classes];
        for (head, scores) in probabilities
            .chunks_exact_mut(samples * classes)
            .enumerate()
        {
            let bias = &output_biases[head * classes..][..classes];
            let rows = scores.chunks_exact_mut(classes);
            rows.for_each(|row| row.copy_from_slice(bias));
            product(
                scores,
                Matrix::strided(&activations[head * hidden..], [samples, hidden], width),
                Matrix::new(&outputs[head * hidden * classes..], hidden, classes),
                Into::Add,
            );
            scores.chunks_exact_mut(classes).for_each(softmax_f32);
        }
        Forward {
            hidden: activations,
            probabilities,
        }
    }

    /// Gradient of Σ over heads of the mean over samples of weight · cross-entropy.
    fn backward(&self, seen: &Seen<'_>, forward: &Forward) -> Vec<f32> {
        let Sizes {
            inputs,
            hidden,
            classes,
            ..
        } = self.sizes;
        let (width, samples) = (self.sizes.width(), seen.labels.len());
        let [_, _, outputs, _] = self.sizes.split(&self.parameters);
        let mut gradient = vec![0.0; self.parameters.len()];
        let [to_weights, to_biases, to_outputs, to_output_biases] =
            self.sizes.split_mut(&mut gradient);
        let mut to_hidden = vec![0.0; samples * width];
        let mut to_scores = vec![0.0; samples * classes];
        for (head, probabilities) in forward
            .probabilities
            .chunks_exact(samples * classes)
            .enumerate()
        {
            let weights = &seen.weights[head * samples..][..samples];
            let rows = to_scores
                .chunks_exact_mut(classes)
                .zip(probabilities.chunks_exact(classes));
            for ((row, probability), (&label, &weight)) in rows.zip(seen.labels.iter().zip(weights))
            {
                let factor = weight / samples as f32;
                for (class, (to, p)) in row.iter_mut().zip(probability).enumerate() {
                    *to = factor * (p - f32::from(u8::from(class == label as usize)));
                }
            }
            let to_bias = &mut to_output_biases[head * classes..][..classes];
            for row in to_scores.chunks_exact(classes) {
                to_bias.iter_mut().zip(row).for_each(|(sum, to)| *sum += to);
            }
            let scores = Matrix::new(&to_scores, samples, classes);
            let activations =
                Matrix::strided(&forward.hidden[head * hidden..], [samples, hidden], width);
            product(
                &mut to_outputs[head * hidden * classes..][..hidden * classes],
                activations.transposed(),
                scores,
                Into::Overwrite,
            );
            let outputs = Matrix::new(&outputs[head * hidden * classes..], hidden, classes);
            product_strided(
                &mut to_hidden[head * hidden..],
                width,
                scores,
                outputs.transposed(),
                Into::Overwrite,
            );
        }
        for (to, active) in to_hidden.iter_mut().zip(&forward.hidden) {
            *to = if *active > 0.0 { *to } else { 0.0 };
        }
        for row in to_hidden.chunks_exact(width) {
            to_biases
                .iter_mut()
                .zip(row)
                .for_each(|(sum, to)| *sum += to);
        }
        product(
            to_weights,
            Matrix::new(seen.inputs, samples, inputs).transposed(),
            Matrix::new(&to_hidden, samples, width),
            Into::Overwrite,
        );
        mask(to_weights, seen.masks, self.sizes);
        gradient
    }

    /// Judges the batch, and then learns from it: probabilities `[H, m, C]` before the update.
    pub fn step(&mut self, seen: &Seen<'_>, rate: f32) -> Vec<f32> {
        let forward = self.forward(seen);
        let gradient = self.backward(seen, &forward);
        self.adam.step(&mut self.parameters, &gradient, rate);
        forward.probabilities
    }
}

fn masked(weights: &[f32], masks: &[f32], sizes: Sizes) -> Vec<f32> {
    let mut masked = weights.to_vec();
    mask(&mut masked, masks, sizes);
    masked
}

/// Zeroes the rows of `weights` `[d, H·k]` that heads do not see.
fn mask(weights: &mut [f32], masks: &[f32], sizes: Sizes) {
    for (input, row) in weights.chunks_exact_mut(sizes.width()).enumerate() {
        for (head, part) in row.chunks_exact_mut(sizes.hidden).enumerate() {
            let factor = masks[head * sizes.inputs + input];
            part.iter_mut().for_each(|weight| *weight *= factor);
        }
    }
}

#[cfg(test)]
#[path = "heads_tests.rs"]
mod tests;
