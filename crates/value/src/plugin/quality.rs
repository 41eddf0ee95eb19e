//! The plugin `value-quality`: how well values find labels that were made wrong on purpose.

use afterimage_hooks::{
    Declare, EpochEnd, EpochEndCx, Every, Fault, Plugin, PluginState, SampleValues, Split,
};
use serde::{Deserialize, Serialize};

use crate::precision::average_precision;

/// Settings of [`ValueQuality`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValueQualityConfig {
    /// At the end of which epochs it is measured; default every epoch.
    pub every: Every,
}

impl Default for ValueQualityConfig {
    fn default() -> Self {
        Self {
            every: Every::epochs::<1>(),
        }
    }
}

/// Measures the values of another plugin by the true labels, and changes nothing.
///
/// Scalars `value_quality/found` (the area under the curve of precision over recall of the wrong labels, lowest
/// values first), `value_quality/found_now` (the same by the scores alone that came since it was last
/// measured) and `value_quality/wrong` (the share of wrong labels, which values without meaning have). Without
/// wrong labels there are none of them.
#[derive(Debug)]
pub struct ValueQuality {
    config: ValueQualityConfig,
    before: Before,
}

/// What was known when it was last measured, by sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Before {
    sums: Vec<f64>,
    counts: Vec<u32>,
}

impl ValueQuality {
    /// A plugin with these settings.
    pub fn new(config: ValueQualityConfig) -> Self {
        Self {
            config,
            before: Before::default(),
        }
    }

    fn measure(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let samples = cx
            .samples
            .ok_or_else(|| Fault::new("this model's host shows no samples"))?;
        let Some(values) = cx.resource::<SampleValues>()?.cloned() else {
            return Ok(());
        };
        let (truth, given) = cx.truth_and_labels(samples, Split::Train)?;
        let labels = given.iter().zip(truth);
        let wrong: Vec<bool> = labels.map(|(given, truth)| given != truth).collect();
        let (so_far, now) = self.doubts(&values);
        let found = |doubts: &[Option<f64>]| {
            let known = doubts.iter().zip(&wrong);
            let known = known.filter_map(|(doubt, wrong)| Some(((*doubt)?, *wrong)));
            let (doubts, wrong): (Vec<f64>, Vec<bool>) = known.unzip();
            average_precision(&doubts, &wrong)
        };
        let figures = [("found", found(&so_far)), ("found_now", found(&now))];
        let count = wrong.iter().filter(|wrong| **wrong).count();
        if count > 0 {
            cx.scalar("value_quality/wrong", count as f64 / wrong.len() as f64);
        }
        for (name, figure) in figures {
            if let Some(figure) = figure {
                cx.scalar(format!("value_quality/{name}"), figure);
            }
        }
        Ok(())
    }

    /// The doubt in each label by all scores so far, and by those alone that came since the last time: the value
    /// with its sign turned; none without a score.
    fn doubts(&mut self, values: &SampleValues) -> (Vec<Option<f64>>, Vec<Option<f64>>) {
        let scored = values.values.iter().zip(&values.counts);
        let sums: Vec<f64> = scored
            .map(|(value, count)| match count {
                0 => 0.0,
                count => f64::from(*value) * f64::from(*count),
            })
            .collect();
        let before = std::mem::replace(
            &mut self.before,
            Before {
                sums: sums.clone(),
                counts: values.counts.clone(),
            },
        );
        let of = |sum: f64, count: u32| (count > 0).then(|| -sum / f64::from(count));
        let each = || sums.iter().copied().zip(values.counts.iter().copied());
        let so_far = each().map(|(sum, count)| of(sum, count)).collect();
        let now = each().enumerate().map(|(id, (sum, count))| {
            let earlier = before.sums.get(id).copied().unwrap_or(0.0);
            let counted = before.counts.get(id).copied().unwrap_or(0);
            of(sum - earlier, count.saturating_sub(counted))
        });
        (so_far, now.collect())
    }
}

impl Plugin for ValueQuality {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<EpochEnd>(self.config.every, Self::measure)
            .reads::<SampleValues>()
            .reads_labels()
            .reads_truth();
    }

    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(1, &self.before)
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.before = state.decode(1)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scores_of_an_epoch_are_told_from_those_before() {
        let values = |values: &[f32], counts: &[u32]| SampleValues {
            epoch: 1,
            step: 1,
            values: values.to_vec(),
            standard_errors: vec![0.0; values.len()],
            counts: counts.to_vec(),
            clean: vec![0.5; values.len()],
        };
        let mut plugin = ValueQuality::new(ValueQualityConfig::default());
        let first = values(&[1.0, 0.5, f32::NAN], &[2, 2, 0]);
        let (so_far, now) = plugin.doubts(&first);
        assert_eq!(so_far, [Some(-1.0), Some(-0.5), None]);
        assert_eq!(now, so_far);
        // Of the first one's four scores two came now: 4 · 0.75 less 2 · 1.0 is 2 · 0.5.
        let second = values(&[0.75, 0.5, 0.25], &[4, 2, 1]);
        let (so_far, now) = plugin.doubts(&second);
        assert_eq!(so_far, [Some(-0.75), Some(-0.5), Some(-0.25)]);
        assert_eq!(now, [Some(-0.5), None, Some(-0.25)]);
    }
}
