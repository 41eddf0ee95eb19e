//! What trackers are told: single scalars.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::files::{METRICS, TIMINGS};
use crate::{ScalarLine, TrackError, read_scalars};

/// A scalar at a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    /// Slash-separated name.
    pub(crate) tag: String,
    /// Epochs finished.
    pub(crate) epoch: u32,
    /// Optimizer steps finished.
    pub(crate) step: u64,
    /// What was measured.
    pub(crate) value: f64,
    /// When it was told, in milliseconds since 1970.
    pub(crate) time: u64,
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// The scalars that `metrics.jsonl` in `run` holds up to `step`, in its order; with `timings` those of
/// `timings.jsonl` behind them.
///
/// # Errors
/// A line that is no record, apart from a torn last one.
pub(crate) fn past(run: &Path, step: u64, timings: bool) -> Result<Vec<Point>, TrackError> {
    let mut lines = read_scalars(&run.join(METRICS))?;
    if timings {
        lines.extend(read_scalars(&run.join(TIMINGS))?);
    }
    let time = now();
    let point = |line: ScalarLine| Point {
        tag: line.tag,
        epoch: line.epoch,
        step: line.step,
        value: line.value.0,
        time,
    };
    let until = lines.into_iter().filter(|line| line.step <= step);
    Ok(until.map(point).collect())
}
