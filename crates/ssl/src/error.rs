//! What can be wrong with the settings of this crate.

use afterimage_model::ModelError;
use thiserror::Error;

/// A setting of an objective, an optimizer or a schedule that cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SslError {
    /// MAE on images of one patch, of which nothing can be hidden.
    #[error(
        "encoder.patch: each view is one patch, of which `mae` can hide nothing; make patches smaller \
         or views larger"
    )]
    OnePatch,
    /// A number outside the range in which it has a meaning.
    #[error("`{key}` is {value}; {rule}")]
    OutOfRange {
        /// Key of the setting inside its table.
        key: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        rule: &'static str,
    },
    /// A projection head that cannot be made.
    #[error(transparent)]
    Head(#[from] ModelError),
    /// An objective that masks tokens, and an encoder that has none.
    #[error("`mae` hides tokens of a vision transformer; set `encoder.kind = \"vit\"`")]
    NeedsTransformer,
    /// A warm-up that does not fit into the run.
    #[error(
        "`warmup_epochs` is {warmup_epochs} but the run has {epochs} epochs; \
         shorten the warm-up or train for longer"
    )]
    WarmupTooLong {
        /// Epochs of warm-up that were asked for.
        warmup_epochs: f64,
        /// Epochs of the run.
        epochs: u32,
    },
    /// A run without a step has no learning rate.
    #[error(
        "a run of {epochs} epochs with {steps_per_epoch} steps each has no step to schedule; \
         give it at least one epoch and one full batch"
    )]
    NoSteps {
        /// Epochs of the run.
        epochs: u32,
        /// Optimizer steps of an epoch.
        steps_per_epoch: u64,
    },
}

/// Collects the rules that a group of settings breaks, in the order of the keys.
#[derive(Default)]
pub(crate) struct Rules(Vec<SslError>);

impl Rules {
    /// Notes `key` unless `holds`; a NaN must make `holds` false.
    pub(crate) fn require(
        mut self,
        holds: bool,
        key: &'static str,
        value: f64,
        rule: &'static str,
    ) -> Self {
        if !holds {
            self.0.push(SslError::OutOfRange { key, value, rule });
        }
        self
    }

    /// Requires a finite number of at least 0.
    pub(crate) fn not_negative(self, key: &'static str, value: f64) -> Self {
        let holds = value.is_finite() && value >= 0.0;
        self.require(holds, key, value, "it must be finite and at least 0")
    }

    /// Requires a finite number above 0.
    pub(crate) fn positive(self, key: &'static str, value: f64) -> Self {
        let holds = value.is_finite() && value > 0.0;
        self.require(holds, key, value, "it must be finite and above 0")
    }

    /// Requires a decay rate: at least 0 and below 1.
    pub(crate) fn rate(self, key: &'static str, value: f64) -> Self {
        let holds = (0.0..1.0).contains(&value);
        self.require(holds, key, value, "it must be at least 0 and below 1")
    }

    /// Requires a count of at least 1 and at most `most`, which `rule` says.
    pub(crate) fn count(
        self,
        key: &'static str,
        value: usize,
        most: usize,
        rule: &'static str,
    ) -> Self {
        self.require((1..=most).contains(&value), key, value as f64, rule)
    }

    /// Requires the momentum of a moving average: at least 0 and at most 1.
    pub(crate) fn momentum(self, key: &'static str, value: f64) -> Self {
        let holds = (0.0..=1.0).contains(&value);
        self.require(holds, key, value, "it must be at least 0 and at most 1")
    }

    /// Requires a share: above 0 and below 1.
    pub(crate) fn share(self, key: &'static str, value: f64) -> Self {
        let holds = value > 0.0 && value < 1.0;
        self.require(holds, key, value, "it must be above 0 and below 1")
    }

    /// The rules that were broken.
    pub(crate) fn broken(self) -> Vec<SslError> {
        self.0
    }
}
