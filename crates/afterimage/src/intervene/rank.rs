//! What units are ranked by.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A score of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnitRank {
    /// UnitMem on training points.
    Unitmem,
    /// UnitMem on training points less that on as many held-out points.
    UnitmemExcess,
    /// How far the largest answer to a set of training points lies above the largest to as many
    /// held-out points: (a − b) / (a + b).
    Ownership,
    /// LayerMem of the unit's layer on candidates, the same for all its units.
    Layermem,
    /// What the unit's layer adds to LayerMem, the same for all its units; the first layer adds all that
    /// it has.
    LayermemDelta,
    /// Norm of the weights that make the unit.
    Magnitude,
    /// How much the loss would change without the unit, to first order.
    Taylor,
    /// Mean activation on training points.
    ActivationMean,
    /// A random number.
    Random,
}

impl UnitRank {
    /// All of them with their words.
    pub const ALL: [(&str, Self); 9] = [
        ("unitmem", Self::Unitmem),
        ("unitmem-excess", Self::UnitmemExcess),
        ("ownership", Self::Ownership),
        ("layermem", Self::Layermem),
        ("layermem-delta", Self::LayermemDelta),
        ("magnitude", Self::Magnitude),
        ("taylor", Self::Taylor),
        ("activation-mean", Self::ActivationMean),
        ("random", Self::Random),
    ];

    /// Whether all units of a layer have one score.
    pub(super) fn of_layers(self) -> bool {
        matches!(self, Self::Layermem | Self::LayermemDelta)
    }
}

/// Which end of a score is held at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// The highest.
    Top,
    /// The lowest; dead units first.
    Low,
}

/// A score and which end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranked {
    /// The score.
    pub rank: UnitRank,
    /// The end; what holds for all scores where none is named.
    pub which: Option<Which>,
}

impl FromStr for Ranked {
    type Err = String;

    /// `SCORE`, `SCORE:top` or `SCORE:low`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, which) = match text.split_once(':') {
            Some((name, "top")) => (name, Some(Which::Top)),
            Some((name, "low")) => (name, Some(Which::Low)),
            Some((_, end)) => return Err(format!("`{end}` is none of top, low")),
            None => (text, None),
        };
        let mut all = UnitRank::ALL.into_iter();
        let rank = all.find(|(word, _)| *word == name).map(|(_, rank)| rank);
        rank.map(|rank| Self { rank, which }).ok_or_else(|| {
            let words = UnitRank::ALL.map(|(word, _)| word).join(", ");
            format!("`{name}` is none of {words}")
        })
    }
}

impl fmt::Display for UnitRank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Self::ALL.iter();
        f.write_str(
            all.find(|(_, rank)| rank == self)
                .map_or("", |(word, _)| word),
        )
    }
}

impl Serialize for UnitRank {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Top => "top",
            Self::Low => "low",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_score_is_known_by_its_word_and_may_name_an_end() {
        for (word, rank) in UnitRank::ALL {
            assert_eq!(rank.to_string(), word);
            assert_eq!(
                word.parse::<Ranked>().unwrap(),
                Ranked { rank, which: None }
            );
            let low: Ranked = format!("{word}:low").parse().unwrap();
            assert_eq!(low.which, Some(Which::Low));
        }
        assert!(
            "magnitude:up"
                .parse::<Ranked>()
                .unwrap_err()
                .contains("top, low")
        );
        assert!("size".parse::<Ranked>().unwrap_err().contains("magnitude"));
    }
}
