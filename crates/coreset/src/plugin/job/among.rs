//! A choice out of some of the samples, which looks at nothing that an encoder makes of them.

use super::super::selection::CoresetSelection;
use super::{Job, nowhere};
use crate::error::CoresetError;
use crate::evidence::Evidence;
use crate::partition::Partition;
use crate::select::Selection;

impl Job {
    /// Chooses `fraction` of `members`, ids in ascending order, by the scores of these samples or at
    /// random.
    ///
    /// # Errors
    /// As for [`Selection::plan`], and scores that cannot be read.
    pub(super) fn among(&self, members: &[usize]) -> Result<CoresetSelection, CoresetError> {
        let points = nowhere(members.len())?;
        let all = self.memorization()?;
        let scores: Option<Vec<f64>> = all
            .as_ref()
            .as_ref()
            .map(|scores| members.iter().map(|id| scores[*id]).collect());
        let evidence = Evidence {
            memorization: scores.as_deref(),
            ..Evidence::of(&points)
        };
        let coreset = Selection::plan(evidence, self.settings(Partition::None))?.run()?;
        let id = |place: &usize| members[*place] as u32;
        Ok(CoresetSelection {
            chosen_at: self.epoch,
            ids: coreset.indices.iter().map(id).collect(),
            weights: vec![1.0; coreset.indices.len()],
            cost: f64::NAN,
            separation: f64::NAN,
            ..CoresetSelection::default()
        })
    }
}
