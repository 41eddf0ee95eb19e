//! Why a study of sensitivity cannot be made.

use std::path::PathBuf;

use thiserror::Error;

/// An error of a study of sensitivity, in the user's terms.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SensitivityError {
    /// An encoder that lists no units to take out.
    #[error("the encoder lists no groups of units, so that there is nothing to take out")]
    NoGroups,
    /// A pattern without a group.
    #[error(
        "--sites {pattern:?}: this matches no group of units and none of their sites; there are {}",
        known.join(", ")
    )]
    Sites {
        /// The pattern.
        pattern: String,
        /// Names of the groups.
        known: Vec<String>,
    },
    /// A fraction of units that is none.
    #[error("--fractions {given}: give ascending shares above 0 and below 1, as in 0.1,0.3,0.5")]
    Fractions {
        /// What was given.
        given: String,
    },
    /// A score that cannot be had.
    #[error(
        "--scores {score}: {reason}. The plugin `{plugin}` provides it{}; without it there are \
         magnitude, bn-gamma, unitmem and unitmem-excess",
        if *attach { " to a run that it is attached to" } else { "" }
    )]
    Score {
        /// The score.
        score: &'static str,
        /// The plugin that provides it.
        plugin: &'static str,
        /// Why it is not there.
        reason: String,
        /// Whether it is there when the plugin is attached.
        attach: bool,
    },
    /// A score that is asked for more than once.
    #[error("--scores {score}: this stands here twice; give it once")]
    Twice {
        /// The score.
        score: &'static str,
    },
    /// No repeats, where random units are the control.
    #[error("--repeats {given}: give 1 to 1000; random units are what every score is held against")]
    Repeats {
        /// What was given.
        given: u32,
    },
    /// A budget that says nothing.
    #[error(
        "--budget {given:?}: write what may be left, as in \"50 % of macs\" or \"70 % of units\""
    )]
    BudgetText {
        /// What was given.
        given: String,
    },
    /// A budget that the measured fractions do not reach.
    #[error(
        "--budget: with the largest fraction measured of every site {least:.1} % of the {what} are left, \
         and {budget:.1} % are asked for; give larger --fractions, or more --sites"
    )]
    OutOfReach {
        /// Percent that are left.
        least: f64,
        /// Percent asked for.
        budget: f64,
        /// Of what.
        what: &'static str,
    },
    /// A budget in operations for an encoder that does not tell them.
    #[error("--budget: this encoder does not tell its multiplications; give a budget of units")]
    NoCost,
    /// A proposal without a score to propose.
    #[error("--write: random units are the control alone; give --scores to choose units by")]
    NoScore,
    /// A file that is there already.
    #[error("--write {}: this is there already; choose another name", path.display())]
    WriteExists {
        /// The file.
        path: PathBuf,
    },
    /// Images of one class, which judge nothing.
    #[error(
        "the training images are of one class, so that kNN and the linear probe say nothing about an \
         encoder; give images of several classes with --data"
    )]
    OneClass,
}
