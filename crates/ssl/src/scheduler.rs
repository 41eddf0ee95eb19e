//! A pure function of the step as a learning rate scheduler of burn.

use std::fmt;
use std::sync::Arc;

use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;

use crate::schedule::Schedule;

const STEP: &str = "step";

/// Hands burn's `Learner` the rates of a pure function; the step is its whole state and record.
///
/// # Examples
/// ```
/// use afterimage_ssl::{Schedule, StepScheduler};
/// use burn::lr_scheduler::LrScheduler;
/// let schedule = Schedule { peak: 2.0, warmup_steps: 2, total_steps: 10, floor: 0.0 };
/// let mut scheduler = StepScheduler::from(schedule);
/// assert_eq!((scheduler.step(), scheduler.step()), (1.0, 2.0));
/// ```
#[derive(Clone)]
pub struct StepScheduler {
    rate: Arc<dyn Fn(u64) -> f64 + Send + Sync>,
    step: u64,
}

impl StepScheduler {
    /// Schedules `rate`, called with the step under way, counted from 1.
    pub fn new(rate: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Self {
        Self {
            rate: Arc::new(rate),
            step: 0,
        }
    }
}

impl From<Schedule> for StepScheduler {
    fn from(schedule: Schedule) -> Self {
        Self::new(move |step| schedule.at(step))
    }
}

impl fmt::Debug for StepScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepScheduler")
            .field(STEP, &self.step)
            .finish_non_exhaustive()
    }
}

impl LrScheduler for StepScheduler {
    fn step(&mut self) -> LearningRate {
        self.step += 1;
        (self.rate)(self.step)
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar(STEP, self.step)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(step) = record.scalar(STEP) {
            self.step = step;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

    use super::*;

    #[test]
    fn a_record_brings_the_step_back_through_burns_own_wrapper() {
        let schedule = Schedule {
            peak: 4.8,
            warmup_steps: 3,
            total_steps: 20,
            floor: 0.1,
        };
        let mut straight = ModuleLrScheduler::from(StepScheduler::from(schedule));
        let rates: Vec<f64> = (0..7).map(|_| straight.step().base()).collect();
        assert_eq!(
            rates,
            (1..=7).map(|step| schedule.at(step)).collect::<Vec<_>>()
        );

        let bytes = straight.to_record().into_bytes().unwrap();
        let record = LrSchedulerRecord::from_bytes(bytes).unwrap();
        let mut resumed =
            ModuleLrScheduler::from(StepScheduler::from(schedule)).load_record(record);
        for step in 8..=20 {
            assert_eq!(resumed.step().base(), schedule.at(step));
        }
    }
}
