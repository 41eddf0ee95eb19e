//! A network with one hidden layer of rectified units, trained by Adam.

use afterimage_numeric::{FoldedAdam, softmax};
use afterimage_random::Generator;

use crate::dense::{Bag, Labels, Model};

const BATCH: usize = 32;
const RATE: f32 = 0.01;

/// One hidden layer.
#[derive(Debug)]
pub(crate) struct Mlp {
    hidden: usize,
    epochs: usize,
    inputs: usize,
    outputs: usize,
    /// Hidden weights `[inputs, hidden]`, their biases, output weights `[outputs, hidden]`, their
    /// biases.
    parameters: Vec<f32>,
    gradient: Vec<f32>,
    adam: FoldedAdam,
}

impl Mlp {
    pub fn new(hidden: usize, epochs: usize) -> Self {
        Self {
            hidden,
            epochs,
            inputs: 0,
            outputs: 0,
            parameters: Vec::new(),
            gradient: Vec::new(),
            adam: FoldedAdam::default(),
        }
    }

    /// Hidden weights, hidden biases, output weights, output biases.
    fn parts<'a>(&self, values: &'a [f32]) -> [&'a [f32]; 4] {
        let (a, rest) = values.split_at(self.inputs * self.hidden);
        let (b, rest) = rest.split_at(self.hidden);
        let (c, d) = rest.split_at(self.outputs * self.hidden);
        [a, b, c, d]
    }

    fn start(&mut self, bag: &Bag<'_>, draws: &mut Generator) {
        (self.inputs, self.outputs) = (bag.width, bag.labels.outputs());
        let size = self.hidden * (self.inputs + 1 + self.outputs) + self.outputs;
        self.gradient.clear();
        self.gradient.resize(size, 0.0);
        self.adam.restart(size);
        // He et al. 2015 for the hidden layer; outputs start small.
        let bound = (6.0 / self.inputs as f64).sqrt();
        let small = (1.0 / self.hidden as f64).sqrt();
        let mut between = |bound: f64| (bound * (2.0 * draws.uniform() - 1.0)) as f32;
        let (hidden, out) = (self.hidden * self.inputs, self.hidden * self.outputs);
        self.parameters.clear();
        self.parameters.extend((0..hidden).map(|_| between(bound)));
        self.parameters.resize(hidden + self.hidden, 0.0);
        self.parameters.extend((0..out).map(|_| between(small)));
        self.parameters.resize(size, 0.0);
    }

    fn forward(&self, inputs: &[f32], hidden: &mut [f32], outputs: &mut [f64]) {
        let [weights, biases, out, out_biases] = self.parts(&self.parameters);
        hidden.copy_from_slice(biases);
        for (&input, weights) in inputs.iter().zip(weights.chunks_exact(self.hidden)) {
            let units = hidden.iter_mut().zip(weights);
            units.for_each(|(unit, weight)| *unit += input * weight);
        }
        hidden.iter_mut().for_each(|unit| *unit = unit.max(0.0));
        let lines = out.chunks_exact(self.hidden).zip(out_biases);
        for (output, (weights, bias)) in outputs.iter_mut().zip(lines) {
            let sum: f32 = hidden.iter().zip(weights).map(|(h, w)| h * w).sum();
            *output = f64::from(sum + bias);
        }
    }

    /// Adds the gradient of one row's loss.
    fn backward(&mut self, inputs: &[f32], hidden: &[f32], errors: &[f64]) {
        let (inner, rest) = self.gradient.split_at_mut(self.inputs * self.hidden);
        let (inner_biases, rest) = rest.split_at_mut(self.hidden);
        let (out, out_biases) = rest.split_at_mut(self.outputs * self.hidden);
        let [_, _, out_weights, _] = {
            let (a, rest) = self.parameters.split_at(self.inputs * self.hidden);
            let (b, rest) = rest.split_at(self.hidden);
            let (c, d) = rest.split_at(self.outputs * self.hidden);
            [a, b, c, d]
        };
        let mut back = vec![0.0f32; self.hidden];
        for (at, &error) in errors.iter().enumerate() {
            let error = error as f32;
            out_biases[at] += error;
            let span = at * self.hidden..(at + 1) * self.hidden;
            let lines = out[span.clone()].iter_mut().zip(&out_weights[span]);
            for ((gradient, weight), (hidden, back)) in lines.zip(hidden.iter().zip(&mut back)) {
                *gradient += error * hidden;
                *back += error * weight;
            }
        }
        for (back, &hidden) in back.iter_mut().zip(hidden) {
            if hidden <= 0.0 {
                *back = 0.0;
            }
        }
        inner_biases
            .iter_mut()
            .zip(&back)
            .for_each(|(g, b)| *g += b);
        for (&input, line) in inputs.iter().zip(inner.chunks_exact_mut(self.hidden)) {
            line.iter_mut()
                .zip(&back)
                .for_each(|(g, b)| *g += input * b);
        }
    }
}

impl Model for Mlp {
    fn fit(&mut self, bag: &Bag<'_>, draws: &mut Generator) {
        self.start(bag, draws);
        let mut order: Vec<usize> = (0..bag.weights.len()).collect();
        let mut hidden = vec![0.0; self.hidden];
        let mut outputs = vec![0.0; self.outputs];
        for _ in 0..self.epochs {
            let all = order.len();
            draws.choose(&mut order, all);
            for batch in order.chunks(BATCH) {
                for &row in batch {
                    let inputs = &bag.inputs[row * bag.width..][..bag.width];
                    self.forward(inputs, &mut hidden, &mut outputs);
                    match bag.labels {
                        Labels::Classes(classes, _) => {
                            softmax(&mut outputs);
                            outputs[usize::from(classes[row])] -= 1.0;
                        }
                        Labels::Numbers(numbers) => outputs[0] -= numbers[row],
                    }
                    let weight = f64::from(bag.weights[row]);
                    outputs.iter_mut().for_each(|error| *error *= weight);
                    self.backward(inputs, &hidden, &outputs);
                }
                let weight: f32 = batch.iter().map(|&row| bag.weights[row]).sum();
                self.adam
                    .step(&mut self.parameters, &mut self.gradient, weight, RATE);
            }
        }
    }

    fn predict(&self, inputs: &[f32], outputs: &mut [f64]) {
        let mut hidden = vec![0.0; self.hidden];
        self.forward(inputs, &mut hidden, outputs);
    }
}
