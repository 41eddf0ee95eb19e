//! Sites: the named places of a model that have a unit axis.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a site puts out; ΔLayerMem compares neighbours of different kinds, so kinds stay apart.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SiteKind {
    /// Raw convolution output.
    Conv,
    /// Normalised activations.
    Norm,
    /// Output of a nonlinearity.
    Activation,
    /// Output of a pooling layer.
    Pool,
    /// Sum of a branch and its skip connection.
    Residual,
    /// Output of attention, before the residual sum.
    Attention,
    /// Output of a fully connected layer.
    FullyConnected,
    /// A token sequence `[B, T, C]`.
    Token,
}

impl fmt::Display for SiteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SiteKind::Conv => "conv",
            SiteKind::Norm => "norm",
            SiteKind::Activation => "activation",
            SiteKind::Pool => "pool",
            SiteKind::Residual => "residual",
            SiteKind::Attention => "attention",
            SiteKind::FullyConnected => "fully_connected",
            SiteKind::Token => "token",
        })
    }
}

/// A named place in a model with a unit axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Dotted path, for example `encoder.layer2.act`.
    pub name: String,
    /// What the site puts out.
    pub kind: SiteKind,
    /// Number of units: channels of a feature map, neurons of a layer.
    pub units: usize,
    /// Paths of the parameters that make the units: a row each of a convolution's weight, an element
    /// each of a vector, a column each of a fully connected layer's weight `[in, out]`.
    pub produced_by: Vec<String>,
    /// Paths of the parameters that read the units: by the columns of a convolution's weight, the
    /// rows of a fully connected layer's.
    pub consumed_by: Vec<String>,
}

impl Site {
    /// A site that says nothing about the parameters around it.
    pub fn new(name: impl Into<String>, kind: SiteKind, units: usize) -> Self {
        Self {
            name: name.into(),
            kind,
            units,
            produced_by: Vec::new(),
            consumed_by: Vec::new(),
        }
    }
}
