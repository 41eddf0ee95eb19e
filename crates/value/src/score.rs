//! T: how well a learner does on a row that it has not seen.

/// What is averaged over the learners that have not seen a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Score {
    /// 1 where the predicted class is the label, 0 elsewhere; for numbers −((y − ŷ)/σ)², with σ the
    /// standard deviation of the labels (arXiv 2410.18814, section 3).
    #[default]
    Plain,
    /// The probability that the learner gives to the label; for numbers as [`Score::Plain`].
    Soft,
    /// [`Score::Plain`] plus the normalised negative distance of the row from its class's mean in
    /// the bag, the term of the paper's experiments on cell outliers (appendix A.2). It finds cells
    /// that lie far out and hides label errors.
    Distance,
}

/// The part of a [`Score`] that is read off a classifier's prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClassScore {
    Hit,
    Probability,
}

impl ClassScore {
    /// The score of a row whose label is the predicted class or not, and has the probability
    /// `share`.
    #[inline]
    pub fn of(self, hit: bool, share: f64) -> f32 {
        match self {
            ClassScore::Hit => f32::from(u8::from(hit)),
            ClassScore::Probability => share as f32,
        }
    }
}

impl From<Score> for ClassScore {
    fn from(score: Score) -> Self {
        match score {
            Score::Plain | Score::Distance => ClassScore::Hit,
            Score::Soft => ClassScore::Probability,
        }
    }
}
