//! The loss of a step out of the objective's own, the plan's weights and what plugins wrote.

use afterimage_hooks::LossWrites;
use burn::tensor::Tensor;

use crate::error::TrainError;

/// The loss with the plan's weights, plugins' weights and extra terms. Without any of them it is
/// the objective's own mean, to the bit.
pub(crate) fn weigh(
    mean: Tensor<1>,
    per_sample: Option<&Tensor<1>>,
    plan: Option<&[f32]>,
    writes: &LossWrites,
) -> Result<Tensor<1>, TrainError> {
    let mut loss = weighted(per_sample, plan, writes.weights.clone())?.unwrap_or(mean);
    for (_, term) in &writes.terms {
        loss = loss + term.clone();
    }
    Ok(loss)
}

/// The mean of the samples' losses by the plan's weights and plugins' weights; none without weights.
pub(crate) fn weighted(
    per_sample: Option<&Tensor<1>>,
    plan: Option<&[f32]>,
    written: Option<Tensor<1>>,
) -> Result<Option<Tensor<1>>, TrainError> {
    let plan = match (plan, per_sample) {
        (None, _) => None,
        (Some(weights), Some(losses)) => Some(Tensor::<1>::from_floats(weights, &losses.device())),
        (Some(_), None) => {
            return Err(TrainError::Attach(
                "the plan has sample weights, but this model has no per-sample loss; \
                 return `per_sample` from its forward"
                    .to_owned(),
            ));
        }
    };
    let weights = match (plan, written) {
        (Some(plan), Some(written)) => Some(plan * written),
        (plan, written) => plan.or(written),
    };
    Ok(weights
        .zip(per_sample)
        .map(|(weights, losses)| (losses.clone() * weights).mean()))
}
