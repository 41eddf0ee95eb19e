//! What counts as a unit's activation.

use std::fmt;

use afterimage_hooks::{Reduce, SiteKind, TapMode, TapSpec};
use serde::{Deserialize, Serialize};

/// The map applied to every position of a feature map before the mean over positions.
///
/// UnitMem is a ratio in [0, 1] for activations of at least 0 only. After a rectifier `Raw` is the
/// paper's definition; at a convolution or a normalisation choose `Relu` or `Abs`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ActMap {
    /// The activation as it is; units with a negative mean have no score.
    #[default]
    Raw,
    /// max(a, 0).
    Relu,
    /// |a|.
    Abs,
}

impl fmt::Display for ActMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Relu => "relu",
            Self::Abs => "abs",
        })
    }
}

impl ActMap {
    /// The reduction that a tap must make.
    pub fn reduce(self) -> Reduce {
        match self {
            Self::Raw => Reduce::MeanSpace,
            Self::Relu => Reduce::MeanSpaceRelu,
            Self::Abs => Reduce::MeanSpaceAbs,
        }
    }

    /// The tap that reads the sites of these `kinds`, or of any kind, whose name matches `pattern`.
    pub(crate) fn tap(self, pattern: &str, kinds: &[SiteKind]) -> TapSpec {
        TapSpec {
            pattern: pattern.to_owned(),
            kinds: kinds.to_vec(),
            mode: TapMode::Read(self.reduce()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_have_reductions_and_names_of_their_own() -> Result<(), serde_json::Error> {
        for (name, map, reduce) in [
            ("\"raw\"", ActMap::Raw, Reduce::MeanSpace),
            ("\"relu\"", ActMap::Relu, Reduce::MeanSpaceRelu),
            ("\"abs\"", ActMap::Abs, Reduce::MeanSpaceAbs),
        ] {
            assert_eq!(serde_json::from_str::<ActMap>(name)?, map);
            assert_eq!(map.reduce(), reduce);
        }
        Ok(())
    }
}
