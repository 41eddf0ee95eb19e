//! Why no units can be chosen.

use thiserror::Error;

/// An error of this crate, in the user's terms.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PruneError {
    /// Rules that protect every unit.
    #[error(
        "no unit may be pruned: {protected} of {groups} groups are protected, and the others are at \
         their bounds; see `protect`, `min_units`, `max_fraction` and `round_to`"
    )]
    NothingToPrune {
        /// Groups that rules protect.
        protected: usize,
        /// All groups.
        groups: usize,
    },
    /// No unit has a score.
    #[error(
        "none of the {units} units that may be pruned has a score that is a number; choose another \
         `score`, or look at what its plugin measures"
    )]
    NoScores {
        /// Units that may be pruned.
        units: usize,
    },
    /// A budget in operations on a model that does not tell what it costs.
    #[error("this model does not tell its multiplications; set `of = \"units\"`")]
    NoCost,
}
