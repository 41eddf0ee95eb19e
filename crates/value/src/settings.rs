//! How a table is valued.

use crate::error::ValueError;
use crate::ranks::MOST_RANKS;
use crate::score::Score;

/// How many columns a tree tries at each node, of those that it may look at.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Candidates {
    /// The square root of their number, rounded down.
    #[default]
    Root,
    /// All of them.
    All,
    /// This many.
    Count(usize),
}

impl Candidates {
    /// The number for `columns` columns, at least 1.
    pub fn of(self, columns: usize) -> usize {
        let count = match self {
            Candidates::Root => columns.isqrt(),
            Candidates::All => columns,
            Candidates::Count(count) => count.min(columns),
        };
        count.max(1)
    }
}

/// What is fitted to each bag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Learner {
    /// A decision tree: gini for classes, variance for numbers.
    Tree {
        /// Columns tried at a node.
        candidates: Candidates,
        /// Cuts between the root and a leaf; without, a tree grows until its leaves are pure.
        depth: Option<u32>,
    },
    /// Logistic regression for classes, ridge regression for numbers.
    Linear {
        /// Weight of the squared coefficients beside the sum of losses, above 0; columns are
        /// standardised.
        penalty: f64,
    },
    /// A network with one hidden layer.
    Mlp {
        /// Units of the hidden layer.
        hidden: usize,
        /// Passes over the bag.
        epochs: usize,
    },
}

impl Default for Learner {
    fn default() -> Self {
        Learner::Tree {
            candidates: Candidates::Root,
            depth: None,
        }
    }
}

/// All settings of a valuation; the defaults are the paper's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// What is fitted.
    pub learner: Learner,
    /// Number of learners.
    pub learners: u32,
    /// Share of the columns that a learner sees, in (0, 1].
    pub ratio: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Number of threads; all cores without. It changes no value.
    pub threads: Option<usize>,
    /// What is averaged.
    pub score: Score,
    /// Bins of a numeric column, 3 to 65,536: columns of no more different numbers are split
    /// exactly.
    pub bins: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            learner: Learner::default(),
            learners: 1000,
            ratio: 0.5,
            seed: 0,
            threads: None,
            score: Score::Plain,
            bins: MOST_RANKS,
        }
    }
}

/// Beyond these, a number is a slip of the keyboard; memory or time end long before.
const MOST_LEARNERS: u32 = 10_000_000;
const MOST_HIDDEN: usize = 1 << 20;
const MOST_EPOCHS: usize = 1_000_000;

/// More threads than any machine has cores are a slip of the keyboard.
const MOST_THREADS: usize = 1024;

impl Settings {
    /// Says what is out of range.
    ///
    /// # Errors
    /// The first setting that is.
    pub fn check(&self) -> Result<(), ValueError> {
        let wrong = |text: String| Err(ValueError::Setting(text));
        if self.learners == 0 {
            return wrong(
                "--learners is 0; give at least 1, some hundreds for useful values".into(),
            );
        }
        if self.learners > MOST_LEARNERS {
            return wrong(format!(
                "--learners is {}; give at most {MOST_LEARNERS}",
                self.learners
            ));
        }
        if !(self.ratio > 0.0 && self.ratio <= 1.0) {
            return wrong(format!(
                "--ratio is {}; it is the share of the columns that a learner sees, above 0 and at \
                 most 1",
                self.ratio
            ));
        }
        if self.threads == Some(0) {
            return wrong("--threads is 0; give at least 1, or leave it out for all cores".into());
        }
        if let Some(threads) = self.threads.filter(|threads| *threads > MOST_THREADS) {
            return wrong(format!(
                "--threads is {threads}; give at most {MOST_THREADS}"
            ));
        }
        if !(3..=MOST_RANKS).contains(&self.bins) {
            return wrong(format!(
                "--bins is {}; it must be from 3 to {MOST_RANKS}",
                self.bins
            ));
        }
        match self.learner {
            Learner::Tree { depth: Some(0), .. } => {
                wrong("--max-depth is 0; a tree without a cut learns nothing".into())
            }
            Learner::Tree {
                candidates: Candidates::Count(0),
                ..
            } => wrong("--max-features is 0; give at least 1, `sqrt` or `all`".into()),
            Learner::Linear { penalty } if !(penalty > 0.0 && penalty.is_finite()) => wrong(
                format!("--penalty is {penalty}; it must be above 0, as in --penalty 1"),
            ),
            Learner::Mlp { hidden: 0, .. } => wrong("--hidden is 0; give at least 1".into()),
            Learner::Mlp { epochs: 0, .. } => wrong("--epochs is 0; give at least 1".into()),
            Learner::Mlp { hidden, .. } if hidden > MOST_HIDDEN => {
                wrong(format!("--hidden is {hidden}; give at most {MOST_HIDDEN}"))
            }
            Learner::Mlp { epochs, .. } if epochs > MOST_EPOCHS => {
                wrong(format!("--epochs is {epochs}; give at most {MOST_EPOCHS}"))
            }
            _ => Ok(()),
        }
    }

    /// Whether rows are needed as standardised numbers, beside ranks.
    pub(crate) fn is_dense(&self) -> bool {
        !matches!(self.learner, Learner::Tree { .. }) || self.score == Score::Distance
    }

    /// Number of columns that a learner sees of `usable`: the nearest whole number to ratio ·
    /// usable (of two, the even one, as the official code rounds), at least 1.
    pub fn subset_size(&self, usable: usize) -> usize {
        ((self.ratio * usable as f64).round_ties_even() as usize).clamp(1, usable.max(1))
    }
}
