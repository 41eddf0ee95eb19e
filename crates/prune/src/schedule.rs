//! How much is pruned by which epoch.

use serde::{Deserialize, Serialize};

/// The last epoch that a run can have.
const MOST_EPOCH: u32 = 1_000_000;

/// The share of the final fraction that is reached by an epoch: monotone, 0 before the schedule
/// begins, exactly 1 from its end on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Everything at the end of one epoch.
    OneShot {
        /// The epoch, from 1.
        epoch: u32,
    },
    /// As much in each step.
    Linear {
        /// The epoch of which the end has share 0.
        begin: u32,
        /// The epoch of the last step.
        end: u32,
        /// Epochs between steps; default 1.
        #[serde(default = "one")]
        every: u32,
    },
    /// Much early, little late: 1 − (1 − x)³ for the part x of the way.
    ///
    /// Source: Zhu & Gupta 2017 (arXiv 1710.01878), equation 1.
    Cubic {
        /// The epoch of which the end has share 0.
        begin: u32,
        /// The epoch of the last step.
        end: u32,
        /// Epochs between steps; default 1.
        #[serde(default = "one")]
        every: u32,
    },
    /// At the ends of these epochs.
    AtEpochs {
        /// Epochs from 1, ascending.
        epochs: Vec<u32>,
        /// Share reached at each, ascending; the last is 1.
        shares: Vec<f64>,
    },
}

fn one() -> u32 {
    1
}

/// A time at which something is pruned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The epoch, at whose end it is.
    pub epoch: u32,
    /// Share of the final fraction that is reached by it, over 0.
    pub share: f64,
}

impl Schedule {
    /// Why the schedule does not fit into a run of `epochs` epochs, if it does not.
    pub fn beyond(&self, epochs: u32) -> Option<String> {
        let steps = self.steps();
        let late = steps.iter().find(|step| step.epoch > epochs)?;
        Some(format!(
            "prunes after epoch {}, but the run has {epochs} epochs",
            late.epoch
        ))
    }

    /// Share of the final fraction that the schedule asks for by the end of `epoch`, in [0, 1].
    ///
    /// A step happens at the epochs of [`steps`](Self::steps) alone.
    pub fn share(&self, epoch: u32) -> f64 {
        match self {
            Self::OneShot { epoch: at } => f64::from(u8::from(epoch >= *at)),
            Self::Linear { begin, end, .. } => part(epoch, *begin, *end),
            Self::Cubic { begin, end, .. } => 1.0 - (1.0 - part(epoch, *begin, *end)).powi(3),
            Self::AtEpochs { epochs, shares } => {
                let reached = epochs.iter().zip(shares).filter(|(at, _)| **at <= epoch);
                reached.map(|(_, share)| *share).fold(0.0, f64::max)
            }
        }
    }

    /// The steps in order; the last has share 1.
    pub fn steps(&self) -> Vec<Step> {
        let epochs: Vec<u32> = match self {
            Self::OneShot { epoch } => vec![*epoch],
            Self::Linear { begin, end, every } | Self::Cubic { begin, end, every } => {
                let every = usize::try_from((*every).max(1)).unwrap_or(usize::MAX);
                // Made before it is checked; what is beyond is refused.
                let within = (*begin..*end)
                    .step_by(every)
                    .skip(1)
                    .take(MOST_EPOCH as usize);
                within.chain([*end]).collect()
            }
            Self::AtEpochs { epochs, .. } => epochs.clone(),
        };
        let step = |epoch| Step {
            epoch,
            share: self.share(epoch),
        };
        let steps = epochs.into_iter().map(step);
        steps.filter(|step| step.share > 0.0).collect()
    }

    /// The step at the end of `epoch`, if there is one.
    pub fn step_at(&self, epoch: u32) -> Option<Step> {
        self.steps().into_iter().find(|step| step.epoch == epoch)
    }

    /// What is wrong with it, in a sentence.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::OneShot { epoch: 0 } => Some("epochs are counted from 1".to_owned()),
            Self::OneShot { epoch: end } | Self::Linear { end, .. } | Self::Cubic { end, .. }
                if *end > MOST_EPOCH =>
            {
                Some(format!(
                    "epoch {end} is too late; a run has at most {MOST_EPOCH}"
                ))
            }
            Self::OneShot { .. } => None,
            Self::Linear { begin, end, every } | Self::Cubic { begin, end, every } => {
                if begin >= end {
                    return Some(format!("`end = {end}` must be after `begin = {begin}`"));
                }
                (*every == 0).then(|| "`every` must be at least 1".to_owned())
            }
            Self::AtEpochs { epochs, shares } => {
                let ascends = epochs.windows(2).all(|pair| pair[0] < pair[1]);
                let grows = shares.windows(2).all(|pair| pair[0] < pair[1]);
                let fits = epochs.len() == shares.len() && !epochs.is_empty();
                let ends = shares.last() == Some(&1.0);
                let begins = epochs.first() != Some(&0) && shares.first().is_some_and(|s| *s > 0.0);
                (!(ascends && grows && fits && ends && begins)).then(|| {
                    "`epochs` and `shares` are two ascending lists of one length, the first from \
                     1, the second over 0 and up to 1, as in `epochs = [2, 4]`, `shares = [0.5, 1.0]`"
                        .to_owned()
                })
            }
        }
    }
}

/// How far `epoch` is from `begin` to `end`, in [0, 1].
fn part(epoch: u32, begin: u32, end: u32) -> f64 {
    if epoch >= end {
        return 1.0;
    }
    f64::from(epoch.saturating_sub(begin)) / f64::from(end.saturating_sub(begin).max(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn schedules() -> impl Strategy<Value = Schedule> {
        let span = (0u32..20, 1u32..30, 1u32..8);
        prop_oneof![
            (1u32..40).prop_map(|epoch| Schedule::OneShot { epoch }),
            span.clone()
                .prop_map(|(begin, length, every)| Schedule::Linear {
                    begin,
                    end: begin + length,
                    every
                }),
            span.prop_map(|(begin, length, every)| Schedule::Cubic {
                begin,
                end: begin + length,
                every
            }),
            prop::collection::btree_set(1u32..40, 1..6).prop_map(|epochs| {
                let count = epochs.len();
                Schedule::AtEpochs {
                    epochs: epochs.into_iter().collect(),
                    shares: (1..=count).map(|k| k as f64 / count as f64).collect(),
                }
            }),
        ]
    }

    proptest! {
        #[test]
        fn schedules_are_monotone_exact_at_both_ends_and_clamped_outside(schedule in schedules()) {
            prop_assert_eq!(schedule.problem(), None);
            let shares: Vec<f64> = (0..100).map(|epoch| schedule.share(epoch)).collect();
            prop_assert!(shares.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            prop_assert_eq!(shares[0], 0.0);
            let steps = schedule.steps();
            let last = steps.last().unwrap();
            prop_assert_eq!(last.share, 1.0);
            prop_assert!(shares[last.epoch as usize..].iter().all(|share| *share == 1.0));
            prop_assert!(steps.windows(2).all(|p| p[0].epoch < p[1].epoch && p[0].share <= p[1].share));
            for step in &steps {
                prop_assert_eq!(schedule.step_at(step.epoch), Some(*step));
                prop_assert_eq!(step.share, schedule.share(step.epoch));
            }
        }
    }

    #[test]
    fn the_cubic_is_that_of_the_paper() {
        let cubic = Schedule::Cubic {
            begin: 2,
            end: 10,
            every: 2,
        };
        let steps = cubic.steps();
        let epochs: Vec<u32> = steps.iter().map(|step| step.epoch).collect();
        assert_eq!(epochs, [4, 6, 8, 10]);
        // s_f + (s_i − s_f)(1 − (t − t0) / nΔt)³ with s_i = 0 and s_f = 1.
        for step in steps {
            let way = f64::from(step.epoch - 2) / 8.0;
            assert!((step.share - (1.0 - (1.0 - way).powi(3))).abs() < 1e-15);
        }
        assert_eq!(cubic.share(2), 0.0);
    }

    #[test]
    fn a_schedule_that_cannot_be_is_told() {
        for schedule in [
            Schedule::OneShot { epoch: 0 },
            Schedule::Linear {
                begin: 3,
                end: 3,
                every: 1,
            },
            Schedule::Cubic {
                begin: 1,
                end: 3,
                every: 0,
            },
            Schedule::AtEpochs {
                epochs: vec![2, 4],
                shares: vec![0.5, 0.9],
            },
            Schedule::AtEpochs {
                epochs: vec![4, 2],
                shares: vec![0.5, 1.0],
            },
            Schedule::AtEpochs {
                epochs: vec![],
                shares: vec![],
            },
            Schedule::AtEpochs {
                epochs: vec![1],
                shares: vec![f64::NAN],
            },
        ] {
            assert!(schedule.problem().is_some(), "{schedule:?}");
        }
    }
}
