//! The answers that a sweep gives.

use std::collections::BTreeMap;

use serde::Serialize;

use super::statistics::{Difference, difference};
use super::{Comparison, Expects};
use crate::means::by_configuration;
use crate::results::{Results, Row};
use crate::standing::State;

/// An arm beside its control.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The comparison's name.
    pub compare: String,
    /// The arm's configuration.
    pub arm: String,
    /// The control's configuration; empty where the arm's own values are asked about.
    pub control: String,
    /// The scalar.
    pub metric: String,
    /// How many of the last epochs with it are averaged.
    #[serde(skip_serializing_if = "is_one")]
    pub last: u32,
    /// Its mean over the pairs, in the arm.
    pub arm_mean: Option<f64>,
    /// Its mean over the pairs, in the control.
    pub control_mean: Option<f64>,
    /// Seeds with which both are done.
    pub pairs: usize,
    /// Seeds of the sweep.
    pub seeds: usize,
    /// The mean of arm − control.
    pub difference: Option<f64>,
    /// Its 95 % t interval.
    pub t: Option<(f64, f64)>,
    /// Its 95 % bootstrap interval.
    pub bootstrap: Option<(f64, f64)>,
    /// `above`, `below`, `not told apart`; `–` without a pair.
    pub told: &'static str,
    /// What was expected, and whether it was met.
    pub expected: Option<(String, Outcome)>,
    /// Pairs whose value is older than the end of the run.
    pub earlier: usize,
    /// Whether the question was added or changed after the sweep was begun.
    pub asked_later: bool,
}

fn is_one(last: &u32) -> bool {
    *last == 1
}

/// Whether what was expected came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole interval says so.
    Met,
    /// The whole interval says the opposite.
    NotMet,
    /// The interval holds the threshold, or there are too few seeds for one.
    Undecided,
}

impl Outcome {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "not met",
            Self::Undecided => "undecided",
        }
    }

    fn of(expects: Expects, threshold: f64, interval: Option<(f64, f64)>) -> Self {
        let Some((low, high)) = interval else {
            return Self::Undecided;
        };
        let (met, opposite) = match expects {
            Expects::Above => (low > threshold, high < threshold),
            Expects::Below => (high < threshold, low > threshold),
            Expects::Within => (
                low > -threshold && high < threshold,
                low > threshold || high < -threshold,
            ),
        };
        match (met, opposite) {
            (true, _) => Self::Met,
            (_, true) => Self::NotMet,
            _ => Self::Undecided,
        }
    }
}

/// The answers to `comparisons`, from the trials that are done.
pub fn answers(comparisons: &[Comparison], results: &Results) -> Vec<Answer> {
    let rows: BTreeMap<&str, Vec<&Row>> = by_configuration(&results.rows).into_iter().collect();
    let mut all = Vec::new();
    for comparison in comparisons {
        for (arm, control) in &comparison.pairs {
            all.push(answer(comparison, arm, control, &rows));
        }
    }
    all
}

fn answer(
    comparison: &Comparison,
    arm: &str,
    control: &str,
    rows: &BTreeMap<&str, Vec<&Row>>,
) -> Answer {
    let of = |name: &str| rows.get(name).map_or(&[][..], Vec::as_slice);
    let value = |row: &Row| {
        let done = row.standing.state == State::Done;
        let value = match comparison.last {
            1 => row.metrics.get(&comparison.metric).copied().flatten(),
            last => row.tails.get(&(comparison.metric.clone(), last)).copied(),
        };
        value.filter(|value| done && value.is_finite())
    };
    let (arms, controls) = (of(arm), of(control));
    let mut pairs: Vec<(f64, f64)> = Vec::new();
    let mut earlier = 0;
    for row in arms {
        let old = |row: &Row| row.earlier.contains(&comparison.metric);
        if control.is_empty() {
            if let Some(value) = value(row) {
                pairs.push((value, 0.0));
                earlier += usize::from(old(row));
            }
            continue;
        }
        let Some(other) = controls.iter().find(|other| other.seed == row.seed) else {
            continue;
        };
        if let (Some(a), Some(b)) = (value(row), value(other)) {
            pairs.push((a, b));
            earlier += usize::from(old(row) || old(other));
        }
    }
    let mut answer = Answer::paired(
        [&comparison.name, arm, control, &comparison.metric],
        &pairs,
        arms.len(),
    );
    answer.last = comparison.last;
    answer.earlier = earlier;
    answer.expected = comparison.expects.map(|(expects, threshold)| {
        let outcome = Outcome::of(expects, threshold, answer.interval());
        (comparison.question().unwrap_or_default(), outcome)
    });
    answer
}

impl Answer {
    /// An arm beside its control by the values of both with the same seed; `seeds` is how many seeds the
    /// arm has, `names` are those of the question, the arm, the control and the scalar. The values are the last
    /// ones; nothing is expected, and no value is taken for an earlier one.
    pub fn paired(names: [&str; 4], pairs: &[(f64, f64)], seeds: usize) -> Self {
        let [compare, arm, control, metric] = names.map(str::to_owned);
        let mean = |of: fn(&(f64, f64)) -> f64| {
            let sum: f64 = pairs.iter().map(of).sum();
            (!pairs.is_empty()).then(|| sum / pairs.len() as f64)
        };
        let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
        let key = format!("{arm}\n{control}\n{metric}");
        let found: Option<Difference> = difference(&differences, &key);
        Self {
            compare,
            arm,
            control,
            metric,
            last: 1,
            arm_mean: mean(|pair| pair.0),
            control_mean: mean(|pair| pair.1),
            pairs: pairs.len(),
            seeds,
            difference: found.map(|found| found.mean),
            t: found.and_then(|found| found.t),
            bootstrap: found.and_then(|found| found.bootstrap),
            told: found.map_or("–", |found| found.told().words()),
            expected: None,
            earlier: 0,
            asked_later: false,
        }
    }

    /// The interval that decides: the one that both others lie in.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let found = Difference {
            pairs: self.pairs,
            mean: self.difference?,
            t: self.t,
            bootstrap: self.bootstrap,
        };
        found.interval()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_met_by_the_whole_interval_or_not() {
        let of = Outcome::of;
        assert_eq!(of(Expects::Above, 0.01, Some((0.02, 0.03))), Outcome::Met);
        assert_eq!(
            of(Expects::Above, 0.01, Some((0.0, 0.03))),
            Outcome::Undecided
        );
        assert_eq!(
            of(Expects::Above, 0.01, Some((-0.02, 0.005))),
            Outcome::NotMet
        );
        assert_eq!(
            of(Expects::Below, -0.01, Some((-0.05, -0.02))),
            Outcome::Met
        );
        assert_eq!(
            of(Expects::Within, 0.01, Some((-0.005, 0.005))),
            Outcome::Met
        );
        assert_eq!(
            of(Expects::Within, 0.01, Some((-0.005, 0.05))),
            Outcome::Undecided
        );
        assert_eq!(
            of(Expects::Within, 0.01, Some((0.02, 0.05))),
            Outcome::NotMet
        );
        assert_eq!(of(Expects::Above, 0.0, None), Outcome::Undecided);
    }
}
