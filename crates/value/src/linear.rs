//! Logistic and ridge regression.

use afterimage_numeric::{Cholesky, softmax};
use afterimage_random::Generator;

use crate::dense::{Bag, Labels, Model};

/// Steps of logistic regression at most.
const STEPS: usize = 100;

/// A step that changes no coefficient by more than this is the last.
const STILL: f64 = 1e-4;

/// A linear model with an intercept; squared coefficients, but not the intercepts', are penalised.
///
/// Numbers are fitted exactly. Classes are fitted by steps with a fixed bound on the curvature of
/// the multinomial likelihood, ½·Σ w·x·xᵀ (Böhning 1992), which is factorised once and makes every
/// step an improvement.
#[derive(Debug)]
pub(crate) struct Linear {
    penalty: f64,
    /// `[outputs, inputs + 1]`, intercepts last.
    coefficients: Vec<f64>,
}

impl Linear {
    pub fn new(penalty: f64) -> Self {
        Self {
            penalty,
            coefficients: Vec::new(),
        }
    }
}

impl Model for Linear {
    fn fit(&mut self, bag: &Bag<'_>, _: &mut Generator) {
        let size = bag.width + 1;
        let outputs = bag.labels.outputs();
        self.coefficients.clear();
        self.coefficients.resize(outputs * size, 0.0);
        let share = match bag.labels {
            Labels::Classes(..) => 0.5,
            Labels::Numbers(_) => 1.0,
        };
        let factor = Cholesky::new(curvature(bag, share, self.penalty), size);
        let steps = match bag.labels {
            Labels::Classes(..) => STEPS,
            Labels::Numbers(_) => 1,
        };
        // The steps are Nesterov's (1983), with a fresh start where the momentum points uphill
        // (O'Donoghue and Candès 2015).
        let mut last = self.coefficients.clone();
        let mut age = 0.0;
        for _ in 0..steps {
            let at = self.coefficients.clone();
            let mut step = self.gradient(bag, size, outputs);
            let slope = step.clone();
            step.chunks_mut(size).for_each(|part| factor.solve(part));
            let here: Vec<f64> = at.iter().zip(&step).map(|(a, s)| a - s).collect();
            let moved = || here.iter().zip(&last).map(|(now, before)| now - before);
            let uphill: f64 = slope.iter().zip(moved()).map(|(g, m)| g * m).sum();
            age = if uphill > 0.0 { 0.0 } else { age + 1.0 };
            let momentum = age / (age + 3.0);
            self.coefficients = here
                .iter()
                .zip(moved())
                .map(|(now, m)| now + momentum * m)
                .collect();
            let still = step.iter().all(|s| s.abs() < STILL);
            last = here;
            if still {
                break;
            }
        }
        self.coefficients = last;
    }

    fn predict(&self, inputs: &[f32], outputs: &mut [f64]) {
        let size = inputs.len() + 1;
        for (output, coefficients) in outputs.iter_mut().zip(self.coefficients.chunks(size)) {
            *output = apply(coefficients, inputs);
        }
    }
}

impl Linear {
    fn gradient(&self, bag: &Bag<'_>, size: usize, outputs: usize) -> Vec<f64> {
        let mut gradient = self.coefficients.clone();
        for (at, value) in gradient.iter_mut().enumerate() {
            *value *= if at % size == size - 1 {
                0.0
            } else {
                self.penalty
            };
        }
        let mut residual = vec![0.0; outputs];
        for (row, inputs) in bag.inputs.chunks_exact(bag.width).enumerate() {
            self.predict(inputs, &mut residual);
            match bag.labels {
                Labels::Classes(classes, _) => {
                    softmax(&mut residual);
                    residual[usize::from(classes[row])] -= 1.0;
                }
                Labels::Numbers(numbers) => residual[0] -= numbers[row],
            }
            let weight = f64::from(bag.weights[row]);
            for (residual, gradient) in residual.iter().zip(gradient.chunks_mut(size)) {
                let factor = weight * residual;
                for (gradient, &input) in gradient.iter_mut().zip(inputs) {
                    *gradient += factor * f64::from(input);
                }
                gradient[size - 1] += factor;
            }
        }
        gradient
    }
}

fn apply(coefficients: &[f64], inputs: &[f32]) -> f64 {
    let terms = coefficients.iter().zip(inputs);
    let sum: f64 = terms.map(|(c, &x)| c * f64::from(x)).sum();
    sum + coefficients[inputs.len()]
}

/// share · Σ w·x·xᵀ + penalty, with x ending in 1; the lower triangle, row by row.
fn curvature(bag: &Bag<'_>, share: f64, penalty: f64) -> Vec<f64> {
    let size = bag.width + 1;
    let mut matrix = vec![0.0; size * size];
    let mut x = vec![1.0; size];
    for (inputs, &weight) in bag.inputs.chunks_exact(bag.width).zip(bag.weights) {
        x.iter_mut()
            .zip(inputs)
            .for_each(|(x, &input)| *x = f64::from(input));
        for row in 0..size {
            let factor = share * f64::from(weight) * x[row];
            let line = &mut matrix[row * size..][..=row];
            line.iter_mut().zip(&x).for_each(|(m, x)| *m += factor * x);
        }
    }
    for at in 0..bag.width {
        matrix[at * size + at] += penalty;
    }
    matrix
}
