//! Lines that say that a run is at work, while nothing else is said.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No longer than this is nothing said.
const SILENCE: Duration = Duration::from_secs(5);

/// Says what is being done whenever nothing was said for five seconds, until it is dropped.
///
/// # Examples
/// ```
/// let beat = afterimage_track::Beat::watch("reading the images", |line| eprintln!("{line}"));
/// // … what may take long …
/// drop(beat);
/// ```
pub struct Beat {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    over: Condvar,
}

/// What is being done, and when something was last said.
struct State {
    over: bool,
    place: String,
    since: Instant,
    spoke: Instant,
}

impl State {
    fn new(place: &str, now: Instant) -> Self {
        Self {
            over: false,
            place: place.to_owned(),
            since: now,
            spoke: now,
        }
    }

    /// What there is to say at `now`, if it was silent for long enough; it counts as said then.
    fn due(&mut self, now: Instant) -> Option<String> {
        if now < self.spoke + SILENCE {
            return None;
        }
        let age = now - self.since;
        self.spoke = now;
        Some(match age < SILENCE {
            true => self.place.clone(),
            false => format!("{}: at work for {} s", self.place, age.as_secs()),
        })
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beat {
    /// Begins at `place`, which is what is being done in words; `say` writes a line.
    pub fn watch(place: &str, say: impl Fn(&str) + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(place, Instant::now())),
            over: Condvar::new(),
        });
        let watched = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("signs of life".to_owned())
            .spawn(move || beat(&watched, &say));
        Self {
            shared,
            // Without a thread there is a run without signs of life, which is better than none.
            thread: thread.ok(),
        }
    }

    /// Says where the work is by now; nothing is written.
    pub fn at(&self, place: String) {
        let mut state = self.shared.state();
        state.place = place;
        state.since = Instant::now();
    }

    /// Says that a line was written by somebody else.
    pub fn spoke(&self) {
        self.shared.state().spoke = Instant::now();
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.shared.state().over = true;
        self.shared.over.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn beat(shared: &Shared, say: &dyn Fn(&str)) {
    let mut state = shared.state();
    while !state.over {
        let now = Instant::now();
        if let Some(line) = state.due(now) {
            // Not under the lock: a slow terminal does not hold the run.
            drop(state);
            say(&line);
            state = shared.state();
            continue;
        }
        let left = (state.spoke + SILENCE).saturating_duration_since(now);
        let waited = shared.over.wait_timeout(state, left);
        state = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_when_nothing_was_said_for_five_seconds() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut state = State::new("reading the images", start);
        assert_eq!(state.due(at(4)), None);
        let line = state.due(at(5));
        assert_eq!(line.as_deref(), Some("reading the images: at work for 5 s"));
        assert_eq!(state.due(at(9)), None);
        let line = state.due(at(10));
        assert_eq!(
            line.as_deref(),
            Some("reading the images: at work for 10 s")
        );
        // What others say counts, and a place of just now is told as it is.
        state.spoke = at(12);
        (state.place, state.since) = ("epoch 1/2".to_owned(), at(15));
        assert_eq!(state.due(at(16)), None);
        assert_eq!(state.due(at(17)).as_deref(), Some("epoch 1/2"));
        let line = state.due(at(22));
        assert_eq!(line.as_deref(), Some("epoch 1/2: at work for 7 s"));
    }

    #[test]
    fn a_beat_that_is_dropped_is_over() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&said);
        let beat = Beat::watch("x", move |line| {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line.to_owned());
        });
        beat.at("y".to_owned());
        drop(beat);
        // The thread has ended: nobody else holds the lines.
        assert_eq!(Arc::strong_count(&said), 1);
    }
}
