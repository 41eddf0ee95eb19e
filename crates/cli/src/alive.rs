//! Signs of life of a command that takes its time.

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use afterimage::{Counted, Pulse, in_words};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{complain, shown};

/// How often a terminal is drawn.
const DRAWN: Duration = Duration::from_millis(500);

/// Tells of each part of a command when it begins, and how far it is while nothing else is said: in a line
/// at the bottom of a terminal, and elsewhere in lines by time.
pub(crate) struct Alive {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    bar: Option<ProgressBar>,
}

struct Shared {
    state: Mutex<State>,
    over: Condvar,
}

struct State {
    over: bool,
    clock: Clock,
}

/// When what began and was last told.
struct Clock {
    part: String,
    began: Instant,
    spoke: Instant,
    /// The work under way, and when its first piece was seen to be done, and how many were: what comes
    /// before, as reading and building, says nothing about the pace.
    first: Option<(u64, Instant, u64)>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alive {
    /// Begins to watch `pulse`.
    pub(crate) fn watch(pulse: Pulse) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                over: false,
                clock: Clock::new(Instant::now()),
            }),
            over: Condvar::new(),
        });
        let bar = io::stderr().is_terminal().then(ProgressBar::new_spinner);
        if let (Some(bar), Ok(style)) = (&bar, ProgressStyle::with_template("{wide_msg}")) {
            bar.set_style(style);
        }
        let (watched, drawn) = (Arc::clone(&shared), bar.clone());
        let thread = std::thread::Builder::new()
            .name("signs of life".to_owned())
            .spawn(move || beat(&watched, &pulse, drawn.as_ref()));
        Self {
            shared,
            // Without a thread there is a command without signs of life, which is better than none.
            thread: thread.ok(),
            bar,
        }
    }

    /// Says that a part begins.
    pub(crate) fn say(&self, part: &str) {
        self.tell(&format!("{part} …"));
        self.begin(part);
    }

    /// Says something beside.
    pub(crate) fn tell(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| complain(line)),
            None => complain(line),
        }
    }

    /// A part that is told only if it takes its time.
    pub(crate) fn begin(&self, part: &str) {
        self.shared.state().clock.begin(part, Instant::now());
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.shared.state().over = true;
        self.shared.over.notify_all();
        if let Some(thread) = self.thread.take() {
            // It only draws; what it died of is no reason to end a command.
            let _ = thread.join();
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn beat(shared: &Shared, pulse: &Pulse, bar: Option<&ProgressBar>) {
    let mut state = shared.state();
    while !state.over {
        let (now, counted) = (Instant::now(), pulse.read());
        state.clock.look(now, counted);
        match bar {
            Some(bar) if !state.clock.part.is_empty() => {
                bar.set_message(shown(&state.clock.line(now, counted)).into_owned());
                bar.tick();
            }
            None if state.clock.is_due(now) => {
                complain(&state.clock.line(now, counted));
                state.clock.spoke = now;
            }
            _ => {}
        }
        let waited = shared.over.wait_timeout(state, DRAWN);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

impl Clock {
    fn new(now: Instant) -> Self {
        Self {
            part: String::new(),
            began: now,
            spoke: now,
            first: None,
        }
    }

    fn begin(&mut self, part: &str, now: Instant) {
        part.clone_into(&mut self.part);
        (self.began, self.spoke) = (now, now);
    }

    /// Notes when the first piece of a work was seen to be done.
    fn look(&mut self, now: Instant, counted: Counted) {
        if self.first.is_none_or(|(work, _, _)| work != counted.work) {
            self.first = (counted.done > 0).then_some((counted.work, now, counted.done));
        }
    }

    /// Whether a line is due: every 5 s in the first minute of a part, every 15 s in the first ten, then
    /// every minute.
    fn is_due(&self, now: Instant) -> bool {
        let pause = match (now - self.began).as_secs() {
            0..60 => 5,
            60..600 => 15,
            _ => 60,
        };
        !self.part.is_empty() && now - self.spoke >= Duration::from_secs(pause)
    }

    fn line(&self, now: Instant, counted: Counted) -> String {
        let Counted {
            done, all, what, ..
        } = counted;
        let part = &self.part;
        let pace = self
            .first
            .filter(|(_, _, before)| done > *before && all >= done);
        match (done, all, pace) {
            (_, 1.., Some((_, since, before))) => {
                let passed = (now - since).as_secs_f64();
                let left = passed / (done - before) as f64 * (all - done) as f64;
                format!(
                    "{part}: {done} of {all} {what}, about {} left",
                    in_words(left)
                )
            }
            (1.., 1.., None) if done <= all => format!("{part}: {done} of {all} {what}"),
            (1.., _, _) => format!("{part}: {done} {what} so far"),
            _ => format!(
                "{part}: {} so far",
                in_words((now - self.began).as_secs_f64())
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(done: u64, all: u64) -> Counted {
        Counted {
            done,
            all,
            what: "arms",
            work: 1,
        }
    }

    #[test]
    fn what_is_left_follows_from_the_pace_since_the_first_piece() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = Clock::new(start);
        clock.begin("judging", start);
        assert_eq!(clock.line(at(7), counted(0, 10)), "judging: 7 s so far");
        // Thirty seconds until the first arm, then ten each.
        clock.look(at(30), counted(1, 10));
        assert_eq!(clock.line(at(31), counted(1, 10)), "judging: 1 of 10 arms");
        clock.look(at(50), counted(3, 10));
        assert_eq!(
            clock.line(at(50), counted(3, 10)),
            "judging: 3 of 10 arms, about 70 s left"
        );
        assert_eq!(clock.line(at(50), counted(3, 0)), "judging: 3 arms so far");
        // More than was expected is no reason to count backwards.
        assert_eq!(
            clock.line(at(50), counted(11, 10)),
            "judging: 11 arms so far"
        );
        clock.look(
            at(60),
            Counted {
                work: 2,
                ..counted(0, 5)
            },
        );
        assert!(clock.first.is_none());
    }

    #[test]
    fn lines_come_by_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = Clock::new(start);
        assert!(!clock.is_due(at(100)), "nothing has begun");
        clock.begin("judging", start);
        assert!(!clock.is_due(at(4)) && clock.is_due(at(5)));
        clock.spoke = at(60);
        assert!(!clock.is_due(at(70)) && clock.is_due(at(75)));
        clock.spoke = at(1000);
        assert!(!clock.is_due(at(1059)) && clock.is_due(at(1060)));
    }
}
