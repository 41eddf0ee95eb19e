//! Supervised training: a linear classifier on the embedding.

use afterimage_model::{AnyEncoder, Encoder, Taps, seeded};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::objective::{Objective, ObjectiveBatch, ObjectiveOutput, RunFacts};

/// Settings of [`Supervised`]: none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SupervisedConfig {}

/// Cross entropy of the labels, one view a sample: what self-supervised training is compared with.
#[derive(Module, Debug)]
pub struct Supervised {
    classifier: Linear,
}

impl SupervisedConfig {
    pub(crate) fn init(&self, encoder: &AnyEncoder, run: &RunFacts, device: &Device) -> Supervised {
        let classifier = LinearConfig::new(encoder.embedding_dim(), run.classes);
        Supervised {
            classifier: seeded(device, run.head_seed(), || classifier.init(device)),
        }
    }
}

impl Supervised {
    /// The layer from embeddings `[B, D]` to scores of classes `[B, classes]`.
    pub fn classifier(&self) -> &Linear {
        &self.classifier
    }
}

/// Cross entropy of each sample `[B]`, at least 0, from scores `[B, classes]` and labels `[B]`.
fn cross_entropy(scores: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [samples, _] = scores.dims();
    log_softmax(scores, 1)
        .gather(1, labels.reshape([samples, 1]))
        .reshape([samples])
        .neg()
}

impl Objective for Supervised {
    fn views(&self) -> usize {
        1
    }

    fn forward(
        &self,
        encoder: &AnyEncoder,
        batch: ObjectiveBatch,
        taps: &mut Taps,
    ) -> ObjectiveOutput {
        let Some(labels) = batch.labels else {
            unreachable!("a feed for supervised training has labels");
        };
        let embeddings = encoder.encode(batch.images, taps);
        let scores = self.classifier.forward(embeddings.clone());
        ObjectiveOutput {
            logits: Some(scores.clone()),
            ..ObjectiveOutput::mean_of(embeddings, cross_entropy(scores, labels))
        }
    }

    fn logits(&self, embeddings: Tensor<2>) -> Option<Tensor<2>> {
        Some(self.classifier.forward(embeddings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{close, gradient_of, matrix, read};

    #[test]
    fn loss_and_gradient_equal_the_reference() {
        let case = read("supervised");
        let device = Device::flex().autodiff();
        let scores = matrix(&case, "scores", &device).require_grad();
        let labels: Vec<i64> = case
            .values("labels")
            .iter()
            .map(|&label| label as i64)
            .collect();
        let labels = Tensor::from_ints(labels.as_slice(), &device);
        let per_sample = cross_entropy(scores.clone(), labels);
        close(&per_sample, &case, "per_sample", 1e-5);
        close(
            &gradient_of(per_sample.mean(), &scores),
            &case,
            "gradient",
            1e-5,
        );
    }
}
