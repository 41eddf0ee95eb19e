//! What the end of an attempt means for its trial.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use afterimage_files::{SMALL, read_below};
use serde::{Deserialize, Serialize};

/// Attempts of one trial that may be cut off through no fault of their own.
const CUT_OFF: u32 = 20;

/// The result that a run leaves in its directory (`result.json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialResult {
    /// The run directory, which is named as the trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<PathBuf>,
    /// The exit code.
    pub exit_code: i32,
    /// How it ended, in words.
    #[serde(default)]
    pub outcome: String,
    /// The last value of every scalar; `None` for those that are not finite.
    #[serde(default)]
    pub metrics: BTreeMap<String, Option<f64>>,
    /// The step of each scalar that was last measured before the end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub earlier: BTreeMap<String, u64>,
}

impl TrialResult {
    /// The result in the run directory `run`; `None` if the run has not ended in order.
    pub fn read(run: &Path) -> Option<Self> {
        serde_json::from_slice(&read_below(run, "result.json", SMALL).ok()?).ok()
    }
}

/// What is known when an attempt is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence<'a> {
    /// The exit code; 128 + signal for one that was killed; `None` if nobody saw it end.
    pub code: Option<i32>,
    /// What the run left.
    pub result: Option<&'a TrialResult>,
    /// Whether the machine is to blame, not the trial.
    pub blameless: bool,
    /// Why the trial had been asked to stop for good.
    pub stop: Option<&'a str>,
    /// Why the trial was ended, if it held more memory than it may.
    pub beyond: Option<&'a str>,
    /// Whether the sweep had told the trial to write a checkpoint and end so that it can go on later, or
    /// not to begin.
    pub told: bool,
    /// Attempts that crashed before.
    pub crashes: u32,
    /// Crashes that are forgiven.
    pub retries: u32,
    /// Attempts that were cut off before.
    pub cut_off: u32,
}

/// What becomes of the trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Done,
    /// It failed for good, and why.
    Failed(String),
    /// It stays stopped, and why.
    Stopped(String),
    /// It crashed and goes on from its last checkpoint, and why.
    Crashed(String),
    /// It was cut off and goes on from its last checkpoint, and why.
    Interrupted(String),
}

/// Judges the end of an attempt.
///
/// Exit codes are those of `afterimage run`: 0, 3 and 5 are done; 2 (config) and 4 (diverged) would be
/// the same again; 130 and 143 come after a checkpoint on a signal.
pub fn judge(evidence: &Evidence<'_>) -> Verdict {
    let code = evidence
        .code
        .or(evidence.result.map(|result| result.exit_code));
    if matches!(code, Some(0 | 3 | 5)) {
        return Verdict::Done;
    }
    // It would hold as much again.
    if let Some(why) = evidence.beyond {
        return Verdict::Failed(why.to_owned());
    }
    match code {
        Some(2) => return Verdict::Failed("its config was refused".to_owned()),
        Some(4) => return Verdict::Failed("the loss diverged".to_owned()),
        _ => {}
    }
    if let Some(reason) = evidence.stop {
        return Verdict::Stopped(reason.to_owned());
    }
    let how = match code {
        Some(code @ (130 | 143)) => format!("ended by signal {}", code - 128),
        Some(137) => "killed (signal 9; out of memory?)".to_owned(),
        Some(code) if code > 128 => format!("killed by signal {}", code - 128),
        Some(code) => format!("exit code {code}"),
        None => "nobody saw it end".to_owned(),
    };
    let told = evidence.told && matches!(code, Some(130 | 143) | None);
    if told || evidence.blameless || code.is_none() {
        return if evidence.cut_off < CUT_OFF {
            Verdict::Interrupted(how)
        } else {
            Verdict::Failed(format!("cut off {CUT_OFF} times, the last time: {how}"))
        };
    }
    if evidence.crashes < evidence.retries {
        Verdict::Crashed(how)
    } else {
        Verdict::Failed(how)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Evidence<'static> = Evidence {
        code: None,
        result: None,
        blameless: false,
        stop: None,
        beyond: None,
        told: false,
        crashes: 0,
        retries: 1,
        cut_off: 0,
    };

    fn verdict(evidence: Evidence<'_>) -> &'static str {
        match judge(&evidence) {
            Verdict::Done => "done",
            Verdict::Failed(_) => "failed",
            Verdict::Stopped(_) => "stopped",
            Verdict::Crashed(_) => "crashed",
            Verdict::Interrupted(_) => "interrupted",
        }
    }

    #[test]
    fn ends_are_told_apart() {
        let code = |code| Evidence {
            code: Some(code),
            ..PLAIN
        };
        assert_eq!(verdict(code(0)), "done");
        assert_eq!(verdict(code(3)), "done");
        assert_eq!(verdict(code(5)), "done");
        assert_eq!(verdict(code(1)), "crashed");
        assert_eq!(
            verdict(Evidence {
                crashes: 1,
                ..code(1)
            }),
            "failed"
        );
        assert_eq!(
            verdict(Evidence {
                retries: 0,
                ..code(137)
            }),
            "failed"
        );
        assert_eq!(verdict(code(137)), "crashed");
        assert_eq!(verdict(code(2)), "failed");
        assert_eq!(verdict(code(4)), "failed");
        assert_eq!(
            verdict(Evidence {
                stop: Some("slow"),
                ..code(143)
            }),
            "stopped"
        );
        assert_eq!(
            verdict(Evidence {
                told: true,
                ..code(143)
            }),
            "interrupted"
        );
        assert_eq!(verdict(code(143)), "crashed");
        assert_eq!(
            verdict(Evidence {
                blameless: true,
                ..code(1)
            }),
            "interrupted"
        );
        assert_eq!(verdict(PLAIN), "interrupted");
        for end in [Some(137), None, Some(143)] {
            let evidence = Evidence {
                beyond: Some("too much"),
                retries: 9,
                ..PLAIN
            };
            let of = judge(&Evidence {
                code: end,
                ..evidence
            });
            assert_eq!(of, Verdict::Failed("too much".to_owned()));
        }
    }

    #[test]
    fn a_run_that_nobody_saw_end_is_judged_by_what_it_left() {
        let result = |exit_code| TrialResult {
            run: None,
            exit_code,
            outcome: String::new(),
            metrics: BTreeMap::new(),
            earlier: BTreeMap::new(),
        };
        for (code, word) in [(0, "done"), (4, "failed"), (1, "crashed")] {
            let result = result(code);
            assert_eq!(
                verdict(Evidence {
                    result: Some(&result),
                    ..PLAIN
                }),
                word
            );
        }
    }

    proptest! {
        #[test]
        fn no_trial_goes_on_for_ever(code in prop::option::of(0..256i32), blameless: bool, told: bool) {
            let mut evidence = Evidence { code, blameless, told, ..PLAIN };
            for _ in 0..CUT_OFF + 3 {
                match judge(&evidence) {
                    Verdict::Crashed(_) => evidence.crashes += 1,
                    Verdict::Interrupted(_) => evidence.cut_off += 1,
                    _ => return Ok(()),
                }
            }
            prop_assert!(false, "{evidence:?}");
        }
    }
}
