//! LARS, layer-wise adaptive rate scaling.

use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Rules, SslError};

/// Settings of [`Lars`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LarsConfig {
    /// Share of the last update that carries over, in [0, 1).
    pub momentum: f64,
    /// Weight decay, at least 0, added to the gradient before it is scaled.
    pub weight_decay: f64,
    /// Length of an update relative to the parameter's length, at a learning rate of 1; above 0.
    pub trust_coefficient: f64,
    /// Added to the denominator of the ratio; above 0.
    pub epsilon: f64,
    /// Whether biases and normalisation parameters (all of rank 1) follow plain momentum, without
    /// decay and without the ratio.
    pub exclude_bias_and_norm: bool,
}

impl Default for LarsConfig {
    fn default() -> Self {
        Self {
            momentum: 0.9,
            weight_decay: 1e-6,
            trust_coefficient: 0.001,
            epsilon: 1e-8,
            exclude_bias_and_norm: true,
        }
    }
}

impl LarsConfig {
    /// The optimizer of one parameter.
    pub fn build(&self) -> Lars {
        Lars {
            config: self.clone(),
        }
    }

    /// The optimizer of a whole module.
    pub fn init(&self) -> ModuleOptimizer {
        self.build().into()
    }

    /// Every setting out of range; empty when the config can be used.
    pub fn problems(&self) -> Vec<SslError> {
        Rules::default()
            .rate("momentum", self.momentum)
            .not_negative("weight_decay", self.weight_decay)
            .positive("trust_coefficient", self.trust_coefficient)
            .positive("epsilon", self.epsilon)
            .broken()
    }
}

/// SGD with momentum in which each parameter tensor's step is proportional to its own length.
///
/// With gradient g, weight decay β and learning rate γ, as in You et al. 2017, arXiv 1708.03888,
/// algorithm 1:
/// `λ = trust · ‖w‖ / (‖g‖ + β‖w‖ + ε)`, `v ← m·v + γ·λ·(g + β·w)`, `w ← w − v`.
/// Where ‖w‖ or ‖g‖ is 0, λ is 1, so that a tensor of zeros can leave zero.
#[derive(Debug, Clone)]
pub struct Lars {
    config: LarsConfig,
}

/// State of [`Lars`] for one parameter.
#[derive(Debug, Clone)]
pub struct LarsState<const D: usize> {
    /// The last update, learning rate included.
    pub velocity: Tensor<D>,
}

impl Optimizer for Lars {
    type State<const D: usize> = LarsState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let LarsConfig {
            momentum,
            weight_decay,
            ..
        } = self.config;
        let update = if D <= 1 && self.config.exclude_bias_and_norm {
            grad
        } else {
            let ratio = self.ratio(&tensor, &grad);
            (grad + tensor.clone().mul_scalar(weight_decay)) * ratio.unsqueeze()
        }
        .mul_scalar(lr);
        let velocity = match state {
            Some(state) => state.velocity.mul_scalar(momentum) + update,
            None => update,
        };
        (tensor - velocity.clone(), Some(LarsState { velocity }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        LarsState {
            velocity: state.velocity.to_device(device),
        }
    }
}

impl Lars {
    /// λ as a tensor `[1]`: it stays on the device, since reading it would stall one.
    fn ratio<const D: usize>(&self, tensor: &Tensor<D>, grad: &Tensor<D>) -> Tensor<1> {
        let LarsConfig {
            weight_decay,
            trust_coefficient,
            epsilon,
            ..
        } = self.config;
        let weight_norm = tensor.clone().square().sum().sqrt();
        let grad_norm = grad.clone().square().sum().sqrt();
        let no_length = weight_norm.clone().equal_scalar(0.0);
        let no_gradient = grad_norm.clone().equal_scalar(0.0);
        let denominator = grad_norm
            + weight_norm
                .clone()
                .mul_scalar(weight_decay)
                .add_scalar(epsilon);
        (weight_norm.mul_scalar(trust_coefficient) / denominator)
            .mask_fill(no_length.bool_or(no_gradient), 1.0)
    }
}

impl<const D: usize> RecordState for LarsState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "velocity", self.velocity.to_data());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let velocity = src.take_tensor(prefix, "velocity")?;
        Some(Self {
            velocity: Tensor::from_data(velocity, device),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::GradientsParams;
    use burn::tensor::TensorData;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        config: LarsConfig,
        shape: Vec<usize>,
        initial: Vec<f32>,
        steps: Vec<Step>,
    }

    #[derive(Deserialize)]
    struct Step {
        learning_rate: f64,
        gradient: Vec<f32>,
        parameter: Vec<f64>,
    }

    fn run<const D: usize>(case: &Case) {
        let device = Device::flex();
        let shape: [usize; D] = case.shape.clone().try_into().unwrap();
        let tensor = |values: &[f32]| {
            Tensor::<D>::from_data(TensorData::new(values.to_vec(), shape), &device)
        };
        let lars = case.config.build();
        let (mut parameter, mut state) = (tensor(&case.initial), None);
        for (at, step) in case.steps.iter().enumerate() {
            let gradient = tensor(&step.gradient);
            (parameter, state) = lars.step(step.learning_rate, parameter, gradient, state);
            let got: Vec<f32> = parameter.to_data().try_to_vec().unwrap();
            for (got, want) in got.iter().zip(&step.parameter) {
                let off = (f64::from(*got) - want).abs();
                assert!(off < 1e-6, "{} step {at}: {got} {want}", case.name);
            }
        }
    }

    #[test]
    fn parameters_equal_the_reference_after_every_step() {
        // Written by scripts/lars_reference.py.
        let cases: Vec<Case> = serde_json::from_str(include_str!("../testdata/lars.json")).unwrap();
        assert!(cases.len() >= 5);
        for case in cases {
            match case.shape.len() {
                1 => run::<1>(&case),
                2 => run::<2>(&case),
                _ => run::<4>(&case),
            }
        }
    }

    fn gradients(model: &Linear, scale: f32) -> GradientsParams {
        let input = Tensor::<2>::ones([2, 5], &model.weight.val().device());
        let loss = model.forward(input).mul_scalar(scale).square().sum();
        GradientsParams::from_grads(loss.backward(), model)
    }

    #[test]
    fn a_record_brings_the_velocity_back_bit_for_bit() {
        let device = Device::flex().autodiff();
        let mut model = LinearConfig::new(5, 3).init(&device);
        let config = LarsConfig {
            trust_coefficient: 0.1,
            ..LarsConfig::default()
        };
        let mut straight = config.init();
        for scale in [1.0, -0.5] {
            let grads = gradients(&model, scale);
            model = straight.step(0.5, model, grads);
        }
        let bytes = straight.to_record().into_bytes().unwrap();
        let record = burn::optim::OptimizerRecord::from_bytes(bytes).unwrap();
        let mut resumed = config.init().load_record(record);
        let mut forgetful = config.init();
        let after = |optimizer: &mut ModuleOptimizer| -> Vec<Vec<f32>> {
            let model = optimizer.step(0.5, model.clone(), gradients(&model, 0.1));
            let bias = model.bias.as_ref().unwrap().val();
            vec![
                model.weight.val().to_data().try_to_vec().unwrap(),
                bias.to_data().try_to_vec().unwrap(),
            ]
        };
        let expected = after(&mut straight);
        assert_eq!(after(&mut resumed), expected);
        assert_ne!(after(&mut forgetful), expected);
    }
}
