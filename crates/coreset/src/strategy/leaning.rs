//! Memorization: what choosing a sample is worth beside what it covers.

use crate::error::CoresetError;
use crate::evidence::Evidence;
use crate::facility::Greedy;
use crate::gate::ranks;
use crate::settings::{Prefer, Settings, Strategy};

/// λ·rank of each sample's score for [`Strategy::Memorization`], λ·(1 − rank) where the typical are
/// preferred; `None` for other strategies. Ranks, because scores of memorization have no scale: a few
/// units or points have most of it.
///
/// # Errors
/// A bonus below 0, or a way to be greedy that knows of none.
pub(crate) fn leaning(
    evidence: &Evidence<'_>,
    settings: &Settings<'_>,
) -> Result<Option<Vec<f64>>, CoresetError> {
    let (Strategy::Memorization, Some(scores)) = (settings.strategy, evidence.memorization) else {
        return Ok(None);
    };
    let bonus = settings.bonus;
    if !(0.0..=MOST).contains(&bonus) {
        let reason = format!("{bonus} is not between 0 and {MOST}");
        return Err(CoresetError::setting("bonus", reason));
    }
    if settings.greedy != Greedy::EventDriven {
        let reason = "`memorization` is greedy by events alone";
        return Err(CoresetError::setting("greedy", reason));
    }
    let worth = |rank: f64| match settings.prefer {
        Prefer::Memorized => bonus * rank,
        Prefer::Typical => bonus * (1.0 - rank),
    };
    Ok(Some(ranks(scores).into_iter().map(worth).collect()))
}

/// A larger bonus leaves coverage nothing to say, and would leave the range of whole steps.
pub(crate) const MOST: f64 = 1e6;
