//! `afterimage sweep --ask-tell`: another program asks for points of a search, and is told what came out.

use std::io::{self, BufRead as _, Read as _};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use afterimage::config::Loaded;
use afterimage::sweep::{Asked, Asking, Ending, Ledger, Plan, Results, SweepConfig};
use afterimage::{RunError, sweeps};
use serde_json::{Value, json};

use crate::output::{complain, say};
use crate::sweep::{Work, code, tell_new};

/// Bytes of a question, at most.
const LONGEST: u64 = 16 << 20;
/// How often a signal is looked for while nothing is asked.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers questions until standard input ends or a signal comes; gives the exit code.
pub(crate) fn serve(
    work: &Work<'_>,
    loaded: &Loaded<SweepConfig>,
    file: &Path,
    mut plan: Plan,
) -> Result<u8, RunError> {
    let Some(asking) = Asking::of(work.config) else {
        return Ok(2);
    };
    // What an earlier call left under way.
    let (mut ending, mut results) = work.through(&plan, false)?;
    answer(&asking.hello());
    let lines = lines();
    while ending == Ending::Complete {
        let signal = work.signal.load(Ordering::SeqCst);
        if signal != 0 {
            ending = Ending::Interrupted(signal);
            break;
        }
        let line = match lines.recv_timeout(PAUSE) {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => {
                conclude(work, &ending, &results)?;
                complain(&format!("error: standard input cannot be read: {error}"));
                return Ok(1);
            }
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if line.trim().is_empty() {
            continue;
        }
        let asked = asking
            .question(&line)
            .and_then(|question| Ok((asking.new_points(&question, &plan)?, question)));
        let (new, question) = match asked {
            Ok(asked) => asked,
            Err(why) => {
                let id = serde_json::from_str::<Value>(&line).ok();
                let id = id.and_then(|line| line.get("id").cloned());
                answer(&json!({ "id": id, "error": why }));
                continue;
            }
        };
        if !new.is_empty() {
            let lines = Ledger::read(&work.folder.ledger())?;
            let mut asked = Asked::of(&lines);
            asked.push(asking.stage(), new);
            let next = sweeps::plan_with(work.registry, loaded, file, &lines, &asked)
                .map_err(afterimage::sweep::SweepError::from)?;
            tell_new(&plan, &next);
            plan = next;
            (ending, results) = work.through(&plan, false)?;
        }
        answer(&asking.told(&question, &plan, &results));
    }
    conclude(work, &ending, &results)
}

fn conclude(work: &Work<'_>, ending: &Ending, results: &Results) -> Result<u8, RunError> {
    if !results.rows.is_empty() {
        sweeps::write_results(results, work.folder)?;
    }
    complain(&sweeps::counts(results));
    Ok(code(ending, results))
}

fn answer(line: &Value) {
    say(&format!("{line}\n"));
}

/// The lines of standard input as they come; the channel closes at its end, or behind what cannot be read.
fn lines() -> Receiver<io::Result<String>> {
    let (send, lines) = sync_channel(1);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let line = next_line(&mut input);
            let over = !matches!(line, Ok(Some(_)));
            if let Some(line) = line.transpose()
                && send.send(line).is_err()
            {
                break;
            }
            if over {
                break;
            }
        }
    });
    lines
}

/// The next line; none at the end. What is no text is a question that is not understood.
fn next_line(input: &mut impl io::BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
    if read as u64 == LONGEST && line.last() != Some(&b'\n') {
        let why = format!("a line has more than {} MB", LONGEST >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok((read > 0).then(|| String::from_utf8_lossy(&line).into_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lines_end_and_are_not_endless() {
        let mut input: &[u8] = b"{}\n\xff\nlast";
        let mut next = || next_line(&mut input).unwrap();
        assert_eq!(next().as_deref(), Some("{}\n"));
        assert_eq!(next().as_deref(), Some("\u{fffd}\n"));
        assert_eq!(next().as_deref(), Some("last"));
        assert_eq!(next(), None);
        let mut endless = io::BufReader::new(io::repeat(b' '));
        assert!(next_line(&mut endless).is_err());
    }
}
