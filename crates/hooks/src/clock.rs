//! The run's time, and how often a handler is called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where the run stands. Steps and epochs are counted from 1; 0 is before training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The epoch under way or just finished.
    pub epoch: u32,
    /// The optimizer step under way or just finished.
    pub step: u64,
    /// Epochs of the whole run.
    pub epochs: u32,
    /// Steps of the whole run, as planned.
    pub steps: u64,
}

/// How often a handler is called.
///
/// # Examples
/// ```
/// use afterimage_hooks::Every;
/// assert_eq!("10 steps".parse(), Ok(Every::Steps(10)));
/// assert_eq!("25 %".parse(), Ok(Every::Percent(25)));
/// assert!("sometimes".parse::<Every>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Each time the event happens.
    Always,
    /// When the step number is a multiple.
    Steps(u64),
    /// When the epoch number is a multiple; for events inside an epoch, all along such an epoch.
    Epochs(u32),
    /// Each time another such share of the run's steps is done: 1 to 100.
    Percent(u8),
}

impl Every {
    /// Whether the handler is due at `clock`. The time before training (step 0) is always due. A
    /// cadence of 0, which can be written in code alone, is never due; [`order`](crate::order())
    /// refuses it.
    pub fn is_due(self, clock: &Clock) -> bool {
        match self {
            Every::Always => true,
            zero if zero.is_zero() => false,
            Every::Steps(n) => clock.step.is_multiple_of(n),
            Every::Epochs(n) => clock.epoch.is_multiple_of(n),
            Every::Percent(share) => {
                let part = |step: u64| (step * 100) / (u64::from(share) * clock.steps.max(1));
                clock.step == 0 || part(clock.step) > part(clock.step - 1)
            }
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        matches!(self, Every::Steps(0) | Every::Epochs(0) | Every::Percent(0))
    }

    /// Whether a handler is ever due once training began, in a run of `clock.epochs` and `clock.steps`.
    pub fn comes_within(self, clock: &Clock) -> bool {
        match self {
            zero if zero.is_zero() => false,
            Every::Always | Every::Percent(_) => true,
            Every::Steps(n) => n <= clock.steps,
            Every::Epochs(n) => n <= clock.epochs,
        }
    }
}

/// A cadence that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no cadence; write \"always\", \"10 steps\", \"2 epochs\" or \"25 %\"")]
pub struct CadenceError(String);

impl FromStr for Every {
    type Err = CadenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || CadenceError(text.to_owned());
        let trimmed = text.trim();
        if trimmed == "always" {
            return Ok(Every::Always);
        }
        let digits = trimmed.chars().take_while(char::is_ascii_digit).count();
        let number: u64 = trimmed[..digits].parse().map_err(|_| error())?;
        match (trimmed[digits..].trim(), number) {
            (_, 0) => Err(error()),
            ("step" | "steps", n) => Ok(Every::Steps(n)),
            ("epoch" | "epochs", n) => u32::try_from(n).map(Every::Epochs).map_err(|_| error()),
            ("%", n @ 1..=100) => Ok(Every::Percent(n as u8)),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Every::Always => f.write_str("always"),
            Every::Steps(n) => write!(f, "{n} steps"),
            Every::Epochs(n) => write!(f, "{n} epochs"),
            Every::Percent(n) => write!(f, "{n} %"),
        }
    }
}

impl Serialize for Every {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Every {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Every".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^ *(always|[0-9]*[1-9][0-9]* *(steps?|epochs?)|(100|[1-9][0-9]?) *%) *$",
            "x-words": "`\"always\"`, `\"N steps\"`, `\"N epochs\"`, `\"N %\"`",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(step: u64, steps: u64) -> Clock {
        Clock {
            epoch: 1,
            step,
            epochs: 4,
            steps,
        }
    }

    #[test]
    fn a_share_of_the_run_is_due_at_its_marks() {
        let due: Vec<u64> = (1..=40)
            .filter(|&s| Every::Percent(25).is_due(&at(s, 40)))
            .collect();
        assert_eq!(due, [10, 20, 30, 40]);
        let uneven: Vec<u64> = (1..=7)
            .filter(|&s| Every::Percent(50).is_due(&at(s, 7)))
            .collect();
        assert_eq!(uneven, [4, 7]);
    }

    #[test]
    fn a_cadence_longer_than_the_run_never_comes() {
        let run = at(0, 40);
        for (every, comes) in [
            (Every::Always, true),
            (Every::Percent(100), true),
            (Every::Steps(40), true),
            (Every::Steps(41), false),
            (Every::Epochs(4), true),
            (Every::Epochs(5), false),
        ] {
            assert_eq!(every.comes_within(&run), comes, "{every}");
        }
    }

    #[test]
    fn a_cadence_of_nothing_is_never_due() {
        for every in [Every::Steps(0), Every::Epochs(0), Every::Percent(0)] {
            for step in 0..5 {
                assert!(!every.is_due(&at(step, 4)));
            }
            assert!(!every.comes_within(&at(4, 4)));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "0 steps",
            "101 %",
            "0 %",
            "ten steps",
            "10",
            "10 minutes",
            "-1 steps",
        ] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_goes_round(n in 1u64..1_000_000) {
            for every in [Every::Always, Every::Steps(n), Every::Epochs(n as u32), Every::Percent((n % 100 + 1) as u8)] {
                prop_assert_eq!(every.to_string().parse::<Every>(), Ok(every));
            }
        }
    }
}
