//! Comparisons that a sweep is made for: arms beside a control, paired by seed.

mod choose;
mod report;
mod statistics;

use afterimage_config::Report;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::config::Keys;

pub use report::{Answer, Outcome, answers};
pub use statistics::{Difference, Told, difference};

pub(crate) use choose::comparisons;
pub(crate) use statistics::interval;

/// A question that a sweep answers: how much more of a metric arms have than their control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// What it is called in tables.
    pub name: String,
    /// A scalar of the runs; default: what the arms' stage is judged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// What all arms have: `stage`, `arm` and keys of the config with their values.
    #[serde(default, rename = "where")]
    #[schemars(with = "Keys")]
    pub among: Table,
    /// The arms, by name or by keys; default: all configurations that have what `where` says, but for
    /// the control itself.
    #[serde(default)]
    pub arms: Vec<Choice>,
    /// What the control has in place of what the arm has; all else is as in the arm. Without it the arms' own
    /// values are asked about, as if a control had 0: for metrics that are differences themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Choice>,
    /// How many of the last epochs that the metric was measured in are averaged; default 1, its last value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub last: Option<u32>,
    /// What is expected of the difference; nothing unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expects: Option<Expects>,
    /// The number that the difference is held against; default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// Configurations by the name of an arm, or by what they have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Choice {
    /// The name of an arm.
    Arm(String),
    /// `stage`, `arm` and keys of the config with their values.
    Keys(#[schemars(with = "Keys")] Table),
}

/// What is expected of the difference between an arm and its control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expects {
    /// More than the threshold.
    Above,
    /// Less than the threshold.
    Below,
    /// Nearer to 0 than the threshold.
    Within,
}

/// A comparison of a plan: which configurations it compares.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What it is called.
    pub name: String,
    /// The scalar.
    pub metric: String,
    /// What is expected, and the threshold.
    pub expects: Option<(Expects, f64)>,
    /// How many of the last epochs with the scalar are averaged.
    pub last: u32,
    /// Names of configurations: arm and control, which is empty where the arm's own values are asked about.
    pub pairs: Vec<(String, String)>,
}

impl Comparison {
    /// The question in words, as in `expected above 0.01`; none where nothing is expected.
    pub fn question(&self) -> Option<String> {
        self.expects.map(|(expects, threshold)| match expects {
            Expects::Above => format!("expected above {threshold}"),
            Expects::Below => format!("expected below {threshold}"),
            Expects::Within => format!("expected within ±{threshold}"),
        })
    }
}

/// Checks what can be said without knowing the trials.
pub(crate) fn validate(all: &[Compare], report: &mut Report<'_>) {
    for (index, one) in all.iter().enumerate() {
        let at = format!("compare[{index}]");
        report.check(!one.name.trim().is_empty(), &format!("{at}.name"), || {
            "say what is compared".to_owned()
        });
        report.check(
            all[..index].iter().all(|other| other.name != one.name),
            &format!("{at}.name"),
            || format!("two comparisons are named {:?}", one.name),
        );
        report.check(one.last != Some(0), &format!("{at}.last"), || {
            "must be at least 1".to_owned()
        });
        let threshold = format!("{at}.threshold");
        match (one.expects, one.threshold) {
            (None, Some(_)) => report.error(
                &threshold,
                "a threshold belongs to what is expected; give `expects`, too",
            ),
            (_, Some(x)) if !x.is_finite() => report.error(&threshold, "must be a finite number"),
            (Some(Expects::Within), given) => {
                report.check(given.is_some_and(|x| x > 0.0), &threshold, || {
                    "must be above 0 where the difference is expected within it".to_owned()
                });
            }
            _ => {}
        }
    }
}
