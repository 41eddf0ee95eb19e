//! The thread that hands points to a tracker, and the queue in front of it.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use afterimage_hooks::{Measurement, Outcome, Record, Sink};

use super::point::{Point, now};
use super::{Delivered, Tracker};
use crate::{TrackError, is_clock_dependent};

/// Live points that wait at most, some 20 MB.
const MOST: usize = 100_000;
/// Points that are handed over at a time: what MLflow takes in a request.
const BATCH: usize = 1_000;
/// The pause after a first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long the end of a run waits for a tracker.
const PATIENCE: Duration = Duration::from_secs(12);

/// Time between two deliveries, in which points gather.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace(Duration);

impl Pace {
    pub(crate) fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

/// Points that a tracker was not told when its run ended: they are lost to it.
#[derive(Debug, thiserror::Error)]
#[error("{why} ({lost} records are lost to it)")]
pub(crate) struct Undelivered {
    /// Step of the first of them.
    pub(crate) since: u64,
    lost: u64,
    why: String,
}

/// A sink that lets a [`Tracker`] be told on a thread of its own. It never waits but at [`close`](Sink::close).
pub(crate) struct Courier {
    name: &'static str,
    timings: bool,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What is not handed over yet, the batch at work included: it leaves when it has arrived.
    waiting: VecDeque<Point>,
    /// Of these, what a resume brought: it takes no room of live ones.
    past: usize,
    /// Step of the last point.
    step: u64,
    lost: u64,
    /// Why the last try failed, until one succeeds.
    failing: Option<String>,
    /// Why points were refused, until it is told.
    refused: Option<String>,
    closing: Option<Outcome>,
    /// Nobody waits for the thread any more.
    left: bool,
    done: bool,
}

impl Courier {
    pub(crate) fn start(
        name: &'static str,
        tracker: Box<dyn Tracker>,
        pace: Pace,
        timings: bool,
        past: Vec<Point>,
    ) -> Result<Self, TrackError> {
        let state = State {
            past: past.len(),
            waiting: past.into(),
            ..State::default()
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new().name(format!("sink {name}"));
        thread
            .spawn(move || own.work(tracker, pace.0))
            .map_err(|error| super::failed(name, "its thread", error.to_string()))?;
        Ok(Self {
            name,
            timings,
            shared,
        })
    }

    fn push(&self, point: Point) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.step = point.step;
        if state.done || state.waiting.len() - state.past >= MOST {
            state.lost += 1;
            let why = "it takes points more slowly than they are measured".to_owned();
            return Err(io::Error::other(state.failing.clone().unwrap_or(why)));
        }
        state.waiting.push_back(point);
        // Behind others it is found without a call.
        if state.waiting.len() == 1 {
            self.shared.changed.notify_all();
        }
        state.fate()
    }
}

impl Sink for Courier {
    fn name(&self) -> &str {
        self.name
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        match record.value {
            Measurement::Scalar(value) if self.timings || !is_clock_dependent(&record.tag) => self
                .push(Point {
                    tag: record.tag.clone(),
                    epoch: record.epoch,
                    step: record.step,
                    value,
                    time: now(),
                }),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.shared.lock().fate()
    }

    fn close(&mut self, outcome: &Outcome) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        let mut state = self.shared.lock();
        state.closing = Some(outcome.clone());
        self.shared.changed.notify_all();
        while !state.done {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.shared.wait(state, left);
        }
        if !state.done {
            state.left = true;
            let why = format!("no answer in the {} s after the run", PATIENCE.as_secs());
            state.failing.get_or_insert(why);
        }
        let since = state.waiting.front().map_or(state.step, |point| point.step);
        state.lost += state.waiting.len() as u64;
        let lost = state.lost;
        match state.failing.take() {
            Some(why) => Err(io::Error::other(Undelivered { since, lost, why })),
            None => state.fate(),
        }
    }

    fn lost(&self) -> Option<u64> {
        Some(self.shared.lock().lost)
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.shared.lock().left = true;
        self.shared.changed.notify_all();
    }
}

impl State {
    /// What a sink says of itself: why it fails now, or once why points were refused.
    fn fate(&mut self) -> io::Result<()> {
        match self.failing.clone().or_else(|| self.refused.take()) {
            Some(why) => Err(io::Error::other(why)),
            None => Ok(()),
        }
    }

    fn delivered(&mut self, count: usize, told: &Delivered) {
        self.waiting.drain(..count);
        self.past = self.past.saturating_sub(count);
        self.failing = None;
        if told.refused > 0 {
            self.lost += told.refused;
            self.refused = Some(told.why.clone());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, most: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, most);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Hands points over until the run has ended, or nobody waits for it.
    fn work(&self, mut tracker: Box<dyn Tracker>, pace: Duration) {
        let (mut begun, mut pause) = (false, Duration::ZERO);
        while let Some((batch, closing)) = self.next(pause, begun) {
            let told = self.hand_over(tracker.as_mut(), &mut begun, &batch);
            let mut state = self.lock();
            let over = match told {
                Ok(told) => {
                    state.delivered(batch.len(), &told);
                    // What gathered meanwhile goes at once.
                    let more = state.waiting.len() >= BATCH;
                    pause = if more { Duration::ZERO } else { pace };
                    closing.is_some() && state.waiting.is_empty()
                }
                Err(error) => {
                    state.failing = Some(error.to_string());
                    pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                    closing.is_some()
                }
            };
            if let (true, Some(outcome)) = (over, closing) {
                let whole = state.failing.is_none();
                drop(state);
                if whole && let Err(error) = tracker.end(&outcome) {
                    tracing::warn!("{error}; the points are there, the end of the run is not");
                }
                break;
            }
        }
        self.lock().done = true;
        self.changed.notify_all();
    }

    fn hand_over(
        &self,
        tracker: &mut dyn Tracker,
        begun: &mut bool,
        batch: &[Point],
    ) -> Result<Delivered, TrackError> {
        if !*begun {
            tracker.begin()?;
            *begun = true;
        }
        if batch.is_empty() {
            return Ok(Delivered::default());
        }
        let told = tracker.deliver(batch);
        *begun = told.is_ok();
        told
    }

    /// The next points, once `pause` is over, and how the run has ended if it has; `None` once nobody waits. An
    /// empty batch where the tracker has not `begun`, or the run has ended.
    fn next(&self, pause: Duration, begun: bool) -> Option<(Vec<Point>, Option<Outcome>)> {
        let until = Instant::now() + pause;
        let mut state = self.lock();
        loop {
            if state.left {
                return None;
            }
            let left = until.saturating_duration_since(Instant::now());
            let due = left.is_zero() && (!begun || !state.waiting.is_empty());
            if due || state.closing.is_some() {
                let count = state.waiting.len().min(BATCH);
                let batch = state.waiting.iter().take(count).cloned().collect();
                return Some((batch, state.closing.clone()));
            }
            let most = if left.is_zero() { LONGEST_PAUSE } else { left };
            state = self.wait(state, most);
        }
    }
}
