//! Evaluations that use labels, kept away from training: plugins and objective never see them.

use std::collections::BTreeMap;

use afterimage_hooks::{Clock, Fault, ModelView};

/// Judges the encoder.
pub trait Evaluator {
    /// Figures by name, for example `knn`. `last` is set at the end of the run, for what is too
    /// slow to do every few epochs.
    ///
    /// # Errors
    /// A forward pass that fails.
    fn evaluate(
        &self,
        model: &dyn ModelView,
        clock: &Clock,
        last: bool,
    ) -> Result<BTreeMap<String, f64>, Fault>;
}
