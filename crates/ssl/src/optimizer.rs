//! The choice of an optimizer by name.

use burn::optim::ModuleOptimizer;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use serde::{Deserialize, Serialize};

use crate::error::{Rules, SslError};
use crate::lars::LarsConfig;

/// Which optimizer, chosen by `kind`. The learning rate is the schedule's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OptimizerConfig {
    /// Stochastic gradient descent.
    Sgd(SgdConfig),
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW(AdamWConfig),
    /// SGD with a rate of its own for each layer; for large batches.
    Lars(LarsConfig),
}

/// Settings of stochastic gradient descent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// Share of the velocity that carries over, in [0, 1); default 0.9. The gradient joins it in
    /// full (no dampening).
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub momentum: f64,
    /// Whether to look one momentum step ahead; default no. Needs momentum.
    pub nesterov: bool,
    /// L2 penalty added to the gradient, at least 0; default 0.
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
}

impl Default for SgdConfig {
    fn default() -> Self {
        Self {
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
        }
    }
}

/// Settings of Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
    /// Decay rates of the first and the second moment, each in [0, 1); default 0.9 and 0.999.
    pub betas: [f64; 2],
    /// Decay of the parameters, at least 0, multiplied by the learning rate; default 0.01. It
    /// reaches biases and normalisation parameters too.
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
    /// Added to the denominator; above 0, default 1e-8.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub epsilon: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            betas: [0.9, 0.999],
            weight_decay: 0.01,
            epsilon: 1e-8,
        }
    }
}

impl OptimizerConfig {
    /// The optimizer of a whole module, without state.
    ///
    /// Settings are taken as they are; [`problems`](Self::problems) tells which make no sense.
    pub fn init(&self) -> ModuleOptimizer {
        match self {
            Self::Sgd(config) => config.init(),
            Self::AdamW(config) => config.init(),
            Self::Lars(config) => config.init(),
        }
    }

    /// Every setting out of range; empty when the config can be used.
    pub fn problems(&self) -> Vec<SslError> {
        match self {
            Self::Sgd(config) => Rules::default()
                .rate("momentum", config.momentum)
                .require(
                    !config.nesterov || config.momentum > 0.0,
                    "momentum",
                    config.momentum,
                    "`nesterov` needs a momentum above 0",
                )
                .not_negative("weight_decay", config.weight_decay)
                .broken(),
            Self::AdamW(config) => Rules::default()
                .rate("betas", config.betas[0])
                .rate("betas", config.betas[1])
                .not_negative("weight_decay", config.weight_decay)
                .positive("epsilon", config.epsilon)
                .broken(),
            Self::Lars(config) => config.problems(),
        }
    }
}

impl SgdConfig {
    fn init(&self) -> ModuleOptimizer {
        // burn's own default dampens by 0.1; recipes from PyTorch mean 0.
        let momentum = (self.momentum != 0.0).then(|| {
            MomentumConfig::new()
                .with_momentum(self.momentum)
                .with_dampening(0.0)
                .with_nesterov(self.nesterov)
        });
        let decay =
            (self.weight_decay != 0.0).then(|| WeightDecayConfig::new(self.weight_decay as f32));
        burn::optim::SgdConfig::new()
            .with_momentum(momentum)
            .with_weight_decay(decay)
            .init()
    }
}

impl AdamWConfig {
    fn init(&self) -> ModuleOptimizer {
        burn::optim::AdamWConfig::new()
            .with_beta_1(self.betas[0] as f32)
            .with_beta_2(self.betas[1] as f32)
            .with_epsilon(self.epsilon as f32)
            .with_weight_decay(self.weight_decay as f32)
            .init()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::module::{Module, Param};
    use burn::optim::GradientsParams;
    use burn::tensor::{Device, Tensor};

    use super::*;

    #[derive(Module, Debug)]
    struct Scalar {
        w: Param<Tensor<2>>,
    }

    /// Values of a single parameter that starts at 2 and has gradients 1, 1, -1 at rate 0.1.
    fn trace(config: &OptimizerConfig) -> Vec<f32> {
        let device = Device::flex().autodiff();
        let mut model = Scalar {
            w: Param::from_tensor(Tensor::from_floats([[2.0]], &device)),
        };
        let mut optimizer = config.init();
        let mut values = Vec::new();
        for gradient in [1.0, 1.0, -1.0] {
            let loss = model.w.val().mul_scalar(gradient).sum();
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(0.1, model, grads);
            values.push(model.w.val().into_scalar::<f32>());
        }
        values
    }

    fn close(got: &[f32], want: &[f32]) {
        assert!(
            got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-5),
            "{got:?} {want:?}"
        );
    }

    #[test]
    fn sgd_has_no_dampening_and_decays_into_the_gradient() {
        let sgd = |text: &str| toml::from_str::<OptimizerConfig>(text).unwrap();
        close(
            &trace(&sgd("kind = \"sgd\"\nmomentum = 0.0")),
            &[1.9, 1.8, 1.9],
        );
        // Velocities 1, 1.9, 0.71.
        close(&trace(&sgd("kind = \"sgd\"")), &[1.9, 1.71, 1.639]);
        // Look-ahead gradients 1.9, 2.71, -0.361.
        close(
            &trace(&sgd("kind = \"sgd\"\nnesterov = true")),
            &[1.81, 1.539, 1.5751],
        );
        // Gradients 1 + 0.5 w: 2, 1.9, then -1 + 0.5 · 1.61.
        close(
            &trace(&sgd("kind = \"sgd\"\nmomentum = 0.0\nweight_decay = 0.5")),
            &[1.8, 1.61, 1.6295],
        );
    }

    #[test]
    fn adamw_decays_beside_the_gradient() {
        let config = OptimizerConfig::AdamW(AdamWConfig {
            weight_decay: 0.5,
            ..Default::default()
        });
        // The first two Adam directions are 1 exactly; the third is m̂/√v̂ = 0.0701107….
        let third = (0.9f32 * 0.19 - 0.1) / (1.0 - 0.9f32.powi(3));
        let a = 2.0 * 0.95 - 0.1;
        let b = a * 0.95 - 0.1;
        close(&trace(&config), &[a, b, b * 0.95 - 0.1 * third]);
    }

    #[test]
    fn lars_takes_its_settings_from_text() {
        let text = "kind = \"lars\"\ntrust_coefficient = 0.5\nmomentum = 0.0\nweight_decay = 0.0";
        // Each step is half the rate times the parameter's own size.
        close(
            &trace(&toml::from_str(text).unwrap()),
            &[1.9, 1.805, 1.895_25],
        );
    }

    #[test]
    fn unknown_keys_and_kinds_are_refused() {
        for text in [
            "kind = \"sgd\"\nbetas = [0.9, 0.999]",
            "kind = \"adamw\"\nmomentum = 0.9",
            "kind = \"lars\"\ntrust = 0.1",
            "kind = \"adam\"",
            "momentum = 0.9",
        ] {
            assert!(toml::from_str::<OptimizerConfig>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn settings_out_of_range_are_all_named() {
        let config = OptimizerConfig::Lars(LarsConfig {
            momentum: 1.0,
            weight_decay: f64::NAN,
            trust_coefficient: 0.0,
            ..LarsConfig::default()
        });
        let text: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 3, "{text:?}");
        for (text, key) in text
            .iter()
            .zip(["momentum", "weight_decay", "trust_coefficient"])
        {
            assert!(text.contains(key), "{text}");
        }
        let sgd = SgdConfig {
            momentum: 0.0,
            nesterov: true,
            ..SgdConfig::default()
        };
        assert_eq!(OptimizerConfig::Sgd(sgd).problems().len(), 1);
        for kind in ["sgd", "adamw", "lars"] {
            let config: OptimizerConfig = toml::from_str(&format!("kind = \"{kind}\"")).unwrap();
            assert!(config.problems().is_empty(), "{kind}");
        }
    }
}
