//! Adam (Kingma and Ba, ICLR 2015) over one vector of parameters.

use serde::{Deserialize, Serialize};

const DECAY: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

/// Moments of the gradients so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    /// Decay rates to the power of the number of steps.
    left: (f64, f64),
}

impl Adam {
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
