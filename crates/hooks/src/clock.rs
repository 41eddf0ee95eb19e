//! The run's time, and how often a handler is called.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU32, NonZeroU64};
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
    /// Steps done when the epoch under way began, where epochs differ in their numbers of steps; `None` where
    /// all have the same. Not in records of the clock: the loop keeps it.
    #[serde(skip)]
    pub epoch_began: Option<u64>,
}

impl Clock {
    /// How many times a whole `share` % of the run is done once `step` steps are. Each epoch is the same part of
    /// the run, however many steps it has: so no mark comes twice or is passed over when a plan changes.
    fn marks(&self, share: Percent, step: i128) -> i128 {
        let share = i128::from(share.0.get());
        let steps = i128::from(self.steps);
        let Some(began) = self.epoch_began.map(i128::from) else {
            return (step * 100).div_euclid(share * steps.max(1));
        };
        let (epoch, epochs) = (i128::from(self.epoch), i128::from(self.epochs.max(1)));
        // As many epochs of as many steps are to come as the steps to come tell.
        let left = (epochs - epoch + 1).max(1);
        let rest = (steps - began).max(1);
        let done = (epoch - 1) * rest + (step - began) * left;
        (done * 100).div_euclid(share * rest * epochs)
    }
}

/// How often a handler is called. No cadence is 0.
///
/// # Examples
/// ```
/// use afterimage_hooks::Every;
/// assert_eq!("10 steps".parse(), Ok(Every::steps::<10>()));
/// assert_eq!("25 %".parse(), Ok(Every::percent::<25>()));
/// assert!("0 steps".parse::<Every>().is_err());
/// ```
/// In code, a cadence of 0 is an error of the compiler:
/// ```compile_fail
/// let never = afterimage_hooks::Every::steps::<0>();
/// ```
/// ```compile_fail
/// let never = afterimage_hooks::Every::epochs::<0>();
/// ```
/// ```compile_fail
/// let too_much = afterimage_hooks::Every::percent::<101>();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Each time the event happens.
    Always,
    /// When the step number is a multiple.
    Steps(NonZeroU64),
    /// When the epoch number is a multiple; for events inside an epoch, all along such an epoch.
    Epochs(NonZeroU32),
    /// Each time another such share of the run is done. Each epoch is the same share, however many steps its
    /// plan has.
    Percent(Percent),
}

/// A share of 1 to 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(NonZeroU8);

impl Percent {
    /// `share` %; none where it is not from 1 to 100.
    pub const fn new(share: u8) -> Option<Self> {
        match NonZeroU8::new(share) {
            Some(share) if share.get() <= 100 => Some(Self(share)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl Every {
    /// Every `N` steps; `N` is at least 1.
    pub const fn steps<const N: u64>() -> Self {
        const { assert!(N > 0, "a cadence is at least 1 step") };
        match NonZeroU64::new(N) {
            Some(n) => Self::Steps(n),
            None => Self::Always,
        }
    }

    /// Every `N` epochs; `N` is at least 1.
    pub const fn epochs<const N: u32>() -> Self {
        const { assert!(N > 0, "a cadence is at least 1 epoch") };
        match NonZeroU32::new(N) {
            Some(n) => Self::Epochs(n),
            None => Self::Always,
        }
    }

    /// Each time another `N` % of the run is done; `N` is from 1 to 100.
    pub const fn percent<const N: u8>() -> Self {
        const { assert!(N > 0 && N <= 100, "a share is 1 to 100 %") };
        match Percent::new(N) {
            Some(share) => Self::Percent(share),
            None => Self::Always,
        }
    }

    /// Whether the handler is due at `clock`. The time before training (step 0) is always due.
    pub fn is_due(self, clock: &Clock) -> bool {
        match self {
            Every::Always => true,
            Every::Steps(n) => clock.step.is_multiple_of(n.get()),
            Every::Epochs(n) => clock.epoch.is_multiple_of(n.get()),
            Every::Percent(share) => {
                let marks = |step| clock.marks(share, step);
                let step = i128::from(clock.step);
                clock.step == 0 || marks(step) > marks(step - 1)
            }
        }
    }

    /// Whether a handler is ever due once training began, in a run of `clock.epochs` and `clock.steps`.
    pub fn comes_within(self, clock: &Clock) -> bool {
        match self {
            Every::Always | Every::Percent(_) => true,
            Every::Steps(n) => n.get() <= clock.steps,
            Every::Epochs(n) => n.get() <= clock.epochs,
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
        let number = NonZeroU64::new(number).ok_or_else(error)?;
        match trimmed[digits..].trim() {
            "step" | "steps" => Ok(Every::Steps(number)),
            "epoch" | "epochs" => {
                let epochs = NonZeroU32::try_from(number);
                epochs.map(Every::Epochs).map_err(|_| error())
            }
            "%" => {
                let share = u8::try_from(number.get()).ok().and_then(Percent::new);
                share.map(Every::Percent).ok_or_else(error)
            }
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
            Every::Percent(share) => write!(f, "{} %", share.get()),
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
            epoch_began: None,
        }
    }

    #[test]
    fn a_share_of_the_run_is_due_at_its_marks() {
        let due: Vec<u64> = (1..=40)
            .filter(|&s| Every::percent::<25>().is_due(&at(s, 40)))
            .collect();
        assert_eq!(due, [10, 20, 30, 40]);
        let uneven: Vec<u64> = (1..=7)
            .filter(|&s| Every::percent::<50>().is_due(&at(s, 7)))
            .collect();
        assert_eq!(uneven, [4, 7]);
    }

    #[test]
    fn a_cadence_longer_than_the_run_never_comes() {
        let run = at(0, 40);
        for (every, comes) in [
            (Every::Always, true),
            (Every::percent::<100>(), true),
            (Every::steps::<40>(), true),
            (Every::steps::<41>(), false),
            (Every::epochs::<4>(), true),
            (Every::epochs::<5>(), false),
        ] {
            assert_eq!(every.comes_within(&run), comes, "{every}");
        }
    }

    /// The steps at which `every` is due in a run whose epochs have these numbers of steps, as the loop counts
    /// them: at the start of an epoch all to come are taken to be as long as it.
    fn due_in(every: Every, lengths: &[u64], even: bool) -> Vec<u64> {
        let (mut due, mut done) = (Vec::new(), 0);
        for (epoch, &length) in (1..).zip(lengths) {
            let left = lengths.len() as u64 - u64::from(epoch) + 1;
            let clock = Clock {
                epoch,
                step: done,
                epochs: lengths.len() as u32,
                steps: done + length * left,
                epoch_began: (!even).then_some(done),
            };
            due.extend(
                (done + 1..=done + length).filter(|&step| every.is_due(&Clock { step, ..clock })),
            );
            done += length;
        }
        due
    }

    #[test]
    fn no_mark_is_passed_over_or_comes_twice_where_epochs_differ() {
        // A quarter of the run is an epoch, whatever its length.
        let lengths = [10, 5, 5, 7];
        assert_eq!(
            due_in(Every::percent::<25>(), &lengths, false),
            [10, 15, 20, 27]
        );
        assert_eq!(due_in(Every::percent::<50>(), &lengths, false), [15, 27]);
        assert_eq!(due_in(Every::percent::<10>(), &[20, 10], false).len(), 10);
        assert_eq!(
            due_in(Every::percent::<20>(), &[3, 9, 2, 8, 4], false).len(),
            5
        );
        let thirds = due_in(Every::percent::<30>(), &[40, 5, 5, 40], false);
        assert_eq!(thirds.len(), 3, "{thirds:?}");
    }

    proptest! {
        #[test]
        fn epochs_of_one_length_are_counted_alike(share in 1u8..=100, length in 1u64..40, epochs in 1usize..9) {
            let every = Percent::new(share).map_or(Every::Always, Every::Percent);
            let lengths = vec![length; epochs];
            prop_assert_eq!(due_in(every, &lengths, false), due_in(every, &lengths, true));
        }
    }

    #[test]
    fn no_cadence_is_nothing() {
        for text in ["0 steps", "0 epochs", "0 %", "101 %", "4294967296 epochs"] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
        assert_eq!(Percent::new(0), None);
        assert_eq!(Percent::new(101), None);
        assert_eq!(Percent::new(100).map(Percent::get), Some(100));
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
            let texts = [format!("{n} steps"), format!("{n} epochs"), format!("{} %", n % 100 + 1)];
            for text in texts.iter().map(String::as_str).chain(["always"]) {
                prop_assert_eq!(text.parse::<Every>().map(|every| every.to_string()), Ok(text.to_owned()));
            }
        }
    }
}
