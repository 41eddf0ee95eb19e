//! The learner that the flags of `afterimage value` ask for.

use afterimage::value::{Learner, ValueError};

use crate::value::{LearnerName, Value};

/// Hidden units of an mlp learner, where none are told.
const HIDDEN: usize = 16;
/// Passes of an mlp learner over its bag, where none are told.
const EPOCHS: usize = 30;

/// What is fitted to each bag.
///
/// # Errors
/// A flag that belongs to another learner.
pub(crate) fn learner(arguments: &Value) -> Result<Learner, ValueError> {
    refuse_unused(arguments)?;
    Ok(match arguments.learner {
        LearnerName::Tree => Learner::Tree {
            candidates: arguments.max_features.unwrap_or_default(),
            depth: arguments.max_depth,
        },
        LearnerName::Linear => Learner::Linear {
            penalty: arguments.penalty.unwrap_or(1.0),
        },
        LearnerName::Mlp => Learner::Mlp {
            hidden: arguments.hidden.unwrap_or(HIDDEN),
            epochs: arguments.epochs.unwrap_or(EPOCHS),
        },
    })
}

/// Refuses flags that the learner would not look at.
fn refuse_unused(arguments: &Value) -> Result<(), ValueError> {
    use LearnerName::{Linear, Mlp, Tree};
    let Value {
        learner,
        max_features,
        max_depth,
        bins,
        penalty,
        hidden,
        epochs,
        ..
    } = arguments;
    let flags = [
        ("max-features", max_features.is_some(), Tree),
        ("max-depth", max_depth.is_some(), Tree),
        ("bins", bins.is_some(), Tree),
        ("penalty", penalty.is_some(), Linear),
        ("hidden", hidden.is_some(), Mlp),
        ("epochs", epochs.is_some(), Mlp),
    ];
    let unused = |(_, told, of): &(&str, bool, LearnerName)| *told && of != learner;
    match flags.into_iter().find(unused) {
        Some((flag, _, of)) => Err(ValueError::Setting(format!(
            "--{flag} is for `--learner {}` alone, and the learner is `{}`; leave it out",
            of.name(),
            learner.name()
        ))),
        None => Ok(()),
    }
}
