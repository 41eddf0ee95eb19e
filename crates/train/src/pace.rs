//! How fast the schedule and the clock run where a plan has other steps than an epoch over all samples.

use burn::train::LearnerModel;

use crate::training::Training;

impl<M: LearnerModel> Training<M> {
    /// Batches of an epoch over all samples, each as often as it is planted, and of the epoch under way;
    /// none where burn's loader hands them out.
    fn full_and_planned(&self) -> Option<(usize, usize)> {
        self.parts.feed.as_ref()?;
        let batch = self.parts.batch_size.max(1);
        let full = self.parts.planned() / batch;
        Some((full, self.samples_in_epoch() / batch))
    }

    /// Steps that the schedule takes in the step under way. A shorter epoch takes it as far as one over
    /// all samples, so that the last step of the run has the last rate, whoever plans, and whenever.
    pub(crate) fn schedule_steps(&self, batches_done: usize) -> usize {
        self.full_and_planned()
            .map_or(1, |(full, planned)| steps_at(full, planned, batches_done))
    }

    /// Counts the steps of the run anew, as if all epochs to come were as long as the one that begins.
    pub(crate) fn count_steps(&mut self) {
        if let Some((_, planned)) = self.full_and_planned() {
            let clock = &mut self.state.clock;
            let left = u64::from(clock.epochs.saturating_sub(clock.epoch)) + 1;
            let steps = clock.step + planned as u64 * left;
            // From the first epoch of another length on, the clock says where each began.
            if clock.epoch_began.is_some() || steps != clock.steps {
                clock.epoch_began = Some(clock.step);
            }
            clock.steps = steps;
        }
    }
}

/// Steps of the schedule that batch `done` of `planned` stands for, counted from 0, where an epoch has
/// `full` of them.
pub(crate) fn steps_at(full: usize, planned: usize, done: usize) -> usize {
    if planned == 0 || planned >= full {
        return 1;
    }
    let reached = |batches: usize| (batches as u128 * full as u128 / planned as u128) as usize;
    reached(done + 1) - reached(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_epoch_takes_the_schedule_as_far_as_a_full_one() {
        for (full, planned) in [(10, 10), (10, 5), (10, 3), (7, 4), (1000, 999), (9, 1)] {
            let steps: Vec<usize> = (0..planned).map(|at| steps_at(full, planned, at)).collect();
            assert_eq!(steps.iter().sum::<usize>(), full, "{full} {planned}");
            assert!(steps.iter().all(|steps| *steps >= 1), "{steps:?}");
        }
        assert_eq!(steps_at(10, 20, 3), 1);
        assert_eq!(steps_at(10, 0, 0), 1);
    }
}
