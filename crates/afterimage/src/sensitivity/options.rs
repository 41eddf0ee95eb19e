//! What is studied.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use afterimage_prune::{Budget as Of, Direction, Score};

use super::error::SensitivityError;
use crate::probe::ProbeOptions;

/// Random draws of units.
const MOST_REPEATS: u32 = 1000;

/// What is masked and measured.
#[derive(Debug, Clone, PartialEq)]
pub struct SensitivityOptions {
    /// The encoder, its images, and the settings of the probe that UnitMem is measured by.
    pub subject: ProbeOptions,
    /// Globs over names of groups of units and of their sites; empty for all.
    pub sites: Vec<String>,
    /// Shares of the units of a site, ascending, each above 0 and below 1.
    pub fractions: Vec<f64>,
    /// What units are chosen by, beside random ones.
    pub scores: Vec<Score>,
    /// Which ends of the scores go.
    pub directions: Vec<Direction>,
    /// Random draws of as many units, 1 to 1000.
    pub repeats: u32,
    /// Whether forward passes of the smaller encoders are timed.
    pub latency: bool,
    /// The directory of the result, which must not hold anything; nothing is written without.
    pub out: Option<PathBuf>,
    /// A config for the plugin `prune` that is to be written.
    pub write: Option<(PathBuf, Budget)>,
}

impl SensitivityOptions {
    /// Checks what needs no encoder.
    pub(super) fn check(&self) -> Result<(), SensitivityError> {
        let ascend = self.fractions.windows(2).all(|pair| pair[0] < pair[1]);
        let shares = self.fractions.iter().all(|f| *f > 0.0 && *f < 1.0);
        if !(ascend && shares) || self.fractions.is_empty() {
            let words: Vec<String> = self.fractions.iter().map(f64::to_string).collect();
            return Err(SensitivityError::Fractions {
                given: words.join(","),
            });
        }
        if !(1..=MOST_REPEATS).contains(&self.repeats) {
            return Err(SensitivityError::Repeats {
                given: self.repeats,
            });
        }
        let twice =
            (1..self.scores.len()).find(|at| self.scores[..*at].contains(&self.scores[*at]));
        if let Some(at) = twice {
            return Err(SensitivityError::Twice {
                score: self.scores[at].word(),
            });
        }
        if let Some(score) = self.scores.iter().find(|score| score.of_layers()) {
            return Err(SensitivityError::Score {
                score: score.word(),
                plugin: score.provider(),
                reason:
                    "it is one number for all units of a layer, so that it chooses none of them"
                        .to_owned(),
                attach: false,
            });
        }
        let Some((path, _)) = &self.write else {
            return Ok(());
        };
        if path.exists() {
            return Err(SensitivityError::WriteExists { path: path.clone() });
        }
        match self.scores.iter().all(|score| *score == Score::Random) {
            true => Err(SensitivityError::NoScore),
            false => Ok(()),
        }
    }
}

/// What may be left of an encoder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Share that may be left, above 0 and below 1.
    pub share: f64,
    /// Of what.
    pub of: Of,
}

impl Budget {
    /// The word for what is counted.
    pub(super) fn what(self) -> &'static str {
        match self.of {
            Of::Units => "units",
            Of::Macs => "macs",
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the digits that a division leaves behind.
        let percent = (self.share * 1e8).round() / 1e6;
        write!(f, "{percent} % of {}", self.what())
    }
}

impl FromStr for Budget {
    type Err = SensitivityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || SensitivityError::BudgetText {
            given: text.to_owned(),
        };
        let (percent, rest) = text.split_once('%').ok_or_else(wrong)?;
        let share = percent.trim().parse::<f64>().map_err(|_| wrong())? / 100.0;
        let of = match rest.trim().strip_prefix("of").map(str::trim) {
            Some("macs" | "MACs") => Of::Macs,
            Some("units") => Of::Units,
            _ => return Err(wrong()),
        };
        (share > 0.0 && share < 1.0)
            .then_some(Self { share, of })
            .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_budget_goes_round() {
        for text in ["50 % of macs", "12.5 % of units", "35 % of units"] {
            let budget: Budget = text.parse().unwrap();
            assert_eq!(budget.to_string(), text);
        }
        assert_eq!("50% of MACs".parse::<Budget>().unwrap().share, 0.5);
        for wrong in [
            "",
            "50",
            "50 %",
            "50 % macs",
            "0 % of macs",
            "100 % of units",
            "x % of macs",
            "nan % of macs",
        ] {
            assert!(wrong.parse::<Budget>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn mistakes_are_told_before_anything_is_read() {
        let options = |change: &dyn Fn(&mut SensitivityOptions)| {
            let mut options = SensitivityOptions {
                subject: ProbeOptions::default(),
                sites: Vec::new(),
                fractions: vec![0.1, 0.5],
                scores: vec![Score::Magnitude],
                directions: vec![Direction::Lowest],
                repeats: 2,
                latency: false,
                out: None,
                write: None,
            };
            change(&mut options);
            options.check()
        };
        assert_eq!(options(&|_| {}), Ok(()));
        for fractions in [
            vec![],
            vec![0.5, 0.1],
            vec![0.1, 1.0],
            vec![0.0],
            vec![f64::NAN],
        ] {
            let told = options(&|o| o.fractions.clone_from(&fractions));
            assert!(
                matches!(told, Err(SensitivityError::Fractions { .. })),
                "{fractions:?}"
            );
        }
        assert!(matches!(
            options(&|o| o.repeats = 0),
            Err(SensitivityError::Repeats { .. })
        ));
        let told = options(&|o| o.scores = vec![Score::Layermem])
            .unwrap_err()
            .to_string();
        assert!(
            told.contains("`layermem`") && told.contains("chooses none"),
            "{told}"
        );
        let told = options(&|o| o.scores = vec![Score::Magnitude; 2]);
        assert_eq!(told, Err(SensitivityError::Twice { score: "magnitude" }));
        let budget: Budget = "50 % of macs".parse().unwrap();
        let told = options(&|o| {
            o.scores = vec![Score::Random];
            o.write = Some(("nowhere.toml".into(), budget));
        });
        assert_eq!(told, Err(SensitivityError::NoScore));
        let told = options(&|o| o.write = Some((".".into(), budget)));
        assert!(matches!(told, Err(SensitivityError::WriteExists { .. })));
    }
}
