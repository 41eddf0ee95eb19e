//! What the training loop needs of a self-supervised loss, and the choice of one by name.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{Rules, SslError};
use crate::nt_xent::NtXent;

/// A loss over projected views that keeps the loss of every sample apart.
///
/// Samples stay apart because plugins weight them and follow them over epochs; the loop takes the
/// weighted mean. An objective with a state of its own (a teacher, a centre, a queue) implements
/// this over that state.
pub trait Objective: Send + Sync {
    /// Number of augmented views of each sample in a batch.
    fn views(&self) -> usize;

    /// Loss of each sample, `[B]`, from projections `[views · B, D]` in view-major order: all
    /// samples of view 0, then all samples of view 1, and so on.
    ///
    /// # Panics
    /// When the number of rows is no multiple of [`views`](Self::views).
    fn per_sample(&self, projected: Tensor<2>) -> Tensor<1>;
}

/// Which objective, chosen by `kind`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ObjectiveConfig {
    /// SimCLR: two views attract each other and repel all other views of the batch.
    Simclr {
        /// Temperature of the softmax, above 0; small values look at the nearest neighbours only.
        #[serde(default = "default_temperature")]
        temperature: f64,
    },
}

fn default_temperature() -> f64 {
    0.5
}

impl ObjectiveConfig {
    /// The objective.
    ///
    /// # Errors
    /// The first setting out of range.
    pub fn init(&self) -> Result<Box<dyn Objective>, SslError> {
        if let Some(error) = self.problems().into_iter().next() {
            return Err(error);
        }
        Ok(match *self {
            Self::Simclr { temperature } => Box::new(NtXent { temperature }),
        })
    }

    /// Every setting out of range; empty when the config can be used.
    pub fn problems(&self) -> Vec<SslError> {
        match *self {
            Self::Simclr { temperature } => Rules::default()
                .positive("temperature", temperature)
                .broken(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn kinds_are_read_from_text_and_unknown_keys_are_refused() {
        let config: ObjectiveConfig = toml::from_str("kind = \"simclr\"").unwrap();
        assert_eq!(config, ObjectiveConfig::Simclr { temperature: 0.5 });
        assert_eq!(config.init().unwrap().views(), 2);
        for text in [
            "kind = \"simclr\"\ntemperatur = 0.1",
            "kind = \"simclrr\"",
            "temperature = 0.1",
        ] {
            assert!(toml::from_str::<ObjectiveConfig>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_temperature_that_divides_by_nothing_is_refused() {
        for temperature in [0.0, -0.5, f64::NAN, f64::INFINITY] {
            let error = ObjectiveConfig::Simclr { temperature }
                .init()
                .err()
                .unwrap();
            assert!(error.to_string().contains("temperature"), "{error}");
        }
    }
}
