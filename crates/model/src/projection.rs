//! The head between the embedding and a contrastive objective.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation::relu};
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// Configuration of [`ProjectionHead`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectionHeadConfig {
    /// Width of the hidden layer; 512 by default.
    pub hidden: usize,
    /// Length of a projection; 128 by default.
    pub output: usize,
    /// Whether the hidden layer is batch normalised; it is by default.
    pub norm: bool,
}

impl Default for ProjectionHeadConfig {
    fn default() -> Self {
        Self {
            hidden: 512,
            output: 128,
            norm: true,
        }
    }
}

/// Linear, batch norm, ReLU, linear: the projection head of SimCLR (arXiv 2002.05709, §2.1).
///
/// With the norm the first layer has no bias, which the norm would take away again.
#[derive(Module, Debug)]
pub struct ProjectionHead {
    /// Embedding to hidden layer.
    pub first: Linear,
    /// Norm of the hidden layer.
    pub norm: Option<BatchNorm>,
    /// Hidden layer to projection.
    pub second: Linear,
}

impl ProjectionHeadConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// A width of 0.
    pub fn validate(&self) -> Result<(), ModelError> {
        for (key, width) in [("hidden", self.hidden), ("output", self.output)] {
            if width == 0 {
                return Err(ModelError::Config {
                    key,
                    value: width.to_string(),
                    reason: "a layer of the projection head has at least one unit",
                });
            }
        }
        Ok(())
    }

    /// A head for embeddings of length `input`, with burn's initial values.
    pub fn init(&self, input: usize, device: &Device) -> ProjectionHead {
        ProjectionHead {
            first: LinearConfig::new(input, self.hidden)
                .with_bias(!self.norm)
                .init(device),
            norm: self
                .norm
                .then(|| BatchNormConfig::new(self.hidden).init(device)),
            second: LinearConfig::new(self.hidden, self.output).init(device),
        }
    }
}

impl ProjectionHead {
    /// Projections `[B, output]` of `embeddings` `[B, D]`; not normalised to length 1.
    pub fn forward(&self, embeddings: Tensor<2>) -> Tensor<2> {
        let hidden = self.first.forward(embeddings);
        let hidden = match &self.norm {
            Some(norm) => norm.forward(hidden),
            None => hidden,
        };
        self.second.forward(relu(hidden))
    }
}
