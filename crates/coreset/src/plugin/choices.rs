//! The choices that a config of the plugin `coreset` makes by name.

use serde::{Deserialize, Serialize};

use crate::memory::Bytes;

/// A published rule under the name of what it is: the defaults of all keys that are not told.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// No rule.
    #[default]
    None,
    /// CRUST as the paper has it: medoids of the residuals by facility location, out of the samples
    /// of one prediction, weighted by cluster size, mixed with samples of their cluster.
    CrustPaper,
    /// CRUST as its code computes it: what is most central among penultimate proxies of one observed
    /// label, with equal weights, mixed with samples of the same label.
    CrustReleased,
}

/// What stands for a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proxy {
    /// p − y, the gradient by the logits.
    Residuals,
    /// The gradient by the penultimate features, by the rank trick.
    Penultimate,
    /// The gradient by the weights of the last layer, by its factors.
    LastLayer,
    /// The encoder's output.
    Features,
    /// Rows of the file `embeddings`.
    Embeddings,
}

/// What samples are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Grouping {
    /// The observed label.
    Label,
    /// The network's prediction.
    Prediction,
    /// k-means clusters of the features, or of the embeddings where the proxy is these.
    Cluster,
    /// Nothing: all together.
    None,
}

/// Weights of chosen samples in the loss; their mean is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// All equal.
    None,
    /// By the number of samples that are nearest, cut at the quantile `cap`.
    ClusterSize,
    /// By the number of samples within `radius`.
    Radius,
}

/// What a chosen sample is mixed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mixup {
    /// Nothing.
    None,
    /// A random training sample of the same observed label, one λ a batch, as in the released CRUST.
    Label,
    /// A random sample of its cluster, one λ a sample; labels are mixed where they differ.
    Cluster,
}

/// How much memory, as `"512MB"` or `"2GiB"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Memory {
    text: String,
    /// The amount.
    pub bytes: Bytes,
}

impl TryFrom<String> for Memory {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = text.parse()?;
        Ok(Self { text, bytes })
    }
}

impl From<Memory> for String {
    fn from(memory: Memory) -> Self {
        memory.text
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            text: "1GiB".to_owned(),
            bytes: Bytes(1 << 30),
        }
    }
}
