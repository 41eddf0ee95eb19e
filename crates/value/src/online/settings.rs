//! Settings of an online bank.

use serde::{Deserialize, Serialize};

use crate::error::ValueError;

/// How an online bank looks and learns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OnlineSettings {
    /// Seed of bags, masks and initial weights.
    pub seed: u64,
    /// Heads; even, at least 4, so that each half has some.
    pub heads: usize,
    /// Hidden units of a head.
    pub hidden: usize,
    /// Share of the cells that a head sees in a step, above 0 and at most 1.
    pub ratio: f64,
    /// Learning rate of Adam.
    pub rate: f64,
    /// Whether a score is the probability of the label (soft), or 1 if it is the largest (hard).
    pub soft: bool,
    /// Samples whose cell values by the two halves of the bank are compared.
    pub watched: usize,
}

impl Default for OnlineSettings {
    fn default() -> Self {
        Self {
            seed: 0,
            heads: 32,
            hidden: 32,
            ratio: 0.5,
            rate: 0.005,
            soft: true,
            watched: 512,
        }
    }
}

impl OnlineSettings {
    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut check = |right: bool, key, what: &str| {
            if !right {
                problems.push((key, what.to_owned()));
            }
        };
        check(
            (4..=1024).contains(&self.heads) && self.heads.is_multiple_of(2),
            "heads",
            "must be even, from 4 to 1024: half of them is compared with the other half",
        );
        check(
            (1..=1024).contains(&self.hidden),
            "hidden",
            "must be from 1 to 1024",
        );
        check(
            self.ratio > 0.0 && self.ratio <= 1.0,
            "ratio",
            "must be above 0 and at most 1",
        );
        check(
            self.rate > 0.0 && self.rate.is_finite(),
            "rate",
            "must be above 0",
        );
        check(
            self.watched >= 2,
            "watched",
            "must be at least 2: they are correlated",
        );
        problems
    }

    /// As [`problems`](Self::problems), as an error.
    pub(crate) fn check(&self) -> Result<(), ValueError> {
        match self.problems().into_iter().next() {
            None => Ok(()),
            Some((key, what)) => Err(ValueError::Setting(format!("{key} {what}"))),
        }
    }

    /// Number of cells that a head sees of `cells`: the nearest whole number, at least 1.
    pub fn subset_size(&self, cells: usize) -> usize {
        ((self.ratio * cells as f64).round_ties_even() as usize).clamp(1, cells.max(1))
    }
}
