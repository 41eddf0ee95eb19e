//! How much an insertion may ask for.

use afterimage_memory::UnitMemConfig;
use afterimage_ssl::Objective as _;
use afterimage_train::SslModel;

use super::insert::InsertOptions;
use crate::error::RunError;
use crate::fitting;
use crate::prepared::Prepared;

/// Steps of a unit.
const MOST_STEPS: u64 = 1_000_000;

/// Refuses steps that do not ascend, each once, or are too many.
pub(super) fn steps_ascend(steps: &[u64]) -> Result<(), String> {
    if steps.is_empty() || !steps.is_sorted_by(|a, b| a < b) {
        return Err("--steps must ascend, each once, as in 0,10,50".to_owned());
    }
    match steps.last().filter(|last| **last > MOST_STEPS) {
        Some(last) => Err(format!("--steps {last}: at most {MOST_STEPS} are made")),
        None => Ok(()),
    }
}

/// Refuses steps of `batch` rows, and looks at units, that memory has no room for.
pub(super) fn has_room(
    model: &SslModel,
    prepared: &Prepared,
    options: &InsertOptions,
    batch: usize,
) -> Result<(), RunError> {
    let shape = prepared.views.shape();
    let side = shape.height.min(shape.width);
    let points = options.points.max(options.others);
    let looked_at = UnitMemConfig::default().batch.min(points);
    for (flag, rows) in [
        ("views", options.views.saturating_mul(looked_at)),
        ("batch", model.objective().views().saturating_mul(batch)),
    ] {
        let told = fitting::pass(model.encoder(), shape.channels, side, rows);
        told.map_err(|told| RunError::TooMuch {
            flag,
            reason: format!("{told}; lower it"),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_ascend_each_once_and_have_an_end() {
        for steps in [&[0][..], &[5], &[0, 10, 50], &[0, MOST_STEPS]] {
            assert_eq!(steps_ascend(steps), Ok(()));
        }
        for steps in [&[][..], &[5, 5], &[0, 1, 1], &[5, 1]] {
            assert!(steps_ascend(steps).is_err_and(|told| told.contains("ascend, each once")));
        }
        let many = steps_ascend(&[0, u64::MAX]);
        assert!(many.is_err_and(|told| told.contains("at most 1000000")));
    }
}
