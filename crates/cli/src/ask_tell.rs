//! `afterimage sweep --ask-tell`: another program asks for points of a search, and is told what came out.

use std::io::BufRead as _;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use afterimage::config::Loaded;
use afterimage::sweep::{Asked, Asking, Ending, Ledger, Plan, Results, State, SweepConfig};
use afterimage::{RunError, sweeps};
use serde_json::{Value, json};

use crate::output::{complain, say};
use crate::sweep::Work;

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
            Ok(line) => line,
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
            let mut asked = Asked::of(&Ledger::read(&work.folder.ledger())?);
            asked.push(asking.stage(), new);
            let next = sweeps::plan_with(work.registry, loaded, file, &asked)
                .map_err(afterimage::sweep::SweepError::from)?;
            next.notes
                .iter()
                .filter(|note| !plan.notes.contains(note))
                .for_each(|note| complain(note));
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
    Ok(match ending {
        Ending::Interrupted(signal) => {
            complain(&format!(
                "interrupted by signal {signal}; the same command goes on with this sweep"
            ));
            u8::try_from(128 + signal).unwrap_or(130)
        }
        Ending::Halted(why) => {
            complain(&format!("trials are left: {why}"));
            if results.count(State::Failed) > 0 {
                5
            } else {
                0
            }
        }
        Ending::Complete if results.count(State::Failed) > 0 => 5,
        Ending::Complete => 0,
    })
}

fn answer(line: &Value) {
    say(&format!("{line}\n"));
}

/// The lines of standard input as they come; the channel closes at its end.
fn lines() -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
