//! What Slurm knows of jobs.

use std::collections::BTreeMap;
use std::process::Command;

use crate::error::SweepError;
use crate::executor::Ended;

/// Runs a command of Slurm; gives its standard output.
///
/// # Errors
/// A command that is not there, or that ended with an error.
pub(super) fn call(command: &mut Command) -> Result<String, SweepError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| SweepError::Program {
        program: name.clone().into(),
        source,
        advice: "; go where Slurm's commands are, or use --executor local",
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(SweepError::Slurm {
        command: name,
        why: if said.trim().is_empty() {
            output.status.to_string()
        } else {
            said.trim().to_owned()
        },
    })
}

/// States of the array tasks of jobs with these names, by job and task.
///
/// # Errors
/// As [`call`].
pub(super) fn queued(names: &str) -> Result<BTreeMap<String, String>, SweepError> {
    let text = call(Command::new("squeue").args([
        "--noheader",
        "--array",
        "--name",
        names,
        "--format=%F_%K|%T|%j",
    ]))?;
    Ok(tasks(&text))
}

/// The state of a job that held more memory than it had asked for.
const OUT_OF_MEMORY: &str = "OUT_OF_MEMORY";

/// The lines of `squeue` by job and task. Those of tasks that are over stay in the list for a while
/// and are left out.
fn tasks(text: &str) -> BTreeMap<String, String> {
    const OVER: [&str; 9] = [
        "COMPLETED",
        "FAILED",
        "CANCELLED",
        "TIMEOUT",
        "NODE_FAIL",
        "PREEMPTED",
        "BOOT_FAIL",
        "DEADLINE",
        OUT_OF_MEMORY,
    ];
    text.lines()
        .filter_map(|line| {
            let mut parts = line.trim().split('|');
            let (job, state) = (parts.next()?, parts.next()?);
            (!OVER.contains(&state)).then(|| (job.to_owned(), state.to_owned()))
        })
        .collect()
}

/// How a job that is no longer in the queue ended: from accounting if there is any, else from what
/// the controller remembers. `None` if neither knows.
pub(super) fn ended(job: &str) -> Option<Ended> {
    let accounted = call(Command::new("sacct").args([
        "--noheader",
        "--allocations",
        "--parsable2",
        "--format=State,ExitCode",
        "--jobs",
        job,
    ]));
    if let Some(ended) = accounted.ok().as_deref().and_then(from_sacct) {
        return Some(ended);
    }
    let shown = call(Command::new("scontrol").args(["--oneliner", "show", "job", job])).ok()?;
    from_scontrol(&shown)
}

fn from_sacct(text: &str) -> Option<Ended> {
    let (state, code) = text.lines().next()?.split_once('|')?;
    Some(meaning(state, code))
}

fn from_scontrol(text: &str) -> Option<Ended> {
    let field = |name: &str| {
        text.split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let state = field("JobState")?;
    // It has been requeued since the queue was looked at.
    if ["PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED"].contains(&state) {
        return None;
    }
    Some(meaning(state, field("ExitCode")?))
}

/// What a state of Slurm and an exit code `code:signal` say.
fn meaning(state: &str, code: &str) -> Ended {
    let word = state
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .trim_end_matches('+');
    let (code, signal) = code.split_once(':').unwrap_or((code, "0"));
    let (code, signal) = (
        code.parse::<i32>().unwrap_or(1),
        signal.parse::<i32>().unwrap_or(0),
    );
    let code = if signal > 0 { 128 + signal } else { code };
    let blameless = ["NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED"].contains(&word);
    let code = match word {
        "COMPLETED" | "FAILED" => Some(code),
        // Slurm says 0 where it has killed the job itself.
        "TIMEOUT" | "DEADLINE" | OUT_OF_MEMORY => Some(137),
        "CANCELLED" => Some(143),
        _ => None,
    };
    Ended {
        code,
        blameless,
        seconds: None,
        note: (word != "COMPLETED" && word != "FAILED").then(|| format!("{SAYS} {word}")),
        beyond: None,
    }
}

/// What notes of a job's state begin with.
const SAYS: &str = "Slurm says";

/// Whether a job ended because it held more memory than it had asked for.
pub(super) fn is_out_of_memory(ended: &Ended) -> bool {
    let word = ended
        .note
        .as_deref()
        .and_then(|note| note.strip_prefix(SAYS));
    word.is_some_and(|word| word.trim() == OUT_OF_MEMORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_that_are_over_are_left_out() {
        let text = "12_0|RUNNING|a\n12_1|PENDING|a\n12_2|COMPLETED|a\n13_0|COMPLETING|b\n\n";
        let names: Vec<String> = tasks(text).into_keys().collect();
        assert_eq!(names, ["12_0", "12_1", "13_0"]);
    }

    #[test]
    fn ends_are_read_from_both_sources() {
        let code = |ended: Option<Ended>| ended.map(|e| (e.code, e.blameless));
        assert_eq!(code(from_sacct("FAILED|7:0\n")), Some((Some(7), false)));
        assert_eq!(
            code(from_sacct("CANCELLED by 0|0:15\n")),
            Some((Some(143), false))
        );
        assert_eq!(code(from_sacct("NODE_FAIL|1:0\n")), Some((None, true)));
        assert_eq!(code(from_sacct("")), None);
        let shown = |state: &str, code: &str| {
            format!("JobId=5 JobState={state} Reason=None ExitCode={code} Command=x y")
        };
        assert_eq!(
            code(from_scontrol(&shown("COMPLETED", "0:0"))),
            Some((Some(0), false))
        );
        assert_eq!(
            code(from_scontrol(&shown("FAILED", "0:9"))),
            Some((Some(137), false))
        );
        assert_eq!(
            code(from_scontrol(&shown("TIMEOUT", "0:0"))),
            Some((Some(137), false))
        );
        assert_eq!(code(from_scontrol(&shown("PENDING", "0:0"))), None);
        let beyond = |text: &str| from_sacct(text).is_some_and(|ended| is_out_of_memory(&ended));
        assert!(beyond("OUT_OF_MEMORY|0:125\n"));
        assert!(!beyond("TIMEOUT|0:0\n") && !beyond("FAILED|137:0\n"));
    }
}
