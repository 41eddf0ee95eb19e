//! The head between the embedding and an objective.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, relu};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// More units or layers than these are a slip of the keyboard that no memory can hold.
const MOST_UNITS: usize = 65_536;
const MOST_LAYERS: usize = 64;

/// Configuration of [`ProjectionHead`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectionHeadConfig {
    /// Width of the hidden layers; 512 by default.
    #[schemars(range(min = 1, max = 65_536))]
    pub hidden: usize,
    /// Length of a projection; 128 by default.
    #[schemars(range(min = 1, max = 65_536))]
    pub output: usize,
    /// Whether the hidden layers are batch normalised; they are by default.
    pub norm: bool,
    /// Number of layers, over 1; by default as the objective's paper has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 64))]
    pub layers: Option<usize>,
}

impl Default for ProjectionHeadConfig {
    fn default() -> Self {
        Self {
            hidden: 512,
            output: 128,
            norm: true,
            layers: None,
        }
    }
}

/// What an objective makes of a head, whatever its widths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadForm {
    /// Number of layers where the configuration does not say.
    pub layers: usize,
    /// What follows each hidden layer.
    pub activation: HeadActivation,
    /// Whether the projections are batch normalised, without scale and shift.
    pub output_norm: bool,
}

impl HeadForm {
    /// Two layers, ReLU, no norm at the end.
    pub const SIMCLR: Self = Self {
        layers: 2,
        activation: HeadActivation::Relu,
        output_norm: false,
    };
}

/// The nonlinearity of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadActivation {
    /// max(x, 0).
    Relu,
    /// x · Φ(x).
    Gelu,
}

/// Layers of linear, batch norm and nonlinearity, and a last linear layer: the projection head of
/// SimCLR (arXiv 2002.05709, §2.1) and of its successors.
///
/// With the norm the hidden layers have no bias, which the norm would take away again.
#[derive(Module, Debug)]
pub struct ProjectionHead {
    /// Embedding to hidden layer.
    pub first: Linear,
    /// Norm of the hidden layer.
    pub norm: Option<BatchNorm>,
    /// Further hidden layers.
    pub middle: Vec<HiddenLayer>,
    /// Hidden layer to projection.
    pub second: Linear,
    /// Norm of the projections; its scale and shift are not trained.
    pub output_norm: Option<BatchNorm>,
    #[module(skip)]
    activation: HeadActivation,
}

/// A hidden layer behind the first.
#[derive(Module, Debug)]
pub struct HiddenLayer {
    /// Hidden layer to hidden layer.
    pub linear: Linear,
    /// Its norm.
    pub norm: Option<BatchNorm>,
}

impl ProjectionHeadConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// A width of 0, fewer than two layers.
    pub fn validate(&self) -> Result<(), ModelError> {
        ModelError::first(self.problems())
    }

    /// Every value out of range, by its key.
    pub fn problems(&self) -> Vec<ModelError> {
        let mut problems = Vec::new();
        for (key, width) in [("hidden", self.hidden), ("output", self.output)] {
            if !(1..=MOST_UNITS).contains(&width) {
                problems.push(ModelError::Config {
                    key,
                    value: width.to_string(),
                    reason: "a layer of the projection head has 1 to 65536 units",
                });
            }
        }
        if let Some(layers) = self.layers.filter(|n| !(2..=MOST_LAYERS).contains(n)) {
            problems.push(ModelError::Config {
                key: "layers",
                value: layers.to_string(),
                reason: "the projection head has 2 to 64 layers",
            });
        }
        problems
    }

    /// A head of SimCLR's form for embeddings of length `input`, with burn's initial values.
    pub fn init(&self, input: usize, device: &Device) -> ProjectionHead {
        self.init_as(HeadForm::SIMCLR, input, device)
    }

    /// A head of another form.
    pub fn init_as(&self, form: HeadForm, input: usize, device: &Device) -> ProjectionHead {
        let hidden = |input| {
            LinearConfig::new(input, self.hidden)
                .with_bias(!self.norm)
                .init(device)
        };
        let norm = || {
            let norm = || BatchNormConfig::new(self.hidden).init(device);
            self.norm.then(norm)
        };
        let layers = self.layers.unwrap_or(form.layers);
        ProjectionHead {
            first: hidden(input),
            norm: norm(),
            middle: (2..layers)
                .map(|_| HiddenLayer {
                    linear: hidden(self.hidden),
                    norm: norm(),
                })
                .collect(),
            second: LinearConfig::new(self.hidden, self.output).init(device),
            output_norm: form
                .output_norm
                .then(|| BatchNormConfig::new(self.output).init(device).no_grad()),
            activation: form.activation,
        }
    }
}

impl ProjectionHead {
    /// Projections `[B, output]` of `embeddings` `[B, D]`; not normalised to length 1.
    pub fn forward(&self, embeddings: Tensor<2>) -> Tensor<2> {
        let hidden = self.hidden(&self.first, self.norm.as_ref(), embeddings);
        let hidden = self.middle.iter().fold(hidden, |hidden, layer| {
            self.hidden(&layer.linear, layer.norm.as_ref(), hidden)
        });
        let projected = self.second.forward(hidden);
        match &self.output_norm {
            Some(norm) => norm.forward(projected),
            None => projected,
        }
    }

    fn hidden(&self, linear: &Linear, norm: Option<&BatchNorm>, x: Tensor<2>) -> Tensor<2> {
        let x = linear.forward(x);
        let x = match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        match self.activation {
            HeadActivation::Relu => relu(x),
            HeadActivation::Gelu => gelu(x),
        }
    }
}
