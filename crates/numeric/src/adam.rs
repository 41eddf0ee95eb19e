//! Adam (Kingma and Ba, ICLR 2015) over one vector of parameters, in both of its forms.

use serde::{Deserialize, Serialize};

/// The decay rates β₁ and β₂.
const DECAY: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

/// Adam as in the paper's algorithm 1: ε is added to the root of the corrected second moment. The powers of the
/// decay rates are kept in 64 bits. For a run of any length; goes on from its state to the bit.
///
/// # Examples
/// ```
/// use afterimage_numeric::Adam;
/// let (mut x, mut adam) = ([1.0f32, -2.0], Adam::new(2));
/// adam.step(&mut x, &[0.5, -40.0], 0.1);
/// // The first step goes as far as the rate, whatever the gradient.
/// assert!((x[0] - 0.9).abs() < 1e-6 && (x[1] + 1.9).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    /// Decay rates to the power of the number of steps.
    left: (f64, f64),
}

impl Adam {
    /// The state before any step of so many parameters.
    pub fn new(parameters: usize) -> Self {
        Self {
            first: vec![0.0; parameters],
            second: vec![0.0; parameters],
            left: (1.0, 1.0),
        }
    }

    /// Moves `parameters` against `gradient`.
    pub fn step(&mut self, parameters: &mut [f32], gradient: &[f32], rate: f32) {
        self.left.0 *= f64::from(DECAY.0);
        self.left.1 *= f64::from(DECAY.1);
        let scale = ((1.0 - self.left.1).sqrt() / (1.0 - self.left.0)) as f32 * rate;
        let epsilon = EPSILON * (1.0 - self.left.1).sqrt() as f32;
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((parameter, &g), (first, second)) in parameters.iter_mut().zip(gradient).zip(moments) {
            *first += (1.0 - DECAY.0) * (g - *first);
            *second += (1.0 - DECAY.1) * (g * g - *second);
            *parameter -= scale * *first / (second.sqrt() + epsilon);
        }
    }
}

/// Adam with both corrections folded into the rate, so that ε is added to the root of the moment as it is (the
/// end of the paper's section 2), all in 32 bits. For fits of some thousand steps that begin anew.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoldedAdam {
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl FoldedAdam {
    /// Begins anew with so many parameters.
    pub fn restart(&mut self, parameters: usize) {
        for moments in [&mut self.first, &mut self.second] {
            moments.clear();
            moments.resize(parameters, 0.0);
        }
        self.steps = 0;
    }

    /// Moves `parameters` against `gradient` over `weight`, and leaves zeros in `gradient` for the next sum.
    pub fn step(&mut self, parameters: &mut [f32], gradient: &mut [f32], weight: f32, rate: f32) {
        self.steps += 1;
        let corrected = (1.0 - DECAY.1.powi(self.steps)).sqrt() / (1.0 - DECAY.0.powi(self.steps));
        let rate = rate * corrected;
        let moments = self.first.iter_mut().zip(&mut self.second);
        let all = parameters.iter_mut().zip(gradient);
        for ((parameter, gradient), (first, second)) in all.zip(moments) {
            let slope = std::mem::take(gradient) / weight;
            *first = DECAY.0 * *first + (1.0 - DECAY.0) * slope;
            *second = DECAY.1 * *second + (1.0 - DECAY.1) * slope * slope;
            *parameter -= rate * *first / (second.sqrt() + EPSILON);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Algorithm 1 in 64 bits.
    fn by_hand(gradients: &[f64], rate: f64) -> f64 {
        let (mut x, mut m, mut v) = (0.0, 0.0, 0.0);
        for (step, g) in (1..).zip(gradients) {
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let corrected = (
                m / (1.0 - 0.9f64.powi(step)),
                v / (1.0 - 0.999f64.powi(step)),
            );
            x -= rate * corrected.0 / (corrected.1.sqrt() + 1e-8);
        }
        x
    }

    #[test]
    fn both_forms_are_algorithm_1_to_rounding() {
        let gradients = [0.3, -0.7, 0.2, 0.9, 0.9, -0.1];
        let wanted = by_hand(&gradients, 0.01);
        let (mut one, mut x) = (Adam::new(1), [0.0f32]);
        let (mut folded, mut y) = (FoldedAdam::default(), [0.0f32]);
        folded.restart(1);
        for g in gradients {
            one.step(&mut x, &[g as f32], 0.01);
            let mut sum = [4.0 * g as f32];
            folded.step(&mut y, &mut sum, 4.0, 0.01);
            assert_eq!(sum, [0.0]);
        }
        assert!((f64::from(x[0]) - wanted).abs() < 1e-5, "{x:?} {wanted}");
        assert!((f64::from(y[0]) - wanted).abs() < 1e-5, "{y:?} {wanted}");
        // Begun anew it does the same again.
        let before = y;
        folded.restart(1);
        y = [0.0];
        for g in gradients {
            folded.step(&mut y, &mut [4.0 * g as f32], 4.0, 0.01);
        }
        assert_eq!(y, before);
    }
}
