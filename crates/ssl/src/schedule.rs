//! The learning rate as a pure function of the step.

use serde::{Deserialize, Serialize};

use crate::error::{Rules, SslError};

/// Linear warm-up to the peak, then half a cosine down to the floor.
///
/// Any peak is allowed, also above 1: LARS recipes for large batches use up to 4.8.
///
/// # Examples
/// ```
/// use afterimage_ssl::Schedule;
/// let schedule = Schedule { peak: 4.8, warmup_steps: 10, total_steps: 110, floor: 0.0 };
/// assert_eq!(schedule.at(5), 2.4);
/// assert_eq!(schedule.at(10), 4.8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The highest rate.
    pub peak: f64,
    /// Steps of warm-up; the last of them has the peak. 0 means none.
    pub warmup_steps: u64,
    /// Steps of the run.
    pub total_steps: u64,
    /// The rate that the cosine ends at, at most the peak.
    pub floor: f64,
}

impl Schedule {
    /// The rate of optimizer step `step`, counted from 1 as the run's clock does.
    ///
    /// The cosine reaches the floor one step after the last, so that no step of the run is spent at
    /// a rate of 0; beyond, the floor stays. Step 0 is before training: 0 with a warm-up, the peak
    /// without.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step as f64 / self.warmup_steps as f64);
        }
        let summit = self.warmup_steps.max(1);
        let past = step.saturating_sub(summit);
        let span = (self.total_steps + 1).saturating_sub(summit);
        if past == 0 {
            return self.peak;
        }
        if past >= span {
            return self.floor;
        }
        let fall = 0.5 * (1.0 + (std::f64::consts::PI * past as f64 / span as f64).cos());
        // As a mix of both ends and not as floor + rest · fall, whose rounding can leave the range.
        (self.floor * (1.0 - fall) + self.peak * fall).clamp(self.floor, self.peak)
    }
}

/// Settings of a [`Schedule`], in epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// The highest rate, above 0; it may exceed 1.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub peak: f64,
    /// Epochs of warm-up, fractions allowed; default 0.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub warmup_epochs: f64,
    /// The rate at the end, from 0 to the peak; default 0.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub floor: f64,
}

impl ScheduleConfig {
    /// The schedule of a run of `epochs` epochs with `steps_per_epoch` optimizer steps each.
    ///
    /// # Errors
    /// A setting out of range, a warm-up longer than the run, a run without steps.
    pub fn init(&self, steps_per_epoch: u64, epochs: u32) -> Result<Schedule, SslError> {
        if let Some(error) = self.problems().into_iter().next() {
            return Err(error);
        }
        let total_steps = steps_per_epoch * u64::from(epochs);
        if total_steps == 0 {
            return Err(SslError::NoSteps {
                epochs,
                steps_per_epoch,
            });
        }
        if self.warmup_epochs > f64::from(epochs) {
            return Err(SslError::WarmupTooLong {
                warmup_epochs: self.warmup_epochs,
                epochs,
            });
        }
        let warmup_steps = (self.warmup_epochs * steps_per_epoch as f64).round() as u64;
        Ok(Schedule {
            peak: self.peak,
            warmup_steps,
            total_steps,
            floor: self.floor,
        })
    }

    /// Every setting out of range; empty when the config can be used.
    pub fn problems(&self) -> Vec<SslError> {
        Rules::default()
            .positive("peak", self.peak)
            .not_negative("warmup_epochs", self.warmup_epochs)
            .require(
                (0.0..=self.peak).contains(&self.floor),
                "floor",
                self.floor,
                "it must be at least 0 and at most `peak`",
            )
            .broken()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn schedules()(total_steps in 1u64..400, peak in 1e-4f64..50.0)(
            warmup_steps in 0..=total_steps,
            share in 0.0f64..1.0,
            total_steps in Just(total_steps),
            peak in Just(peak),
        ) -> Schedule {
            Schedule { peak, warmup_steps, total_steps, floor: share * peak }
        }
    }

    proptest! {
        #[test]
        fn the_rate_stays_in_range_and_has_one_summit(schedule in schedules()) {
            let rates: Vec<f64> = (0..=schedule.total_steps + 5).map(|s| schedule.at(s)).collect();
            for (step, rate) in rates.iter().enumerate() {
                prop_assert!((0.0..=schedule.peak).contains(rate), "step {step}: {rate}");
            }
            let warmup = schedule.warmup_steps as usize;
            prop_assert!(rates[..=warmup].windows(2).all(|w| w[0] < w[1]));
            prop_assert!(rates[warmup..].windows(2).all(|w| w[0] >= w[1]));
        }

        #[test]
        fn the_ends_are_what_was_asked_for(schedule in schedules()) {
            let Schedule { peak, warmup_steps, total_steps, floor } = schedule;
            prop_assert_eq!(schedule.at(0), if warmup_steps == 0 { peak } else { 0.0 });
            prop_assert_eq!(schedule.at(warmup_steps.max(1)), peak);
            prop_assert_eq!(schedule.at(total_steps + 1), floor);
            prop_assert_eq!(schedule.at(u64::MAX), floor);
            prop_assert!(schedule.at(total_steps) > floor || floor == peak);
        }

        #[test]
        fn the_rate_never_jumps(schedule in schedules()) {
            let Schedule { peak, warmup_steps, total_steps, floor } = schedule;
            let rise = if warmup_steps == 0 { 0.0 } else { peak / warmup_steps as f64 };
            let span = (total_steps + 1 - warmup_steps.max(1)) as f64;
            let fall = (peak - floor) * (std::f64::consts::FRAC_PI_2 / span).min(1.0);
            for step in 0..total_steps + 3 {
                let jump = (schedule.at(step + 1) - schedule.at(step)).abs();
                prop_assert!(jump <= rise.max(fall) * (1.0 + 1e-9), "step {step}: {jump}");
            }
        }

        #[test]
        fn the_rate_scales_with_the_peak(schedule in schedules(), step in 0u64..500) {
            let Schedule { peak, floor, .. } = schedule;
            let thousandfold = Schedule { peak: 1024.0 * peak, floor: 1024.0 * floor, ..schedule };
            prop_assert_eq!(thousandfold.at(step), 1024.0 * schedule.at(step));
        }
    }

    #[test]
    fn half_way_down_is_the_mean_of_the_ends() {
        let schedule = Schedule {
            peak: 4.8,
            warmup_steps: 10,
            total_steps: 109,
            floor: 0.2,
        };
        assert!((schedule.at(60) - 2.5).abs() < 1e-12);
        assert!((schedule.at(35) - (0.2 + 4.6 * 0.853_553_390_593_273_8)).abs() < 1e-12);
    }

    #[test]
    fn epochs_become_steps() {
        let config: ScheduleConfig = toml::from_str("peak = 4.8\nwarmup_epochs = 2.5").unwrap();
        let schedule = config.init(10, 20).unwrap();
        assert_eq!(
            schedule,
            Schedule {
                peak: 4.8,
                warmup_steps: 25,
                total_steps: 200,
                floor: 0.0
            }
        );
        assert!(matches!(
            config.init(10, 2),
            Err(SslError::WarmupTooLong { .. })
        ));
        assert!(matches!(config.init(0, 5), Err(SslError::NoSteps { .. })));
        assert!(toml::from_str::<ScheduleConfig>("peak = 1.0\nwarmup = 3").is_err());
    }

    #[test]
    fn rates_without_a_meaning_are_refused() {
        for text in [
            "peak = 0.0",
            "peak = nan",
            "peak = 1.0\nfloor = 2.0",
            "peak = 1.0\nfloor = -0.1",
        ] {
            let config: ScheduleConfig = toml::from_str(text).unwrap();
            assert!(
                !config.problems().is_empty() && config.init(1, 1).is_err(),
                "{text}"
            );
        }
    }
}
