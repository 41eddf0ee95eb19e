//! What is known of the samples.

use crate::error::{CoresetError, Ids};
use crate::points::{LastLayer, Points, same_length};
use crate::settings::Strategy;
use crate::strategy::Validation;

/// What is known of the samples; entry i belongs to sample i.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Where the samples lie: gradients, features or embeddings.
    pub points: &'a Points<'a>,
    /// The loss of each sample, for `small-loss`.
    pub losses: Option<&'a [f32]>,
    /// Forgetting events of each sample, for `forgetting`.
    pub forgetting: Option<&'a [f64]>,
    /// How much each sample was memorized, for `memorization` and `memorization-alone`: LayerMem, UnitMem,
    /// any score.
    pub memorization: Option<&'a [f64]>,
    /// A validation set, for `glister`.
    pub validation: Option<&'a Validation>,
    /// Names of the samples in errors, if they are not their positions.
    pub names: Option<&'a [usize]>,
}

impl<'a> Evidence<'a> {
    /// Points and nothing else.
    pub fn of(points: &'a Points<'a>) -> Self {
        Self {
            points,
            losses: None,
            forgetting: None,
            memorization: None,
            validation: None,
            names: None,
        }
    }
}

pub(crate) fn last_layer<'p>(points: &'p Points<'_>) -> Result<&'p LastLayer, CoresetError> {
    match points {
        Points::LastLayer(layer) => Ok(layer),
        Points::Rows(_) => Err(CoresetError::Missing {
            strategy: Strategy::Glister.name(),
            needs: "residuals and features of the last layer",
            plural: true,
        }),
    }
}

/// Refuses what the strategy cannot rank by.
pub(crate) fn check(evidence: &Evidence<'_>, strategy: Strategy) -> Result<(), CoresetError> {
    let len = evidence.points.len();
    if len == 0 {
        return Err(CoresetError::setting("samples", "there are none"));
    }
    if evidence.points.width() == 0 {
        return Err(CoresetError::setting("embeddings", "have no column"));
    }
    let finite = |what, values: &mut dyn Iterator<Item = f64>| {
        let broken: Vec<usize> = values
            .enumerate()
            .filter(|(_, x)| !x.is_finite())
            .map(|(i, _)| i)
            .collect();
        if broken.is_empty() {
            return Ok(());
        }
        Err(CoresetError::NotFinite {
            what,
            count: broken.len(),
            rows: len,
            samples: Ids(broken),
        })
    };
    let missing = |needs, plural| CoresetError::Missing {
        strategy: strategy.name(),
        needs,
        plural,
    };
    match (evidence.losses, strategy) {
        (None, Strategy::SmallLoss) => return Err(missing("losses", true)),
        (None, _) => {}
        (Some(losses), _) => {
            same_length(("samples", len), ("losses", losses.len()))?;
            finite("losses", &mut losses.iter().map(|x| f64::from(*x)))?;
        }
    }
    match (evidence.forgetting, strategy) {
        (None, Strategy::Forgetting) => return Err(missing("forgetting events", true)),
        (None, _) => {}
        (Some(events), _) => {
            same_length(("samples", len), ("forgetting events", events.len()))?;
            finite("forgetting events", &mut events.iter().copied())?;
        }
    }
    match (evidence.memorization, strategy) {
        (None, strategy) if strategy.remembers() => {
            return Err(missing("scores of memorization", true));
        }
        (None, _) => {}
        (Some(scores), _) => {
            same_length(("samples", len), ("scores of memorization", scores.len()))?;
            finite("scores of memorization", &mut scores.iter().copied())?;
        }
    }
    if strategy == Strategy::Glister {
        last_layer(evidence.points)?;
        evidence
            .validation
            .ok_or_else(|| missing("a validation set", false))?;
    }
    Ok(())
}
