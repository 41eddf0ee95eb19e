//! The reference encoder of a run, as the config asks for it.

use afterimage_hooks::{PairChoice, PairSets};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::RunError;

/// A reference encoder, trained beside the encoder under study with the same initial parameters,
/// order and view seeds, but with independent points in the places of the candidates. A step then
/// costs twice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairConfig {
    /// Training images that the encoder under study alone sees, and as many that its reference
    /// alone sees; fewer than half of the training images.
    pub candidates: Candidates,
    /// `random`, by the seed (the default), or `last`: the last ones in file order, as in the
    /// authors' code.
    #[serde(default)]
    pub choice: PairChoice,
}

impl PairConfig {
    /// The sets of points out of `samples` training images.
    ///
    /// # Errors
    /// More candidates than the data set has room for.
    pub fn sets(self, samples: usize, seed: u64) -> Result<PairSets, RunError> {
        PairSets::choose(samples, self.candidates.of(samples), self.choice, seed)
            .map_err(RunError::Pair)
    }
}

/// How many candidates there are: a whole number, or below 1 a share of the training images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidates(f64);

impl Candidates {
    /// What is wrong with the number; `None` if nothing.
    pub(crate) fn problem(self) -> Option<String> {
        let fits = match self.0 {
            share if share < 1.0 => share > 0.0 && share < 0.5,
            count => count.fract() == 0.0 && count <= f64::from(u32::MAX),
        };
        (!fits).then(|| {
            "must be a whole number, at least 1, or a share of the training images above 0 and below \
             0.5"
                .to_owned()
        })
    }

    /// The number out of `samples` training images, at least 1.
    fn of(self, samples: usize) -> usize {
        match self.0 {
            // Without the addend 0.29 of 100 is 28, because the product is less than 29 by its last bit.
            share if share < 1.0 => ((share * samples as f64 + 1e-9) as usize).max(1),
            count => count as usize,
        }
    }
}

impl From<usize> for Candidates {
    fn from(count: usize) -> Self {
        Self(count as f64)
    }
}

impl<'de> Deserialize<'de> for Candidates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self)
    }
}

impl schemars::JsonSchema for Candidates {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Candidates".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": u32::MAX },
                { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5 },
            ],
            "x-words": "whole number, at least 1, or a share below 0.5",
        })
    }
}

impl Serialize for Candidates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            share if share < 1.0 => serializer.serialize_f64(share),
            count => serializer.serialize_u64(count as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn candidates_are_a_number_or_a_share() {
        let read = |text: &str| serde_json::from_str::<Candidates>(text).unwrap();
        for (text, samples, count) in [
            ("190", 400, 190),
            ("0.475", 400, 190),
            ("0.01", 10, 1),
            ("0.29", 100, 29),
            ("0.295", 100, 29),
        ] {
            let candidates = read(text);
            assert_eq!(candidates.problem(), None, "{text}");
            assert_eq!(candidates.of(samples), count, "{text}");
            assert_eq!(serde_json::to_string(&candidates).unwrap(), text);
        }
        for text in ["0", "-3", "0.5", "1.5", "1e300"] {
            assert!(read(text).problem().is_some(), "{text}");
        }
        assert!(serde_json::from_str::<Candidates>("\"many\"").is_err());
    }
}
